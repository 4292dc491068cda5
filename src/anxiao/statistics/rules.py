"""What a counter is, without a database: keys, and the statements that every door executes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import NamedTuple

from anxiao.base import pgarrays


class Key(NamedTuple):
    """Which counter: a node, a day, a series (campaign; 0 = the roster), an audience, a metric and a slot."""

    school_id: int
    node_id: int
    day: date
    series: int
    audience: int
    metric: int
    slot: int = 0


@dataclass(frozen=True, slots=True)
class Delta:
    key: Key
    n: int


INSERT_DELTAS = """
INSERT INTO tally_delta (school_id, node_id, day, series, audience, metric, slot, n)
SELECT * FROM unnest(%(schools)s::int[], %(nodes)s::int[], %(days)s::date[], %(series)s::int[],
                     %(audiences)s::smallint[], %(metrics)s::smallint[], %(slots)s::smallint[], %(ns)s::int[])
ON CONFLICT DO NOTHING
"""


def added_up(deltas: Iterable[Delta]) -> dict[Key, int]:
    """Deltas of the same counter become one; counters that end at zero vanish."""
    total: Counter[Key] = Counter()
    for delta in deltas:
        total[delta.key] += delta.n
    return {key: n for key, n in total.items() if n}


def delta_arrays(deltas: Iterable[Delta]) -> Mapping[str, str]:
    """Parameters of ``INSERT_DELTAS`` for a batch, one row for each counter that the batch moves."""
    rows = sorted(added_up(deltas).items())
    columns = [*zip(*(key for key, _ in rows), strict=True)] or [()] * len(Key._fields)
    names = ("schools", "nodes", "days", "series", "audiences", "metrics", "slots")
    return {
        **{name: pgarrays.plain(column) for name, column in zip(names, columns, strict=True)},
        "ns": pgarrays.plain([n for _, n in rows]),
    }
