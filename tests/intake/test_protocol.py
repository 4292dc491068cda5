"""The door's own HTTP: whole requests in, whole answers out, one after the other, and no patience without end."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

import pytest
from uvicorn.config import Config
from uvicorn.server import ServerState

from anxiao.intake import app, protocol
from anxiao.intake.http import Answer, Denied, Request
from anxiao.intake.protocol import IntakeProtocol

PATIENCE = 10.0


@dataclass
class House:
    """A listening door whose handlers only tell what they were asked."""

    port: int = 0
    state: ServerState = field(default_factory=ServerState)
    asked: list[Request] = field(default_factory=list)
    may_answer: asyncio.Event = field(default_factory=asyncio.Event)
    callers: list[Caller] = field(default_factory=list)

    async def answer_to(self, request: Request) -> Answer:
        self.asked.append(request)
        if request.path == "/slow":
            await self.may_answer.wait()
        try:
            body = request.body()
        except Denied as denied:
            return Answer(denied.status, {"code": denied.code})
        return Answer(200, {"method": request.method, "path": request.path, "body": body.decode()})

    async def connect(self) -> Caller:
        self.callers.append(Caller(*await asyncio.open_connection("127.0.0.1", self.port)))
        return self.callers[-1]


@dataclass
class Caller:
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def say(self, *pieces: bytes) -> None:
        for piece in pieces:
            self.writer.write(piece)
            await self.writer.drain()
            await asyncio.sleep(0.001)

    async def hear(self, *, bodiless: bool = False) -> tuple[int, dict[str, str], Any]:
        async with asyncio.timeout(PATIENCE):
            first, *lines = (await self.reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
            headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines if line)}
            content = await self.reader.readexactly(0 if bodiless else int(headers.get("content-length", 0)))
        return int(first.split()[1]), headers, json.loads(content) if content else None

    async def is_over(self) -> bool:
        async with asyncio.timeout(PATIENCE):
            return await self.reader.read(1) == b""


@contextlib.asynccontextmanager
async def opened(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[House]:
    house = House()
    monkeypatch.setattr(app, "answer_to", house.answer_to)
    config = Config("anxiao.config.asgi_intake:application", timeout_keep_alive=75)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: IntakeProtocol(config, house.state, {}), "127.0.0.1", 0)
    house.port = server.sockets[0].getsockname()[1]
    try:
        yield house
    finally:
        house.may_answer.set()
        server.close()
        for caller in house.callers:
            caller.writer.close()
            with contextlib.suppress(ConnectionError):
                await caller.writer.wait_closed()
        for connection in list(house.state.connections):
            connection.shutdown()
        async with asyncio.timeout(PATIENCE):
            while house.state.connections or house.state.tasks:
                await asyncio.sleep(0.01)


Story = Callable[[House], Coroutine[Any, Any, None]]


@pytest.fixture
def at_the_door(monkeypatch: pytest.MonkeyPatch) -> Callable[[Story], None]:
    def tell(story: Story) -> None:
        async def run() -> None:
            async with opened(monkeypatch) as house:
                await story(house)

        asyncio.run(run())

    return tell


def post(body: bytes, path: str = "/intake/v1/reports", more: str = "") -> bytes:
    return f"POST {path} HTTP/1.1\r\nHost: a\r\n{more}Content-Length: {len(body)}\r\n\r\n".encode() + body


GET = b"GET /intake/v1/today?have=1 HTTP/1.1\r\nHost: a\r\nCookie: x=1\r\n\r\n"

Door = Callable[[Story], None]


def test_requests_follow_each_other_on_one_connection(at_the_door: Door) -> None:
    async def story(house: House) -> None:
        caller = await house.connect()
        for body in (b"one", b"two"):
            await caller.say(post(body))
            status, headers, said = await caller.hear()
            assert (status, said) == (200, {"method": "POST", "path": "/reports", "body": body.decode()})
            assert headers["cache-control"] == "no-store"
        await caller.say(GET)
        await caller.hear()
        assert house.asked[-1].query == b"have=1"
        assert house.asked[-1].cookie("x") == "1"

    at_the_door(story)


def test_a_request_may_come_in_single_bytes_and_in_chunks(at_the_door: Door) -> None:
    async def story(house: House) -> None:
        caller = await house.connect()
        await caller.say(*(bytes([byte]) for byte in post(b"slowly")))
        assert (await caller.hear())[2]["body"] == "slowly"
        await caller.say(
            b"POST /intake/v1/reports HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n",
            b"3\r\nabc\r\n",
            b"2\r\nde\r\n0\r\n\r\n",
        )
        assert (await caller.hear())[2]["body"] == "abcde"

    at_the_door(story)


def test_what_is_sent_ahead_is_answered_in_its_order(at_the_door: Door) -> None:
    async def story(house: House) -> None:
        caller = await house.connect()
        many = [str(n).encode() for n in range(3 * protocol.MOST_AHEAD)]
        await caller.say(post(b"first", "/intake/v1/slow") + b"".join(map(post, many)))
        await asyncio.sleep(0.05)
        assert [request.path for request in house.asked] == ["/slow"], "one at a time"
        house.may_answer.set()
        heard = [(await caller.hear())[2]["body"] for _ in range(1 + len(many))]
        assert heard == ["first", *(body.decode() for body in many)]

    at_the_door(story)


@pytest.mark.parametrize("request_", [post(b"x", more="Connection: close\r\n"), b"GET /intake/v1/key HTTP/1.0\r\n\r\n"])
def test_who_wants_to_leave_is_let_go_after_the_answer(at_the_door: Door, request_: bytes) -> None:
    async def story(house: House) -> None:
        caller = await house.connect()
        await caller.say(request_)
        status, headers, _said = await caller.hear()
        assert (status, headers["connection"]) == (200, "close")
        assert await caller.is_over()

    at_the_door(story)


def test_a_head_request_is_answered_without_the_body(at_the_door: Door) -> None:
    async def story(house: House) -> None:
        caller = await house.connect()
        await caller.say(GET.replace(b"GET", b"HEAD"))
        status, headers, _none = await caller.hear(bodiless=True)
        assert status == 200
        assert int(headers["content-length"]) > 0
        await caller.say(GET)
        assert (await caller.hear())[2]["method"] == "GET"

    at_the_door(story)


def test_a_client_that_waits_for_leave_to_send_gets_it(at_the_door: Door) -> None:
    async def story(house: House) -> None:
        caller = await house.connect()
        head, body = post(b"patient", more="Expect: 100-continue\r\n").split(b"\r\n\r\n")
        await caller.say(head + b"\r\n\r\n")
        assert (await caller.hear())[0] == 100
        await caller.say(body)
        assert (await caller.hear())[2]["body"] == "patient"

    at_the_door(story)


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),
        (b"POST /intake/v1/reports HTTP/1.1\r\nHost: a\r\nContent-Length: -4\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nabcde", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nbad header\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"a" * (protocol.LARGEST_HEAD + 1), 431),
    ],
    ids=["tls", "negative length", "two kinds of length", "two lengths", "no colon", "endless header"],
)
def test_who_does_not_speak_the_protocol_is_told_so_and_shown_out(at_the_door: Door, sent: bytes, status: int) -> None:
    async def story(house: House) -> None:
        caller = await house.connect()
        await caller.say(sent)
        assert (await caller.hear())[0] == status
        assert await caller.is_over()
        assert house.asked == []

    at_the_door(story)


@pytest.mark.parametrize("stated", [True, False])
def test_a_body_of_any_length_ends_at_the_limit(at_the_door: Door, stated: bool) -> None:
    async def story(house: House) -> None:
        caller = await house.connect()
        how = "Content-Length: 1000000000" if stated else "Transfer-Encoding: chunked"
        await caller.say(f"POST /intake/v1/reports HTTP/1.1\r\nHost: a\r\n{how}\r\n\r\n".encode())
        piece = b"x" * 40_000
        for _ in range(2):
            await caller.say(piece if stated else b"9c40\r\n" + piece + b"\r\n")
        assert (await caller.hear())[0] == 413
        assert await caller.is_over()

    at_the_door(story)


def test_a_request_that_never_ends_and_a_connection_that_says_nothing_are_closed(
    at_the_door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(protocol, "LONGEST_REQUEST", 0.1)
    monkeypatch.setattr(protocol, "_LOOK", 0.05)

    async def story(house: House) -> None:
        slow, silent, working = await house.connect(), await house.connect(), await house.connect()
        await slow.say(GET[:-4])
        await working.say(post(b"", "/intake/v1/slow"))
        assert await slow.is_over()
        assert len(house.state.connections) == 2, "an idle connection has longer, and one that waits for us is kept"
        for connection in list(house.state.connections):
            connection._keep_alive = 0.1  # type: ignore[union-attr]
        assert await silent.is_over()
        house.may_answer.set()
        assert (await working.hear())[0] == 200

    at_the_door(story)


def test_a_stop_waits_for_the_answer_under_way(at_the_door: Door) -> None:
    async def story(house: House) -> None:
        busy, idle = await house.connect(), await house.connect()
        await busy.say(post(b"", "/intake/v1/slow"))
        await _until(lambda: len(house.asked) == 1)
        for connection in list(house.state.connections):
            connection.shutdown()
        assert await idle.is_over()
        house.may_answer.set()
        status, headers, _said = await busy.hear()
        assert (status, headers["connection"]) == (200, "close")
        assert await busy.is_over()

    at_the_door(story)


def test_a_report_whose_sender_has_left_is_finished_all_the_same(
    at_the_door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story(house: House) -> None:
        finished: list[bool] = []
        answer_to: Callable[[Request], Awaitable[Answer]] = house.answer_to

        async def noted(request: Request) -> Answer:
            answer = await answer_to(request)
            finished.append(True)
            return answer

        monkeypatch.setattr(app, "answer_to", noted)
        caller = await house.connect()
        await caller.say(post(b"", "/intake/v1/slow"))
        await _until(lambda: len(house.asked) == 1)
        caller.writer.transport.abort()
        await _until(lambda: not house.state.connections)
        house.may_answer.set()
        await _until(lambda: finished == [True])

    at_the_door(story)


async def _until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not true():
            await asyncio.sleep(0.01)
