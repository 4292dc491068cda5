"""Two schools in one province, and the people who may import into them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from anxiao.base.permissions import Role
from anxiao.base.scope import Grant, Scope, system_scope
from anxiao.base.tenancy import school_context
from anxiao.config import wiring
from anxiao.directory.commands import add_organisation, open_school
from anxiao.directory.models import Organisation, School
from anxiao.directory.names import OrganisationKind

MORNING = datetime(2026, 11, 24, 1, 30, tzinfo=UTC)
NEXT_DAY = datetime(2026, 11, 25, 1, 30, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Cast:
    school: School
    node: Organisation
    other: School
    other_node: Organisation
    admin: Scope
    outsider: Scope
    counsellor: Scope


def scope(node: Organisation, role: Role = Role.SCHOOL_ADMIN, user_id: int = 7) -> Scope:
    grant = Grant(role=role, node_id=node.pk, node_path=node.path, node_kind=node.kind, school_id=node.school_id)
    return Scope(user_id=user_id, username=f"user{user_id}", school_id=node.school_id, grants=(grant,))


@contextmanager
def acting(who: Scope) -> Iterator[Scope]:
    """The transaction of a request of `who`, as the middleware opens it."""
    with school_context(who.db_scope):
        yield who


def make_cast() -> Cast:
    wiring.connect()
    house = system_scope("test")
    # The register is written by the house; the application may only read it.
    school, other = (
        School.objects.using("bulk").create(code=code, name=name, city="合肥市", city_code="340100", level="本科")
        for code, name in (("4134010357", "安徽大学"), ("4134010370", "安徽师范大学"))
    )
    with school_context("*"):
        province = add_organisation(by=house, now=MORNING, kind=OrganisationKind.PROVINCE, name="安徽省", parent=None)
        node = open_school(by=house, now=MORNING, school=school, province=province)
        other_node = open_school(by=house, now=MORNING, school=other, province=province)
    return Cast(
        school,
        node,
        other,
        other_node,
        admin=scope(node),
        outsider=scope(other_node, user_id=8),
        counsellor=scope(node, Role.COUNSELLOR, user_id=9),
    )
