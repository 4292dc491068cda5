"""How far people have come on their way in, set by set: units with their funnel, a class by name, who stands still."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from django.db import connection

from anxiao.accounts.names import Delivery, Stage
from anxiao.accounts.rules import CODE_ATTEMPTS
from anxiao.base.permissions import Permission
from anxiao.base.scope import Scope

PAGE = 100

_VALID = "m.superseded_at IS NULL AND m.valid_from <= %(day)s AND (m.valid_to IS NULL OR m.valid_to > %(day)s)"
_OPEN_CODE = "c.school_id = m.school_id AND c.person_id = m.person_id AND c.used_at IS NULL AND c.replaced_at IS NULL"
_ACTIVATED = "coalesce(a.activated, false)"
_DELIVERED = "(coalesce(a.delivered, false) OR coalesce(a.activated, false))"
_BEGUN = "(coalesce(a.activated, false) AND a.reported)"

_UNITS = f"""
WITH units AS MATERIALIZED (
    SELECT o.id, o.school_id, o.name, o.grade, o.kind, o.path FROM organisation o
    WHERE CASE WHEN %(parent)s::int IS NULL THEN o.path = ANY(%(paths)s::ltree[]) ELSE o.parent_id = %(parent)s END
      AND o.path <@ ANY(%(paths)s::ltree[])
), beneath AS MATERIALIZED (
    SELECT u.id AS unit, d.id, d.school_id FROM units u JOIN organisation d ON d.path <@ u.path
), held AS MATERIALIZED (
    SELECT m.organisation_id AS id, count(*) AS people,
           count(*) FILTER (WHERE c.expires_at > %(now)s AND NOT {_ACTIVATED}) AS printed,
           count(*) FILTER (WHERE {_DELIVERED}) AS delivered,
           count(*) FILTER (WHERE {_ACTIVATED}) AS activated,
           count(*) FILTER (WHERE {_BEGUN}) AS begun
    FROM (SELECT DISTINCT id, school_id FROM beneath) d
    JOIN membership m ON m.school_id = d.school_id AND m.organisation_id = d.id AND {_VALID}
    LEFT JOIN activation a ON a.person_id = m.person_id
    LEFT JOIN activation_code c ON {_OPEN_CODE}
    GROUP BY m.organisation_id
)
SELECT u.id, u.name, u.grade, u.kind, coalesce(sum(h.people), 0)::int, coalesce(sum(h.printed), 0)::int,
       coalesce(sum(h.delivered), 0)::int, coalesce(sum(h.activated), 0)::int, coalesce(sum(h.begun), 0)::int
FROM units u LEFT JOIN beneath b ON b.unit = u.id LEFT JOIN held h ON h.id = b.id
GROUP BY u.id, u.name, u.grade, u.kind
ORDER BY u.kind, u.grade, u.name, u.id
"""
"""Everybody is counted once, where they belong, and only the sums go upwards."""

_PERSON = f"""
SELECT p.id, p.number, p.name, p.audience, {_ACTIVATED}, {_BEGUN}, c.delivery, c.delivered_at, c.expires_at,
       coalesce(c.attempts, 0), o.id, o.name, o.grade
FROM membership m
JOIN person p ON p.school_id = m.school_id AND p.id = m.person_id
JOIN organisation o ON o.id = m.organisation_id
LEFT JOIN activation a ON a.person_id = m.person_id
LEFT JOIN activation_code c ON {_OPEN_CODE}
WHERE {_VALID}
"""

_PEOPLE = f"{_PERSON} AND m.organisation_id = %(node)s ORDER BY p.number, p.id"

_STANDING_STILL = f"""{_PERSON}
  AND m.school_id = %(school)s AND o.school_id = %(school)s AND o.path <@ %(path)s::ltree AND m.person_id > %(after)s
  AND {{still}}
ORDER BY m.person_id LIMIT {PAGE + 1}
"""

_STILL = {
    Stage.IMPORTED: f"NOT {_DELIVERED}",
    Stage.DELIVERED: f"{_DELIVERED} AND NOT {_ACTIVATED}",
    Stage.ACTIVATED: f"{_ACTIVATED} AND NOT {_BEGUN}",
}


@dataclass(frozen=True, slots=True)
class Unit:
    """A node and its funnel: people; those who hold a code that can still be used; and who has come how far."""

    id: int
    name: str
    kind: str
    people: int
    printed: int
    delivered: int
    activated: int
    begun: int


@dataclass(frozen=True, slots=True)
class Candidate:
    """A person on the way in, with the code that is open for them, and the node that holds them."""

    id: int
    number: str
    name: str
    audience: int
    activated: bool
    begun: bool
    delivery: str | None
    delivered_at: datetime | None
    code_until: datetime | None
    attempts: int
    node_id: int
    node_name: str
    node_grade: str

    @property
    def where(self) -> str:
        return f"{self.node_grade} {self.node_name}" if self.node_grade else self.node_name

    def standing(self, now: datetime) -> str:
        """Where the person stands: begun, activated, none (no code), locked, expired, printed, handed or sent."""
        if self.activated:
            return "begun" if self.begun else "activated"
        if self.code_until is None or self.delivery is None:
            return "none"
        if self.attempts >= CODE_ATTEMPTS:
            return "locked"
        return "expired" if self.code_until <= now else self.delivery

    @property
    def delivered(self) -> bool:
        return self.delivery in (Delivery.HANDED, Delivery.SENT)


@dataclass(frozen=True, slots=True)
class People:
    """A page of people in the order in which they came into the directory; ``after`` continues."""

    people: tuple[Candidate, ...]
    after: int | None


def activation_units(scope: Scope, parent_id: int | None, day: date, now: datetime) -> list[Unit]:
    """The nodes beneath ``parent_id``, or the caller's own outermost nodes, with their funnel, in one statement."""
    paths = list(scope.paths_for(Permission.ACTIVATION_PRINT))
    with connection.cursor() as cursor:
        cursor.execute(_UNITS, {"parent": parent_id, "day": day, "now": now, "paths": paths})
        return [Unit(row[0], f"{row[2]} {row[1]}" if row[2] else row[1], row[3], *row[4:]) for row in cursor.fetchall()]


def activation_people(scope: Scope, node_id: int, day: date, now: datetime) -> list[Candidate]:
    """People whose membership is this very node (a class's students, a college's staff), by number.

    The caller has got the node through ``access.get_activation_node``.
    """
    with connection.cursor() as cursor:
        cursor.execute(_PEOPLE, {"node": node_id, "day": day, "now": now})
        return [Candidate(*row) for row in cursor.fetchall()]


def standing_still(scope: Scope, school_id: int, path: str, stage: Stage, day: date, *, after: int = 0) -> People:
    """Who beneath a node has come as far as ``stage`` and no further, a page at a time.

    The caller has got the node through ``access.get_activation_node``.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            _STANDING_STILL.format(still=_STILL[stage]),
            {"school": school_id, "path": path, "day": day, "after": after},
        )
        found = [Candidate(*row) for row in cursor.fetchall()]
    return People(tuple(found[:PAGE]), found[PAGE - 1].id if len(found) > PAGE else None)
