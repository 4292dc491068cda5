"""The synthetic province: as large as asked, counted right, believable to the judge, the same every time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, time, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.hashers import is_password_usable
from django.db import connections

from anxiao.accounts.models import User
from anxiao.accounts.queries import scope_of
from anxiao.base import clock
from anxiao.base.clock import moment_at
from anxiao.base.errors import Refused
from anxiao.base.tenancy import school_context
from anxiao.config import cli
from anxiao.config.bench.province import Province, make_province
from anxiao.config.bench.province_footprint import disk, lines
from anxiao.config.bench.province_shapes import FEWEST, shape_of, sizes
from anxiao.config.bench.province_tuning import hurried
from anxiao.config.embedded import SUPERUSER, EmbeddedServer
from anxiao.directory.register import registered_schools
from anxiao.questionnaires.concepts import MEANINGS, from_column
from anxiao.questionnaires.provincial import provincial_daily
from anxiao.questionnaires.rules import flags_of, judge
from anxiao.reporting.commands.counting import differences
from anxiao.reporting.commands.partitions import ensure_partitions
from anxiao.reporting.models import Report, Round
from tests.conftest import Database, _fresh_database

TODAY = date(2026, 3, 2)
NOW = moment_at(TODAY, time(9, 15))
PEOPLE, DAYS = 4_000, 3
"""Friday to Sunday, over the end of a month."""

CATALOGUE = """
SELECT 'table', c.relname, c.relkind::text, c.relpersistence::text, coalesce(c.reloptions::text, ''),
       coalesce(c.relacl::text, ''), c.relrowsecurity::text || c.relforcerowsecurity::text
FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace
UNION ALL
SELECT 'index', indexname, tablename, indexdef, '', '', '' FROM pg_indexes WHERE schemaname = 'public'
UNION ALL
SELECT 'constraint', conname, conrelid::regclass::text, pg_get_constraintdef(oid), convalidated::text, '', ''
FROM pg_constraint WHERE connamespace = 'public'::regnamespace
UNION ALL
SELECT 'trigger', tgname, tgrelid::regclass::text, pg_get_triggerdef(oid), tgenabled::text, '', '' FROM pg_trigger
WHERE NOT tgisinternal
UNION ALL
SELECT 'policy', polname, polrelid::regclass::text, pg_get_expr(polqual, polrelid), '', '', '' FROM pg_policy
ORDER BY 1, 2, 3, 4
"""

DIGESTS = {
    "organisation": "id, school_id, path, name, grade",
    "place": "id, school_id, path, name",
    "person": "id, school_id, number, name, sex, phone, category_id",
    "membership": "id, person_id, organisation_id, valid_from",
    "residence": "id, person_id, place_id, bed",
    "account": "id, username, person_id, display_name",
    "account_grant": "id, user_id, role, organisation_id",
    "exemption": "id, person_id, reason, valid_from, valid_to, created_by",
    "round": "id, day, deadline_at",
    "report": "r.*",
    "tally": "r.*",
    # what commands wrote on the way carries the moment at which they ran
    "(SELECT * FROM ledger_entry WHERE verb LIKE 'bench.%')": "school_id, at, verb, object_id, facts",
}


@dataclass
class Made:
    province: Province
    before: list[tuple[Any, ...]]
    said: list[str] = field(default_factory=list)


def rows(sql: str, **params: Any) -> list[tuple[Any, ...]]:
    with connections["bulk"].cursor() as cursor:
        cursor.execute(sql, params or None)
        return cursor.fetchall()


def digests() -> dict[str, Any]:
    """What stands in every table, whatever the order in which it was written."""
    return {
        table: rows(f"SELECT count(*), sum(hashtextextended(row({columns})::text, 0)::numeric) FROM {table} r")
        for table, columns in DIGESTS.items()
    }


@pytest.fixture(scope="module")
def made(module_database: Database) -> Made:
    from anxiao.config import installation

    installation.prepare()
    for month in (date(2026, 2, 1), date(2026, 3, 1)):
        ensure_partitions(day=month)
    before = rows(CATALOGUE)
    said: list[str] = []
    province = make_province(people=PEOPLE, days=DAYS, seed=7, now=NOW, say=said.append)
    return Made(province, before, said)


def test_there_are_exactly_as_many_people_as_asked_in_every_university(made: Made) -> None:
    assert made.province.people == PEOPLE
    found = dict(rows("SELECT school_id, count(*) FROM person GROUP BY school_id"))
    assert sum(found.values()) == PEOPLE
    assert len(found) == len(registered_schools())
    assert min(found.values()) >= FEWEST
    assert rows("SELECT DISTINCT state FROM school") == [("active",)]


def test_everybody_belongs_to_a_node_and_has_an_account_that_no_password_opens(made: Made) -> None:
    assert rows("SELECT count(*) FROM membership") == [(PEOPLE,)]
    assert rows("SELECT count(DISTINCT person_id) FROM account WHERE home_school_id IS NOT NULL") == [(PEOPLE,)]
    assert not any(is_password_usable(p) for (p,) in rows("SELECT password FROM account"))
    ((classes, biggest),) = rows(
        "SELECT count(*), max(n) FROM (SELECT count(*) AS n FROM membership m JOIN organisation o"
        " ON o.id = m.organisation_id AND o.kind = 'class' GROUP BY o.id) c"
    )
    assert classes > 200
    assert biggest <= 44


def test_boards_of_every_level_have_a_reader(made: Made) -> None:
    assert scope_of(User.objects.get(username="bench-province"), TODAY).roles
    found = dict(rows("SELECT role, count(DISTINCT organisation_id) FROM account_grant GROUP BY role"))
    schools = len(registered_schools())
    assert found["epidemic_officer"] == found["school_admin"] == schools
    assert found["college_officer"] >= 2 * schools
    assert found["counsellor"] >= 2 * schools


def test_counters_equal_the_truth(made: Made) -> None:
    assert made.province.wrong_counters == 0
    for (school_id,) in rows("SELECT school_id FROM person GROUP BY school_id ORDER BY count(*) DESC LIMIT 12"):
        with school_context("*"):
            assert differences(school_id=school_id) == []
    assert rows("SELECT count(*) FROM tally_delta") == [(0,)]
    ((counted,),) = rows(
        "SELECT sum(t.n) FROM tally t JOIN organisation o ON o.id = t.node_id AND o.kind = 'school'"
        " WHERE t.metric IN (10, 11, 12)"
    )
    assert counted == rows("SELECT count(*) FROM report WHERE version = 1")[0][0]


def test_a_counter_that_is_wrong_would_be_seen(made: Made) -> None:
    ((school_id,),) = rows("SELECT min(school_id) FROM report")
    with school_context("*"), connections["default"].cursor() as cursor:
        cursor.execute(
            "INSERT INTO tally_delta (school_id, node_id, day, series, audience, metric, slot, n)"
            " SELECT school_id, organisation_id, day, 1, audience, 10, 9, 1 FROM report WHERE school_id = %s LIMIT 1",
            [school_id],
        )
        assert len(differences(school_id=school_id)) == 1
        connections["default"].set_rollback(True)


def test_the_days_before_today_are_told_and_today_is_empty_with_its_round(made: Made) -> None:
    by_day = dict(rows("SELECT day, count(*) FROM report WHERE version = 1 GROUP BY day"))
    assert set(by_day) == {TODAY - timedelta(days=ago) for ago in range(1, DAYS + 1)}
    assert sum(by_day.values()) <= made.province.reports
    assert Round.objects.filter(day=TODAY).count() == 1
    assert rows("SELECT count(*) FROM report r JOIN round d ON d.id = r.round_id WHERE d.day <> r.day") == [(0,)]
    assert rows("SELECT count(*) FROM report_other") == [(0,)]
    outside = rows(
        "SELECT count(*) FROM report r JOIN round d ON d.id = r.round_id"
        " WHERE r.received_at < d.opens_at OR r.received_at >= d.closes_at"
        " OR (r.version = 1 AND r.late <> (r.received_at >= d.deadline_at))"
    )
    assert outside == [(0,)]


def test_rates_are_plausible(made: Made) -> None:
    """Wide margins: this is chance with a seed, and a few thousand people are few."""
    ((first, late, unwell, warmest),) = rows(
        "SELECT count(*), avg(late::int), avg(unwell::int), max(temperature_tenths) FROM report WHERE version = 1"
    )
    assert 0.93 < first / (PEOPLE * DAYS) < 0.985
    assert 0.02 < late < 0.07
    assert 0.004 < unwell < 0.03
    assert 373 <= warmest < 400
    ((corrected, proxied, regions),) = rows(
        "SELECT count(*) FILTER (WHERE version = 2), count(*) FILTER (WHERE channel = 3), count(DISTINCT region)"
        " FROM report"
    )
    assert corrected > 0
    assert proxied > 0
    assert regions > 5
    assert 10 <= rows("SELECT count(*) FROM exemption")[0][0] <= 60


def test_a_correction_follows_its_report(made: Made) -> None:
    found = rows(
        "SELECT a.is_current, b.is_current, b.received_at > a.received_at, a.unwell, b.unwell, b.reason <> ''"
        " FROM report a JOIN report b USING (school_id, day, round_id, person_id)"
        " WHERE a.version = 1 AND b.version = 2"
    )
    assert set(found) == {(False, True, True, True, False, True)}
    assert rows("SELECT count(*) FROM report WHERE NOT is_current") == [(len(found),)]


def test_every_report_could_have_been_typed(made: Made) -> None:
    """What was made by SQL is what the judge would have made of the same answers."""
    form = provincial_daily()
    by_column = {meaning.column: concept for concept, meaning in MEANINGS.items()}
    with school_context("*"):
        chosen = [
            *Report.objects.order_by("key")[:150],
            *Report.objects.exclude(answers=None).order_by("key")[:60],
            *Report.objects.filter(unwell=True).order_by("key")[:60],
            *Report.objects.filter(at_school=False).order_by("key")[:60],
        ]
    assert len(chosen) > 200
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
        assert dict(verdict.extra) == (report.answers or {})
        flags = flags_of(form, stored)
        assert (report.unwell, report.fever) == (flags.unwell, flags.fever)


def test_the_ledger_names_every_school_and_day(made: Made) -> None:
    entries = rows(
        "SELECT school_id, object_id, (facts->>'reports')::int, facts->>'digest' FROM ledger_entry"
        " WHERE verb = 'bench.generated'"
    )
    assert len(entries) == len(registered_schools()) * DAYS
    assert sum(n for _, _, n, _ in entries) == made.province.reports == Report.objects.using("bulk").count()
    school_id, round_id, _, digest = entries[0]
    assert rows(
        "SELECT to_hex(bit_xor(uuid_hash_extended(key, 0))) FROM report WHERE school_id = %(s)s AND round_id = %(r)s",
        s=school_id,
        r=int(round_id),
    ) == [(digest,)]


def test_the_catalogue_is_what_the_migrations_made(made: Made) -> None:
    assert rows(CATALOGUE) == made.before


def test_bytes_a_report_are_told(made: Made) -> None:
    found = disk()
    assert found.reports == made.province.reports
    assert {part.name for part in found.parts} >= {"report", "report, indexes", "tally", "tally_delta"}
    assert found.per_report == sum(part.bytes for part in found.parts) / found.reports
    assert 100 < found.per_report < 1_000
    assert "bytes a report" in lines(found)[0]


def test_progress_tells_counts_and_time_left(made: Made) -> None:
    assert any(line.startswith("People: 4,000 of 4,000") for line in made.said)
    assert sum("3 of 3 days" in line and line.endswith("left") for line in made.said) == 1


def test_a_second_province_is_refused(made: Made) -> None:
    with pytest.raises(Refused):
        make_province(people=PEOPLE, days=1, seed=1, now=NOW, say=lambda _: None)


def test_too_few_people_are_refused() -> None:
    with pytest.raises(Refused):
        make_province(people=119 * FEWEST - 1, days=1, seed=1, now=NOW, say=lambda _: None)


def test_the_command_makes_the_same_province_of_the_same_seed(
    made: Made,
    postgres: EmbeddedServer,
    _template: str,  # noqa: PT019 - a second database beside the module's
    django_db_blocker: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    expected = digests()
    monkeypatch.setattr(clock, "now", lambda: NOW)
    command = [
        "bench",
        "province",
        "--people",
        str(PEOPLE),
        "--days",
        str(DAYS),
        "--seed",
        "7",
        "--data",
        str(tmp_path),
    ]
    with _fresh_database(postgres, _template, django_db_blocker):
        with pytest.raises(SystemExit) as ended:
            cli.main(command)
        found = digests()
    assert ended.value.code == 0
    assert found == expected
    assert "bytes a report" in capsys.readouterr().out


def test_sizes_differ_by_seed_and_add_up() -> None:
    register = registered_schools()
    for people in (FEWEST * len(register), 100_003, 1_000_000):
        found = sizes(register, people, 1)
        assert sum(found.values()) == people
        assert len(found) == len(register)
    assert sizes(register, 1_000_000, 1) == found
    assert sizes(register, 1_000_000, 2) != found
    assert max(found.values()) > 8 * min(found.values())


def test_shapes_follow_the_level() -> None:
    shapes = {row["code"]: shape_of(row) for row in registered_schools()}
    assert {s.grades for s in shapes.values() if s.vocational} == {3}
    assert {s.grades for s in shapes.values() if not s.vocational} == {4}


def test_the_hurry_ends_with_its_block(postgres: EmbeddedServer) -> None:
    import psycopg

    def shown() -> str:
        with psycopg.connect(postgres.dsn(SUPERUSER), autocommit=True) as connection:
            (value,) = connection.execute("SHOW autovacuum").fetchone() or ("",)
        return str(value)

    path = postgres.pgdata / "postgresql.conf"
    usual = path.read_text(encoding="utf-8")
    with hurried(postgres):
        assert "autovacuum = 'off'" in path.read_text(encoding="utf-8")
    assert path.read_text(encoding="utf-8") == usual
    assert shown() == "on"
