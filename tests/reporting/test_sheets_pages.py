"""Pages of the day sheets: who sees them, how one signs, what survives the password page."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, time
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from anxiao.base.clock import moment_at
from anxiao.base.errors import StepUpNeeded
from anxiao.base.permissions import Role
from anxiao.base.tenancy import school_context
from anxiao.directory.models import Organisation
from anxiao.reporting import views_sheets
from anxiao.reporting.commands.sheets import submit_sheet
from anxiao.reporting.models import DaySheet, DaySheetVersion
from anxiao.reporting.names import ZeroCategory
from tests.builders import TODAY, add_account, report, round_of
from tests.cast import Cast, assemble

NOON = moment_at(TODAY, time(12))
ALL_ZERO = dict.fromkeys(ZeroCategory.values, "zero")
SignIn = Callable[..., Client]


@pytest.fixture
def cast(database: object, monkeypatch: pytest.MonkeyPatch, settings: Any) -> Cast:
    settings.ANXIAO_DEMO = True
    clock(monkeypatch, NOON)
    monkeypatch.setattr(views_sheets, "require_recent_proof", lambda request: None)
    return assemble()


def clock(monkeypatch: pytest.MonkeyPatch, moment: datetime) -> None:
    monkeypatch.setattr(views_sheets, "now", lambda: moment)


@pytest.fixture
def sign_in(cast: Cast) -> SignIn:
    def as_(role: Role, node: Organisation) -> Client:
        with school_context("*"):
            user = add_account(f"{role}-{node.pk}", role=role, node=node)
        client = Client(headers={"accept-language": "en"})
        client.force_login(user)
        return client

    return as_


@pytest.fixture
def officer(cast: Cast, sign_in: SignIn) -> Client:
    return sign_in(Role.EPIDEMIC_OFFICER, cast.anda_node)


@pytest.fixture
def province(cast: Cast, sign_in: SignIn) -> Client:
    return sign_in(Role.PROVINCE_OFFICER, cast.province)


def sheet_url(cast: Cast) -> str:
    return reverse("reporting:sheet", args=[cast.anda.pk])


def versions(cast: Cast) -> int:
    with cast.seen_by(cast.officer):
        return DaySheetVersion.objects.count()


def test_the_way_in_leads_each_to_their_own_page(cast: Cast, officer: Client, province: Client) -> None:
    assert officer.get(reverse("reporting:home")).headers["Location"] == sheet_url(cast)
    assert province.get(reverse("reporting:home")).headers["Location"] == reverse("reporting:province")


def test_an_officer_signs_and_the_page_shows_the_signature(cast: Cast, officer: Client) -> None:
    page = officer.get(sheet_url(cast)).content.decode()
    assert "State and sign" in page
    assert "Reports before 14:00 · day sheet before 16:00" in page
    assert "7 people have not answered yet" in page

    answer = officer.post(sheet_url(cast), ALL_ZERO, follow=True)

    page = answer.content.decode()
    assert "Signed, version 1" in page
    assert "zero report" in page
    assert "fits what is stored" in page
    assert versions(cast) == 1


def test_nothing_is_filled_in_beforehand(cast: Cast, officer: Client) -> None:
    assert "checked" not in officer.get(sheet_url(cast)).content.decode().partition("sheet-form")[2]


@pytest.mark.parametrize("category", ZeroCategory.values)
def test_a_category_without_a_word_is_named_and_the_rest_is_kept(cast: Cast, officer: Client, category: str) -> None:
    typed = {**ALL_ZERO, "note": "食堂消毒完成"}
    del typed[category]
    answer = officer.post(sheet_url(cast), typed)
    assert answer.status_code == 400
    assert set(answer.context["form"].errors) == {category}
    assert "食堂消毒完成" in answer.content.decode()
    assert versions(cast) == 0


def test_zero_and_a_number_contradict_each_other(cast: Cast, officer: Client) -> None:
    answer = officer.post(sheet_url(cast), {**ALL_ZERO, "fever_number": "2"})
    assert "fever" in answer.context["form"].errors
    assert versions(cast) == 0


def test_what_was_typed_survives_the_password_page(
    cast: Cast, officer: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def needed(request: object) -> None:
        raise StepUpNeeded

    monkeypatch.setattr(views_sheets, "require_recent_proof", needed)
    typed = {**ALL_ZERO, "fever": "number", "fever_number": "1", "note": "校医复测 1 人发热"}
    answer = officer.post(sheet_url(cast), typed, headers={"referer": "http://testserver" + sheet_url(cast)})
    assert answer.status_code == 302
    assert reverse("account_reauthenticate") in answer.headers["Location"]
    assert versions(cast) == 0

    page = officer.get(sheet_url(cast))
    assert page.context["form"]["note"].value() == "校医复测 1 人发热"
    assert page.context["form"]["fever_number"].value() == "1"
    assert "What you typed was kept" in page.content.decode()

    monkeypatch.setattr(views_sheets, "require_recent_proof", lambda request: None)
    officer.post(sheet_url(cast), typed)
    assert versions(cast) == 1
    assert "sheet_draft" not in officer.session


def test_the_province_returns_a_sheet_and_the_school_reads_why(cast: Cast, officer: Client, province: Client) -> None:
    officer.post(sheet_url(cast), ALL_ZERO)
    assert "On time" in province.get(reverse("reporting:province")).content.decode()

    back = reverse("reporting:return", args=[cast.anda.pk])
    refused = province.post(back, {"number": 1, "reason": ""})
    assert refused.status_code == 400
    assert "Please say what is wrong" in refused.content.decode()

    province.post(back, {"number": 1, "reason": "隔离人数请核对"})
    page = officer.get(sheet_url(cast)).content.decode()
    assert "隔离人数请核对" in page
    assert "State again and sign" in page

    officer.post(sheet_url(cast), ALL_ZERO)
    page = officer.get(sheet_url(cast)).content.decode()
    assert "Version 1" in page
    assert "Version 2" in page
    assert "隔离人数请核对" in page


def test_the_list_counts_and_filters(cast: Cast, officer: Client, province: Client, monkeypatch: Any) -> None:
    officer.post(sheet_url(cast), ALL_ZERO)
    clock(monkeypatch, moment_at(TODAY, time(14)))
    early = province.get(reverse("reporting:province"))
    assert early.context["counts"] == {"waiting": 1, "missing": 0, "returned": 0, "late": 0, "on_time": 1}
    clock(monkeypatch, moment_at(TODAY, time(16)))
    whole = province.get(reverse("reporting:province"))
    assert whole.context["counts"] == {"waiting": 0, "missing": 1, "returned": 0, "late": 0, "on_time": 1}
    some = province.get(reverse("reporting:province"), {"state": "missing"})
    assert [row.school.name for row in some.context["rows"]] == ["合肥工业大学"]


def test_a_report_after_the_signature_shows_as_a_difference(cast: Cast, officer: Client, province: Client) -> None:
    officer.post(sheet_url(cast), ALL_ZERO)
    with cast.seen_by(cast.officer):
        report(cast.wangwu)
    page = province.get(reverse("reporting:comparison"))
    assert [row.school.name for row, _changed in page.context["differences"]] == ["安徽大学"]
    assert "Schools that differ" in page.content.decode()


def test_a_day_without_a_campaign_says_so(cast: Cast, officer: Client, province: Client) -> None:
    for client, url in ((officer, sheet_url(cast)), (province, reverse("reporting:province"))):
        assert "Nobody was asked on this day" in client.get(url, {"day": "2020-02-29"}).content.decode()


@pytest.mark.parametrize(
    ("role", "where", "expected"),
    [
        (Role.EPIDEMIC_OFFICER, "gongda_node", 404),
        (Role.COLLEGE_OFFICER, "electronics", 404),
        (Role.COUNSELLOR, "tongxin1", 404),
        (Role.OPERATOR, "province", 404),
        (Role.SCHOOL_ADMIN, "anda_node", 200),
        (Role.PROVINCE_OFFICER, "province", 200),
    ],
)
def test_a_foreign_school_is_not_found(cast: Cast, sign_in: SignIn, role: Role, where: str, expected: int) -> None:
    client = sign_in(role, getattr(cast, where))
    for name in ("sheet", "history"):
        assert client.get(reverse(f"reporting:{name}", args=[cast.anda.pk])).status_code == expected
    above = 200 if role is Role.PROVINCE_OFFICER else 404
    assert client.get(reverse("reporting:province")).status_code == above
    assert client.get(reverse("reporting:comparison")).status_code == above


@pytest.mark.parametrize(("role", "where"), [(Role.SCHOOL_ADMIN, "anda_node"), (Role.PROVINCE_OFFICER, "province")])
def test_who_may_read_may_not_sign(cast: Cast, sign_in: SignIn, role: Role, where: str) -> None:
    assert sign_in(role, getattr(cast, where)).post(sheet_url(cast), ALL_ZERO).status_code == 404
    assert versions(cast) == 0


def test_a_school_cannot_return_its_own_sheet(cast: Cast, officer: Client) -> None:
    officer.post(sheet_url(cast), ALL_ZERO)
    answer = officer.post(reverse("reporting:return", args=[cast.anda.pk]), {"number": 1, "reason": "x"})
    assert answer.status_code == 404
    with cast.seen_by(cast.officer):
        assert DaySheet.objects.get().state == "submitted"


def test_a_visitor_is_led_to_the_sign_in(cast: Cast) -> None:
    for name, args in (("home", []), ("province", []), ("comparison", []), ("sheet", [1]), ("history", [1])):
        answer = Client().get(reverse(f"reporting:{name}", args=args))
        assert answer.status_code == 302
        assert answer.headers["Location"].startswith(reverse("account_login"))


def test_pages_take_a_fixed_number_of_statements(cast: Cast, officer: Client, province: Client) -> None:
    with cast.seen_by(cast.officer) as by:
        submit_sheet(
            by=by,
            now=NOON,
            round=round_of(),
            school_id=cast.anda.pk,
            statements=dict.fromkeys(ZeroCategory.values, 0),
        )

    def statements(client: Client, url: str) -> int:
        client.get(url)
        with CaptureQueriesContext(connection) as seen:
            client.get(url)
        ours = [q["sql"] for q in seen if not q["sql"].startswith(("SAVEPOINT", "RELEASE", "BEGIN", "COMMIT"))]
        return len(ours)

    assert {
        "sheet": statements(officer, sheet_url(cast)),
        "history": statements(officer, reverse("reporting:history", args=[cast.anda.pk])),
        "province": statements(province, reverse("reporting:province")),
        "comparison": statements(province, reverse("reporting:comparison")),
    } == {"sheet": 13, "history": 13, "province": 15, "comparison": 14}
