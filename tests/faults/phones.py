"""Phones as cheap as a socket: what they send, what they are told, and what they remember of it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid5

from anxiao.base.passes import COOKIE
from tests.builders import answers
from tests.faults.deployment import Deployment, Somebody

REPORTS, CORRECTIONS, TODAY = "/intake/v1/reports", "/intake/v1/corrections", "/intake/v1/today"
_KEYS = UUID(int=20260302)


class NoAnswer(Exception):
    """The connection ended, or could not be made, before there was a whole answer."""


@dataclass(frozen=True)
class Reply:
    status: int
    headers: dict[str, str]
    body: Any
    seconds: float


def request(
    deployment: Deployment, who: Somebody, method: str, path: str, body: object = None, **headers: str
) -> bytes:
    """The bytes of a request as a phone sends it."""
    content = b"" if body is None else json.dumps(body).encode()
    lines = {
        "Host": "127.0.0.1",
        "Cookie": f"{COOKIE}={deployment.pass_of(who)}",
        "X-Anxiao": "1",
        **({} if body is None else {"Content-Type": "application/json", "Content-Length": str(len(content))}),
        **headers,
    }
    head = f"{method} {path} HTTP/1.1\r\n" + "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    return head.encode() + b"\r\n" + content


def report(deployment: Deployment, who: Somebody, *, version: int = 1, **changes: Any) -> dict[str, Any]:
    """The body of a person's report, the same whenever it is made again; version 2 is its correction."""
    stage = deployment.stage
    body = {
        "ticket": deployment.ticket_for(who, version),
        "round": stage.round,
        "form_version": stage.version,
        "key": str(uuid5(_KEYS, f"{who.school}/{who.person}/{version}")),
        "answers": answers(temperature=36.5 if version == 1 else 37.8),
    }
    return {**body, **({"reason": "mistyped"} if version > 1 else {}), **changes}


class Line:
    """One connection, kept open as browsers do, opened again when it was cut."""

    def __init__(self, deployment: Deployment) -> None:
        self._deployment = deployment
        self._open: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def get(self, who: Somebody, path: str = TODAY, patience: float = 20.0) -> Reply:
        return await self.ask(request(self._deployment, who, "GET", path), patience)

    async def post(self, who: Somebody, body: object, path: str = REPORTS, patience: float = 20.0) -> Reply:
        return await self.ask(request(self._deployment, who, "POST", path, body), patience)

    async def ask(self, sent: bytes, patience: float = 20.0) -> Reply:
        """Raises NoAnswer."""
        begun = time.perf_counter()
        try:
            async with asyncio.timeout(patience):
                if self._open is None:
                    self._open = await asyncio.open_connection("127.0.0.1", self._deployment.port)
                reader, writer = self._open
                writer.write(sent)
                await writer.drain()
                status, headers, content = await _read(reader)
        except (OSError, EOFError, TimeoutError, ValueError) as error:
            await self.close()
            raise NoAnswer(repr(error)) from error
        if headers.get("connection") == "close":
            await self.close()
        body = json.loads(content) if "json" in headers.get("content-type", "") and content else None
        return Reply(status, headers, body, time.perf_counter() - begun)

    async def close(self) -> None:
        opened, self._open = self._open, None
        if opened is not None:
            opened[1].close()
            with contextlib.suppress(OSError):
                await opened[1].wait_closed()


async def _read(reader: asyncio.StreamReader) -> tuple[int, dict[str, str], bytes]:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:] if line)}
    return int(head[0].split(" ")[1]), headers, await reader.readexactly(int(headers.get("content-length", "0")))


@dataclass
class Book:
    """What all phones together were told."""

    acknowledged: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Receipts by key."""
    unanswered: list[Somebody] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    told_to_wait: int = 0
    cut_off: int = 0

    def note(self, key: str, receipt: dict[str, Any]) -> None:
        """A receipt asked for again says what it said before."""
        before = self.acknowledged.setdefault(key, receipt)
        assert _facts(before) == _facts(receipt), "two receipts for one report"


def _facts(receipt: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in receipt.items() if name != "signature"}


async def insist(line: Line, who: Somebody, body: dict[str, Any], book: Book, stop: asyncio.Event, path: str) -> bool:
    """Send until there is an answer, as phones do, always under the same key; false when ``stop`` came first."""
    while True:
        try:
            reply = await line.post(who, body, path)
        except NoAnswer:
            book.cut_off += 1
        else:
            if reply.status in (200, 201):
                book.note(body["key"], reply.body["receipt"])
                book.seconds.append(reply.seconds)
                return True
            assert reply.status == 503, f"{reply.status} {reply.body}"
            assert int(reply.headers["retry-after"]) > 0
            book.told_to_wait += 1
        if stop.is_set():
            return False
        await asyncio.sleep(0.05)


async def crowd(
    deployment: Deployment,
    people: Iterator[Somebody],
    book: Book,
    stop: asyncio.Event,
    *,
    lines: int = 16,
    chance: random.Random,
    share: float = 0.1,
) -> None:
    """Everybody reports, until ``stop``; this ``share`` asks for the receipt again, and another corrects."""

    async def phone() -> None:
        line = Line(deployment)
        try:
            while not stop.is_set() and (who := next(people, None)) is not None:
                first = report(deployment, who)
                if not await insist(line, who, first, book, stop, REPORTS):
                    book.unanswered.append(who)
                    continue
                if chance.random() < share:
                    await insist(line, who, first, book, stop, REPORTS)
                if chance.random() < share:
                    await insist(line, who, report(deployment, who, version=2), book, stop, CORRECTIONS)
        finally:
            await line.close()

    async with asyncio.TaskGroup() as group:
        for _ in range(lines):
            group.create_task(phone())


def percentile(values: list[float], share: float) -> float:
    """The value below which this share of the values lies."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]
