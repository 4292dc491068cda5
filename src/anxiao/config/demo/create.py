"""The story of the demo, top to bottom: register > tree > people by COPY > reports by COPY > counters > day sheets."""

from __future__ import annotations

import time as stopwatch
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

from django.db import connections, transaction

from anxiao.base.clock import SHANGHAI, day_of
from anxiao.base.clock import now as clock_now
from anxiao.base.errors import Refused
from anxiao.base.scope import SHARED_SCHOOL, system_scope
from anxiao.base.tenancy import school_context
from anxiao.config.demo import history, samples, sheets
from anxiao.config.demo.accounts import Account, Accounts, make_accounts, write_accounts
from anxiao.config.demo.filling import fill, fill_applications, fill_excuses, fill_proposals
from anxiao.config.demo.load import Ids, copy_lines
from anxiao.config.demo.population import Stage, Takers, University, populate, set_stage
from anxiao.config.demo.shape import CLUSTER_AT, PROVINCE, SCHOOLS
from anxiao.config.founding import MINISTRY, ensure_above, start_provincial_daily
from anxiao.directory.commands import open_school
from anxiao.directory.commands_search import fill_missing
from anxiao.directory.models import Organisation, Person, School
from anxiao.directory.names import OrganisationKind
from anxiao.directory.register import load_register
from anxiao.ledger.commands import Line, record, record_many
from anxiao.ledger.models import Entry
from anxiao.questionnaires.commands import ensure_provincial_daily
from anxiao.reporting.commands.campaigns import ensure_rounds
from anxiao.reporting.commands.counting import note_beginners, recount
from anxiao.reporting.commands.partitions import ensure_partitions
from anxiao.statistics.commands import squash

HOUSE = system_scope("demo")
BULK = "bulk"
BEGUN, GENERATED = "demo.begun", "demo.generated"
"""Verbs of the ledger; a demo that was begun and not generated was cut off."""

ANALYSED = (
    *("organisation", "place", "person", "membership", "residence", "account", "account_grant", "activation"),
    *("exemption", "report", "round", "tally"),
)


@dataclass(frozen=True, slots=True)
class DemoSummary:
    """What was made."""

    schools: int
    people: int
    accounts: int
    reports: int
    sheets: int
    seconds: float
    demo_accounts: tuple[Account, ...]


@dataclass(frozen=True, slots=True)
class Frame:
    """What stands before the people come."""

    province: Organisation
    campaign_id: int
    form_version_id: int
    nodes: dict[str, Organisation]
    rounds: dict[date, int]


def create_demo(
    people: int,
    days: int,
    seed: int,
    data_dir: Path,
    now: datetime | None = None,
    say: Callable[[str], object] = print,
) -> DemoSummary:
    """Fill an empty, migrated database with the demo province; the same seed and time make the same province.

    Refuses a database in which there are people, or in which a demo was begun and not ended.
    """
    began = stopwatch.monotonic()
    now = now or clock_now()
    today = day_of(now)
    _check_empty()
    frame = _frame(now=now, first=today - timedelta(days=days - 1), today=today)

    say("People ...")
    with _bulk() as cursor:
        universities = _universities(cursor, frame, people=people, today=today, seed=seed)
        stages = {u.school_id: set_stage(u) for u in universities if u.shape.prefix}
        for university in universities:
            fill(cursor, university, now=now, housed_since=today - timedelta(days=80))
        accounts = make_accounts(
            cursor, universities, stages, province=frame.province, now=now, since=today - timedelta(days=60), seed=seed
        )
        for university in universities:
            if stage := stages.get(university.school_id):
                fill_proposals(cursor, university, stage, by_person=accounts.by_person, now=now)
        fill_applications(cursor, now=now, seed=seed)

    say("Reports ...")
    signings = sheets.plan_signings(universities, list(frame.rounds), now=now, seed=seed)
    reports = 0
    latecomers: list[str] = []
    with _bulk() as cursor:
        for university in universities:
            lines = _reports(cursor, frame, university, stages, accounts, signings, now=now, seed=seed)
            reports += copy_lines(cursor, "report", history.COLUMNS, _first(lines, latecomers))
    _count(universities)

    say("Day sheets ...")
    signed = sheets.sign_all(signings, accounts, rounds=frame.rounds, now=now)
    with _bulk() as cursor:
        reports += copy_lines(cursor, "report", history.COLUMNS, latecomers)
    _count(universities)

    samples.write_samples(data_dir / "samples", universities[0], today=today, seed=seed)
    write_accounts(data_dir / "accounts.json", accounts.shown)
    summary = DemoSummary(
        schools=len(universities),
        people=sum(len(u.people) for u in universities),
        accounts=accounts.count,
        reports=reports,
        sheets=signed,
        seconds=round(stopwatch.monotonic() - began, 1),
        demo_accounts=tuple(accounts.shown),
    )
    _end(universities, frame, summary, now=now, days=days, seed=seed)
    say(f"{summary.people} people, {summary.reports} reports, {summary.sheets} day sheets in {summary.seconds} s")
    return summary


def _check_empty() -> None:
    begun = Entry.objects.using(BULK).filter(school_id=SHARED_SCHOOL, object_type="demo")
    if begun.filter(verb=GENERATED).exists():
        raise Refused("The demo province is here already.", code="not_empty")
    if begun.exists():
        raise Refused(
            "A demo was begun here and never finished; please start again with an empty database.", code="half"
        )
    if Person.objects.using(BULK).exists():
        raise Refused("The database holds people already; the demo is made only in an empty one.", code="not_empty")


def _frame(*, now: datetime, first: date, today: date) -> Frame:
    """What the commands make: register, tree down to the schools, questionnaire, campaign and its rounds."""
    for month in {first.replace(day=1), today.replace(day=1)}:
        ensure_partitions(day=month)
    load_register(using=BULK)
    form_version = ensure_provincial_daily(now=now)
    schools = {s.code: s for s in School.objects.using(BULK).filter(code__in=[shape.code for shape in SCHOOLS])}
    before = now - timedelta(days=90)
    with school_context("*"):
        record(by=HOUSE, now=now, verb=BEGUN, object_type="demo", object_id="province", school_id=SHARED_SCHOOL)
        ministry, _made = ensure_above(by=HOUSE, now=before, kind=OrganisationKind.MINISTRY, name=MINISTRY)
        province, _made = ensure_above(
            by=HOUSE, now=before, kind=OrganisationKind.PROVINCE, name=PROVINCE, parent=ministry
        )
        nodes = {code: open_school(by=HOUSE, now=before, school=schools[code], province=province) for code in schools}
        campaign = start_provincial_daily(by=HOUSE, now=before, province=province, starts_on=first)
        rounds = {}
        for offset in range((today - first).days + 1):
            day = first + timedelta(days=offset)
            rounds[day] = next(r.pk for r in ensure_rounds(day=day) if r.campaign_id == campaign.pk)
    return Frame(province, campaign.pk, form_version.pk, nodes, rounds)


def _universities(cursor: Any, frame: Frame, *, people: int, today: date, seed: int) -> list[University]:
    ids = Takers(Ids(cursor, "organisation"), Ids(cursor, "place"), Ids(cursor, "person"))
    return [
        populate(
            shape,
            school_id=frame.nodes[shape.code].school_id,
            name=frame.nodes[shape.code].name,
            node_id=frame.nodes[shape.code].pk,
            path=frame.nodes[shape.code].path,
            people=round(people * shape.share),
            today=today,
            seed=seed,
            ids=ids,
        )
        for shape in SCHOOLS
    ]


def _reports(
    cursor: Any,
    frame: Frame,
    university: University,
    stages: Mapping[int, Stage],
    accounts: Accounts,
    signings: Sequence[sheets.Signing],
    *,
    now: datetime,
    seed: int,
) -> Iterator[tuple[str, bool]]:
    """The exemptions of a university are written, its reports are only told."""
    days = history.days_of(frame.rounds, now)
    stage = stages.get(university.school_id)
    excuses = history.excuses_of(university, days, seed)
    silent = frozenset({stage.roles["student"].id, stage.roles["staff"].id} if stage else ())
    excuses = [e for e in excuses if e.person_id not in silent]
    fill_excuses(cursor, university.school_id, excuses, by=accounts.officers[university.school_id], now=now)
    cluster = stage if stage is not None and university.shape.prefix == CLUSTER_AT else None
    return history.report_lines(
        university,
        days,
        form_version_id=frame.form_version_id,
        accounts=accounts.by_person,
        excuses=excuses,
        silent=silent,
        stage=cluster,
        signed_at={s.day: minute_of(s.at) for s in signings if s.school_id == university.school_id},
        seed=seed,
    )


def _first(lines: Iterable[tuple[str, bool]], latecomers: list[str]) -> Iterator[str]:
    """Lines of reports that came before the sheet was signed; the others are put aside."""
    for text, after in lines:
        if after:
            latecomers.append(text)
        else:
            yield text


def _count(universities: Sequence[University]) -> None:
    """Make search keys and counters from the truth.  Statistics first: without them the planner would guess."""
    fill_missing(using=BULK)
    with connections["owner"].cursor() as cursor:
        cursor.execute(f"ANALYZE {', '.join(ANALYSED)}")
    with _bulk() as cursor:
        cursor.execute("SET LOCAL work_mem = '128MB'")  # a million reports are grouped in memory
        for university in universities:
            note_beginners(school_id=university.school_id, using=BULK)
            recount(school_id=university.school_id, using=BULK)
    squash(using=BULK)


def _end(
    universities: Sequence[University], frame: Frame, summary: DemoSummary, *, now: datetime, days: int, seed: int
) -> None:
    """What the ledger says about all this: one honest line for each school and day, and one for the whole."""
    with transaction.atomic(using=BULK), connections[BULK].cursor() as cursor:
        for university in universities:
            cursor.execute(
                "SELECT day, count(*) FROM report WHERE school_id = %s GROUP BY day ORDER BY day",
                [university.school_id],
            )
            lines = [
                Line(GENERATED, "round", frame.rounds[day], university.school_id, {"day": day, "reports": n})
                for day, n in cursor.fetchall()
            ]
            record_many(by=HOUSE, now=now, lines=lines, using=BULK)
        facts = {"people": summary.people, "days": days, "seed": seed, "reports": summary.reports}
        record(
            by=HOUSE,
            now=now,
            verb=GENERATED,
            object_type="demo",
            object_id="province",
            school_id=SHARED_SCHOOL,
            facts=facts,
            using=BULK,
        )
    with connections["owner"].cursor() as cursor:
        cursor.execute(f"ANALYZE {', '.join(ANALYSED)}")


@contextmanager
def _bulk() -> Iterator[Any]:
    """A cursor of the bulk role in a transaction of its own."""
    with transaction.atomic(using=BULK), connections[BULK].cursor() as cursor:
        yield cursor


def minute_of(moment: datetime) -> float:
    """The minute of the day in Shanghai."""
    local = moment.astimezone(SHANGHAI)
    return local.hour * 60 + local.minute + local.second / 60
