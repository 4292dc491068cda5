"""Reading accounts.  Nouns have files of their own; what everybody needs is here."""

from anxiao.accounts.queries.alarms import open_alarms
from anxiao.accounts.queries.scopes import (
    bare_scope,
    has_second_factor,
    needs_second_factor,
    scope_of,
    standings,
    user_called,
)

__all__ = [
    "bare_scope",
    "has_second_factor",
    "needs_second_factor",
    "open_alarms",
    "scope_of",
    "standings",
    "user_called",
]
