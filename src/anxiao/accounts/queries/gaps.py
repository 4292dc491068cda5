"""Nodes and cells of the grid for which nobody answers."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Any

from django.db import connection

from anxiao.base.permissions import Permission, Role
from anxiao.base.scope import Scope

PAGE = 100


class Gap(StrEnum):
    """What lacks whom."""

    CLASS = "class"
    COLLEGE = "college"
    BUILDING = "building"
    CLINIC = "clinic"
    GATE = "gate"
    SCHOOL = "school"

    @property
    def role(self) -> Role:
        return _ROLES[self]

    @property
    def is_place(self) -> bool:
        return self in (Gap.BUILDING, Gap.CLINIC, Gap.GATE)


_ROLES = {
    Gap.CLASS: Role.COUNSELLOR,
    Gap.COLLEGE: Role.COLLEGE_OFFICER,
    Gap.BUILDING: Role.DORM_MANAGER,
    Gap.CLINIC: Role.SCHOOL_DOCTOR,
    Gap.GATE: Role.SECURITY,
    Gap.SCHOOL: Role.EPIDEMIC_OFFICER,
}

_HOLDS = """
    FROM account_grant g JOIN account a ON a.id = g.user_id AND a.is_active
    {join} WHERE g.role = {role} AND g.valid_from <= %(day)s AND (g.valid_to IS NULL OR g.valid_to > %(day)s)
"""
_NODES = """
SELECT o.kind AS gap, o.id, concat_ws(' ', nullif(o.grade, ''), o.name) AS name, up.name AS above
FROM organisation o LEFT JOIN organisation up ON up.id = o.parent_id
WHERE o.path <@ ANY(%(paths)s::ltree[]) AND o.kind IN ('school', 'college', 'class') AND o.closed_on IS NULL
  AND NOT EXISTS (SELECT {holds} AND g.organisation_id = o.id)
  AND (o.kind <> 'class' OR EXISTS (
      SELECT FROM membership m WHERE m.school_id = o.school_id AND m.organisation_id = o.id AND m.superseded_at IS NULL
         AND m.valid_from <= %(day)s AND (m.valid_to IS NULL OR m.valid_to > %(day)s)))
""".format(
    holds=_HOLDS.format(
        join="",
        role="CASE o.kind WHEN 'class' THEN 'counsellor' WHEN 'college' THEN 'college_officer' "
        "ELSE 'epidemic_officer' END",
    )
)
_PLACES = """
SELECT p.kind AS gap, p.id, p.name, up.name AS above
FROM place p LEFT JOIN place up ON up.id = p.parent_id
WHERE p.school_id = ANY(%(schools)s) AND p.kind IN ('building', 'clinic', 'gate')
  AND NOT EXISTS (SELECT {holds} AND p.path <@ held.path)
""".format(
    holds=_HOLDS.format(
        join="JOIN place held ON held.id = g.place_id",
        role="CASE p.kind WHEN 'building' THEN 'dorm_manager' WHEN 'clinic' THEN 'school_doctor' ELSE 'security' END",
    )
)
_COUNTS = f"SELECT gap, count(*) FROM ({_NODES} UNION ALL {_PLACES}) gaps GROUP BY gap"
_LIST = f"""
SELECT id, name, coalesce(above, '') FROM ({{source}}) gaps WHERE gap = %(gap)s AND id > %(after)s
ORDER BY id LIMIT {PAGE + 1}
"""


@dataclass(frozen=True, slots=True)
class Lacking:
    """A node or a place without a responsible person."""

    id: int
    name: str
    above: str


@dataclass(frozen=True, slots=True)
class Gaps:
    """A page of them in the order in which they were made; ``after`` continues."""

    rows: tuple[Lacking, ...]
    after: int | None


def gap_counts(scope: Scope, day: date) -> dict[Gap, int]:
    """How many classes lack a counsellor, colleges an officer, and so on, where the caller manages roles.

    A class counts while it has people; one for which somebody stands in does not lack anybody.
    """
    with connection.cursor() as cursor:
        cursor.execute(_COUNTS, _where(scope, day))
        found = dict(cursor.fetchall())
    return {gap: found.get(gap.value, 0) for gap in Gap}


def gaps(scope: Scope, day: date, gap: Gap, *, after: int = 0) -> Gaps:
    """The nodes or places of one kind that lack somebody, a page at a time."""
    with connection.cursor() as cursor:
        cursor.execute(
            _LIST.format(source=_PLACES if gap.is_place else _NODES),
            _where(scope, day) | {"gap": gap.value, "after": after},
        )
        found = [Lacking(*row) for row in cursor.fetchall()]
    return Gaps(tuple(found[:PAGE]), found[PAGE - 1].id if len(found) > PAGE else None)


def _where(scope: Scope, day: date) -> dict[str, Any]:
    held = [g for g in scope.grants if Permission.GRANT_MANAGE in g.permissions and g.place_path is None]
    return {
        "day": day,
        "paths": list(scope.paths_for(Permission.GRANT_MANAGE)),
        "schools": sorted({g.school_id for g in held if g.node_kind == "school"}),
    }
