"""A board and a wall that are left open: figures arrive by themselves, and a lost connection is said."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest

from anxiao.base.clock import day_of, now
from anxiao.base.permissions import Role
from anxiao.base.tenancy import school_context
from anxiao.reporting.commands.partitions import ensure_partitions
from tests.builders import add_account, report
from tests.cast import Cast, assemble

PASSWORD = "correct horse 2026"


class Plug:
    """The wire between a browser and the server, which can be pulled."""

    def __init__(self, behind: str) -> None:
        address = urlsplit(behind)
        self._behind = (address.hostname or "", address.port or 0)
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._listener: socket.socket | None = None
        self.port = 0
        self.put_in()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def put_in(self) -> None:
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", self.port))
        listener.listen(64)
        self.port = listener.getsockname()[1]
        self._listener = listener
        threading.Thread(target=self._take, args=(listener,), daemon=True).start()

    def pull(self) -> None:
        listener, self._listener = self._listener, None
        if listener is not None:
            with suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            listener.close()
        with self._lock:
            ends = list(self._open)
        for end in ends:
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def _take(self, listener: socket.socket) -> None:
        while True:
            try:
                near, _address = listener.accept()
            except OSError:
                return
            far = socket.create_connection(self._behind)
            with self._lock:
                self._open |= {near, far}
            for source, target in ((near, far), (far, near)):
                threading.Thread(target=self._carry, args=(source, target), daemon=True).start()

    def _carry(self, source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                target.sendall(data)
        for end in (source, target):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        with self._lock:
            done = source not in self._open
            self._open.discard(source)
        if not done:
            source.close()


@pytest.fixture(scope="module")
def cast(module_database: Any) -> Cast:
    stage = assemble()
    ensure_partitions(day=day_of(now()))
    ensure_partitions(day=day_of(now()) - timedelta(days=1))
    with school_context("*"):
        add_account("college", role=Role.COLLEGE_OFFICER, node=stage.electronics)
        add_account("province", role=Role.PROVINCE_OFFICER, node=stage.province)
    return stage


@pytest.fixture
def plug(live_server_url: str) -> Iterator[Plug]:
    made = Plug(live_server_url)
    yield made
    made.pull()


def sign_in(page: Any, username: str, base: str, next_url: str) -> None:
    page.goto(f"{base}/accounts/login/?next={next_url}")
    page.fill("[name=login]", username)
    page.fill("[name=password]", PASSWORD)
    page.locator("main button[type=submit]").first.click()
    page.wait_for_url(f"**{next_url}**")


def has_reported(cast: Cast, person: Any) -> None:
    with school_context("*"):
        report(person, at=now())


MISSING = '[data-live="total:missing"] >> nth=0'


@pytest.mark.parametrize(
    ("locale", "width", "live", "lost", "people"),
    [
        ("zh-CN", 1440, "实时", "连接中断", ("wangwu", "zhaoliu")),
        ("en-GB", 375, "Live", "no connection", ("qianqi", "sunba")),
    ],
)
def test_a_board_lives_says_when_it_does_not_and_comes_back(
    visitor: Callable[..., Any],
    cast: Cast,
    plug: Plug,
    shot: Callable[..., Any],
    locale: str,
    width: int,
    live: str,
    lost: str,
    people: tuple[str, str],
) -> None:
    page = visitor(locale=locale, phone=width < 500)
    sign_in(page, "college", plug.url, "/console/")
    page.wait_for_selector("#numbers.is-live")
    assert live in page.inner_text(".cb-asof")
    before = int(page.inner_text(MISSING))
    height = page.evaluate("document.documentElement.scrollHeight")

    first, second = (getattr(cast, name) for name in people)
    has_reported(cast, first)
    page.wait_for_function("n => document.querySelector('#numbers').dataset.missing === String(n)", arg=before - 1)
    assert page.inner_text(MISSING) == str(before - 1)
    assert page.locator(".ax-tile_missing a").first.get_attribute("aria-label").endswith(f": {before - 1}")
    bar = page.locator('[data-live-bar="total"] svg[role=img]').first.get_attribute("aria-label")
    assert str(before - 1) in bar
    assert page.evaluate("document.documentElement.scrollHeight") == height, "nothing jumps"
    shot(page, f"live-board-{width}", full=False)

    plug.pull()
    page.wait_for_selector("#numbers.is-lost")
    assert lost in page.inner_text(".cb-asof")
    assert live not in page.inner_text(".cb-asof")
    stood = page.get_attribute("[data-live-at]", "data-live-at")
    shot(page, f"live-board-lost-{width}", full=False)
    has_reported(cast, second)
    assert page.inner_text(MISSING) == str(before - 1)
    assert page.get_attribute("[data-live-at]", "data-live-at") == stood

    plug.put_in()
    page.wait_for_selector("#numbers.is-live:not(.is-lost)", timeout=40_000)
    page.wait_for_function("n => document.querySelector('#numbers').dataset.missing === String(n)", arg=before - 2)
    assert page.inner_text(MISSING) == str(before - 2)
    assert page.get_attribute("[data-live-at]", "data-live-at") >= stood


def test_the_wall_lives_and_says_when_it_does_not(
    visitor: Callable[..., Any], cast: Cast, plug: Plug, shot: Callable[..., Any]
) -> None:
    page = visitor(locale="zh-CN")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    sign_in(page, "province", plug.url, "/wall/")
    page.wait_for_function("() => document.getElementById('wall-link').textContent === '实时'")
    before = int(page.inner_text('[data-wall="reported"]'))
    has_reported(cast, cast.lijiu)
    page.wait_for_function(
        "n => document.querySelector('[data-wall=reported]').textContent === String(n)", arg=before + 1
    )
    assert not [url for url in asked if url.endswith("/wall/data")], "who is told does not ask"
    plug.pull()
    page.wait_for_selector("body.wall-stale")
    assert "连接已中断" in page.inner_text("#wall-link")
    shot(page, "live-wall-lost", full=False)
    plug.put_in()
    page.wait_for_selector("body:not(.wall-stale)", timeout=40_000)


def test_where_there_is_no_stream_a_board_asks_as_before(
    visitor: Callable[..., Any], cast: Cast, live_server_url: str
) -> None:
    page = visitor(locale="en-GB")
    page.context.route("**/streams/**", lambda route: route.fulfill(status=503, body=""))
    page.clock.install()
    sign_in(page, "college", live_server_url, "/console/")
    with page.expect_response("**part=numbers**"):
        page.clock.run_for(17_000)
    assert page.is_hidden(".cb-asof__live")
    assert page.is_hidden(".cb-asof__lost")
