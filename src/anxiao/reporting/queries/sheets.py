"""Reading day sheets: one school's, the province's, and the live figures beside them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from django.db import connection
from django.db.models import Count, F, Q, Sum

from anxiao.base.clock import day_of
from anxiao.base.permissions import Permission
from anxiao.base.scope import Scope
from anxiao.directory.models import Organisation, School
from anxiao.directory.names import OrganisationKind, SchoolState
from anxiao.questionnaires.concepts import ISOLATIONS, PERSON_TYPES, RETURN_PLANS
from anxiao.reporting.models import DaySheet, DaySheetVersion, Round
from anxiao.reporting.names import SheetState
from anxiao.reporting.rules_sheets import (
    Counts,
    Facts,
    SheetFigures,
    Signed,
    Standing,
    added,
    digest_of,
    figures_of,
    hours_of,
    is_late,
    is_owed,
    standing_of,
)
from anxiao.statistics.queries import daily_totals, numbers

DAYS_BACK = 14

_FACTS = f"""
SELECT audience, region / 10000 AS province, count(*)::int AS answered,
       count(*) FILTER (WHERE at_school)::int AS at_school,
       count(*) FILTER (WHERE NOT at_school)::int AS not_at_school,
       count(*) FILTER (WHERE return_plan = {RETURN_PLANS["undecided"]})::int AS plan_undecided,
       count(*) FILTER (WHERE return_plan = {RETURN_PLANS["planned"]})::int AS plan_dated,
       count(*) FILTER (WHERE return_plan = {RETURN_PLANS["not_this_term"]})::int AS plan_not_this_term,
       count(*) FILTER (WHERE left_region)::int AS left_region,
       count(*) FILTER (WHERE crossed_border)::int AS crossed_border,
       count(*) FILTER (WHERE isolation = {ISOLATIONS["home"]}
           OR coalesce(isolation, 0) = 0 AND person_type = {PERSON_TYPES["home_observation"]})::int AS isolated_home,
       count(*) FILTER (WHERE isolation = {ISOLATIONS["central"]}
           OR coalesce(isolation, 0) = 0 AND person_type = {PERSON_TYPES["central_observation"]})::int
           AS isolated_central,
       count(*) FILTER (WHERE isolation = {ISOLATIONS["hospital"]})::int AS isolated_hospital
FROM report
WHERE school_id = %(school_id)s AND day = %(day)s AND round_id = %(round_id)s AND is_current
GROUP BY audience, region / 10000
"""
"""One pass over one school's day, along the primary key of its partition; at most a few dozen rows come back."""


# -- rounds -----------------------------------------------------------------------------------------------------------


def round_on(day: date) -> Round | None:
    """The daily round whose sheets the schools sign; ``None`` when nobody was asked on that day.

    Where a day has several rounds, the oldest campaign is the province's own.
    """
    return Round.objects.filter(day=day).select_related("campaign", "version").order_by("campaign_id").first()


# -- live figures -----------------------------------------------------------------------------------------------------


def live_figures(scope: Scope, *, node: Organisation, round: Round) -> SheetFigures:
    """A school's figures of this moment: counters for who answered, the day's current reports for what they said."""
    counted = figures_of(numbers(scope, nodes=[node.pk], series=round.campaign_id, day=round.day)[node.pk])
    facts: dict[int, Facts] = {}
    regions: dict[str, int] = {}
    with connection.cursor() as cursor:
        cursor.execute(_FACTS, {"school_id": node.school_id, "day": round.day, "round_id": round.pk})
        assert cursor.description is not None
        names = [column.name for column in cursor.description][2:]
        for audience, province, *values in cursor.fetchall():
            found = Facts(**dict(zip(names, values, strict=True)))
            facts[audience] = facts.get(audience, Facts()) + found
            if province is not None:
                regions[f"{province:02d}"] = regions.get(f"{province:02d}", 0) + found.answered
    return SheetFigures(counts=counted.counts, facts=facts, regions=regions)


def live_numbers(
    scope: Scope, *, nodes: Iterable[int], round: Round, slots_of: Collection[int] | None = None
) -> dict[int, dict[tuple[int, int, int], int]]:
    """Counters of several nodes on the day of the round, in one query; ``slots_of`` as for ``numbers``."""
    return numbers(scope, nodes=nodes, series=round.campaign_id, day=round.day, slots_of=slots_of)


def live_hours(scope: Scope, *, nodes: Iterable[int], round: Round) -> tuple[list[int], list[int]]:
    """Reports by hour of several nodes together: of the day before the round's, and of its day; one query."""
    days = [round.day - timedelta(days=1), round.day]
    found = daily_totals(scope, nodes=nodes, series=round.campaign_id, first=days[0], last=days[1], slots_on=days)
    before, today = (hours_of(found.get(day, {})) for day in days)
    return before, today


# -- schools ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SchoolSeen:
    """A school that is in use, with its node of the tree."""

    id: int
    name: str
    city: str
    code: str
    node_id: int
    since: date


def schools_in_use(scope: Scope, permission: Permission = Permission.SHEET_VIEW) -> list[SchoolSeen]:
    """Schools that are expected to sign a sheet, within the caller's reach; by school code.  Two queries."""
    active = {s.pk: s for s in School.objects.filter(state=SchoolState.ACTIVE)}
    nodes = Organisation.objects.within(scope, permission).filter(kind=OrganisationKind.SCHOOL, school_id__in=active)
    seen = [
        SchoolSeen(
            id=node.school_id,
            name=active[node.school_id].name,
            city=active[node.school_id].city,
            code=active[node.school_id].code,
            node_id=node.pk,
            since=day_of(node.created_at),
        )
        for node in nodes
    ]
    return sorted(seen, key=lambda school: (school.code, school.id))


# -- sheets -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Version:
    """One signed version of a sheet.  ``intact``: its digest still fits what is stored."""

    number: int
    figures: SheetFigures
    statements: Mapping[str, int]
    note: str
    late: bool
    digest: str
    intact: bool
    signed_by_name: str
    signed_at: datetime
    returned_at: datetime | None
    return_reason: str


@dataclass(frozen=True, slots=True)
class Sheet:
    """A school's sheet of a round: all versions in order, the last one counts.  Empty while nobody has signed."""

    school_id: int
    standing: Standing
    state: SheetState | None = None
    first_submitted_at: datetime | None = None
    versions: Sequence[Version] = ()

    @property
    def current(self) -> Version | None:
        return self.versions[-1] if self.versions else None


def sheet_of(scope: Scope, *, school_id: int, round: Round, now: datetime) -> Sheet:
    """The sheet of one school with all its versions.  Two queries; the school was fetched through access."""
    stored = DaySheet.objects.filter(school_id=school_id, round=round, current__gt=0).first()
    versions = list(DaySheetVersion.objects.filter(sheet=stored).order_by("number")) if stored else []
    return _sheet(school_id, stored, versions, round, now)


def sheets_mark(scope: Scope, *, day: date) -> tuple[int, int, int]:
    """A mark that differs whenever a sheet of the day was signed or sent back meanwhile.  One query."""
    found = DaySheet.objects.filter(day=day).aggregate(
        signed=Sum("current", default=0), returned=Count("id", filter=Q(state=SheetState.RETURNED)), n=Count("id")
    )
    return found["n"], found["signed"], found["returned"]


def sheets_on(scope: Scope, *, schools: Iterable[SchoolSeen], round: Round, now: datetime) -> dict[int, Sheet]:
    """The sheets of several schools for one round, school id -> sheet.  Two queries, however many schools."""
    wanted = [school.id for school in schools]
    stored = {s.school_id: s for s in DaySheet.objects.filter(school_id__in=wanted, round=round, current__gt=0)}
    versions: dict[int, list[DaySheetVersion]] = {}
    for version in DaySheetVersion.objects.filter(school_id__in=wanted, sheet__round=round).order_by("number"):
        versions.setdefault(version.school_id, []).append(version)
    return {
        school_id: _sheet(school_id, stored.get(school_id), versions.get(school_id, []), round, now)
        for school_id in wanted
    }


def _sheet(
    school_id: int, stored: DaySheet | None, versions: Sequence[DaySheetVersion], round: Round, now: datetime
) -> Sheet:
    state = SheetState(stored.state) if stored else None
    first = stored.first_submitted_at if stored else None
    return Sheet(
        school_id=school_id,
        standing=standing_of(state, first, round.sheets_due_at, now),
        state=state,
        first_submitted_at=first,
        versions=tuple(_version(version, round) for version in versions),
    )


def _version(row: DaySheetVersion, round: Round) -> Version:
    signed = Signed(
        school_id=row.school_id,
        day=round.day,
        round_id=round.pk,
        number=row.number,
        figures=row.figures,
        statements=row.statements,
        note=row.note,
        late=row.late,
        signed_by=row.signed_by,
        signed_by_name=row.signed_by_name,
        signed_at=row.signed_at,
    )
    return Version(
        number=row.number,
        figures=SheetFigures.read(row.figures),
        statements=row.statements,
        note=row.note,
        late=row.late,
        digest=row.digest,
        intact=digest_of(signed) == row.digest,
        signed_by_name=row.signed_by_name,
        signed_at=row.signed_at,
        returned_at=row.returned_at,
        return_reason=row.return_reason,
    )


# -- the last fourteen days -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Record:
    """How punctual a school was over the last days: sheets first signed late, and sheets never signed."""

    late: int = 0
    missing: int = 0


@dataclass(frozen=True, slots=True)
class Day:
    """One day in a school's own history."""

    day: date
    sheet: Sheet


def rounds_back(round: Round, days: int = DAYS_BACK) -> list[Round]:
    """The rounds of the same campaign over the last ``days`` days, this one included; latest first."""
    return list(
        Round.objects.filter(campaign_id=round.campaign_id, day__lte=round.day)
        .filter(day__gt=round.day - timedelta(days=days))
        .select_related("campaign", "version")
        .order_by("-day")
    )


def punctuality(scope: Scope, *, schools: Sequence[SchoolSeen], round: Round, now: datetime) -> dict[int, Record]:
    """Late and missing sheets of each school over the last 14 days.  Two queries.

    A school owes sheets from the day on which it was opened, and a day counts as missing once its sheet was due.
    """
    rounds = {r.pk: r for r in rounds_back(round)}
    signed: dict[int, dict[int, bool]] = {}
    rows = (
        DaySheet.objects.filter(school_id__in=[s.id for s in schools], round__in=rounds, current__gt=0)
        .annotate(due_at=F("round__sheets_due_at"))
        .values_list("school_id", "round_id", "first_submitted_at", "due_at")
    )
    for school_id, round_id, first, due_at in rows:
        signed.setdefault(school_id, {})[round_id] = is_late(due_at, first)
    found: dict[int, Record] = {}
    for school in schools:
        mine = signed.get(school.id, {})
        owed = [r.pk for r in rounds.values() if r.day >= school.since and is_owed(r.sheets_due_at, now)]
        found[school.id] = Record(late=sum(mine.values()), missing=sum(pk not in mine for pk in owed))
    return found


def history(scope: Scope, *, school: SchoolSeen, round: Round, now: datetime) -> list[Day]:
    """A school's own sheets of the last 14 days, latest first.  Three queries, however many days."""
    rounds = rounds_back(round)
    stored = {s.round_id: s for s in DaySheet.objects.filter(school_id=school.id, round__in=rounds, current__gt=0)}
    versions: dict[int, list[DaySheetVersion]] = {}
    for version in DaySheetVersion.objects.filter(sheet__in=list(stored.values())).order_by("number"):
        versions.setdefault(version.sheet_id, []).append(version)
    return [
        Day(
            day=r.day,
            sheet=_sheet(
                school.id,
                stored.get(r.pk),
                versions.get(stored[r.pk].pk, []) if r.pk in stored else [],
                r,
                now,
            ),
        )
        for r in rounds
        if r.day >= school.since or r.pk in stored
    ]


# -- the province -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Row:
    """One school in the province's list: its sheet, its live figures, its last fourteen days."""

    school: SchoolSeen
    sheet: Sheet
    live: Counts
    record: Record

    @property
    def standing_version(self) -> Version | None:
        """The signed version that counts for the province; a returned sheet counts no longer."""
        return self.sheet.current if self.sheet.state == SheetState.SUBMITTED else None

    @property
    def differs(self) -> bool:
        """Whether the signed figures are no longer those of the reports (corrections came, or reports)."""
        return self.standing_version is not None and self.standing_version.figures.total != self.live


@dataclass(frozen=True, slots=True)
class ProvinceSheets:
    """All schools of the day, how many stand where, and the totals of sheets and of live figures side by side.

    ``signed`` and ``stated`` add up the sheets that count (returned ones do not), ``signed_live`` the live figures of
    the same schools, ``live`` those of all.
    """

    rows: Sequence[Row] = ()
    counts: Mapping[Standing, int] = field(default_factory=dict)
    signed: Counts = field(default_factory=Counts)
    signed_live: Counts = field(default_factory=Counts)
    live: Counts = field(default_factory=Counts)
    stated: Mapping[str, int] = field(default_factory=dict)

    @property
    def cities(self) -> list[str]:
        return sorted({row.school.city for row in self.rows})


_STANDINGS = """
SELECT d.state, d.first_submitted_at, count(*)::int
FROM organisation o
JOIN school s ON s.id = o.school_id AND s.state = %(active)s
LEFT JOIN day_sheet d ON d.school_id = o.school_id AND d.round_id = %(round)s AND d.current > 0
WHERE o.kind = %(kind)s AND o.path <@ ANY(%(paths)s::ltree[])
GROUP BY d.state, d.first_submitted_at
"""


def sheet_counts(scope: Scope, *, round: Round, now: datetime) -> dict[Standing, int]:
    """How many schools in use stand where with their sheet of this round.  One query, however many schools."""
    counts = dict.fromkeys(Standing, 0)
    with connection.cursor() as cursor:
        cursor.execute(
            _STANDINGS,
            {
                "active": SchoolState.ACTIVE,
                "round": round.pk,
                "kind": OrganisationKind.SCHOOL,
                "paths": list(scope.paths_for(Permission.SHEET_VIEW)),
            },
        )
        for state, first, n in cursor.fetchall():
            counts[standing_of(SheetState(state) if state else None, first, round.sheets_due_at, now)] += n
    return counts


def province_sheets(scope: Scope, *, round: Round, now: datetime) -> ProvinceSheets:
    """Sheets of all schools beside their live figures.  Seven queries, however many schools."""
    schools = schools_in_use(scope)
    sheets = sheets_on(scope, schools=schools, round=round, now=now)
    counters = live_numbers(scope, nodes=[s.node_id for s in schools], round=round, slots_of=())
    records = punctuality(scope, schools=schools, round=round, now=now)
    rows = [
        Row(school=s, sheet=sheets[s.id], live=figures_of(counters[s.node_id]).total, record=records[s.id])
        for s in schools
    ]
    signed = [(row, row.standing_version) for row in rows if row.standing_version is not None]
    stated: dict[str, int] = {}
    for _row, version in signed:
        for category, n in version.statements.items():
            stated[category] = stated.get(category, 0) + n
    return ProvinceSheets(
        rows=rows,
        counts=_counted(sheets.values()),
        signed=sum((version.figures.total for _row, version in signed), Counts()),
        signed_live=sum((row.live for row, _version in signed), Counts()),
        live=figures_of(added(counters.values())).total,
        stated=stated,
    )


def _counted(sheets: Iterable[Sheet]) -> dict[Standing, int]:
    counts = dict.fromkeys(Standing, 0)
    for sheet in sheets:
        counts[sheet.standing] += 1
    return counts
