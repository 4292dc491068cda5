"""Day sheets come only through here: a school's sheet is reached by the school's node, or not at all."""

from __future__ import annotations

from anxiao.base.errors import NotYours
from anxiao.base.permissions import Permission
from anxiao.base.scope import SHARED_SCHOOL, Scope
from anxiao.directory.models import Organisation
from anxiao.directory.names import OrganisationKind


def get_school_node(scope: Scope, school_id: int, permission: Permission = Permission.SHEET_VIEW) -> Organisation:
    """The node of a school, when the caller holds ``permission`` on it."""
    schools = Organisation.objects.filter(kind=OrganisationKind.SCHOOL).select_related("parent")
    node = schools.filter(school_id=school_id).first()
    if node is None or not scope.may(permission, node.path):
        raise NotYours
    return node


def may_sign(scope: Scope, node: Organisation) -> bool:
    return scope.may(Permission.SHEET_SIGN, node.path)


def may_send_back(scope: Scope, node: Organisation) -> bool:
    return scope.may(Permission.SHEET_RETURN, node.path)


def answers_for_province(scope: Scope) -> bool:
    """Whether the caller looks at sheets from above the schools."""
    return any(Permission.SHEET_VIEW in g.permissions and g.school_id == SHARED_SCHOOL for g in scope.grants)


def own_school_ids(scope: Scope) -> tuple[int, ...]:
    """Schools whose sheet the caller sees by a grant in that school itself."""
    return tuple(
        dict.fromkeys(
            g.school_id
            for g in scope.grants
            if Permission.SHEET_VIEW in g.permissions and g.school_id and g.place_path is None
        )
    )
