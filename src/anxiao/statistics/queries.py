"""Reading counters: squashed and pending in one statement, so that the sum is exact at any moment."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from datetime import date, timedelta

from django.db import connection

from anxiao.base.scope import Scope

Numbers = Mapping[tuple[int, int, int], int]
"""(audience, metric, slot) -> n; absent means 0."""

_COUNTED = """
WITH wanted AS MATERIALIZED (
    SELECT id, school_id, kind, path FROM organisation WHERE id = ANY(%(nodes)s)
), above AS MATERIALIZED (
    SELECT id, path FROM wanted WHERE school_id = 0
), within AS MATERIALIZED (
    SELECT id, path FROM wanted WHERE school_id <> 0 AND kind <> 'school'
), waiting AS MATERIALIZED (
    SELECT d.school_id, d.node_id, d.day, d.audience, d.metric, d.slot, d.n FROM tally_delta d
    WHERE d.school_id = ANY(ARRAY(SELECT DISTINCT school_id FROM wanted)) AND NOT EXISTS (SELECT FROM above)
      AND ((d.series = %(series)s AND d.day = ANY(%(days)s::date[])) OR (d.series = 0 AND d.day <= %(last)s))
    UNION ALL
    SELECT d.school_id, d.node_id, d.day, d.audience, d.metric, d.slot, d.n FROM tally_delta d
    WHERE EXISTS (SELECT FROM above)
      AND ((d.series = %(series)s AND d.day = ANY(%(days)s::date[])) OR (d.series = 0 AND d.day <= %(last)s))
), of_school AS MATERIALIZED (
    SELECT school_id, day, audience, metric, slot, sum(n)::int AS n FROM waiting
    GROUP BY school_id, day, audience, metric, slot
), counted AS (
    SELECT w.id, c.day, c.audience, c.metric, c.slot, c.n
    FROM wanted w
    CROSS JOIN LATERAL (
        SELECT t.day, t.audience, t.metric, t.slot, t.n FROM tally t
        WHERE t.school_id = w.school_id AND t.node_id = w.id
          AND t.series = %(series)s AND t.day = ANY(%(days)s::date[])
        UNION ALL
        SELECT t.day, t.audience, t.metric, t.slot, t.n FROM tally t
        WHERE t.school_id = w.school_id AND t.node_id = w.id AND t.series = 0 AND t.day <= %(last)s
    ) c
    UNION ALL
    SELECT w.id, p.day, p.audience, p.metric, p.slot, p.n
    FROM of_school p JOIN wanted w ON w.school_id = p.school_id AND w.kind = 'school'
    UNION ALL
    SELECT w.id, p.day, p.audience, p.metric, p.slot, p.n
    FROM of_school p
    JOIN organisation s ON s.school_id = p.school_id AND s.kind = 'school'
    JOIN above w ON s.path <@ w.path
    UNION ALL
    SELECT w.id, p.day, p.audience, p.metric, p.slot, p.n
    FROM waiting p JOIN organisation node ON node.id = p.node_id JOIN within w ON node.path <@ w.path
    WHERE EXISTS (SELECT FROM within)
)
"""
"""Everything that counts for some nodes between two days, and the roster's steps up to the last.

Two index scans a node, never its whole history; days are named one by one, because the key has them before the nodes.
What waits is added up once: for a school and for what lies above the schools by school, so that a province looks up no
class; only beneath a school by the nodes of that school.
"""

_READ = f"""{_COUNTED}
SELECT id, audience, metric, CASE WHEN %(all_slots)s OR id = ANY(%(by_slot)s) THEN slot ELSE 0 END, sum(n)::int
FROM counted GROUP BY 1, 2, 3, 4 HAVING sum(n) <> 0
"""

_TOTALS = f"""{_COUNTED}
SELECT greatest(day, %(first)s), audience, metric, CASE WHEN day = ANY(%(slots_on)s::date[]) THEN slot ELSE 0 END,
       sum(n)::int
FROM counted GROUP BY 1, 2, 3, 4 HAVING sum(n) <> 0
"""

_MARKS = """
SELECT school_id, sum(folds)::bigint, sum(waiting)::bigint
FROM (
    SELECT school_id, folds, 0 AS waiting FROM tally_fold
    UNION ALL
    SELECT school_id, 0, count(*) FROM tally_delta GROUP BY school_id
) counted
GROUP BY school_id
"""


def marks(scope: Scope) -> dict[int, tuple[int, int]]:
    """A mark for each school that the database shows: it differs whenever something was counted there meanwhile.

    One statement over the deltas that wait, however many people and however long the history.  It differs once more
    when deltas are folded, which changes no number.
    """
    with connection.cursor() as cursor:
        cursor.execute(_MARKS)
        return {school: (folds, waiting) for school, folds, waiting in cursor.fetchall()}


def numbers(
    scope: Scope, *, nodes: Iterable[int], series: int, day: date, slots_of: Collection[int] | None = None
) -> dict[int, dict[tuple[int, int, int], int]]:
    """Numbers of several nodes on one day: of a school, of what lies beneath it or above the schools.

    Counts of ``series`` are those of ``day``; counts of series 0 (the roster) are running sums up to and including
    ``day``.  Slots are told of the nodes in ``slots_of`` (None: of all), those of the others added up in slot 0.
    The database shows only schools of the ``scope``; what waits for a node above the schools is seen as far as they go.
    """
    found: dict[int, dict[tuple[int, int, int], int]] = {node: {} for node in nodes}
    with connection.cursor() as cursor:
        cursor.execute(
            _READ,
            {
                "nodes": list(found),
                "series": series,
                "days": [day],
                "last": day,
                "all_slots": slots_of is None,
                "by_slot": list(slots_of or ()),
            },
        )
        for node, audience, metric, slot, n in cursor.fetchall():
            found[node][(audience, metric, slot)] = n
    return found


def daily_totals(
    scope: Scope, *, nodes: Iterable[int], series: int, first: date, last: date, slots_on: Collection[date] = ()
) -> dict[date, dict[tuple[int, int, int], int]]:
    """Several nodes added up, per day: (audience, metric, slot) -> n, with slots on the days ``slots_on`` alone.

    Roster steps (series 0) before ``first`` are folded into ``first``, so that the answer stays small however old the
    roster is; who needs the roster of a day adds up the steps from ``first`` to it.
    """
    found: dict[date, dict[tuple[int, int, int], int]] = defaultdict(dict)
    with connection.cursor() as cursor:
        cursor.execute(
            _TOTALS,
            {
                "nodes": list(nodes),
                "series": series,
                "days": [first + timedelta(n) for n in range((last - first).days + 1)],
                "first": first,
                "last": last,
                "slots_on": list(slots_on),
            },
        )
        for day, audience, metric, slot, n in cursor.fetchall():
            found[day][(audience, metric, slot)] = n
    return found
