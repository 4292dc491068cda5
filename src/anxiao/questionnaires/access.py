"""Who may reach and change questionnaires."""

from __future__ import annotations

from anxiao.base.errors import NotYours
from anxiao.base.permissions import Permission
from anxiao.base.scope import Scope
from anxiao.questionnaires.models import QuestionnaireVersion


def get_version(scope: Scope, version_id: int) -> QuestionnaireVersion:
    """A published version, or NotYours. Visitors who are not signed in see none."""
    if not scope.is_known:
        raise NotYours
    try:
        return QuestionnaireVersion.objects.select_related("questionnaire").get(pk=version_id)
    except QuestionnaireVersion.DoesNotExist:
        raise NotYours from None


def may_publish(scope: Scope) -> bool:
    """The province publishes; so does the house itself (migrations, the demo), which is nobody's session."""
    return scope.may(Permission.CAMPAIGN_MANAGE) or (not scope.is_known and scope.origin != "web")
