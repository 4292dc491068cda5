"""Live figures: who may listen, what they are told and when, and what it costs to tell many."""

from __future__ import annotations

import asyncio
import http.client
import itertools
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from html.parser import HTMLParser
from typing import Any
from urllib.parse import quote, urlsplit

import pytest
from django.db import OperationalError, connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from anxiao.accounts.models import Grant, User
from anxiao.base.clock import day_of, now
from anxiao.base.permissions import Role
from anxiao.directory.commands import add_place, settle_in
from anxiao.directory.names import PlaceKind
from anxiao.portal.streams import hub, sight
from anxiao.portal.streams.hub import Hub, Viewer
from anxiao.portal.streams.tickets import Ticket, Watch, seal, unseal
from anxiao.reporting.commands.partitions import ensure_partitions
from anxiao.statistics.commands import squash
from tests.builders import HOUSE, MORNING, add_account, report, round_of
from tests.cast import Cast, assemble
from tests.conftest import Database

SECRET = "only-for-tests-" + "x" * 40


@pytest.fixture
def cast(database: object) -> Cast:
    made = assemble()
    ensure_partitions(day=day_of(now()))
    return made


@dataclass
class Reader:
    """Somebody with a browser who is signed in."""

    user: User
    client: Client

    @property
    def session(self) -> str:
        return self.client.session.session_key or ""


def reader(cast: Cast, role: Role | None, node: Any, *, place: Any = None, language: str = "en") -> Reader:
    with cast.seen_by(cast.province_officer):
        user = add_account(f"{role}-{node.pk}-{User.objects.count()}", role=role, node=node)
        if place is not None:
            user.grants.update(place=place)
    client = Client(headers={"accept-language": language})
    client.force_login(user, backend="anxiao.accounts.backends.AccountBackend")
    return Reader(user, client)


class House:
    """A hub whose every look is asked for by the test."""

    def __init__(self, **settings: Any) -> None:
        self.later = timedelta()
        self.hub = Hub(alone=True, clock=lambda: now() + self.later, **settings)
        self.loop = asyncio.new_event_loop()

    def close(self) -> None:
        self.loop.close()

    def listen(self, who: Reader, ticket: Ticket | str, last_id: str = "") -> Viewer | int:
        opened = unseal(ticket) if isinstance(ticket, str) else ticket
        assert opened is not None
        joining = self.loop.create_task(self.hub.join(opened, who.session, last_id))
        self.loop.run_until_complete(asyncio.sleep(0))
        self.hub.turn()
        return self.loop.run_until_complete(joining)

    def hears(self, who: Reader, url: str | None = None) -> tuple[Viewer, dict[str, Any]]:
        viewer = self.listen(who, page_of(who, url).ticket)
        assert isinstance(viewer, Viewer)
        told = news(viewer)
        assert told is not None
        return viewer, told


@pytest.fixture
def house() -> Iterator[House]:
    with closing(House()) as made:
        yield made


def news(viewer: Viewer) -> dict[str, Any] | None:
    """The data of the event that the viewer would be sent now."""
    event = viewer.news()
    if event is None:
        return None
    fields = dict(line.split(": ", 1) for line in event.decode().strip().splitlines())
    assert fields["event"] == "figures"
    data: dict[str, Any] = json.loads(fields["data"])
    return data


class Page(HTMLParser):
    """What a page shows where a stream may write."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.cells: dict[str, str] = {}
        self.bars: set[str] = set()
        self.ticket = self.rows = ""
        self._open: list[list[str] | None] = []
        self._found: list[tuple[str, list[str]]] = []
        self.feed(text)
        for name, texts in self._found:
            shown = "".join(texts).strip()
            assert self.cells.setdefault(name, shown) == shown, f"{name} stands twice, and differs"

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        given = dict(attributes)
        self.ticket = given.get("data-ticket") or self.ticket
        self.rows = given.get("data-rows") or self.rows
        if "data-live-bar" in given:
            self.bars.add(given["data-live-bar"] or "")
        if tag not in ("path", "rect", "input", "meta", "link", "br", "img"):
            texts: list[str] = []
            if name := given.get("data-live"):
                self._found.append((name, texts))
            self._open.append(texts if name else None)

    def handle_endtag(self, tag: str) -> None:
        if tag not in ("path", "rect", "input", "meta", "link", "br", "img"):
            self._open.pop()

    def handle_data(self, data: str) -> None:
        for texts in self._open:
            if texts is not None:
                texts.append(data)


def page_of(who: Reader, url: str | None = None) -> Page:
    response = who.client.get(url or reverse("portal:console"), follow=True)
    assert response.status_code == 200, response.content[:400]
    return Page(response.content.decode())


def board_ticket(who: Reader, *nodes: Any, days: int = 0) -> Ticket:
    day = day_of(now()) - timedelta(days=days)
    return Ticket(who.user.pk, "en", Watch("node", day, round_of(day).pk, tuple(node.pk for node in nodes)))


# -- what is told -----------------------------------------------------------------------------------------------------


def test_an_accepted_report_is_told_with_the_next_look_and_only_what_changed(cast: Cast, house: House) -> None:
    college = reader(cast, Role.COLLEGE_OFFICER, cast.electronics)
    viewer, first = house.hears(college)
    assert first["cells"]["total:missing"] == "5"

    with cast.seen_by(cast.admin):
        report(cast.wangwu, at=now(), symptoms=["fever"], temperature=38.2)
    house.hub.turn()

    told = news(viewer)
    assert told is not None
    assert told["missing"] == 4
    assert told["cells"]["total:missing"] == "4"
    assert told["cells"]["total:fever_note"] == "1 with fever"
    assert told["cells"]["total:line"] == "1 of 5 expected people have reported."
    assert told["cells"][f"{cast.tongxin1.pk}:share"] == "33.3%"
    assert told["bars"][str(cast.tongxin1.pk)][2] == 2
    assert f"{cast.tongxin2.pk}:missing" not in told["cells"]
    assert str(cast.tongxin2.pk) not in told["bars"]
    assert news(viewer) is None


@pytest.mark.parametrize("language", ["en", "zh-hans"])
@pytest.mark.parametrize("whose", ["province", "school", "college", "counsellor", "several"])
def test_the_stream_says_what_the_page_says(cast: Cast, house: House, whose: str, language: str) -> None:
    with cast.seen_by(cast.admin):
        report(cast.wangwu, at=now(), symptoms=["fever"], temperature=38.2)
    role, node = {
        "province": (Role.PROVINCE_OFFICER, cast.province),
        "school": (Role.EPIDEMIC_OFFICER, cast.anda_node),
        "college": (Role.COLLEGE_OFFICER, cast.electronics),
        "counsellor": (Role.COUNSELLOR, cast.tongxin1),
        "several": (Role.COUNSELLOR, cast.tongxin1),
    }[whose]
    who = reader(cast, role, node, language=language)
    if whose == "several":
        with cast.seen_by(cast.province_officer):
            given = who.user.grants.get()
            Grant.objects.create(
                user=who.user, role=role, organisation=cast.tongxin2, valid_from=given.valid_from, given_by=0,
                given_at=given.given_at,
            )  # fmt: skip
    page = page_of(who)
    _viewer, told = house.hears(who)

    assert len(page.cells) > 15
    assert {name: told["cells"].get(name) for name in page.cells} == page.cells
    assert page.bars == set(told["bars"]) & page.bars
    assert page.rows == told["rows"]


def test_a_building_is_counted_anew_but_not_every_second(cast: Cast, house: House) -> None:
    with cast.seen_by(cast.admin):
        building = add_place(
            by=HOUSE, now=MORNING, kind=PlaceKind.BUILDING, name="桔园1号楼", parent=None, school_id=cast.anda.pk
        )
        settle_in(by=HOUSE, now=MORNING, person=cast.wangwu, place=building, bed="1", on=MORNING.date())
    manager = reader(cast, Role.DORM_MANAGER, cast.anda_node, place=building)
    viewer, first = house.hears(manager)
    assert page_of(manager).cells.items() <= first["cells"].items()
    assert first["missing"] == 1
    with cast.seen_by(cast.admin):
        report(cast.wangwu, at=now())
    house.later += timedelta(seconds=2)
    house.hub.turn()
    assert news(viewer) is None
    house.later += timedelta(seconds=4)
    house.hub.turn()
    told = news(viewer)
    assert told is not None
    assert told["missing"] == 0


def test_a_wall_is_told_what_it_would_fetch(cast: Cast, house: House) -> None:
    officer = reader(cast, Role.PROVINCE_OFFICER, cast.province)
    wall, first = house.hears(officer, reverse("portal:wall"))
    assert first["texts"]["reported"] == "0"
    with cast.seen_by(cast.admin):
        report(cast.wangwu, at=now())
    house.hub.turn()
    told = news(wall)
    assert told is not None
    assert told["texts"]["reported"] == "1"
    fetched = officer.client.get(reverse("portal:wall-data")).json()
    assert {k: v for k, v in told.items() if k != "at"} == {
        k: v for k, v in fetched.items() if k not in ("at", "ticket")
    }


def test_who_comes_back_is_told_at_once_and_only_what_is_new_to_them(cast: Cast, house: House) -> None:
    school = reader(cast, Role.EPIDEMIC_OFFICER, cast.anda_node)
    viewer, _first = house.hears(school)
    house.hub.leave(viewer)

    again = house.listen(school, viewer.ticket, viewer.told)
    assert isinstance(again, Viewer)
    assert news(again) is None, "nothing has happened meanwhile"
    house.hub.leave(again)
    with cast.seen_by(cast.admin):
        report(cast.wangwu, at=now())
    late = house.listen(school, viewer.ticket, viewer.told)
    assert isinstance(late, Viewer)
    told = news(late)
    assert told is not None
    assert told["cells"]["total:missing"] == "6"
    assert f"{cast.literature.pk}:missing" in told["cells"], "somebody who may have missed a lot is told everything"


def test_a_slow_viewer_misses_states_but_never_figures(cast: Cast, house: House) -> None:
    viewer, _first = house.hears(reader(cast, Role.COLLEGE_OFFICER, cast.electronics))
    for person in (cast.wangwu, cast.sunba):
        with cast.seen_by(cast.admin):
            report(person, at=now())
        house.hub.turn()
    told = news(viewer)
    assert told is not None
    assert told["cells"][f"{cast.tongxin1.pk}:missing"] == "2"
    assert told["cells"][f"{cast.tongxin2.pk}:missing"] == "0"


def test_folding_the_counters_loses_and_tells_nothing(cast: Cast, house: House) -> None:
    viewer, _first = house.hears(reader(cast, Role.COLLEGE_OFFICER, cast.electronics))
    squash()
    house.hub.turn()
    assert news(viewer) is None
    with cast.seen_by(cast.admin):
        report(cast.wangwu, at=now())
    squash()  # counted and folded between two looks: no delta waits, neither before nor after
    house.hub.turn()
    told = news(viewer)
    assert told is not None
    assert told["missing"] == 4


def test_what_could_not_be_read_is_read_with_the_next_look(
    cast: Cast, house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    viewer, _first = house.hears(reader(cast, Role.COLLEGE_OFFICER, cast.electronics))
    with cast.seen_by(cast.admin):
        report(cast.wangwu, at=now())

    def broken(*_: object, **__: object) -> object:
        raise OperationalError("the server closed the connection")

    with monkeypatch.context() as patch:
        patch.setattr(sight, "numbers", broken)
        with pytest.raises(OperationalError):
            house.hub.turn()
    assert news(viewer) is None
    house.hub.turn()
    told = news(viewer)
    assert told is not None
    assert told["missing"] == 4


def test_figures_are_called_live_only_while_they_can_be_read(
    cast: Cast, house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.hears(reader(cast, Role.COLLEGE_OFFICER, cast.electronics))
    house.hub.turn()
    assert house.hub.alive_at is not None
    monkeypatch.setattr(hub, "STALE", 0.0)
    assert house.hub.alive_at is None, "the last look is too long ago"


# -- what it costs ----------------------------------------------------------------------------------------------------


def statements(act: Callable[[], object]) -> list[str]:
    with CaptureQueriesContext(connection) as seen:
        act()
    return [q["sql"] for q in seen]


def test_a_look_at_which_nothing_has_moved_reads_no_figures(cast: Cast, house: House) -> None:
    viewer, _first = house.hears(reader(cast, Role.EPIDEMIC_OFFICER, cast.anda_node))
    house.hub.turn()
    idle = statements(house.hub.turn)
    assert len(idle) == 5, "\n".join(idle)  # begin, the fence, who may listen, what has moved, commit
    with cast.seen_by(cast.outsider):
        report(cast.wuyi, at=now())
    assert len(statements(house.hub.turn)) == 5, "another school does not wake this one"
    assert news(viewer) is None


def test_a_look_costs_the_same_however_many_look(cast: Cast, house: House) -> None:
    one = reader(cast, Role.EPIDEMIC_OFFICER, cast.anda_node)
    viewers = [house.hears(one)[0]]
    viewers += [house.hears(reader(cast, Role.SCHOOL_ADMIN, cast.anda_node))[0] for _ in range(3)]
    viewers.append(house.hears(one, reverse("portal:console_node", args=[cast.electronics.pk]))[0])
    house.hub.turn()
    assert len(statements(house.hub.turn)) == 5
    with cast.seen_by(cast.admin):
        report(cast.wangwu, at=now())
    busy = statements(house.hub.turn)
    assert len(busy) == 6, "\n".join(busy)  # and the figures of all boards in one
    assert all(news(viewer) is not None for viewer in viewers)


# -- who may listen ---------------------------------------------------------------------------------------------------


def test_only_who_was_given_a_ticket_may_use_it(cast: Cast, house: House) -> None:
    mine = reader(cast, Role.COLLEGE_OFFICER, cast.electronics)
    other = reader(cast, Role.EPIDEMIC_OFFICER, cast.anda_node)
    stranger = Reader(mine.user, Client())
    assert house.listen(other, board_ticket(mine, cast.electronics)) == 403
    assert house.listen(stranger, board_ticket(mine, cast.electronics)) == 401
    assert house.listen(mine, board_ticket(mine, cast.electronics, days=1)) == 403
    assert house.listen(mine, board_ticket(mine, cast.literature)) == 404, "a ticket is no right"
    assert house.listen(mine, board_ticket(mine, cast.electronics, cast.hanyu1)) == 404
    wall = Ticket(mine.user.pk, "en", Watch("wall", day_of(now())))
    assert house.listen(mine, wall) == 404
    assert unseal(seal(mine.user.pk, wall.watch)[:-2] + "xx") is None
    assert unseal("") is None


@pytest.mark.parametrize("how", ["disabled", "demoted", "signed out", "signed out everywhere", "new password"])
def test_who_loses_the_right_loses_the_stream_with_the_next_look(cast: Cast, house: House, how: str) -> None:
    who = reader(cast, Role.COLLEGE_OFFICER, cast.electronics)
    stays, _ = house.hears(reader(cast, Role.COLLEGE_OFFICER, cast.electronics))
    viewer, _ = house.hears(who)
    house.hub.turn()
    assert not viewer.over
    user = User.objects.get(pk=who.user.pk)
    if how == "disabled":
        user.is_active = False
    elif how == "demoted":
        Grant.objects.filter(user=user).update(role=Role.SECURITY)
    elif how == "signed out":
        who.client.logout()
    elif how == "signed out everywhere":
        user.pass_version += 1
    else:
        user.set_password("another horse 2026")
    user.save()
    house.hub.turn()
    assert viewer.over == "access"
    assert not stays.over


def test_a_day_ends_for_everybody(cast: Cast, house: House) -> None:
    viewer, _ = house.hears(reader(cast, Role.COLLEGE_OFFICER, cast.electronics))
    house.later += timedelta(days=1)
    house.hub.turn()
    assert viewer.over == "day"


def test_a_full_house_says_so(cast: Cast) -> None:
    one, two = (reader(cast, Role.COLLEGE_OFFICER, cast.electronics) for _ in range(2))
    mine, theirs = (board_ticket(who, cast.electronics) for who in (one, two))
    with closing(House(most=3, most_each=2)) as house:
        kept = [house.listen(one, mine) for _ in range(2)]
        assert all(isinstance(viewer, Viewer) for viewer in kept)
        assert house.listen(one, mine) == 503, "one account is not the whole house"
        assert isinstance(house.listen(two, theirs), Viewer)
        assert house.listen(two, theirs) == 503
        house.hub.leave(kept[0])  # type: ignore[arg-type]
        assert isinstance(house.listen(two, theirs), Viewer)


# -- over the wire ----------------------------------------------------------------------------------------------------


class Wire:
    """A stream read by a thread: each event with the moment at which it came."""

    def __init__(self, base: str, path: str, session: str) -> None:
        address = urlsplit(base)
        self.events: list[tuple[float, str, dict[str, Any]]] = []
        self._connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=30)
        self._connection.request("GET", path, headers={"Cookie": f"anxiao={session}"})
        self.response = self._connection.getresponse()
        self.ended = threading.Event()
        if self.response.status == 200:
            threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        event = ""
        try:
            for raw in self.response:
                name, _, value = raw.decode().strip().partition(": ")
                if name == "event":
                    event = value
                elif name == "data":
                    self.events.append((time.monotonic(), event, json.loads(value)))
        except (OSError, http.client.HTTPException, ValueError):
            pass
        self.ended.set()

    def figures(self) -> list[tuple[float, dict[str, Any]]]:
        return [(at, data) for at, event, data in list(self.events) if event == "figures"]

    def close(self) -> None:
        if self._connection.sock is not None:
            self._connection.sock.shutdown(socket.SHUT_RDWR)
        self._connection.close()


def wait_for(found: Callable[[], object], seconds: float) -> None:
    end = time.monotonic() + seconds
    while not found():
        assert time.monotonic() < end, "it did not come in time"
        time.sleep(0.02)


@contextmanager
def served(database: Database) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """The whole application in a process of its own; the test may stop it."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(64)
        listener.set_inheritable(True)
        (database.server.data_dir / "static").mkdir(exist_ok=True)
        command = [sys.executable, "-m", "uvicorn", "anxiao.config.asgi:application", "--log-level", "warning"]
        process = subprocess.Popen(
            [*command, "--fd", str(listener.fileno()), "--timeout-graceful-shutdown", "20"],
            env={
                **os.environ,
                **database.environment,
                "DJANGO_SETTINGS_MODULE": "anxiao.config.settings",
                "ANXIAO_SECRET_KEY": SECRET,
            },
            pass_fds=[listener.fileno()],
        )
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}", process
        finally:
            process.kill()
            process.wait()


def test_over_the_wire_bursts_become_one_event_and_a_stop_does_not_wait(
    cast: Cast, database: Database, settings: Any
) -> None:
    settings.SECRET_KEY = SECRET  # the page that gives the ticket and the process that takes it are one house
    who = reader(cast, Role.COLLEGE_OFFICER, cast.electronics)
    path = "/streams/board?ticket=" + quote(page_of(who).ticket)
    with served(database) as (base, process):
        with closing(Wire(base, path, "nobody")) as refused:
            assert refused.response.status == 401
        with closing(Wire(base, path, who.session)) as wire:
            assert wire.response.status == 200
            assert wire.response.headers["Content-Type"] == "text/event-stream; charset=utf-8"
            assert wire.response.headers["Cache-Control"] == "no-store"
            assert wire.response.headers["X-Accel-Buffering"] == "no"
            wait_for(wire.figures, 5)
            time.sleep(1.2)
            before = len(wire.figures())
            began = time.monotonic()
            for person in (cast.wangwu, cast.zhaoliu, cast.qianqi, cast.sunba):
                with cast.seen_by(cast.admin):
                    report(person, at=now())
            done = time.monotonic()
            wait_for(lambda: wire.figures()[-1][1]["missing"] == 1, 5)
            assert wire.figures()[-1][0] - done < 5
            burst = wire.figures()[before:]
            assert len(burst) <= 2 + (done - began)
            assert all(b[0] - a[0] > 0.8 for a, b in itertools.pairwise(burst))
            wait_for(lambda: any(event == "alive" for _at, event, _data in wire.events), 10)

            asked = time.monotonic()
            process.send_signal(signal.SIGTERM)
            assert wire.ended.wait(10)
            process.wait(15)
            assert time.monotonic() - asked < 8, "a stream must not use up the time in which the server drains"
