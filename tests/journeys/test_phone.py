"""A student's phone: the first report, a draft that survives, the network lost, illness, and no JavaScript at all."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from anxiao.base.clock import day_of, moment_at, now
from anxiao.base.tenancy import school_context
from anxiao.reporting.commands.partitions import ensure_partitions
from tests.builders import add_account, report
from tests.cast import Cast, assemble

PASSWORD = "correct horse 2026"


@pytest.fixture(scope="module")
def cast(module_database: Any) -> Cast:
    """王五 has never reported; 赵六 and 钱七 reported yesterday, so "no change" stands for something."""
    from datetime import time, timedelta

    stage = assemble()
    ensure_partitions(day=day_of(now()))
    yesterday = moment_at(day_of(now()) - timedelta(days=1), time(8, 10))
    ensure_partitions(day=day_of(yesterday))
    with school_context("*"):
        for name in ("wangwu", "zhaoliu", "qianqi", "sunba"):
            add_account(name, person=getattr(stage, name))
        for name in ("zhaoliu", "qianqi"):
            report(getattr(stage, name), at=yesterday)
    return stage


def sign_in(page: Any, username: str, live_server_url: str) -> None:
    page.goto(f"{live_server_url}/accounts/login/?next=/h5/")
    page.fill("[name=login]", username)
    page.fill("[name=password]", PASSWORD)
    page.locator("main button[type=submit]").first.click()
    page.wait_for_url("**/h5/")


def well(page: Any, temperature: str = "36.5") -> None:
    page.locator("label", has=page.locator('input[value="normal"]')).click()
    page.fill("[name=temperature]", temperature)


def test_the_first_report(phone: Any, cast: Cast, live_server_url: str, shot: Callable[..., Any]) -> None:
    sign_in(phone, "wangwu", live_server_url)
    assert "今日未上报" in phone.inner_text("main")
    shot(phone, "phone-1-today")
    phone.click("text=现在上报")
    phone.wait_for_selector("#send")
    phone.wait_for_load_state()
    assert not phone.is_visible("[name=return_on]")
    phone.click("#send")
    assert phone.locator(".weui-error:not(:empty)").count() >= 3
    shot(phone, "phone-2-missing", full=False)
    well(phone, "365")
    phone.locator("[name=temperature]").blur()
    assert phone.input_value("[name=temperature]") == "36.5"
    phone.locator("label", has=phone.locator('input[value="staying_in_anhui"]')).click()
    phone.locator("label", has=phone.locator('input[name="at_school"][value="false"]')).click()
    phone.locator("label", has=phone.locator('input[value="undecided"]')).click()
    phone.select_option("[name=region]", "340100")
    phone.reload()
    phone.wait_for_selector("#restored:visible")
    assert phone.input_value("[name=temperature]") == "36.5"
    shot(phone, "phone-3-form")
    phone.click("#send")
    phone.wait_for_url("**/receipt/**")
    assert re.search(r"\d{8}-[0-9A-F]{4}-[0-9A-F]{4}-[0-9A-F]{4}", phone.inner_text("main"))
    assert phone.evaluate("Object.keys(localStorage).length") == 0
    shot(phone, "phone-4-receipt")
    phone.goto(f"{live_server_url}/h5/")
    assert "今日已上报" in phone.inner_text("main")
    shot(phone, "phone-5-done")


def test_no_network_is_said_and_survived(
    visitor: Callable[..., Any], cast: Cast, live_server_url: str, shot: Callable[..., Any]
) -> None:
    page = visitor(phone=True, locale="en-GB")
    sign_in(page, "zhaoliu", live_server_url)
    page.click("text=Report now")
    assert "Same as last time" in page.inner_text("#same")
    well(page)
    page.context.set_offline(True)
    page.click("#send")
    page.wait_for_selector("#waiting:visible")
    assert "Not yet received" in page.inner_text("#waiting")
    shot(page, "phone-6-waiting")
    page.context.set_offline(False)
    page.wait_for_url("**/receipt/**", timeout=40_000)
    page.goto(f"{live_server_url}/h5/")
    page.evaluate("navigator.serviceWorker.ready.then(() => true)")
    page.reload()
    page.context.set_offline(True)
    page.reload()
    assert "Reported today" in page.inner_text("main")
    page.context.set_offline(False)


def test_illness_is_answered_with_help_and_corrected_later(
    phone: Any, cast: Cast, live_server_url: str, shot: Callable[..., Any]
) -> None:
    sign_in(phone, "qianqi", live_server_url)
    phone.click("text=现在上报")
    phone.locator("label", has=phone.locator('input[value="fever"]')).click()
    phone.fill("[name=temperature]", "38.4")
    assert phone.is_visible("[name=symptom_description]")
    phone.click("#send")
    phone.wait_for_url("**/receipt/**")
    assert "张三" in phone.inner_text("main")
    shot(phone, "phone-7-help")
    phone.click("text=情况有变或填错了")
    phone.click("#same summary")
    phone.locator("label", has=phone.locator('input[name="contact_14d"][value="true"]')).click()
    assert phone.is_visible("[name=contact_detail]")
    phone.fill("[name=contact_detail]", "同寝室同学确诊")
    phone.locator("label", has=phone.locator('input[value="dry_cough"]')).click()
    phone.fill("[name=temperature]", "38.6")
    phone.fill("[name=reason]", "刚得知室友确诊")
    phone.click("#send")
    phone.wait_for_load_state()
    phone.wait_for_selector("text=第 1 次更正")
    assert "刚得知室友确诊" in phone.inner_text("main")
    shot(phone, "phone-8-corrected")


def test_without_javascript_everything_can_be_done(
    browser: Any, cast: Cast, live_server_url: str, shot: Callable[..., Any]
) -> None:
    context = browser.new_context(java_script_enabled=False, locale="zh-CN", viewport={"width": 375, "height": 812})
    page = context.new_page()
    sign_in(page, "sunba", live_server_url)
    page.click("text=现在上报")
    well(page)
    page.locator("label", has=page.locator('input[value="staying_in_anhui"]')).click()
    page.locator("label", has=page.locator('input[name="at_school"][value="true"]')).click()
    page.click("#send")
    assert "请填写此项" in page.inner_text("#q-region")
    page.select_option("[name=region]", "340100")
    page.click("#send")
    page.wait_for_url("**/receipt/**")
    shot(page, "phone-9-without-javascript")
    context.close()
