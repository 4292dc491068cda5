"""A whole province by the million: register > trees and people > habits > reports day by day > a settled database.

The universities are those of the register; everybody in them is invented.  Today is left empty, its round made, so
that a load can play it.
"""

from __future__ import annotations

import os
import time as stopwatch
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

import psycopg
from django.db import connections, transaction

from anxiao.accounts.models import Grant, User
from anxiao.base.clock import day_of
from anxiao.base.errors import Refused
from anxiao.base.permissions import Role
from anxiao.base.scope import SHARED_SCHOOL, system_scope
from anxiao.base.tenancy import school_context
from anxiao.config.bench import province_reports as reports
from anxiao.config.bench.province_shapes import FEWEST, shape_of, sizes
from anxiao.config.demo.filling import fill
from anxiao.config.demo.load import Ids, copy_rows
from anxiao.config.demo.population import Takers, University, populate
from anxiao.config.demo.shape import PROVINCE
from anxiao.config.environment import role_urls
from anxiao.config.founding import MINISTRY, ensure_above, start_provincial_daily
from anxiao.directory.commands import open_school
from anxiao.directory.commands_search import fill_missing
from anxiao.directory.models import Organisation, Person, School
from anxiao.directory.names import OrganisationKind
from anxiao.directory.register import load_register, registered_schools
from anxiao.ledger.commands import record
from anxiao.questionnaires.commands import ensure_provincial_daily
from anxiao.reporting.commands.campaigns import ensure_rounds
from anxiao.reporting.commands.counting import differences, recount
from anxiao.reporting.commands.partitions import ensure_partitions
from anxiao.statistics.commands import mend_above, squash

HOUSE = system_scope("bench")
BULK = "bulk"
BEGUN = "bench.begun"

Say = Callable[[str], object]


@dataclass(frozen=True, slots=True)
class Province:
    """What was made, and what it took."""

    people: int
    reports: int
    seconds: float
    wrong_counters: int
    """Of the schools that were checked; anything but 0 is a fault."""


@dataclass(frozen=True, slots=True)
class Frame:
    """What stands before the people come."""

    province: Organisation
    campaign_id: int
    form_version_id: int
    nodes: Mapping[str, Organisation]
    rounds: Mapping[date, int]


def make_province(*, people: int, days: int, seed: int, now: datetime, say: Say = print) -> Province:
    """Fill an empty, migrated database with all universities of the register and ``days`` days of reports before today.

    The same seed and day make the same rows.  Refuses a database in which anybody is.
    """
    began = stopwatch.monotonic()
    register = registered_schools()
    if people < FEWEST * len(register):
        raise Refused(f"{len(register)} universities need at least {FEWEST * len(register)} people.", code="too_few")
    if Person.objects.using(BULK).exists():
        raise Refused("The database holds people already; a province is made only in an empty one.", code="not_empty")
    today = day_of(now)
    frame = _frame(now=now, first=today - timedelta(days=days), today=today)
    _people(frame, people=people, today=today, now=now, seed=seed, say=say)
    _excuse(first=today - timedelta(days=days), span=days + 1, now=now, seed=seed)
    _count_roster(frame)
    past = [
        reports.Day(day, round_id, frame.campaign_id, frame.form_version_id)
        for day, round_id in sorted(frame.rounds.items())
        if day < today
    ]
    written = _report(past, now=now, seed=seed, people=people, say=say)
    _settle(say)
    wrong = _check(frame, say)
    return Province(people, written, round(stopwatch.monotonic() - began, 1), wrong)


# --- before the people -------------------------------------------------------------------------


def _frame(*, now: datetime, first: date, today: date) -> Frame:
    """What the commands make: register, tree down to the schools, questionnaire, campaign and its rounds."""
    month = first.replace(day=1)
    while month <= today:
        ensure_partitions(day=month)
        month = (month + timedelta(days=32)).replace(day=1)
    load_register(using=BULK)
    form_version = ensure_provincial_daily(now=now)
    before = now - timedelta(days=90)
    with school_context("*"):
        record(by=HOUSE, now=now, verb=BEGUN, object_type="province", object_id="bench", school_id=SHARED_SCHOOL)
        ministry, _ = ensure_above(by=HOUSE, now=before, kind=OrganisationKind.MINISTRY, name=MINISTRY)
        province, _ = ensure_above(by=HOUSE, now=before, kind=OrganisationKind.PROVINCE, name=PROVINCE, parent=ministry)
        nodes = {
            school.code: open_school(by=HOUSE, now=before, school=school, province=province)
            for school in School.objects.order_by("code")
        }
        campaign = start_provincial_daily(by=HOUSE, now=before, province=province, starts_on=first)
        rounds = {}
        for offset in range((today - first).days + 1):
            day = first + timedelta(days=offset)
            rounds[day] = next(r.pk for r in ensure_rounds(day=day) if r.campaign_id == campaign.pk)
    return Frame(province, campaign.pk, form_version.pk, nodes, rounds)


# --- people ------------------------------------------------------------------------------------

_ACCOUNTS = """
INSERT INTO account (username, password, display_name, person_id, home_school_id, is_active, is_demo, pass_version,
                     date_joined)
SELECT %(code)s || ':' || p.number, '!' || md5(%(seed)s || '/' || p.id), p.name, p.id, p.school_id, true, false, 1,
       %(now)s
FROM person p WHERE p.school_id = %(school)s ORDER BY p.id
"""
"""An account for everybody, with a password that nothing matches."""


def _people(frame: Frame, *, people: int, today: date, now: datetime, seed: int, say: Say) -> None:
    """One university after the other, so that memory holds one at a time."""
    register = registered_schools()
    wanted = sizes(register, people, seed)
    began, done = stopwatch.monotonic(), 0
    since = today - timedelta(days=80)
    taking = connections[BULK].cursor()
    ids = Takers(Ids(taking, "organisation"), Ids(taking, "place"), Ids(taking, "person"))
    for number, row in enumerate(register, 1):
        node = frame.nodes[row["code"]]
        with _quietly():
            university = populate(
                shape_of(row),
                school_id=node.school_id,
                name=node.name,
                node_id=node.pk,
                path=node.path,
                people=wanted[row["code"]],
                today=today,
                seed=seed,
                ids=ids,
            )
            with connections[BULK].cursor() as cursor:
                fill(cursor, university, now=now, housed_since=since)
                cursor.execute(
                    _ACCOUNTS,
                    {"code": row["code"], "seed": str(seed), "school": node.school_id, "now": now - timedelta(days=20)},
                )
                _grant(cursor, university, since=since, now=now)
        done += len(university.people)
        if number % 10 == 0 or number == len(register):
            left = (stopwatch.monotonic() - began) / done * (people - done)
            say(f"People: {done:,} of {people:,} in {number} of {len(register)} schools, {_duration(left)} left")
    with _quietly() as cursor:
        user = User(username="bench-province", display_name="省防控办", date_joined=now, password="!bench")
        user.save(using=BULK)
        Grant.objects.using(BULK).create(
            user=user,
            role=Role.PROVINCE_OFFICER,
            organisation_id=frame.province.pk,
            valid_from=since,
            given_by=0,
            given_at=now,
        )


def _grant(cursor: Any, university: University, *, since: date, now: datetime) -> None:
    """An officer and an administrator, an officer for each college, and the counsellors: readers of every board."""
    roles = [
        (university.staff[0].id, Role.EPIDEMIC_OFFICER, university.node_id),
        (university.staff[1].id, Role.SCHOOL_ADMIN, university.node_id),
    ]
    colleges = [node for node in university.nodes if node.kind is OrganisationKind.COLLEGE]
    for college in colleges:
        own = next((h for h in university.staff if h.node is college), university.staff[2])
        roles.append((own.id, Role.COLLEGE_OFFICER, college.id))
    roles += [(human.id, Role.COUNSELLOR, class_id) for class_id, human in university.counsellor_of.items()]
    cursor.execute(
        "SELECT person_id, id FROM account WHERE person_id = ANY(%s)", [list({person for person, _, _ in roles})]
    )
    accounts = dict(cursor.fetchall())
    take = Ids(cursor, "account_grant")
    copy_rows(
        cursor,
        "account_grant",
        ("id", "user_id", "role", "organisation_id", "valid_from", "given_by", "given_at"),
        [(take(), accounts[person], role.value, node, since, 0, now) for person, role, node in roles],
    )


def _excuse(*, first: date, span: int, now: datetime, seed: int) -> None:
    with _quietly() as cursor:
        cursor.execute(
            "SELECT o.school_id, g.user_id FROM account_grant g JOIN organisation o ON o.id = g.organisation_id"
            " WHERE g.role = %s ORDER BY 1",
            [Role.EPIDEMIC_OFFICER.value],
        )
        officers = dict(cursor.fetchall())
        cursor.execute(
            reports.EXCUSES,
            {
                "schools": list(officers),
                "officers": list(officers.values()),
                "first": first,
                "span": span,
                "now": now,
                "seed": seed,
            },
        )


def _count_roster(frame: Frame) -> None:
    """People and exemptions, by the product's own count; there is no report yet.  And the keys of the search."""
    fill_missing(using=BULK)
    with connections["owner"].cursor() as cursor:
        cursor.execute("ANALYZE")
    with _quietly():
        for node in frame.nodes.values():
            recount(school_id=node.school_id, using=BULK)
    squash(using=BULK)


# --- reports -----------------------------------------------------------------------------------


def _report(days: Sequence[reports.Day], *, now: datetime, seed: int, people: int, say: Say) -> int:
    """All days, as many at once as there are cores."""
    if not days:
        return 0
    began, written, done = stopwatch.monotonic(), 0, 0
    workers = min(os.cpu_count() or 1, 4, len(days))
    with ExitStack() as stack, ThreadPoolExecutor(workers) as pool:
        free = [stack.enter_context(_connection()) for _ in range(workers)]
        list(pool.map(lambda c: reports.prepare(c, seed), list(free)))
        say(f"Reports: habits of {people:,} people are known")

        def make(day: reports.Day) -> tuple[reports.Day, int]:
            connection = free.pop()
            try:
                return day, reports.make_day(connection, day, now=now, seed=seed)
            finally:
                free.append(connection)

        for future in as_completed([pool.submit(make, day) for day in days]):
            day, n = future.result()
            written, done = written + n, done + 1
            left = (stopwatch.monotonic() - began) / done * (len(days) - done)
            say(f"Reports: {day.day}, {done} of {len(days)} days, {written:,} reports, {_duration(left)} left")
    return written


@contextmanager
def _connection() -> Iterator[psycopg.Connection]:
    """A connection of the bulk role for statements that write by the million and lose nothing by a crash but time."""
    with psycopg.connect(role_urls()["bulk"], autocommit=True) as connection:
        for setting in ("synchronous_commit = off", "work_mem = '192MB'", "temp_buffers = '32MB'", "jit = off"):
            connection.execute(f"SET {setting}")
        yield connection


@contextmanager
def _quietly() -> Iterator[Any]:
    """A cursor of the bulk role in a transaction that does not wait for the disk."""
    with transaction.atomic(using=BULK), connections[BULK].cursor() as cursor:
        cursor.execute("SET LOCAL synchronous_commit = off")
        cursor.execute("SET LOCAL work_mem = '128MB'")
        yield cursor


# --- afterwards --------------------------------------------------------------------------------


def _settle(say: Say) -> None:
    """Indexes as after a night's rebuilding, everything frozen and analysed: measurements find nothing left to do."""
    mend_above(using=BULK)  # the days went into the tally of the schools as they were made
    url = role_urls()["owner"]
    with psycopg.connect(url, autocommit=True) as connection:
        tables = [
            name
            for (name,) in connection.execute(
                "SELECT c.relname FROM pg_class c WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace"
                " AND pg_has_role(c.relowner, 'USAGE') ORDER BY pg_relation_size(c.oid) DESC, c.relname"
            )
        ]

    def settle(table: str) -> None:
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("SET maintenance_work_mem = '256MB'")
            if table.startswith("report_") or table == "tally":
                connection.execute(f'REINDEX TABLE "{table}"')
            connection.execute(f'VACUUM (FREEZE, ANALYZE) "{table}"')

    say("Settling: indexes, freezing, statistics ...")
    with ThreadPoolExecutor(min(os.cpu_count() or 1, 4)) as pool:
        list(pool.map(settle, tables))
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("ANALYZE report, tally")


def _check(frame: Frame, say: Say) -> int:
    """Counters of a few schools against the truth; returns how many differ."""
    with connections[BULK].cursor() as cursor:
        cursor.execute("SELECT school_id FROM person GROUP BY school_id ORDER BY count(*), school_id")
        by_size = [school_id for (school_id,) in cursor.fetchall()]
    wrong = 0
    # the largest, the one in the middle, the smallest
    for school_id in dict.fromkeys((by_size[-1], by_size[len(by_size) // 2], by_size[0])):
        with school_context("*"):
            found = len(differences(school_id=school_id))
        wrong += found
        say(f"Counters of school {school_id}: {found} differ from the truth")
    return wrong


def _duration(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.1f} min"
