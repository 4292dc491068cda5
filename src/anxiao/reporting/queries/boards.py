"""Boards: what a node's numbers are now.  Read from counters only; a province needs no more statements than a class.

What is counted (one definition for every page, export and wall):

- **people**: memberships valid on the day, of the audiences that the campaign asks;
- **exempt**: of these, people with an exemption valid on the day;
- **expected** = people − exempt;
- **on time**, **late**: expected people whose first report arrived before the deadline, or from the deadline on;
- **missing** = expected − on time − late;
- **exempt, reported anyway**: exempt people who reported; they count neither as expected nor as missing;
- **unwell, fever, suspected, confirmed, isolated, contact**: people whose standing report (the last correction) says
  so, exempt people included.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import date, timedelta
from typing import Any

from anxiao.base.errors import NotYours
from anxiao.base.permissions import Permission
from anxiao.base.scope import SHARED_SCHOOL, Scope
from anxiao.directory.models import Organisation
from anxiao.directory.names import Audience, OrganisationKind
from anxiao.reporting.models import Campaign, Round
from anxiao.reporting.queries.rounds import rounds_between
from anxiao.reporting.rules import Metric
from anxiao.statistics.queries import daily_totals, numbers

TREND_DAYS = 14


@dataclass(frozen=True, slots=True)
class Figures:
    """The numbers of one node (or one audience of it) on one day; see the module for what each counts."""

    people: int = 0
    exempt: int = 0
    on_time: int = 0
    late: int = 0
    exempt_reported: int = 0
    proxy: int = 0
    unwell: int = 0
    fever: int = 0
    suspected: int = 0
    confirmed: int = 0
    isolated: int = 0
    contact: int = 0

    @property
    def expected(self) -> int:
        return self.people - self.exempt

    @property
    def reported(self) -> int:
        """Expected people who have reported, on time or late."""
        return self.on_time + self.late

    @property
    def missing(self) -> int:
        return self.expected - self.on_time - self.late

    def __add__(self, other: Figures) -> Figures:
        return Figures(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(Figures)))

    def __sub__(self, other: Figures) -> Figures:
        return Figures(*(getattr(self, f.name) - getattr(other, f.name) for f in fields(Figures)))


NOTHING = Figures()

_COUNTED: Mapping[int, str] = {
    Metric.PEOPLE: "people",
    Metric.EXEMPT: "exempt",
    Metric.ON_TIME: "on_time",
    Metric.LATE: "late",
    Metric.EXEMPT_REPORTED: "exempt_reported",
    Metric.PROXY: "proxy",
    Metric.UNWELL: "unwell",
    Metric.FEVER: "fever",
    Metric.SUSPECTED: "suspected",
    Metric.CONFIRMED: "confirmed",
    Metric.ISOLATED: "isolated",
    Metric.CONTACT: "contact",
}


@dataclass(frozen=True, slots=True)
class Child:
    """A node beneath the board's node, with the same numbers."""

    node: Organisation
    figures: Figures


@dataclass(frozen=True, slots=True)
class Board:
    """Today's board of a node for one round.

    ``own`` are the people whom the node holds itself (staff of a college, students without a class); it is None where
    a node holds nobody itself.  ``hours`` are reports of expected people per hour of reception, on time and late
    together; ``late_hours`` the late ones among them.
    """

    node: Organisation
    round: Round
    total: Figures
    by_audience: Mapping[Audience, Figures]
    children: Sequence[Child]
    own: Figures | None
    hours: tuple[int, ...]
    late_hours: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class DayRate:
    """One day of a trend."""

    day: date
    figures: Figures

    @property
    def rate(self) -> float | None:
        """Share of the expected who reported, in percent; None when nobody was expected."""
        return _share(self.figures.reported, self.figures.expected)

    @property
    def on_time_rate(self) -> float | None:
        return _share(self.figures.on_time, self.figures.expected)


def today_board(scope: Scope, node: Organisation, round: Round) -> Board:
    """The board of a node: itself and everything right beneath it.  Two statements, whatever the number of children."""
    if not scope.may(Permission.BOARD_VIEW, node.path):
        raise NotYours
    children = children_of(scope, node)
    nodes = nodes_of_board(node, children)
    found = numbers(scope, nodes=nodes, series=round.campaign_id, day=round.day, slots_of=[node.pk])
    return board_of(node, round, found, children)


def nodes_of_board(node: Organisation, children: Sequence[Organisation]) -> list[int]:
    """The nodes whose numbers a board needs: itself and the children."""
    return [node.pk, *(c.pk for c in children)]


def board_of(
    node: Organisation,
    round: Round,
    found: Mapping[int, Mapping[tuple[int, int, int], int]],
    children: Sequence[Organisation],
) -> Board:
    """The board made of numbers that were read already, those of ``nodes_of_board``."""
    audiences = round.campaign.audiences
    rows = [
        child
        for child in (Child(node, figures(found[node.pk], audiences)) for node in children)
        if not _is_gone(child, round.day)
    ]
    beneath = sum((row.figures for row in rows), NOTHING)
    total = found.get(node.pk, {})
    own = figures(total, audiences) - beneath if rows and node.school_id != SHARED_SCHOOL else None
    return Board(
        node=node,
        round=round,
        total=figures(total, audiences),
        by_audience={Audience(a): figures(total, [a]) for a in audiences},
        children=rows,
        own=own if own != NOTHING else None,
        hours=_hours(total, audiences, (Metric.ON_TIME, Metric.LATE)),
        late_hours=_hours(total, audiences, (Metric.LATE,)),
    )


def _is_gone(child: Child, day: date) -> bool:
    """A node that merged or graduated before that day: shown as long as it still counts somebody."""
    closed_on = child.node.closed_on
    return closed_on is not None and closed_on <= day and child.figures == NOTHING


def figures_of_nodes(scope: Scope, nodes: Iterable[Organisation], round: Round) -> dict[int, Figures]:
    """Numbers of several nodes, each within one school: one statement."""
    ids = [node.pk for node in nodes if scope.may(Permission.BOARD_VIEW, node.path)]
    found = numbers(scope, nodes=ids, series=round.campaign_id, day=round.day)
    return {node: figures(found[node], round.campaign.audiences) for node in ids}


def counted_in(scope: Scope, nodes: Iterable[Organisation], round: Round, audience: int | None = None) -> Figures:
    """Several nodes of one school added up, of one audience or of all that are asked: one statement.

    What a list of names writes above itself, so that no page has to count people in order to show fifty of them.
    """
    found = numbers(scope, nodes=[node.pk for node in nodes], series=round.campaign_id, day=round.day)
    asked = [a for a in round.campaign.audiences if audience in (None, a)]
    return sum((figures(of_node, asked) for of_node in found.values()), NOTHING)


def hours_of(scope: Scope, node: Organisation, campaign: Campaign, day: date) -> tuple[int, ...]:
    """Reports per hour on another day, for the dashed line of the hour curve; one statement."""
    found = numbers(scope, nodes=[node.pk], series=campaign.pk, day=day)[node.pk]
    return _hours(found, campaign.audiences, (Metric.ON_TIME, Metric.LATE))


def trend(
    scope: Scope, node: Organisation, campaign: Campaign, last_day: date, days: int = TREND_DAYS
) -> list[DayRate]:
    """The last ``days`` days up to ``last_day``, oldest first; only days on which the campaign asked.

    The roster of each day is the one known now: a transfer entered late mends the days behind it.
    """
    return trend_and_hours(scope, node, campaign, last_day, days)[0]


def trend_and_hours(
    scope: Scope, node: Organisation, campaign: Campaign, last_day: date, days: int = TREND_DAYS
) -> tuple[list[DayRate], tuple[int, ...]]:
    """``trend``, and ``hours_of`` the day before the last: one statement for the numbers, one for the days asked."""
    first, before = last_day - timedelta(days=days - 1), last_day - timedelta(days=1)
    totals = daily_totals(scope, nodes=[node.pk], series=campaign.pk, first=first, last=last_day, slots_on=[before])
    asked = {r.day for r in rounds_between(scope, campaign.pk, first, last_day)}
    found: list[DayRate] = []
    roster: dict[tuple[int, int, int], int] = {}
    for offset in range(days):
        day = first + timedelta(days=offset)
        of_day = totals.get(day, {})
        for (audience, metric, _slot), n in of_day.items():
            if metric in (Metric.PEOPLE, Metric.EXEMPT):
                roster[audience, metric, 0] = roster.get((audience, metric, 0), 0) + n
        if day in asked:
            found.append(DayRate(day, figures(of_day | roster, campaign.audiences)))
    return found, _hours(totals.get(before, {}), campaign.audiences, (Metric.ON_TIME, Metric.LATE))


def children_of(scope: Scope, node: Organisation) -> list[Organisation]:
    """The next level: schools of a province, colleges of a school, classes of a college; one statement."""
    if node.school_id == SHARED_SCHOOL:
        found = Organisation.objects.filter(kind=OrganisationKind.SCHOOL, path__under=node.path)
    else:
        found = Organisation.objects.filter(school_id=node.school_id, parent=node)
    return sorted(found, key=_in_order)


def trail_of(scope: Scope, node: Organisation) -> list[Organisation]:
    """The nodes from the root down to ``node``; one statement."""
    ids = [int(label) for label in str(node.path).split(".")]
    above = {o.pk: o for o in Organisation.objects.filter(pk__in=ids)}
    return [above[i] for i in ids if i in above]


_KIND_ORDER = {kind: i for i, kind in enumerate(OrganisationKind)}


def _in_order(node: Organisation) -> tuple[Any, ...]:
    # 通信2班 before 通信10班: numbers inside a name count as numbers
    natural = [int(part) if i % 2 else part for i, part in enumerate(re.split(r"([0-9]+)", node.name))]
    return _KIND_ORDER[OrganisationKind(node.kind)], node.grade, node.code, natural, node.pk


def figures(found: Mapping[tuple[int, int, int], int], audiences: Sequence[int]) -> Figures:
    """Counters of a node, added up over slots and the audiences that were asked."""
    values = dict.fromkeys(_COUNTED.values(), 0)
    for (audience, metric, _slot), n in found.items():
        name = _COUNTED.get(metric)
        if name is not None and audience in audiences:
            values[name] += n
    return Figures(**values)


def _hours(
    found: Mapping[tuple[int, int, int], int], audiences: Sequence[int], metrics: Sequence[Metric]
) -> tuple[int, ...]:
    columns = [0] * 24
    for (audience, metric, slot), n in found.items():
        if metric in metrics and audience in audiences and 0 <= slot < 24:
            columns[slot] += n
    return tuple(columns)


def _share(part: int, whole: int) -> float | None:
    return round(part * 100 / whole, 1) if whole > 0 else None
