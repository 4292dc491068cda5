"""Old months are set aside by policy: nothing is lost, no counter moves, pages say so, and the way back is open."""

from __future__ import annotations

from datetime import date, time, timedelta
from typing import Any

import psycopg
import pytest
from django.test import Client

from anxiao.base.clock import moment_at
from anxiao.base.errors import Refused
from anxiao.base.permissions import Role
from anxiao.base.scope import NOBODY, system_scope
from anxiao.base.tenancy import school_context
from anxiao.config import keeper
from anxiao.config.doctor import security_holes
from anxiao.config.months import run
from anxiao.directory.commands_roster import transfer
from anxiao.ledger.models import Entry
from anxiao.reporting.commands.counting import differences, rebuild
from anxiao.reporting.commands.partitions import ensure_partitions, set_aside, take_back
from anxiao.reporting.models import Report
from anxiao.reporting.queries.months import is_set_aside, months
from anxiao.reporting.rules import Metric
from anxiao.statistics.commands import squash
from tests.builders import MORNING, TODAY, add_account, counted, report
from tests.cast import Cast, assemble
from tests.conftest import Database

OLD, NEW = TODAY, TODAY + timedelta(days=150)
NOW = moment_at(NEW, time(8, 30))
SHELL = system_scope("shell")


@pytest.fixture
def cast(database: Database) -> Cast:
    """A school with reports of an old month and of today."""
    made = assemble()
    ensure_partitions(day=OLD)
    ensure_partitions(day=NEW)
    with school_context("*"):
        counted(made.anda.pk)
        for person in (made.wangwu, made.zhaoliu):
            report(person, at=MORNING)
            report(person, at=NOW)
    squash()
    return made


def policy(months_kept: int = 3) -> list[str]:
    return [month.table for month in set_aside(by=SHELL, now=NOW, keep_months=months_kept)]


def counters(database: Database) -> list[tuple[Any, ...]]:
    squash()
    with psycopg.connect(database.superuser_url) as connection:
        return connection.execute("SELECT * FROM tally WHERE n <> 0 ORDER BY 1, 2, 3, 4, 5, 6, 7").fetchall()


def days_of_reports() -> set[date]:
    with school_context("*"):
        return set(Report.objects.values_list("day", flat=True))


def test_a_month_older_than_the_policy_is_set_aside_and_can_be_taken_back(cast: Cast, database: Database) -> None:
    table = f"report_{OLD:%Y_%m}"
    assert days_of_reports() == {OLD, NEW}
    assert policy(12) == []
    assert table in policy()
    assert policy() == [], "a second time there is nothing to do"
    assert days_of_reports() == {NEW}
    assert is_set_aside(NOBODY, OLD) and not is_set_aside(NOBODY, NEW)
    with psycopg.connect(database.superuser_url) as connection:
        assert connection.execute(f"SELECT count(*) FROM {table}").fetchone() == (2,), "the reports are there"
    ensure_partitions(day=OLD)
    assert is_set_aside(NOBODY, OLD), "making partitions ahead does not touch it"
    assert take_back(by=SHELL, now=NOW, first=OLD).table == table
    assert days_of_reports() == {OLD, NEW}
    with school_context("*"):
        lines = Entry.objects.filter(object_type="reports", object_id=f"{OLD:%Y-%m}").order_by("id")
        assert [line.verb for line in lines] == ["reports.set_aside", "reports.taken_back"]
    with pytest.raises(Refused):
        take_back(by=SHELL, now=NOW, first=OLD)


def test_the_fence_stays_around_it(cast: Cast, database: Database) -> None:
    table = policy()[-1]
    with psycopg.connect(database.owner_url, autocommit=True) as owner:
        assert [hole for hole in security_holes(owner) if not hole.good] == []
    with psycopg.connect(database.app_url) as app, pytest.raises(psycopg.errors.InsufficientPrivilege):
        app.execute(f"SELECT 1 FROM {table}")


def test_counters_of_days_set_aside_stay_and_the_others_are_still_mended(cast: Cast, database: Database) -> None:
    policy()
    before = counters(database)
    assert any(row[2] == OLD and row[5] == Metric.ON_TIME for row in before)
    with school_context("*"):
        assert differences(school_id=cast.anda.pk) == []
    assert rebuild(school_id=cast.anda.pk) == 0
    assert counters(database) == before
    # what goes wrong today is still found ...
    with psycopg.connect(database.superuser_url, autocommit=True) as connection:
        connection.execute("UPDATE tally SET n = n + 1 WHERE day = %s AND metric = %s", [NEW, int(Metric.ON_TIME)])
    assert rebuild(school_id=cast.anda.pk) > 0
    assert counters(database) == before
    # ... and somebody who moves takes the count of people along
    with school_context("*"):
        transfer(by=cast.admin, now=NOW, person=cast.wangwu, to=cast.tongxin2, on=NEW, reason="转班")
        assert differences(school_id=cast.anda.pk) == []
    after = counters(database)
    assert [row for row in after if row[2] == OLD] == [row for row in before if row[2] == OLD]
    assert after != before
    take_back(by=SHELL, now=NOW, first=OLD)
    with school_context("*"):
        assert differences(school_id=cast.anda.pk) == [], "back again, the truth still fits"


def test_a_list_of_such_a_day_says_so_instead_of_naming_everybody(cast: Cast, database: Database) -> None:
    policy()
    client = Client(headers={"accept-language": "zh-CN"})
    with school_context("*"):
        user = add_account("head", role=Role.SCHOOL_ADMIN, node=cast.anda_node)
    client.force_login(user, backend="anxiao.accounts.backends.AccountBackend")
    address = f"/console/node/{cast.anda_node.pk}/missing/?day={OLD}"
    answer = client.get(address)
    assert answer.status_code == 409, answer
    assert "移出在用库" in answer.content.decode()
    take_back(by=SHELL, now=NOW, first=OLD)
    assert client.get(address).status_code == 200


def test_whoever_is_reporting_is_not_kept_waiting(
    cast: Cast, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("anxiao.reporting.commands.partitions._TRIES", 1)
    with psycopg.connect(database.app_url) as busy:
        busy.execute("SELECT count(*) FROM report")
        with pytest.raises(Refused, match="nothing was changed"):
            policy()
    assert all(month.at_hand for month in months(NOBODY))
    assert policy() != []


def test_the_housekeeper_sets_nothing_aside_unless_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def names() -> list[str]:
        return [chore.name for chore in keeper.chores()]

    monkeypatch.delenv("ANXIAO_KEEP_MONTHS", raising=False)
    assert "set old months aside" not in names()
    monkeypatch.setenv("ANXIAO_KEEP_MONTHS", "24")
    assert "set old months aside" in names()
    monkeypatch.setenv("ANXIAO_KEEP_MONTHS", "many")
    assert "set old months aside" not in names()


def test_too_short_a_policy_is_refused(cast: Cast) -> None:
    with pytest.raises(Refused, match="At least 3 months"):
        policy(2)
    assert policy(3) != []
    kept = [month.first for month in months(NOBODY) if month.at_hand]
    assert kept[0] == date(2026, 4, 1), "July runs; June, May and April stay"


def test_the_shell_lists_months_and_changes_nothing_unless_told(cast: Cast) -> None:
    table = f"report_{OLD:%Y_%m}"
    told = list(run(keep_months=3, detach=False, attach=None))
    assert f"{table}: would be set aside with --detach" in told
    assert f"{OLD:%Y-%m}  at hand" in "\n".join(told)
    assert f"{table}: set aside" in list(run(keep_months=3, detach=True, attach=None))
    assert f"{OLD:%Y-%m}  set aside" in "\n".join(run(keep_months=None, detach=False, attach=None))
    assert f"{table}: taken back" in list(run(keep_months=None, detach=False, attach=OLD))
