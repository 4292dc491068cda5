"""Reading counters: squashed and pending in one statement, so that the sum is exact at any moment."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import date

from django.db import connection

from anxiao.base.scope import Scope

Numbers = Mapping[tuple[int, int, int], int]
"""(audience, metric, slot) -> n; absent means 0."""

_READ = """
SELECT wanted.id, c.audience, c.metric, c.slot, sum(c.n)::int
FROM (SELECT id, school_id, path FROM organisation WHERE id = ANY(%(nodes)s)) wanted
JOIN LATERAL (
    SELECT t.audience, t.metric, t.slot, t.n FROM tally t
    WHERE t.school_id = wanted.school_id AND t.node_id = wanted.id
      AND ((t.series = %(series)s AND t.day = %(day)s) OR (t.series = 0 AND t.day <= %(day)s))
    UNION ALL
    SELECT d.audience, d.metric, d.slot, d.n FROM tally_delta d
    JOIN organisation node ON node.id = d.node_id
    WHERE d.school_id = wanted.school_id AND node.path <@ wanted.path
      AND ((d.series = %(series)s AND d.day = %(day)s) OR (d.series = 0 AND d.day <= %(day)s))
) c ON true
GROUP BY wanted.id, c.audience, c.metric, c.slot
HAVING sum(c.n) <> 0
"""

_TOTALS = """
SELECT greatest(c.day, %(first)s), c.audience, c.metric, sum(c.n)::int
FROM (SELECT id, school_id, path FROM organisation WHERE id = ANY(%(nodes)s)) wanted
JOIN LATERAL (
    SELECT t.day, t.audience, t.metric, t.n FROM tally t
    WHERE t.school_id = wanted.school_id AND t.node_id = wanted.id
      AND ((t.series = %(series)s AND t.day BETWEEN %(first)s AND %(last)s) OR (t.series = 0 AND t.day <= %(last)s))
    UNION ALL
    SELECT d.day, d.audience, d.metric, d.n FROM tally_delta d
    JOIN organisation node ON node.id = d.node_id
    WHERE d.school_id = wanted.school_id AND node.path <@ wanted.path
      AND ((d.series = %(series)s AND d.day BETWEEN %(first)s AND %(last)s) OR (d.series = 0 AND d.day <= %(last)s))
) c ON true
GROUP BY 1, c.audience, c.metric
HAVING sum(c.n) <> 0
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
    scope: Scope, *, nodes: Iterable[int], series: int, day: date
) -> dict[int, dict[tuple[int, int, int], int]]:
    """Numbers of several nodes (each within one school) on one day.

    Counts of ``series`` are those of ``day``; counts of series 0 (the roster) are running sums up to and including
    ``day``.  The database shows only schools of the ``scope``.
    """
    found: dict[int, dict[tuple[int, int, int], int]] = {node: {} for node in nodes}
    with connection.cursor() as cursor:
        cursor.execute(_READ, {"nodes": list(found), "series": series, "day": day})
        for node, audience, metric, slot, n in cursor.fetchall():
            found[node][(audience, metric, slot)] = n
    return found


def daily_totals(
    scope: Scope, *, nodes: Iterable[int], series: int, first: date, last: date
) -> dict[date, dict[tuple[int, int], int]]:
    """Several nodes added up, per day: (audience, metric) -> n.

    Roster steps (series 0) before ``first`` are folded into ``first``, so that the answer stays small however old the
    roster is; who needs the roster of a day adds up the steps from ``first`` to it.
    """
    found: dict[date, dict[tuple[int, int], int]] = defaultdict(dict)
    with connection.cursor() as cursor:
        cursor.execute(_TOTALS, {"nodes": list(nodes), "series": series, "first": first, "last": last})
        for day, audience, metric, n in cursor.fetchall():
            found[day][(audience, metric)] = n
    return found
