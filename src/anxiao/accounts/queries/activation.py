"""Who has taken possession of their account, counted set by set, and who is still to be given a code."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime

from django.db import connection

from anxiao.base.permissions import Permission
from anxiao.base.scope import Scope

_ACTIVATED = "a.is_active AND NOT a.must_change_password AND a.password NOT LIKE '!%%'"
_HOLDS_ACCOUNT = f"a.id IS NOT NULL AND {_ACTIVATED}"
"""Activated is whoever chose a password: an account prepared by somebody else ("!" = none yet, or a first one to be
changed) does not count."""

_COUNTS = f"""
WITH wanted AS MATERIALIZED (
    SELECT id, school_id FROM organisation WHERE id = ANY(%(nodes)s) AND path <@ ANY(%(paths)s::ltree[])
), pairs AS MATERIALIZED (
    SELECT w.id, d.id AS beneath, d.school_id
    FROM organisation d
    CROSS JOIN LATERAL unnest(string_to_array(d.path::text, '.')::int[]) AS label(id)
    JOIN wanted w ON w.id = label.id
    WHERE d.school_id = ANY(ARRAY(SELECT school_id FROM wanted)) OR EXISTS (SELECT FROM wanted WHERE school_id = 0)
), held AS MATERIALIZED (
    SELECT n.beneath, count(*) AS people, count(a.id) AS activated
    FROM (SELECT DISTINCT beneath, school_id FROM pairs) n
    JOIN membership m ON m.school_id = n.school_id AND m.organisation_id = n.beneath AND m.superseded_at IS NULL
                     AND m.valid_from <= %(day)s AND (m.valid_to IS NULL OR m.valid_to > %(day)s)
    LEFT JOIN account a ON a.person_id = m.person_id AND {_ACTIVATED}
    GROUP BY n.beneath
)
SELECT p.id, coalesce(sum(h.people), 0)::int, coalesce(sum(h.activated), 0)::int
FROM pairs p LEFT JOIN held h ON h.beneath = p.beneath
GROUP BY p.id
"""
"""Everybody is counted once, where they belong, and only the sums go upwards."""

_UNITS = f"""
SELECT o.id, o.name, o.grade, o.kind,
       count(DISTINCT m.person_id),
       count(DISTINCT m.person_id) FILTER (WHERE c.id IS NOT NULL AND NOT coalesce({_HOLDS_ACCOUNT}, false)),
       count(DISTINCT m.person_id) FILTER (WHERE {_HOLDS_ACCOUNT})
FROM organisation o
LEFT JOIN organisation d ON d.path <@ o.path
LEFT JOIN membership m ON m.school_id = d.school_id AND m.organisation_id = d.id AND m.superseded_at IS NULL
                 AND m.valid_from <= %(day)s AND (m.valid_to IS NULL OR m.valid_to > %(day)s)
LEFT JOIN account a ON a.person_id = m.person_id
LEFT JOIN activation_code c ON c.school_id = m.school_id AND c.person_id = m.person_id
                 AND c.used_at IS NULL AND c.replaced_at IS NULL AND c.expires_at > %(now)s
WHERE CASE WHEN %(parent)s::int IS NULL THEN o.path = ANY(%(paths)s::ltree[]) ELSE o.parent_id = %(parent)s END
  AND o.path <@ ANY(%(paths)s::ltree[])
GROUP BY o.id, o.name, o.grade, o.kind
ORDER BY o.kind, o.grade, o.name, o.id
"""

_PEOPLE = f"""
SELECT p.id, p.number, p.name, p.audience, coalesce({_HOLDS_ACCOUNT}, false), c.expires_at
FROM membership m
JOIN person p ON p.school_id = m.school_id AND p.id = m.person_id
LEFT JOIN account a ON a.person_id = p.id
LEFT JOIN activation_code c ON c.school_id = p.school_id AND c.person_id = p.id
                 AND c.used_at IS NULL AND c.replaced_at IS NULL AND c.expires_at > %(now)s
WHERE m.organisation_id = %(node)s AND m.superseded_at IS NULL
  AND m.valid_from <= %(day)s AND (m.valid_to IS NULL OR m.valid_to > %(day)s)
ORDER BY p.number, p.id
"""


@dataclass(frozen=True, slots=True)
class Activated:
    """How many people of a node have an account of their own: those with a membership beneath it on the day."""

    people: int
    activated: int


@dataclass(frozen=True, slots=True)
class Unit:
    """A node on the activation page: people, those with an unused valid code, those activated."""

    id: int
    name: str
    kind: str
    people: int
    printed: int
    activated: int


@dataclass(frozen=True, slots=True)
class Candidate:
    """A person directly in a node, as the activation page lists them."""

    id: int
    number: str
    name: str
    audience: int
    activated: bool
    code_until: datetime | None


def activation_counts(scope: Scope, node_ids: Collection[int], day: date) -> dict[int, Activated]:
    """People and activated people of each node, in one statement; nodes outside the caller's boards are left out."""
    if not node_ids:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(
            _COUNTS, {"nodes": list(node_ids), "day": day, "paths": list(scope.paths_for(Permission.BOARD_VIEW))}
        )
        found = {row[0]: Activated(row[1], row[2]) for row in cursor.fetchall()}
    return {node_id: found.get(node_id, Activated(0, 0)) for node_id in node_ids if node_id in found}


def activation_units(scope: Scope, parent_id: int | None, day: date, now: datetime) -> list[Unit]:
    """The nodes beneath ``parent_id``, or the caller's own outermost nodes, with their funnel of activation."""
    with connection.cursor() as cursor:
        cursor.execute(
            _UNITS,
            {
                "parent": parent_id,
                "day": day,
                "now": now,
                "paths": list(scope.paths_for(Permission.ACTIVATION_PRINT)),
            },
        )
        return [
            Unit(
                id=row[0],
                name=f"{row[2]} {row[1]}" if row[2] else row[1],
                kind=row[3],
                people=row[4],
                printed=row[5],
                activated=row[6],
            )
            for row in cursor.fetchall()
        ]


def activation_people(scope: Scope, node_id: int, day: date, now: datetime) -> list[Candidate]:
    """People whose membership is this very node (a class's students, a college's staff), by number.

    The caller has got the node through ``access.get_activation_node``.
    """
    with connection.cursor() as cursor:
        cursor.execute(_PEOPLE, {"node": node_id, "day": day, "now": now})
        return [Candidate(*row) for row in cursor.fetchall()]
