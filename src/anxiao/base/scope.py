"""Who is asking, and how far their sight reaches.

A ``Scope`` is built once per request (or per job) and handed to every query and command.  It is the only carrier of
authority: nothing below the views looks at ``request.user``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from anxiao.base.permissions import ROLE_PERMISSIONS, Permission, Role

SHARED_SCHOOL = 0
"""``school_id`` of rows above the schools: the province node, its campaigns' ledger rows."""


@dataclass(frozen=True, slots=True)
class Grant:
    """A role held on one node of the organisation tree, optionally narrowed to a place (a dormitory building)."""

    role: Role
    node_id: int
    node_path: str
    node_kind: str
    school_id: int
    node_name: str = ""
    place_path: str | None = None
    id: int = 0

    @property
    def permissions(self) -> frozenset[Permission]:
        return ROLE_PERMISSIONS[self.role]


def lies_under(path: str, ancestor: str) -> bool:
    """Whether the dotted tree ``path`` is ``ancestor`` or lies beneath it."""
    return path == ancestor or path.startswith(ancestor + ".")


@dataclass(frozen=True, slots=True)
class Scope:
    """The caller: one account, its person (if any) and its grants valid at this moment."""

    user_id: int = 0
    username: str = ""
    display_name: str = ""
    person_id: int | None = None
    school_id: int | None = None
    grants: tuple[Grant, ...] = ()
    demo: bool = False
    origin: str = field(default="web", compare=False)

    @property
    def is_known(self) -> bool:
        return self.user_id > 0

    def may(self, permission: Permission | str, path: str | None = None) -> bool:
        """Whether the caller holds ``permission`` on the node at ``path`` (anywhere, when no path is given).

        A grant narrowed to a place says nothing about a node of the organisation tree: it counts only without a path.
        """
        wanted = Permission(permission)
        for grant in self.grants:
            if wanted not in grant.permissions:
                continue
            if path is None:
                return True
            if grant.place_path is None and lies_under(path, grant.node_path):
                return True
        return False

    def paths_for(self, permission: Permission | str) -> tuple[str, ...]:
        """Paths of the nodes under which the caller holds ``permission``, outermost only, sorted."""
        wanted = Permission(permission)
        paths = {g.node_path for g in self.grants if wanted in g.permissions and g.place_path is None}
        return tuple(sorted(p for p in paths if not any(p != other and lies_under(p, other) for other in paths)))

    def place_paths_for(self, permission: Permission | str) -> tuple[str, ...]:
        """Paths of the places (dormitory buildings) under which the caller holds ``permission``."""
        wanted = Permission(permission)
        return tuple(sorted({g.place_path for g in self.grants if wanted in g.permissions and g.place_path}))

    @property
    def roles(self) -> tuple[Role, ...]:
        return tuple(dict.fromkeys(g.role for g in self.grants))

    @property
    def schools(self) -> tuple[int, ...] | Literal["*"]:
        """The schools whose rows the database may show: ``"*"`` for those who answer for the province."""
        if any(g.school_id == SHARED_SCHOOL and g.role is not Role.OPERATOR for g in self.grants):
            return "*"
        found = {g.school_id for g in self.grants if g.school_id != SHARED_SCHOOL}
        if self.school_id:
            found.add(self.school_id)
        return tuple(sorted(found))

    @property
    def db_scope(self) -> str:
        """The argument of ``anxiao_scope()``: ``"*"``, ``""`` (nothing) or ``"0,12,15"``.

        School 0 holds what is above the schools and is readable by everybody who belongs to one.
        """
        schools = self.schools
        if schools == "*":
            return "*"
        if not schools:
            return ""
        return ",".join(str(s) for s in (SHARED_SCHOOL, *schools))


NOBODY = Scope()


def system_scope(origin: str) -> Scope:
    """The scope of the house itself: migrations, jobs, the command line.  ``origin`` is written into the ledger."""
    return Scope(username=origin, display_name=origin, origin=origin)
