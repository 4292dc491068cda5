"""The schools on their way: where each stands, what it lacks, in two statements and in a workbook."""

from __future__ import annotations

import io

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from openpyxl import load_workbook

from anxiao.accounts.commands.onboarding import Contact, apply_for_school, approve_application
from anxiao.base.permissions import Role
from anxiao.base.tenancy import school_context
from anxiao.portal.queries.schools import Lack, SchoolLine, Step, narrowed, schools_on_their_way
from tests.builders import MORNING, TODAY, add_account, add_school, report
from tests.cast import Cast, assemble

ADMIN = Contact("钱平", "信息中心主任", "13900010001", "行政楼 302")
PASSWORD = "correct horse 2026"


@pytest.fixture
def cast(database: object) -> Cast:
    return assemble()


def line(cast: Cast, name: str) -> SchoolLine:
    with cast.seen_by(cast.province_officer) as officer:
        return next(one for one in schools_on_their_way(officer, TODAY) if one.name == name)


def test_a_school_goes_step_by_step_and_each_time_says_what_it_lacks(cast: Cast) -> None:
    newcomer = add_school("4134010360", "安徽工业大学")

    def standing(name: str = newcomer.name) -> tuple[Step, list[Lack]]:
        found = line(cast, name)
        return found.step, found.lacks

    assert standing() == (Step.REGISTERED, [Lack.APPLICATION])
    with school_context(f"0,{newcomer.pk}"):
        application = apply_for_school(now=MORNING, school_id=newcomer.pk, admin=ADMIN, officer=ADMIN)
    assert standing() == (Step.APPLIED, [Lack.DECISION])
    with cast.seen_by(cast.province_officer) as officer:
        approve_application(by=officer, now=MORNING, application=application)
    assert standing() == (Step.APPROVED, [Lack.DIRECTORY])
    # one that has its directory, but nobody who answers for it
    assert standing("合肥工业大学") == (Step.IMPORTED, [Lack.ADMIN, Lack.OFFICER, Lack.ACTIVATION])
    add_account("admin", role=Role.SCHOOL_ADMIN, node=cast.anda_node)
    add_account("officer", role=Role.EPIDEMIC_OFFICER, node=cast.anda_node)
    add_account("wang.wu", person=cast.wangwu)
    assert standing("安徽大学") == (Step.ACTIVATED, [Lack.FIRST_REPORT])
    with school_context(f"0,{cast.anda.pk}"):
        report(cast.wangwu)
    assert standing("安徽大学") == (Step.REPORTING, [Lack.FIRST_SHEET])
    found = line(cast, "安徽大学").people
    assert (found.people, found.activated, found.begun) == (7, 1, 1)


def test_the_whole_register_is_two_statements(cast: Cast) -> None:
    with cast.seen_by(cast.province_officer) as officer:
        with CaptureQueriesContext(connection) as sent:
            lines = schools_on_their_way(officer, TODAY)
        assert len(sent) == 2, [q["sql"][:80] for q in sent]
        assert {one.name for one in lines} >= {"安徽大学", "合肥工业大学"}
    with cast.seen_by(cast.admin) as admin:
        assert schools_on_their_way(admin, TODAY) == []


def test_the_list_is_narrowed_by_step_city_and_words(cast: Cast) -> None:
    add_school("4134010361", "芜湖学院", city="芜湖市")
    with cast.seen_by(cast.province_officer) as officer:
        lines = schools_on_their_way(officer, TODAY)
    assert [one.name for one in narrowed(lines, step=Step.IMPORTED)] == ["安徽大学", "合肥工业大学"]
    assert "芜湖学院" in [one.name for one in narrowed(lines, city="芜湖市")]
    assert [one.name for one in narrowed(lines, words="4134010359")] == ["合肥工业大学"]
    assert len(narrowed(lines, lacking=True)) == len(lines)


def test_the_workbook_says_what_the_page_says_and_nothing_in_it_comes_alive(cast: Cast) -> None:
    add_school("4134010362", "=HYPERLINK(学院)")
    add_account("province", role=Role.PROVINCE_OFFICER, node=cast.province)
    desk = Client()
    desk.post("/accounts/login/", {"login": "province", "password": PASSWORD})
    page = desk.get("/console/schools/?step=imported").content.decode()
    assert "安徽大学" in page
    assert "=HYPERLINK" not in page
    answer = desk.get("/console/schools/export/")
    assert answer["Content-Disposition"].startswith("attachment")
    sheet = load_workbook(io.BytesIO(answer.content)).active
    cells = {row[1].value: row for row in sheet.iter_rows(min_row=2)}
    assert cells["=HYPERLINK(学院)"][1].data_type == "s"
    assert [c.value for c in cells["安徽大学"]][5:8] == ["7", "0", "0"]
    few = load_workbook(io.BytesIO(desk.get("/console/schools/export/?step=imported").content)).active
    assert few.max_row == 3
