"""How far people have come on the way from the directory to their first report, from the counters."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date

from anxiao.base.scope import Scope
from anxiao.reporting.rules import Metric
from anxiao.statistics.queries import numbers

_NO_CAMPAIGN = -1


@dataclass(frozen=True, slots=True)
class WayIn:
    """People of a node on a day, and how many of them have come how far by now; each number holds the next."""

    people: int = 0
    delivered: int = 0
    activated: int = 0
    begun: int = 0


def way_in(scope: Scope, node_ids: Collection[int], day: date) -> dict[int, WayIn]:
    """The way in of several nodes in one statement, however many people they hold.

    The caller has got the nodes through ``access``; of a node above the schools it tells the schools of the scope.
    """
    if not node_ids:
        return {}
    found = {}
    for node_id, counted in numbers(scope, nodes=node_ids, series=_NO_CAMPAIGN, day=day).items():
        n = dict.fromkeys((Metric.PEOPLE, Metric.DELIVERED, Metric.ACTIVATED, Metric.BEGUN), 0)
        for (_audience, metric, _slot), number in counted.items():
            if metric in n:
                n[Metric(metric)] += number
        found[node_id] = WayIn(*n.values())
    return found
