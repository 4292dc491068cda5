"""Reading accounts.  Nouns have files of their own; what everybody needs is here."""

from anxiao.accounts.queries.activation import Activated, activation_counts
from anxiao.accounts.queries.scopes import (
    bare_scope,
    has_second_factor,
    needs_second_factor,
    scope_of,
    standings,
    user_called,
)

__all__ = [
    "Activated",
    "activation_counts",
    "bare_scope",
    "has_second_factor",
    "needs_second_factor",
    "scope_of",
    "standings",
    "user_called",
]
