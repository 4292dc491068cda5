"""Browsers for the journeys: Debian's Chromium, no download, no address outside this machine.

``page`` is a PC in Chinese (1440 x 900), ``phone`` a telephone (375 x 812); ``visitor(...)`` opens as many separate
people as a story needs. ``shot(page, name)`` keeps a picture in ``tests/journeys/screenshots/``.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

# Playwright's synchronous interface runs an event loop in this thread, where Django would refuse to touch the
# database; the tests themselves are sequential.
os.environ.setdefault("DJANGO_ALLOW_ASYNC_UNSAFE", "true")

HERE = Path(__file__).resolve().parent
SCREENSHOTS = HERE / "screenshots"
FAILED = pytest.StashKey[bool]()
REQUIRED = os.environ.get("ANXIAO_REQUIRE_JOURNEYS") == "1"
INSTALL = "no Chromium here; install it with: apt-get install -y chromium fonts-noto-cjk"
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
]


def chromium() -> str | None:
    return shutil.which("chromium", path=os.environ.get("PATH", "") + ":/usr/bin")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE not in item.path.parents:
            continue
        item.add_marker(pytest.mark.journey)
        if chromium() is None and not REQUIRED:
            # The name is in the reason: pytest folds equal reasons into one line and would hide what was skipped.
            item.add_marker(pytest.mark.skip(reason=f"{item.name}: {INSTALL}"))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    report = yield
    if report.when == "call":
        item.stash[FAILED] = report.failed
    if REQUIRED and report.skipped and HERE in item.path.parents:
        report.outcome = "failed"
        report.longrepr = f"a journey was skipped where journeys are required: {item.nodeid}\n{report.longrepr}"
    return report


# Not for the whole session: while it runs, no other test of this process may have an event loop of its own.
@pytest.fixture(scope="module")
def browser() -> Iterator[object]:
    from playwright.sync_api import sync_playwright

    program = chromium()
    if program is None:
        pytest.fail(INSTALL)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, headless=True, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def worker(module_database: object) -> Iterator[None]:
    """The worker beside the server, as the supervisor starts it: it waits, and works when somebody asks."""
    lifeline, end = os.pipe()
    process = subprocess.Popen([sys.executable, "-m", "anxiao.config.jobs", str(lifeline)], pass_fds=(lifeline,))
    os.close(lifeline)
    try:
        yield
    finally:
        os.close(end)
        try:
            process.wait(60)
        finally:
            process.kill()
            process.wait()


@pytest.fixture
def visitor(browser: object, request: pytest.FixtureRequest) -> Iterator[Callable[..., object]]:
    """Open a page for one more person: ``visitor(phone=True, locale="en-US")``. Each has its own cookies.

    After the test every page is asked what went wrong in it: a script that failed, a policy that was broken and an
    address outside this machine are failures even where nobody looked.
    """
    contexts = []
    faults: list[str] = []

    def open_page(*, phone: bool = False, locale: str = "zh-CN", width: int = 0, height: int = 0) -> object:
        viewport = {"width": width or (375 if phone else 1440), "height": height or (812 if phone else 900)}
        context = browser.new_context(  # type: ignore[attr-defined]
            viewport=viewport,
            is_mobile=phone,
            has_touch=phone,
            locale=locale,
            timezone_id="Asia/Shanghai",
            base_url=request.getfixturevalue("live_server_url") if "live_server_url" in request.fixturenames else None,
        )
        contexts.append(context)

        def only_here(route: object) -> None:
            address = route.request.url  # type: ignore[attr-defined]
            if urlsplit(address).hostname in {"127.0.0.1", "localhost"} or address.startswith(("data:", "blob:")):
                route.continue_()  # type: ignore[attr-defined]
            else:
                faults.append(f"asked an address outside this machine: {address}")
                route.abort()  # type: ignore[attr-defined]

        context.route("**/*", only_here)
        page = context.new_page()
        page.set_default_timeout(15_000)
        page.on("pageerror", lambda error: faults.append(f"script failed on {page.url}: {error}"))
        page.on(
            "console",
            lambda message: (
                faults.append(f"policy broken on {page.url}: {message.text}")
                if message.type == "error" and "Content Security Policy" in message.text
                else None
            ),
        )
        return page

    yield open_page
    for number, context in enumerate(contexts, start=1):
        if request.node.stash.get(FAILED, False):
            # What everybody had before them when it went wrong.
            SCREENSHOTS.mkdir(exist_ok=True)
            for page in context.pages:
                page.screenshot(path=str(SCREENSHOTS / f"failed-{request.node.name}-{number}.png"), full_page=True)
        context.close()
    assert not faults, "\n".join(faults)


@pytest.fixture
def page(visitor: Callable[..., object]) -> object:
    return visitor()


@pytest.fixture
def phone(visitor: Callable[..., object]) -> object:
    return visitor(phone=True)


@pytest.fixture(scope="session")
def shot() -> Callable[[object, str], Path]:
    """Keep a picture of the whole page under its name."""

    def take(page: object, name: str, *, full: bool = True) -> Path:
        SCREENSHOTS.mkdir(exist_ok=True)
        path = SCREENSHOTS / f"{name}.png"
        page.wait_for_load_state()  # type: ignore[attr-defined]
        page.screenshot(path=str(path), full_page=full)  # type: ignore[attr-defined]
        return path

    return take
