"""The demo province: complete, plausible, honest, and the same every time."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, time, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth import authenticate
from django.db import connections

from anxiao.accounts.models import Grant, User
from anxiao.accounts.queries import scope_of
from anxiao.base.clock import day_of, moment_at
from anxiao.base.errors import Refused
from anxiao.base.tenancy import school_context
from anxiao.config.demo import DemoSummary, create_demo
from anxiao.config.demo.accounts import ENDINGS, PASSWORD
from anxiao.config.demo.shape import SCHOOLS
from anxiao.directory.importing.phones import judge_phone
from anxiao.directory.models import Organisation, Person, School
from anxiao.questionnaires.concepts import MEANINGS, from_column
from anxiao.questionnaires.provincial import provincial_daily
from anxiao.questionnaires.rules import judge
from anxiao.reporting.commands.counting import differences
from anxiao.reporting.models import DaySheet, DaySheetVersion, Report
from anxiao.reporting.queries.expected import figures_as_known
from anxiao.reporting.queries.way_in import way_in
from tests.conftest import Database, _fresh_database

TODAY = date(2026, 3, 11)
NOW = moment_at(TODAY, time(11, 20))
DAYS, PEOPLE = 9, 700


@dataclass(frozen=True)
class Made:
    summary: DemoSummary
    data: Path
    said: tuple[str, ...]


def make(data: Path, *, people: int = PEOPLE, days: int = DAYS, seed: int = 1) -> Made:
    said: list[str] = []
    summary = create_demo(people=people, days=days, seed=seed, data_dir=data, now=NOW, say=said.append)
    return Made(summary, data, tuple(said))


@pytest.fixture(scope="module")
def demo(module_database: Database, tmp_path_factory: pytest.TempPathFactory) -> Made:
    return make(tmp_path_factory.mktemp("demo"))


def rows(sql: str, **params: Any) -> list[tuple[Any, ...]]:
    with connections["bulk"].cursor() as cursor:
        cursor.execute(sql, params)
        return cursor.fetchall()


def school_ids() -> list[int]:
    return list(School.objects.filter(code__in=[s.code for s in SCHOOLS]).order_by("code").values_list("id", flat=True))


def test_the_register_is_complete(demo: Made) -> None:
    assert School.objects.count() == 119
    states = dict(rows("SELECT state, count(*) FROM school GROUP BY state"))
    assert states == {"active": 3, "applied": 2, "registered": 114}
    assert rows("SELECT count(*) FROM onboarding WHERE state = 'waiting'") == [(2,)]


def test_there_are_as_many_people_as_asked(demo: Made) -> None:
    assert abs(demo.summary.people - PEOPLE) <= 5
    assert dict(rows("SELECT school_id, count(*) FROM person GROUP BY 1")).keys() == set(school_ids())
    assert rows(
        "SELECT count(*) FROM person p WHERE NOT EXISTS (SELECT FROM membership m WHERE m.person_id = p.id)"
    ) == [(0,)]


def test_counters_equal_the_truth(demo: Made) -> None:
    with school_context("*"):
        for school_id in school_ids():
            assert differences(school_id=school_id) == []
    assert rows("SELECT count(*) FROM tally_delta") == [(0,)]
    assert rows("SELECT count(*) FROM tally")[0][0] > 100


def test_rates_are_plausible(demo: Made) -> None:
    """Wide margins: this is chance with a seed, and a few hundred people are few."""
    ((reports, late, unwell),) = rows(
        "SELECT count(*), avg(late::int), avg(unwell::int) FROM report WHERE version = 1 AND day < %(today)s",
        today=TODAY,
    )
    assert 0.02 < late < 0.07
    assert 0.005 < unwell < 0.05
    possible = demo.summary.people * (DAYS - 1)
    assert 0.92 < reports / possible < 0.99


def test_the_cluster_grows_on_one_floor(demo: Made) -> None:
    found = rows(
        """
        SELECT r.day, count(*) FROM report r
        JOIN residence x ON x.person_id = r.person_id
        JOIN place room ON room.id = x.place_id
        JOIN account_grant g ON g.role = 'dorm_manager'
        JOIN account a ON a.id = g.user_id AND a.username = 'demo-dorm'
        JOIN place building ON building.id = g.place_id AND room.path <@ building.path
        WHERE r.fever AND r.is_current AND r.day < %(today)s GROUP BY r.day ORDER BY r.day
        """,
        today=TODAY,
    )
    by_day = dict(found)
    three = [by_day.get(TODAY - timedelta(days=ago), 0) for ago in (3, 2, 1)]
    assert three[0] < three[1] < three[2]


def test_today_is_told_only_so_far(demo: Made) -> None:
    assert rows("SELECT max(received_at) < %(now)s FROM report", now=NOW) == [(True,)]
    ((today, yesterday),) = rows(
        "SELECT count(*) FILTER (WHERE day = %(today)s), count(*) FILTER (WHERE day = %(before)s) FROM report",
        today=TODAY,
        before=TODAY - timedelta(days=1),
    )
    assert 0.3 < today / yesterday < 0.8
    for name in ("demo-student", "demo-staff", "demo2-student", "demo2-staff"):
        person = User.objects.get(username=name).person_id
        days = {d for (d,) in rows("SELECT day FROM report WHERE person_id = %(p)s AND version = 1", p=person)}
        assert days == {TODAY - timedelta(days=ago) for ago in range(1, DAYS)}


def test_every_report_could_have_been_typed(demo: Made) -> None:
    """What COPY wrote is what the judge would have made of the same answers."""
    form = provincial_daily()
    by_column = {meaning.column: concept for concept, meaning in MEANINGS.items()}
    with school_context("*"):
        chosen = list(Report.objects.filter(version=1).exclude(answers=None)[:60]) + list(
            Report.objects.order_by("key")[:120]
        )
    for report in chosen:
        answers: dict[str, Any] = dict(report.answers or {})
        for column, concept in by_column.items():
            value = from_column(concept, getattr(report, column))
            if value is not None:
                answers[str(concept)] = value
        verdict = judge(form, answers, report.day)
        assert verdict.ok, (answers, verdict.problems)
        typed: Mapping[str, Any] = verdict.typed
        stored = {column: getattr(report, column) for column in typed}
        assert {k: int(v) if k == "region" and v is not None else v for k, v in typed.items()} == stored


def test_phones_keep_the_rules_of_the_notice(demo: Made) -> None:
    with school_context("*"):
        for phone in Person.objects.values_list("phone", flat=True):
            assert judge_phone(phone) == (phone, None), phone


def test_one_account_per_role_and_school(demo: Made) -> None:
    written = json.loads((demo.data / "accounts.json").read_text(encoding="utf-8"))
    assert [a["name"] for a in written] == [f"{p}-{e}" for p in ("demo", "demo2") for e in ENDINGS]
    assert all(set(a) == {"name", "password", "role", "school", "node"} for a in written)
    for account in written:
        user = authenticate(None, username=account["name"], password=PASSWORD)
        assert isinstance(user, User)
        assert user.is_demo, account
        scope = scope_of(user, TODAY)
        if account["role"] in ("student", "staff"):
            assert scope.person_id
            assert not scope.grants
        else:
            assert account["role"] in scope.roles
            assert bool(scope.person_id) is bool(account["school"])


def test_the_story_hangs_together(demo: Made) -> None:
    """The student is in a class of the counsellor and of the class head; the dorm manager has a building."""
    student = User.objects.get(username="demo-student")
    with school_context("*"):
        class_id = student.person.memberships.get().organisation_id if student.person else 0
        for name in ("demo-counsellor", "demo-classhead"):
            assert Grant.objects.filter(user__username=name, organisation_id=class_id).exists()
        place = Grant.objects.get(user__username="demo-dorm").place
        assert place is not None
        assert place.kind == "building"


def test_nobody_else_can_sign_in(demo: Made) -> None:
    """Other people have activated their accounts, as the boards show, with a password that was thrown away."""
    assert User.objects.filter(is_demo=True).count() == 2 * len(ENDINGS)
    other = User.objects.filter(is_demo=False).first()
    assert other is not None
    assert not other.check_password(PASSWORD)
    assert authenticate(None, username=other.username, password=PASSWORD) is None


def test_most_people_have_activated_their_account(demo: Made) -> None:
    scope = scope_of(User.objects.get(username="demo-province"), TODAY)
    with school_context("*"):
        schools = Organisation.objects.filter(kind="school")
        found = way_in(scope, [school.pk for school in schools], TODAY)
    assert len(found) == len(SCHOOLS)
    assert all(0.6 < one.activated / one.people < 0.95 for one in found.values())
    assert all(one.delivered >= one.activated >= one.begun > 0 for one in found.values())


def test_sheets_tell_a_story(demo: Made) -> None:
    with school_context("*"):
        schools = school_ids()
        assert not DaySheet.objects.filter(day=TODAY, school_id__in=schools[:2]).exists()
        assert not DaySheet.objects.filter(school_id=schools[2], day=TODAY - timedelta(days=2)).exists()
        returned = DaySheet.objects.get(school_id=schools[1], day=TODAY - timedelta(days=3))
        assert returned.current == 2
        assert DaySheetVersion.objects.filter(late=True, number=1).count() == 2
        assert DaySheet.objects.count() == demo.summary.sheets == 3 * (DAYS - 1) - 1


def test_every_sheet_was_signed_over_the_roster_as_it_was_known_then(demo: Made) -> None:
    with school_context("*"):
        admin = scope_of(User.objects.get(username="demo-province"), day_of(NOW))
        versions = DaySheetVersion.objects.select_related("sheet__round__campaign")
        nodes = {node.school_id: node for node in Organisation.objects.filter(kind="school")}
        for version in versions:
            node, round = nodes[version.school_id], version.sheet.round
            known = figures_as_known(admin, [node], round, version.signed_at)[node.pk]
            assert known.expected == sum(c["expected"] for c in version.figures["counts"].values())


def test_the_ledger_says_what_was_made(demo: Made) -> None:
    entries = rows(
        "SELECT school_id, facts->>'day', (facts->>'reports')::int FROM ledger_entry "
        "WHERE verb = 'demo.generated' AND object_type = 'round'"
    )
    assert len(entries) == 3 * DAYS
    assert sum(n for _, _, n in entries) == demo.summary.reports == Report.objects.using("bulk").count()


def test_samples_are_there(demo: Made) -> None:
    assert {p.name for p in (demo.data / "samples").iterdir()} == {"学生通讯录样例.xlsx", "教职工通讯录样例.xlsx"}


def test_a_second_demo_is_refused(demo: Made) -> None:
    with pytest.raises(Refused):
        make(demo.data)


FINGERPRINT = """
SELECT 'p', id, number, name, sex, phone FROM person
UNION ALL SELECT 'r', person_id, key::text, day::text, temperature_tenths::text, received_at::text FROM report
UNION ALL SELECT 'a', id, username, coalesce(person_id, 0)::text, is_active::text, '' FROM account
ORDER BY 1, 2, 3, 4
"""


def test_the_same_seed_makes_the_same_province(
    postgres: Any,
    _template: str,  # noqa: PT019 - three databases in one test: the fixture gives only one
    django_db_blocker: Any,
    tmp_path: Path,
) -> None:
    found = []
    for seed in (5, 5, 6):
        with _fresh_database(postgres, _template, django_db_blocker):
            make(tmp_path, people=120, days=2, seed=seed)
            found.append(rows(FINGERPRINT))
    assert found[0] == found[1]
    assert found[0] != found[2]


def test_a_demo_on_its_first_day(database: Database, tmp_path: Path) -> None:
    """Just after midnight, with the fewest people and one day: nothing has been reported yet, and nothing breaks."""
    summary = create_demo(
        people=100, days=1, seed=3, data_dir=tmp_path, now=moment_at(TODAY, time(0, 1)), say=lambda _: None
    )
    assert summary.sheets == 0
    assert summary.reports <= 2
