"""Objects of this room come only through here, and so does the question for a fresh proof of who is asking."""

from __future__ import annotations

from datetime import date

from allauth.account.internal.flows.reauthentication import did_recently_reauthenticate
from django.http import HttpRequest

from anxiao.accounts.models import ActivationAlarm, Grant, User
from anxiao.accounts.queries.grants import roles_held
from anxiao.accounts.rules import may_give, may_help
from anxiao.base.errors import NotYours, StepUpNeeded
from anxiao.base.permissions import Permission, Role
from anxiao.base.scope import Scope
from anxiao.directory.access import get_organisation, may_reach
from anxiao.directory.models import Onboarding, Organisation, School


def require_recent_proof(request: HttpRequest) -> None:
    """Let pass only who gave password or one-time code *again* within the last five minutes.

    Signing in does not count: the screen may have been left alone since.
    """
    if not did_recently_reauthenticate(request):
        raise StepUpNeeded


def get_grant(scope: Scope, grant_id: int) -> Grant:
    """A grant which the caller may end: on a node they manage, of a role they may give there."""
    grant = Grant.objects.select_related("user", "organisation", "place").filter(pk=grant_id).first()
    if grant is None or not scope.may(Permission.GRANT_MANAGE, grant.organisation.path):
        raise NotYours
    if not may_give(scope, Role(grant.role), grant.organisation.path):
        raise NotYours
    return grant


def get_account(scope: Scope, user_id: int, day: date) -> User:
    """An account with roles, all of which are the caller's to give: they may help its holder back in."""
    user = User.objects.filter(pk=user_id).first()
    if user is None:
        raise NotYours
    held = roles_held([user.pk], day)[user.pk]
    if not held or not may_help(scope, held):
        raise NotYours
    return user


def get_activation_node(scope: Scope, node_id: int) -> Organisation:
    """A node whose people the caller may give activation codes."""
    return get_organisation(scope, node_id, Permission.ACTIVATION_PRINT)


def get_alarm(scope: Scope, alarm_id: int, day: date) -> ActivationAlarm:
    """An alarm about somebody for whom the caller may print codes."""
    alarm = ActivationAlarm.objects.select_related("person").filter(pk=alarm_id).first()
    if alarm is None or not may_reach(scope, alarm.person, day, Permission.ACTIVATION_PRINT):
        raise NotYours
    return alarm


def get_application(scope: Scope, application_id: int) -> Onboarding:
    """A school's application, for those who decide on them."""
    application = Onboarding.objects.filter(pk=application_id).first()
    if application is None or not scope.may(Permission.ONBOARDING_APPROVE):
        raise NotYours
    return application


def get_managed_school(scope: Scope, permission: Permission, school_id: int | None = None) -> School:
    """The school whose settings the caller changes: the one asked for, or the first where ``permission`` is held."""
    held = [
        g.school_id for g in scope.grants if permission in g.permissions and g.school_id and g.node_kind == "school"
    ]
    wanted = school_id if school_id is not None else next(iter(held), None)
    if wanted is None or wanted not in held:
        raise NotYours
    return School.objects.get(pk=wanted)
