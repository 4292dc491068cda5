"""A fresh installation becomes usable by one command, and a second run of it changes nothing."""

from __future__ import annotations

import subprocess
import sys
from datetime import date, timedelta
from pathlib import Path

import pytest
from django.test import Client

from anxiao.accounts.models import Grant, User
from anxiao.base.clock import day_of, now
from anxiao.base.errors import Refused
from anxiao.base.permissions import Role
from anxiao.base.tenancy import school_context
from anxiao.config import installation
from anxiao.config.founding import Foundation, found_province
from anxiao.directory.models import Organisation, School
from anxiao.ledger.models import Entry
from anxiao.reporting.commands.campaigns import ensure_rounds
from anxiao.reporting.models import Campaign
from tests.builders import MORNING, TODAY, add_account
from tests.config.test_cli import environment
from tests.conftest import Database

PROVINCE = "安徽省教育厅"


@pytest.fixture
def prepared(database: Database) -> Database:
    installation.prepare()
    return database


def found(officer: str = "hefei.wang", name: str = PROVINCE, starts_on: date | None = None) -> Foundation:
    return found_province(now=MORNING, name=name, officer=officer, officer_name="王主任", starts_on=starts_on)


def standing() -> tuple[list[str], int, int, int, int]:
    with school_context("*"):
        return (
            list(Organisation.objects.values_list("name", flat=True)),
            Campaign.objects.count(),
            User.objects.count(),
            Grant.objects.count(),
            Entry.objects.count(),
        )


def test_a_fresh_installation_gets_a_province_a_daily_report_and_an_officer(prepared: Database) -> None:
    made = found()
    assert [step.made for step in made.steps] == [False, True, True, True, True]
    with school_context("*"):
        ministry, province = Organisation.objects.order_by("path")
        assert (ministry.name, province.name, province.parent_id) == ("教育部", PROVINCE, ministry.pk)
        assert School.objects.count() == 119
        (round_,) = ensure_rounds(day=TODAY)
        assert (round_.campaign.audiences, round_.campaign.starts_on) == ([1, 2], TODAY)
        assert round_.version.number == 1
    grant = Grant.objects.get()
    assert (grant.role, grant.organisation_id, grant.user.display_name) == (
        Role.PROVINCE_OFFICER,
        province.pk,
        "王主任",
    )


def test_the_officer_signs_in_changes_the_password_and_is_led_to_the_second_factor(prepared: Database) -> None:
    first = found_province(now=now(), name=PROVINCE, officer="hefei.wang").credential
    assert first is not None
    desk = Client()
    assert desk.post("/accounts/login/", {"login": "hefei.wang", "password": first.password}).status_code == 302
    assert desk.get("/console/").headers["Location"].startswith("/accounts/password/change/")
    chosen = "烽火连三月 jia shu 2026"
    desk.post("/accounts/password/change/", {"oldpassword": first.password, "password1": chosen, "password2": chosen})
    assert desk.get("/console/").headers["Location"].startswith("/accounts/2fa/totp/activate/")
    again = Client()
    assert again.post("/accounts/login/", {"login": "hefei.wang", "password": first.password}).status_code == 200


def test_founding_again_changes_nothing(prepared: Database) -> None:
    found()
    before = standing()
    again = found(officer=" Hefei.Wang ", starts_on=TODAY - timedelta(days=3))
    assert (again.credential, [step.made for step in again.steps]) == (None, [False] * 5)
    assert standing() == before


def test_another_user_name_makes_another_officer_and_nothing_else(prepared: Database) -> None:
    found()
    more = found(officer="hefei.li")
    assert [step.made for step in more.steps] == [False, False, False, False, True]
    assert more.credential is not None
    assert sorted(User.objects.values_list("username", flat=True)) == ["hefei.li", "hefei.wang"]


def test_what_does_not_fit_is_refused_and_leaves_nothing_behind(prepared: Database) -> None:
    before = standing()
    for name, officer, starts_on, said in (
        ("  ", "hefei.wang", None, "Name the province"),
        (PROVINCE, "王", None, "3"),
        (PROVINCE, "hefei.wang", TODAY - timedelta(days=1), "is past"),
    ):
        with pytest.raises(Refused, match=said):
            found(officer, name, starts_on)
        assert standing() == before
    add_account("somebody")
    with pytest.raises(Refused, match="without this role"):
        found("somebody")
    found()
    with pytest.raises(Refused, match="belongs to 安徽省教育厅 already"):
        found(name="江苏省教育厅")


def test_the_command_prints_the_password_once(database: Database, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "anxiao.config.cli", "found-province", PROVINCE, "--officer", "hefei.wang"]
    surroundings = environment(**database.environment | {"ANXIAO_DATA": str(tmp_path)})
    first, second = (
        subprocess.run(command, env=surroundings, capture_output=True, text=True, check=False, timeout=120)
        for _run in range(2)
    )
    assert (first.returncode, second.returncode) == (0, 0), first.stderr + second.stderr
    assert "First password, shown only now: " in first.stdout
    assert "/onboarding/" in first.stdout
    assert "officer   hefei.wang: stands" in second.stdout
    assert "password" not in second.stdout
    assert day_of(User.objects.get().date_joined) == day_of(now())


def test_the_demo_is_no_place_for_a_real_province(database: Database, tmp_path: Path) -> None:
    (tmp_path / "demo.json").write_text("{}")
    command = [sys.executable, "-m", "anxiao.config.cli", "found-province", PROVINCE, "--officer", "hefei.wang"]
    surroundings = environment(**database.environment | {"ANXIAO_DATA": str(tmp_path)})
    done = subprocess.run(command, env=surroundings, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 1
    assert "holds the demo" in done.stderr
