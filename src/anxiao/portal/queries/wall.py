"""What the wall shows: a province by its cities, or a school by its colleges, as of this moment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime

from django.utils.translation import gettext as _

from anxiao.base.clock import day_of
from anxiao.base.errors import NotYours
from anxiao.base.permissions import Permission
from anxiao.base.scope import SHARED_SCHOOL, Scope
from anxiao.directory.models import Organisation
from anxiao.reporting.access_sheets import answers_for_province, get_school_node
from anxiao.reporting.models import Round
from anxiao.reporting.queries.boards import children_of
from anxiao.reporting.queries.sheets import SchoolSeen, live_hours, live_numbers, round_on, schools_in_use, sheets_on
from anxiao.reporting.rules_sheets import Counts, Standing, added, figures_of, is_owed


@dataclass(frozen=True, slots=True)
class Group:
    """A city with its schools, or a college: how far its people are."""

    name: str
    counts: Counts
    schools: int = 0


@dataclass(frozen=True, slots=True)
class Wall:
    """Everything on the screen.  ``waiting``: names behind with their sheet, or colleges with people missing."""

    title: str
    day: date
    at: datetime
    round: Round | None = None
    total: Counts = field(default_factory=Counts)
    hours: Sequence[int] = ()
    hours_before: Sequence[int] = ()
    groups: Sequence[Group] = ()
    sheets: Mapping[Standing, int] = field(default_factory=dict)
    waiting: Sequence[tuple[str, int]] = ()
    above: bool = True

    @property
    def sheets_owed(self) -> bool:
        """Whether the time for signing is over."""
        return self.round is not None and is_owed(self.round.sheets_due_at, self.at)


def wall_seen(scope: Scope, *, now: datetime) -> Wall:
    """The wall of whoever looks: of the province for those above the schools, else of their own school.

    NotYours for everybody else.  A day without a round has a wall without figures.
    """
    day = day_of(now)
    above = answers_for_province(scope)
    school = None if above else watched_school(scope)
    if school is None and not above:
        raise NotYours
    title = _("The province") if school is None else school.name
    if above:
        title = next((g.node_name for g in scope.grants if g.school_id == SHARED_SCHOOL and g.node_name), title)
    round = round_on(day)
    if round is None:
        return Wall(title=title, day=day, at=now, above=above)
    if school is None:
        return province_wall(scope, title=title, round=round, now=now)
    return school_wall(scope, school=school, node=get_school_node(scope, school.id), round=round, now=now)


def province_wall(scope: Scope, *, title: str, round: Round, now: datetime) -> Wall:
    """The wall of all schools within reach, by city.  Six queries, however many schools."""
    schools = schools_in_use(scope)
    nodes = [school.node_id for school in schools]
    today = live_numbers(scope, nodes=nodes, round=round, slots_of=())
    before, hours = live_hours(scope, nodes=nodes, round=round)
    sheets = sheets_on(scope, schools=schools, round=round, now=now)
    standings = dict.fromkeys(Standing, 0)
    for sheet in sheets.values():
        standings[sheet.standing] += 1
    behind = (Standing.MISSING, Standing.WAITING, Standing.RETURNED)
    return Wall(
        title=title,
        day=round.day,
        at=now,
        round=round,
        total=figures_of(added(today.values())).total,
        hours=hours,
        hours_before=before,
        groups=_by_city(schools, {node: figures_of(found).total for node, found in today.items()}),
        sheets=standings,
        waiting=[(school.name, 0) for school in schools if sheets[school.id].standing in behind],
    )


def school_wall(scope: Scope, *, school: SchoolSeen, node: Organisation, round: Round, now: datetime) -> Wall:
    """The wall of one school, by college.  Five queries."""
    colleges = children_of(scope, node)
    today = live_numbers(scope, nodes=[node.pk, *(c.pk for c in colleges)], round=round, slots_of=())
    before, hours = live_hours(scope, nodes=[node.pk], round=round)
    (sheet,) = sheets_on(scope, schools=[school], round=round, now=now).values()
    groups = [Group(name=c.label, counts=figures_of(today[c.pk]).total) for c in colleges]
    return Wall(
        title=school.name,
        day=round.day,
        at=now,
        round=round,
        total=figures_of(today[node.pk]).total,
        hours=hours,
        hours_before=before,
        groups=sorted(groups, key=_behind_first),
        sheets={sheet.standing: 1},
        waiting=[(g.name, g.counts.missing) for g in groups if g.counts.missing > 0],
        above=False,
    )


def watched_school(scope: Scope) -> SchoolSeen | None:
    """The school whose wall somebody in a school looks at: the first they answer for."""
    return next(iter(schools_in_use(scope, Permission.SHEET_VIEW)), None)


def _by_city(schools: Sequence[SchoolSeen], counts: Mapping[int, Counts]) -> list[Group]:
    cities: dict[str, tuple[Counts, int]] = {}
    for school in schools:
        total, n = cities.get(school.city, (Counts(), 0))
        cities[school.city] = (total + counts[school.node_id], n + 1)
    groups = [Group(name=name, counts=total, schools=n) for name, (total, n) in cities.items()]
    return sorted(groups, key=_behind_first)


def _behind_first(group: Group) -> tuple[float, str]:
    expected = group.counts.expected
    return (group.counts.reported / expected if expected else 2.0, group.name)
