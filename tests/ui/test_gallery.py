"""Every component renders, in every frame and both languages, and the frames stay light."""

from __future__ import annotations

import gzip
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from django.contrib.auth.models import AnonymousUser
from django.http import Http404, HttpRequest
from django.template.loader import render_to_string
from django.test import RequestFactory, override_settings
from django.utils import translation

import anxiao
from anxiao.base.permissions import Permission, Role
from anxiao.base.scope import NOBODY, Grant, Scope
from anxiao.ui import menu
from anxiao.ui.views import gallery

# the menu tells how much waits behind its entries
pytestmark = pytest.mark.usefixtures("module_database")

STATIC = Path(anxiao.__file__).parent / "ui/static/ui"
OFFICER = Scope(
    user_id=1,
    username="officer",
    display_name="王建国",
    person_id=5,
    school_id=3,
    grants=(Grant(Role.SCHOOL_ADMIN, 4, "1.4", "school", 3, node_name="示例大学"),),
)


def _request(path: str = "/ui", scope: Scope = OFFICER, language: str = "zh-hans") -> HttpRequest:
    request = RequestFactory().get(path)
    request.user = AnonymousUser()
    request.scope = scope  # type: ignore[attr-defined]
    request.csp_nonce = "n0nce"  # type: ignore[attr-defined]
    request.LANGUAGE_CODE = language  # type: ignore[attr-defined]
    return request


class _Balance(HTMLParser):
    """Complains about an element that is opened and not closed, and about an id that stands twice."""

    VOID = frozenset({"meta", "link", "input", "br", "hr", "img", "path", "rect", "col", "source", "wbr"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.ids += [value for name, value in attrs if name == "id" and value]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.ids += [value for name, value in attrs if name == "id" and value]

    def handle_endtag(self, tag: str) -> None:
        if tag in self.VOID:
            return
        assert self.open, f"</{tag}> closes nothing"
        opened = self.open.pop()
        assert opened == tag, f"<{opened}> is closed by </{tag}> at {self.getpos()}"


@pytest.mark.parametrize("frame", ["console", "h5", "wall"])
@pytest.mark.parametrize("language", ["zh-hans", "en"])
@override_settings(ANXIAO_DEMO=True)
def test_the_gallery_is_whole(frame: str, language: str) -> None:
    with translation.override(language):
        page = gallery(_request(f"/ui?frame={frame}", language=language)).content.decode()
    balance = _Balance()
    balance.feed(page)
    assert not balance.open
    doubled = {i for i in balance.ids if balance.ids.count(i) > 1}
    assert not doubled
    assert ' style="' not in page
    assert ("这是演示系统" in page) == (language == "zh-hans")
    assert re.search(r"<html[^>]* lang=\"(\S+)\"", page)[1] == ("zh-Hans" if language == "zh-hans" else "en")  # type: ignore[index]


@override_settings(ANXIAO_DEMO=True)
def test_a_chart_says_the_same_twice() -> None:
    """Once for the script, once as a table for everybody else."""
    page = gallery(_request()).content.decode()
    spec = json.loads(re.search(r'<script id="gallery-hours-data"[^>]*>(.*?)</script>', page, re.DOTALL)[1])  # type: ignore[index]
    assert len(spec["labels"]) == 24
    assert spec["series"][0]["values"][12] is None
    assert '<th scope="row">08:00</th><td class="num">488</td><td class="num">488</td>' in page
    assert '<th scope="row">12:00</th><td class="num">–</td>' in page


def test_there_is_no_gallery_in_earnest_use() -> None:
    with override_settings(ANXIAO_DEMO=False, DEBUG=False), pytest.raises(Http404):
        gallery(_request())


def test_the_error_page_needs_nothing() -> None:
    """Django renders it without a request, and whatever broke must not break it again."""
    assert 'href="/"' in render_to_string("500.html")


@pytest.mark.parametrize("template", ["403.html", "403_csrf.html", "404.html", "ui/refused.html"])
def test_no_error_page_is_a_dead_end(template: str) -> None:
    page = render_to_string(template, {"message": "x"}, request=_request(scope=NOBODY))
    assert 'href="/"' in page


def test_the_menu_shows_what_one_may_use() -> None:
    kept = dict(menu._items)
    try:
        menu._items.clear()
        menu.register("people", "People", "ui:gallery", permission=Permission.PEOPLE_VIEW)
        menu.register("exchange", "Exchange", "ui:gallery", permission=Permission.OPERATE)
        menu.register("notices", "Notices", "no_such_room:page")
        menu.register("today", "Today", "ui:gallery")
        assert [e.key for e in menu.entries(OFFICER, "/ui")] == ["today", "people"]
        assert [e.key for e in menu.entries(NOBODY, "/ui")] == ["today"]
        assert [e.key for e in menu.entries(OFFICER, "/ui", "people") if e.current] == ["people"]
    finally:
        menu._items.clear()
        menu._items.update(kept)


def test_the_phone_s_styles_leave_the_budget_to_the_answers() -> None:
    """80 KB for a first visit, all files: the frame may take an eighth of it."""
    sizes = [len(gzip.compress((STATIC / name).read_bytes(), 9)) for name in ("tokens.css", "h5.css", "mark.svg")]
    assert sum(sizes) < 10 * 1024
