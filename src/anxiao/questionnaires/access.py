"""Who may reach and change questionnaires."""

from __future__ import annotations

from anxiao.base.permissions import Permission
from anxiao.base.scope import Scope


def may_publish(scope: Scope) -> bool:
    """The province publishes; so does the house itself (migrations, the demo), which is nobody's session."""
    return scope.may(Permission.CAMPAIGN_MANAGE) or (not scope.is_known and scope.origin != "web")
