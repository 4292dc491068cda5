"""A school comes onto the platform: from the public form to the first sign-in of its two officers."""

from __future__ import annotations

import re

import psycopg
import pytest
from django.test import Client

from anxiao.accounts.commands.founding import found_officer
from anxiao.accounts.commands.onboarding import Contact, apply_for_school, approve_application, decline_application
from anxiao.accounts.models import Grant, User
from anxiao.base.errors import Invalid, NotYours, Refused
from anxiao.base.permissions import Role
from anxiao.base.tenancy import school_context
from anxiao.directory.models import Category, Onboarding, Organisation, School
from anxiao.directory.names import SchoolState
from anxiao.ledger.models import Entry
from tests.builders import HOUSE, MORNING, add_account, add_school
from tests.cast import Cast
from tests.conftest import Database

PASSWORD = "correct horse 2026"
TYPED = {
    "admin_name": "钱平",
    "admin_position": "信息中心主任",
    "admin_phone": "139 0001 0001",
    "admin_office": "行政楼 302",
    "officer_name": "孙防",
    "officer_position": "学生处副处长",
    "officer_phone": "+852-91234567",
    "officer_office": "行政楼 210",
}
ADMIN = Contact("钱平", "信息中心主任", "13900010001", "行政楼 302")
OFFICER = Contact("孙防", "学生处副处长", "13900010002", "行政楼 210")


@pytest.fixture
def newcomer(cast: Cast) -> School:
    return add_school("4134010360", "安徽工业大学")


def application(school: School) -> Onboarding:
    with school_context(f"0,{school.pk}"):
        return apply_for_school(now=MORNING, school_id=school.pk, admin=ADMIN, officer=OFFICER)


def test_from_the_form_to_the_first_sign_in(cast: Cast, newcomer: School) -> None:
    visitor = Client()
    answer = visitor.post("/onboarding/", TYPED | {"school": newcomer.pk})
    assert answer.headers["Location"] == "/onboarding/4134010360/"
    assert visitor.get("/onboarding/4134010360/").status_code == 200

    add_account("province", role=Role.PROVINCE_OFFICER, node=cast.province)
    desk = Client()
    desk.post("/accounts/login/", {"login": "province", "password": PASSWORD})
    assert "安徽工业大学" in desk.get("/console/settings/schools/").content.decode()
    with school_context("*"):
        row = Onboarding.objects.get()
    assert (row.admin_phone, row.officer_phone) == ("13900010001", "+852-91234567")
    decide = f"/console/settings/schools/{row.pk}/"
    assert desk.get(decide).status_code == 200
    asked = desk.post(decide, {"decision": "approve"}, headers={"referer": decide})
    assert asked.headers["Location"].startswith("/accounts/reauthenticate/")
    desk.post(asked.headers["Location"], {"password": PASSWORD})
    sheet = desk.post(decide, {"decision": "approve"})
    assert "no-store" in sheet["Cache-Control"]
    passwords = re.findall(r"<dd>([0-9A-Z]{4}-[0-9A-Z]{4}-[0-9A-Z]{4})</dd>", sheet.content.decode())
    assert len(passwords) == 2
    assert desk.post(decide, {"decision": "approve"}).status_code == 409, "they are shown once"
    # the paper was lost on the way: the province hands out another first password, the old one is void
    account = User.objects.get(username="4134010360-officer")
    sheet = desk.post(decide, {"decision": "password", "account": account.pk})
    (passwords[1],) = re.findall(r"<dd>([0-9A-Z]{4}-[0-9A-Z]{4}-[0-9A-Z]{4})</dd>", sheet.content.decode())

    officer = Client()
    typed = {"login": "4134010360-officer", "password": passwords[1]}
    assert officer.post("/accounts/login/", typed).status_code == 302
    assert officer.get("/console/").headers["Location"] == "/accounts/password/change/"
    with school_context("*"):
        node = Organisation.objects.get(school_id=newcomer.pk, kind="school")
        assert node.parent_id == cast.province.pk
        roles = {(g.user.username, g.role) for g in Grant.objects.filter(organisation=node)}
        assert roles == {("4134010360-admin", "school_admin"), ("4134010360-officer", "epidemic_officer")}
        assert Category.objects.filter(school_id=newcomer.pk).count() == 9
        verbs = set(Entry.objects.filter(school_id=newcomer.pk).values_list("verb", flat=True))
        assert {"onboarding.applied", "onboarding.approved", "school.opened", "grant.given"} <= verbs
        assert not Entry.objects.filter(facts__icontains="钱平").exists()


def test_what_is_wrong_is_said_and_everything_typed_is_kept(cast: Cast, newcomer: School) -> None:
    page = Client().post("/onboarding/", TYPED | {"school": newcomer.pk, "admin_phone": "0551-65100000"})
    assert page.status_code == 422
    text = page.content.decode()
    for typed in ("信息中心主任", "0551-65100000", "行政楼 210", "+852-91234567"):
        assert typed in text
    assert School.objects.get(pk=newcomer.pk).state == SchoolState.REGISTERED


def test_a_school_applies_once_at_a_time(cast: Cast, newcomer: School) -> None:
    application(newcomer)
    with pytest.raises(Invalid):
        application(newcomer)
    with pytest.raises(Invalid):
        application(cast.anda)
    page = Client().post("/onboarding/", TYPED | {"school": newcomer.pk})
    assert page.status_code == 422


def test_declined_with_a_reason_it_may_apply_again(cast: Cast, newcomer: School) -> None:
    row = application(newcomer)
    with cast.seen_by(cast.province_officer) as province:
        with pytest.raises(Invalid):
            decline_application(by=province, now=MORNING, application=row, reason=" ")
        decline_application(by=province, now=MORNING, application=row, reason="请由学校防控办申请")
        with pytest.raises(Refused):
            approve_application(by=province, now=MORNING, application=row)
    assert application(newcomer).pk != row.pk


@pytest.mark.parametrize("who", ["admin", "officer", "counsellor"])
def test_only_the_province_decides(cast: Cast, newcomer: School, who: str) -> None:
    row = application(newcomer)
    with cast.seen_by(getattr(cast, who)) as caller, pytest.raises(NotYours):
        approve_application(by=caller, now=MORNING, application=row)


def test_where_the_ledger_is_broken_the_school_stays_closed_and_no_account_exists(
    cast: Cast, newcomer: School, database: Database
) -> None:
    row = application(newcomer)
    with psycopg.connect(database.superuser_url, autocommit=True) as connection:
        connection.execute("ALTER TABLE ledger_entry RENAME TO ledger_gone")
    with pytest.raises(Exception, match="ledger_entry"), cast.seen_by(cast.province_officer) as province:
        approve_application(by=province, now=MORNING, application=row)
    assert School.objects.get(pk=newcomer.pk).state == SchoolState.APPLIED
    assert not User.objects.exists()
    with school_context("*"):
        assert Onboarding.objects.get().state == "waiting"
        assert not Organisation.objects.filter(school_id=newcomer.pk).exists()


def test_a_category_is_added_in_the_console_and_for_the_own_school_only(cast: Cast) -> None:
    add_account("school", role=Role.SCHOOL_ADMIN, node=cast.anda_node)
    desk = Client()
    desk.post("/accounts/login/", {"login": "school", "password": PASSWORD})
    page = "/console/settings/categories/"
    assert desk.get(page).status_code == 200
    assert desk.post(page, {"audience": "1", "name": "博士后"}).status_code == 302
    again = desk.post(page, {"audience": "1", "name": "博士后"})
    assert again.status_code == 422
    assert "博士后" in again.content.decode()
    with school_context("*"):
        assert [c.school_id for c in Category.objects.filter(name="博士后")] == [cast.anda.pk]


@pytest.mark.parametrize("who", [Role.COUNSELLOR, Role.EPIDEMIC_OFFICER, None])
def test_the_settings_are_not_there_for_whoever_does_not_manage_them(cast: Cast, who: Role | None) -> None:
    add_account("somebody", role=who, node=cast.tongxin1 if who is Role.COUNSELLOR else cast.anda_node)
    desk = Client()
    desk.post("/accounts/login/", {"login": "somebody", "password": PASSWORD})
    for page in ("roles/", "roles/add/", "roles/counsellors/", "categories/", "schools/"):
        assert desk.get(f"/console/settings/{page}").status_code == 404, page


def test_the_first_officer_of_a_province_is_made_by_the_house_itself_and_by_no_account(cast: Cast) -> None:
    facts = {
        "now": MORNING,
        "username": "li.si",
        "display_name": "李四",
        "role": Role.PROVINCE_OFFICER,
        "province": cast.province,
    }
    with cast.seen_by(cast.province_officer) as officer, pytest.raises(NotYours):
        found_officer(by=officer, **facts)
    with school_context("*"):
        credential = found_officer(by=HOUSE, **facts)
    client = Client()
    typed = {"login": "li.si", "password": credential.password}
    assert client.post("/accounts/login/", typed).status_code == 302
    assert client.get("/console/").headers["Location"] == "/accounts/password/change/"
