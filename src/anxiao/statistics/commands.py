"""Moving counters: insert deltas, squash them, and mend them from the truth."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any

from django.db import DEFAULT_DB_ALIAS, connections, transaction

from anxiao.base import pgarrays
from anxiao.base.locks import SQUASH
from anxiao.statistics.rules import INSERT_DELTAS, Delta, delta_arrays

SQUASH_SQL = """
WITH taken AS (
    DELETE FROM tally_delta RETURNING school_id, node_id, day, series, audience, metric, slot, n
), summed AS (
    SELECT school_id, node_id, day, series, audience, metric, slot, sum(n)::int AS n
    FROM taken GROUP BY school_id, node_id, day, series, audience, metric, slot
), of_parents AS MATERIALIZED (
    SELECT node.parent_id AS node_id, s.day, s.series, s.audience, s.metric, s.slot, sum(s.n)::int AS n
    FROM summed s JOIN organisation node ON node.id = s.node_id
    WHERE node.parent_id IS NOT NULL
    GROUP BY node.parent_id, s.day, s.series, s.audience, s.metric, s.slot
), lines AS MATERIALIZED (
    SELECT node.id AS node_id, above.id AS above_id, above.school_id
    FROM (SELECT DISTINCT node_id FROM of_parents) moved
    JOIN organisation node ON node.id = moved.node_id
    CROSS JOIN LATERAL unnest(string_to_array(node.path::text, '.')::int[]) AS label(id)
    JOIN organisation above ON above.id = label.id
), rolled AS (
    SELECT school_id, node_id, day, series, audience, metric, slot, sum(n) AS n
    FROM (
        SELECT school_id, node_id, day, series, audience, metric, slot, n FROM summed
        UNION ALL
        SELECT l.school_id, l.above_id, p.day, p.series, p.audience, p.metric, p.slot, p.n
        FROM of_parents p JOIN lines l ON l.node_id = p.node_id
    ) every
    GROUP BY school_id, node_id, day, series, audience, metric, slot
), told AS (
    INSERT INTO tally_fold AS f (school_id, folds) SELECT DISTINCT school_id, 1 FROM summed
    ON CONFLICT (school_id) DO UPDATE SET folds = f.folds + 1
)
INSERT INTO tally AS t (school_id, node_id, day, series, audience, metric, slot, n)
SELECT school_id, node_id, day, series, audience, metric, slot, n FROM rolled
ORDER BY school_id, day, node_id, series, audience, metric, slot
ON CONFLICT (school_id, day, node_id, series, audience, metric, slot) DO UPDATE SET n = t.n + excluded.n
"""
"""Takes every committed delta and adds it to its node and to all nodes above, up to the root; counts that it did.

Ten classes have one college, so the way up is looked for once a parent and not once a class.

Nodes above the schools have school 0, and so have their sums: a province reads its fourteen days from one node.
"""

ABOVE_SQL = """
INSERT INTO tally AS t (school_id, node_id, day, series, audience, metric, slot, n)
SELECT school_id, node_id, day, series, audience, metric, slot, sum(n)::int FROM (
    SELECT above.school_id, above.id AS node_id, c.day, c.series, c.audience, c.metric, c.slot, c.n
    FROM organisation above
    JOIN organisation node ON node.path <@ above.path AND node.kind = 'school'
    JOIN tally c ON c.school_id = node.school_id AND c.node_id = node.id
    WHERE above.school_id = 0
    UNION ALL
    SELECT school_id, node_id, day, series, audience, metric, slot, -n FROM tally WHERE school_id = 0
) difference
GROUP BY school_id, node_id, day, series, audience, metric, slot HAVING sum(n) <> 0
ON CONFLICT (school_id, day, node_id, series, audience, metric, slot) DO UPDATE SET n = t.n + excluded.n
"""
"""What nodes above the schools hold becomes the sum of the schools beneath them; nothing is written where it is."""

DIFFERENCE_SQL = """
WITH truth AS ({truth}),
squashed AS (
    SELECT t.school_id, t.node_id, t.day, t.series, t.audience, t.metric, t.slot, t.n FROM tally t
    WHERE t.school_id = %(school_id)s AND t.metric = ANY(%(metrics)s) AND t.day >= %(since)s
    UNION ALL  -- tally is rolled up: what a node holds itself is its number less those of its children
    SELECT t.school_id, node.parent_id, t.day, t.series, t.audience, t.metric, t.slot, -t.n FROM tally t
    JOIN organisation node ON node.id = t.node_id
    WHERE t.school_id = %(school_id)s AND t.metric = ANY(%(metrics)s) AND t.day >= %(since)s AND node.kind <> 'school'
    UNION ALL
    SELECT d.school_id, d.node_id, d.day, d.series, d.audience, d.metric, d.slot, d.n FROM tally_delta d
    WHERE d.school_id = %(school_id)s AND d.metric = ANY(%(metrics)s) AND d.day >= %(since)s
)
SELECT school_id, node_id, day, series, audience, metric, slot, sum(n)::int AS n FROM (
    SELECT school_id, node_id, day, series, audience, metric, slot, n FROM truth
    UNION ALL
    SELECT school_id, node_id, day, series, audience, metric, slot, -n FROM squashed
) difference
GROUP BY school_id, node_id, day, series, audience, metric, slot HAVING sum(n) <> 0
"""


def add(deltas: Iterable[Delta], using: str = DEFAULT_DB_ALIAS) -> None:
    """Insert deltas in the transaction of the fact that they count."""
    arrays = delta_arrays(deltas)
    if arrays["ns"] == pgarrays.plain(()):
        return
    connection = connections[using]
    if not connection.in_atomic_block:
        raise RuntimeError("a counter moves only together with the fact that it counts")
    with connection.cursor() as cursor:
        cursor.execute(INSERT_DELTAS, arrays)


def squash(using: str = "bulk") -> bool:
    """Fold the waiting deltas into the tally; false when somebody else is at it.

    One at a time (advisory lock): two squashers would wait for each other's rows.  A crash at any point leaves
    either the deltas or the sums, because deleting and adding is one statement.
    """
    with transaction.atomic(using=using), connections[using].cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s, 0)", [SQUASH])
        if not cursor.fetchone()[0]:
            return False
        cursor.execute(SQUASH_SQL)
    return True


def fold(using: str = "bulk") -> None:
    """Squash, and clear away what it left: thousands of dead rows a second, through which every reader would walk.

    Outside any transaction.  No file is shortened, because that would hold up whoever is reporting.
    """
    if squash(using):
        with connections[using].cursor() as cursor:
            cursor.execute("VACUUM (TRUNCATE false) tally_delta")


def mend_above(using: str = "bulk") -> int:
    """Make the sums above the schools equal to their schools; returns how many differed.

    Waits for a squash under way: both write the same rows.
    """
    with transaction.atomic(using=using), connections[using].cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s, 0)", [SQUASH])
        cursor.execute(ABOVE_SQL)
        return int(cursor.rowcount)


def mend(*, truth: str, params: Mapping[str, Any], school_id: int, metrics: list[int], since: date, using: str) -> int:
    """Insert the difference between the truth and the counters of a school as deltas; returns how many differed.

    Truth and counters are read by one statement, so in one snapshot: a report committed meanwhile is in both or in
    neither.  The caller holds the school's roster lock, so nobody counts into a class that is just being changed.
    """
    with connections[using].cursor() as cursor:
        cursor.execute(
            "INSERT INTO tally_delta (school_id, node_id, day, series, audience, metric, slot, n) "
            + DIFFERENCE_SQL.format(truth=truth)
            + " ON CONFLICT DO NOTHING RETURNING id",
            {**params, "school_id": school_id, "metrics": metrics, "since": since},
        )
        return len(cursor.fetchall())


def differences(
    *, truth: str, params: Mapping[str, Any], school_id: int, metrics: list[int], since: date, using: str
) -> list[tuple[Any, ...]]:
    """Counters that do not equal the truth: (school, node, day, series, audience, metric, slot, truth - counter)."""
    with connections[using].cursor() as cursor:
        cursor.execute(
            DIFFERENCE_SQL.format(truth=truth), {**params, "school_id": school_id, "metrics": metrics, "since": since}
        )
        return list(cursor.fetchall())
