"""The wall: true figures for those who answer for them, and an honest word for a screen that is signed out."""

from __future__ import annotations

from datetime import time
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from anxiao.base.clock import moment_at
from anxiao.base.permissions import Role
from anxiao.base.tenancy import school_context
from anxiao.directory.models import Organisation
from anxiao.portal import views_wall
from anxiao.reporting.commands.sheets import submit_sheet
from anxiao.reporting.names import ZeroCategory
from tests.builders import TODAY, add_account, report, round_of
from tests.cast import Cast, assemble

NOON = moment_at(TODAY, time(12))
DEADLINE, DUE = moment_at(TODAY, time(14)), moment_at(TODAY, time(16))


@pytest.fixture
def cast(database: object, monkeypatch: pytest.MonkeyPatch, settings: Any) -> Cast:
    settings.ANXIAO_DEMO = True
    monkeypatch.setattr(views_wall, "now", lambda: NOON)
    return assemble()


def signed_in(role: Role, node: Organisation) -> Client:
    with school_context("*"):
        user = add_account(f"{role}-{node.pk}", role=role, node=node)
    client = Client(headers={"accept-language": "en"})
    client.force_login(user)
    return client


def test_the_province_sees_progress_cities_and_sheets(cast: Cast) -> None:
    with cast.seen_by(cast.officer) as officer:
        report(cast.wangwu)
        zero = dict.fromkeys(ZeroCategory.values, 0)
        submit_sheet(by=officer, now=NOON, round=round_of(), school_id=cast.anda.pk, statements=zero)
    client = signed_in(Role.PROVINCE_OFFICER, cast.province)

    shown = client.get(reverse("portal:wall-data")).json()

    assert (shown["texts"]["reported"], shown["texts"]["expected"], shown["texts"]["share"]) == ("1", "9", "11.1%")
    assert (shown["texts"]["signed"], shown["texts"]["schools"]) == ("1", "2")
    assert [group["name"] for group in shown["groups"]] == ["合肥市"]
    assert shown["ticker"] == ["合肥工业大学"]
    assert shown["at"] == "12:00:00"
    page = client.get(reverse("portal:wall")).content.decode()
    assert "11.1%" in page
    assert "合肥工业大学" in page


def test_hours_that_have_not_come_are_unknown_and_not_zero(cast: Cast) -> None:
    shown = signed_in(Role.PROVINCE_OFFICER, cast.province).get(reverse("portal:wall-data")).json()
    today = shown["curve"]["series"][0]["values"]
    assert today[12] == 0
    assert today[13:] == [None] * 11


def test_once_sheets_are_due_the_ticker_names_the_schools_whose_sheet_is_missing(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = signed_in(Role.PROVINCE_OFFICER, cast.province)
    monkeypatch.setattr(views_wall, "now", lambda: DEADLINE)
    assert client.get(reverse("portal:wall-data")).json()["texts"]["ticker"] == "Day sheet not signed yet"
    monkeypatch.setattr(views_wall, "now", lambda: DUE)
    shown = client.get(reverse("portal:wall-data")).json()
    assert shown["texts"]["ticker"] == "Day sheet missing"
    assert shown["ticker"] == ["安徽大学", "合肥工业大学"]


def test_a_school_sees_its_own_colleges_and_nothing_else(cast: Cast) -> None:
    with cast.seen_by(cast.outsider):
        report(cast.wuyi)
    shown = signed_in(Role.SCHOOL_ADMIN, cast.anda_node).get(reverse("portal:wall-data")).json()
    assert (shown["texts"]["reported"], shown["texts"]["expected"]) == ("0", "7")
    assert {group["name"] for group in shown["groups"]} == {"电子信息工程学院", "文学院"}


@pytest.mark.parametrize(("role", "where"), [(Role.COUNSELLOR, "tongxin1"), (Role.OPERATOR, "province")])
def test_the_wall_is_not_for_everybody(cast: Cast, role: Role, where: str) -> None:
    client = signed_in(role, getattr(cast, where))
    assert client.get(reverse("portal:wall")).status_code == 404
    assert client.get(reverse("portal:wall-data")).status_code == 404


def test_a_signed_out_screen_is_told_so(cast: Cast) -> None:
    assert Client().get(reverse("portal:wall-data")).status_code == 401
    assert Client().get(reverse("portal:wall")).status_code == 302


def test_a_refresh_takes_a_fixed_number_of_statements(cast: Cast) -> None:
    client = signed_in(Role.PROVINCE_OFFICER, cast.province)
    client.get(reverse("portal:wall-data"))
    with CaptureQueriesContext(connection) as seen:
        client.get(reverse("portal:wall-data"))
    assert len([q for q in seen if not q["sql"].startswith(("SAVEPOINT", "RELEASE", "BEGIN", "COMMIT"))]) == 13
