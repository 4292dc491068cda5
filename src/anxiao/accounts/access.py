"""Objects of this room come only through here, and so does the question for a fresh proof of who is asking."""

from __future__ import annotations

from allauth.account.internal.flows.reauthentication import did_recently_reauthenticate
from django.http import HttpRequest

from anxiao.accounts.models import Grant, User
from anxiao.accounts.queries.nodes import school_node
from anxiao.accounts.rules import may_give
from anxiao.base.errors import NotYours, StepUpNeeded
from anxiao.base.permissions import Permission, Role
from anxiao.base.scope import Scope
from anxiao.directory.access import get_organisation
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


def get_account(scope: Scope, user_id: int) -> User:
    """An account of the caller's own school, for those who manage roles there."""
    user = User.objects.filter(pk=user_id).first()
    if user is None or user.home_school_id is None:
        raise NotYours
    node = school_node(user.home_school_id)
    if node is None or not scope.may(Permission.GRANT_MANAGE, node.path):
        raise NotYours
    return user


def get_activation_node(scope: Scope, node_id: int) -> Organisation:
    """A node whose people the caller may give activation codes."""
    return get_organisation(scope, node_id, Permission.ACTIVATION_PRINT)


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
