"""Moving counters: insert deltas, squash them, and mend them from the truth."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any

from django.db import DEFAULT_DB_ALIAS, connections, transaction

from anxiao.base.locks import SQUASH
from anxiao.statistics.rules import INSERT_DELTAS, Delta, delta_arrays

SQUASH_SQL = """
WITH taken AS (
    DELETE FROM tally_delta RETURNING school_id, node_id, day, series, audience, metric, slot, n
), summed AS (
    SELECT school_id, node_id, day, series, audience, metric, slot, sum(n) AS n
    FROM taken GROUP BY school_id, node_id, day, series, audience, metric, slot
), rolled AS (
    SELECT s.school_id, above.id AS node_id, s.day, s.series, s.audience, s.metric, s.slot, sum(s.n) AS n
    FROM summed s
    JOIN organisation node ON node.id = s.node_id
    JOIN organisation above ON above.path @> node.path AND above.school_id = s.school_id
    GROUP BY s.school_id, above.id, s.day, s.series, s.audience, s.metric, s.slot
), told AS (
    INSERT INTO tally_fold AS f (school_id, folds) SELECT DISTINCT school_id, 1 FROM taken
    ON CONFLICT (school_id) DO UPDATE SET folds = f.folds + 1
)
INSERT INTO tally AS t (school_id, node_id, day, series, audience, metric, slot, n)
SELECT school_id, node_id, day, series, audience, metric, slot, n FROM rolled
ORDER BY school_id, node_id, day, series, audience, metric, slot
ON CONFLICT (school_id, node_id, day, series, audience, metric, slot) DO UPDATE SET n = t.n + excluded.n
"""
"""Takes every committed delta and adds it to its node and to all nodes above, up to the school; counts that it did."""

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
    if not arrays["ns"]:
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
