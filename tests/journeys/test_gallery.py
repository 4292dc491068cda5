"""The components in a real browser, under the real content policy: nothing is refused, nothing sticks out."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect


@pytest.fixture(scope="module", autouse=True)
def _gallery_is_open() -> Iterator[None]:
    """/ui exists in debug and in the demo only; the server process inherits this."""
    kept = os.environ.get("ANXIAO_DEBUG")
    os.environ["ANXIAO_DEBUG"] = "1"
    yield
    if kept is None:
        del os.environ["ANXIAO_DEBUG"]
    else:
        os.environ["ANXIAO_DEBUG"] = kept


@pytest.mark.parametrize("frame", ["console", "h5", "wall"])
@pytest.mark.parametrize("width", [320, 375, 1440, 1920])
def test_nothing_sticks_out(
    live_server_url: str, visitor: Callable[..., Page], shot: Callable[..., Path], frame: str, width: int
) -> None:
    page = visitor(width=width, height=900)
    page.goto(f"/ui?frame={frame}")
    if frame != "h5":
        expect(page.locator("[data-chart] canvas").first).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    if width in (375, 1440):
        shot(page, f"gallery-{frame}-{width}")


def test_the_small_things_work_with_script(live_server_url: str, page: Page) -> None:
    page.goto("/ui")
    page.locator(".ax-tile .ax-what summary").first.click()
    expect(page.locator(".ax-tile .ax-what__text").first).to_be_in_viewport(ratio=1)
    page.keyboard.press("Escape")
    expect(page.locator(".ax-tile .ax-what__text").first).to_be_hidden()
    page.locator("[data-dialog=remind]").click()
    expect(page.locator("dialog#remind")).to_be_visible()
    page.locator("dialog#remind [data-dialog-close]").click()
    expect(page.locator("dialog#remind")).to_be_hidden()
    page.locator(".ax-phone button").first.click()
    expect(page.locator(".ax-phone a[href^='tel:']")).to_have_count(1)


def test_the_menu_opens_on_a_phone_without_script(live_server_url: str, browser: object) -> None:
    context = browser.new_context(  # type: ignore[attr-defined]
        viewport={"width": 375, "height": 812}, java_script_enabled=False, base_url=live_server_url
    )
    try:
        page = context.new_page()
        page.goto("/ui")
        menu = page.locator("#menu")
        expect(menu).to_be_hidden()
        page.locator(".shell-burger").click()
        expect(menu).to_be_visible()
        page.locator(".shell-close").click()
        expect(menu).to_be_hidden()
    finally:
        context.close()
