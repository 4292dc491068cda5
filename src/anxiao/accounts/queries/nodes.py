"""The tree as the settings pages show it."""

from __future__ import annotations

from anxiao.base.permissions import Permission
from anxiao.base.scope import Scope
from anxiao.directory.models import Organisation
from anxiao.directory.names import OrganisationKind


def school_node(school_id: int) -> Organisation | None:
    """The node of a school in the tree, once it is in use."""
    return Organisation.objects.filter(school_id=school_id, kind=OrganisationKind.SCHOOL).first()


def way_to(scope: Scope, node: Organisation, permission: Permission) -> list[Organisation]:
    """The nodes from the caller's outermost one down to ``node`` itself."""
    return list(Organisation.objects.within(scope, permission).filter(path__above=node.path).order_by("path"))
