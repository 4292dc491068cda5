"""A student puts their own record right; the counsellor confirms, finds them in several ways, and is seen looking."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from anxiao.base.clock import day_of, now
from anxiao.base.permissions import Role
from anxiao.base.tenancy import school_context
from anxiao.directory.commands_search import fill_missing
from anxiao.reporting.commands.partitions import ensure_partitions
from tests.builders import add_account, add_people, report
from tests.cast import Cast, assemble

PASSWORD = "correct horse 2026"


@pytest.fixture(scope="module")
def cast(module_database: Any) -> Cast:
    stage = assemble()
    ensure_partitions(day=day_of(now()))
    with school_context("*"):
        add_people(stage.tongxin2, 60)
        report(stage.wangwu, at=now())
        add_account("wang", person=stage.wangwu)
        add_account("zhang", role=Role.COUNSELLOR, node=stage.tongxin1, person=stage.zhangsan)
        add_account("admin", role=Role.SCHOOL_ADMIN, node=stage.anda_node)
    fill_missing()
    return stage


def sign_in(page: Any, username: str, next_url: str) -> None:
    page.goto(f"/accounts/login/?next={next_url}")
    page.fill("[name=login]", username)
    page.fill("[name=password]", PASSWORD)
    page.locator("main button[type=submit]").first.click()
    page.wait_for_url(f"**{next_url}**")


def press(page: Any, selector: str) -> None:
    page.locator(selector).first.click()
    page.wait_for_load_state()


def test_a_record_is_put_right_and_both_sides_see_it(
    visitor: Callable[..., Any], cast: Cast, shot: Callable[..., Any], live_server_url: str
) -> None:
    student = visitor(phone=True)
    sign_in(student, "wang", "/h5/me/")
    shot(student, "profile-me-zh-375")
    student.goto("/h5/me/contact/")
    student.fill("[name=phone]", "139")
    press(student, "main button[type=submit]")
    assert student.input_value("[name=phone]") == "139"
    shot(student, "profile-contact-wrong-zh-375")
    student.fill("[name=phone]", "139 1234 5678")
    press(student, "main button[type=submit]")
    assert "139****5678" in student.inner_text("main")

    student.goto("/h5/me/ask/name/")
    student.fill("[name=wanted]", "王伍")
    press(student, "main button[type=submit]")
    assert student.input_value("[name=wanted]") == "王伍"
    student.fill("[name=reason]", "公安机关已改名")
    shot(student, "profile-ask-zh-375")
    press(student, "main button[type=submit]")
    assert "等待确认" in student.inner_text("main")
    shot(student, "profile-asked-zh-375")
    student.goto("/h5/me/ask/class/")
    assert "通信2班" in student.inner_text("[name=wanted]")
    shot(student, "profile-class-zh-375")

    counsellor = visitor()
    sign_in(counsellor, "zhang", "/console/")
    assert counsellor.inner_text(".ax-menu .ax-badge").startswith("1")
    press(counsellor, ".ax-menu a:has(.ax-badge)")
    assert "公安机关已改名" in counsellor.inner_text("main")
    shot(counsellor, "proposals-open-zh-1440")
    press(counsellor, "main button[value=confirm]")
    assert "已同意" in student_sees(student)
    assert counsellor.locator(".ax-badge").count() == 0

    for text in ("wangwu", "ww", "5678", "王", "P2018"):
        counsellor.fill(".shell-search input", text)
        counsellor.press(".shell-search input", "Enter")
        counsellor.wait_for_url("**q=*")
        assert "王伍" in counsellor.inner_text("tbody"), text
    shot(counsellor, "people-found-zh-1440")
    press(counsellor, "tbody a:has-text('王伍')")
    press(counsellor, "a[href$='/history/']")
    assert "王伍" in counsellor.inner_text("h1")
    student.goto("/h5/me/looked/")
    assert "张三" in student.inner_text("main")
    shot(student, "profile-looked-zh-375")


def student_sees(student: Any) -> str:
    student.goto("/h5/me/")
    return str(student.inner_text("main"))


@pytest.mark.parametrize(("locale", "width"), [("zh-CN", 1440), ("en-GB", 375)])
def test_the_pages_fit_both_languages_and_widths(
    visitor: Callable[..., Any], cast: Cast, shot: Callable[..., Any], live_server_url: str, locale: str, width: int
) -> None:
    page = visitor(locale=locale, phone=width < 500)
    sign_in(page, "admin", "/console/people/")
    name = f"{locale[:2]}-{width}"
    for told, address in (
        ("people", "/console/people/"),
        ("people-none", "/console/people/?q=zzz"),
        ("people-left", "/console/people/?state=left"),
        ("history", f"/console/person/{cast.wangwu.pk}/history/"),
        ("proposals", "/console/people/proposals/"),
        ("person", f"/console/people/{cast.wangwu.pk}/"),
    ):
        page.goto(address)
        wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert wide <= 0, f"{told} is wider than the screen"
        shot(page, f"{told}-{name}")
    page.goto("/console/people/")
    page.select_option("[name=college]", index=1)
    page.wait_for_url("**college=*")
    page.select_option("[name=class]", index=1)
    page.wait_for_url("**class=*")
    assert page.locator("tbody tr").count() > 0
