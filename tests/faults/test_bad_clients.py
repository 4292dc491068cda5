"""Clients that dawdle, vanish or flood, straight at the web workers without a proxy: others notice nothing."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import time
from collections.abc import AsyncIterator, Iterator, Mapping

import psycopg
import pytest

from anxiao.config.embedded import APP
from tests.faults.conftest import Deploy
from tests.faults.deployment import Deployment, Somebody, wait_for
from tests.faults.phones import REPORTS, TODAY, Book, Line, NoAnswer, insist, percentile, report, request

SLOW = 300
VANISHING, TIMES = 300, 3


@pytest.fixture(scope="module")
def people(standing: Deployment) -> Iterator[Somebody]:
    """People who have not reported yet."""
    return standing.stage.everybody()


async def times_of_a_good_phone(deployment: Deployment, people: Iterator[Somebody], seconds: float) -> list[float]:
    """What somebody waits who reports as one should, again and again for so long."""
    found = []
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        who, line = next(people), Line(deployment)
        begun = time.perf_counter()
        try:
            await insist(line, who, report(deployment, who), Book(), asyncio.Event(), REPORTS)
        finally:
            await line.close()
        found.append(time.perf_counter() - begun)
        await asyncio.sleep(0.02)
    return found


# -- slow ------------------------------------------------------------------------------------------------


@contextlib.asynccontextmanager
async def slow_bodies(
    deployment: Deployment, people: Iterator[Somebody], path: str, headers: Mapping[str, str]
) -> AsyncIterator[None]:
    """So many phones that send one byte of their report a second, and never finish."""

    async def dawdle(who: Somebody) -> None:
        sent = request(deployment, who, "POST", path, report(deployment, who), **headers)
        _, writer = await asyncio.open_connection("127.0.0.1", deployment.port)
        try:
            head = sent.index(b"\r\n\r\n") + 4
            writer.write(sent[:head])
            for byte in sent[head:]:
                writer.write(bytes([byte]))
                await writer.drain()
                await asyncio.sleep(1)
        finally:
            writer.close()

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(dawdle(next(people))) for _ in range(SLOW)]
        await asyncio.sleep(2)
        yield
        alive = sum(not task.done() for task in tasks)
        for task in tasks:
            task.cancel()
        assert alive == SLOW, "they were all still sending"


def test_three_hundred_slow_bodies_hold_nobody_up(standing: Deployment, people: Iterator[Somebody]) -> None:
    async def story() -> list[float]:
        async with slow_bodies(standing, people, REPORTS, {}):
            return await times_of_a_good_phone(standing, people, 6)

    found = asyncio.run(story())
    p95 = percentile(found, 0.95)
    print(f"p95 of a good phone beside {SLOW} slow bodies: {p95 * 1000:.0f} ms ({len(found)} reports)")
    assert p95 < 1.0
    assert standing.stuck() == 0


def test_the_same_slow_bodies_hold_up_a_door_that_waits_for_them(
    standing: Deployment, people: Iterator[Somebody]
) -> None:
    """The negative control: the console reads bodies in a few threads, which is why a proxy stands before it."""

    form = {"Cookie": f"anxiao-csrf={'x' * 32}", "Content-Type": "application/x-www-form-urlencoded"}

    async def story() -> tuple[bool, list[float]]:
        async with slow_bodies(standing, people, "/accounts/login/", form):
            served = await _console_answers(standing, 2)
            return served, await times_of_a_good_phone(standing, people, 2)

    served, reports = asyncio.run(story())
    assert not served
    assert percentile(reports, 0.95) < 1.0, "the intake door beside it is served all the same"
    assert asyncio.run(_console_answers(standing, 20)), "once they have left, so is the console"


async def _console_answers(deployment: Deployment, seconds: float) -> bool:
    line = Line(deployment)
    try:
        return (await line.ask(b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", seconds)).status == 200
    except NoAnswer:
        return False
    finally:
        await line.close()


# -- vanishing ------------------------------------------------------------------------------------------------


async def _vanish(deployment: Deployment, sent: bytes) -> None:
    """Send this and be gone, without a goodbye that the other side could count on."""
    _, writer = await asyncio.open_connection("127.0.0.1", deployment.port)
    writer.write(sent)
    await writer.drain()
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def _vanish_together(deployment: Deployment, many: list[bytes]) -> None:
    door = asyncio.Semaphore(100)

    async def one(sent: bytes) -> None:
        async with door:
            await _vanish(deployment, sent)

    async with asyncio.TaskGroup() as group:
        for sent in many:
            group.create_task(one(sent))


def _unharmed(deployment: Deployment, people: Iterator[Somebody], pids: list[int]) -> None:
    """No transaction is stuck, no worker was replaced, and the next two hundred reports go through at once."""
    wait_for(lambda: deployment.stuck(0.5) == 0, 10, deployment.complain)
    assert [worker.pid for worker in deployment.workers()] == pids

    async def good() -> list[float]:
        book, stop = Book(), asyncio.Event()
        lines = [Line(deployment) for _ in range(20)]

        async def phone(line: Line) -> None:
            for _ in range(10):
                who = next(people)
                await insist(line, who, report(deployment, who), book, stop, REPORTS)

        try:
            async with asyncio.timeout(60):
                await asyncio.gather(*(phone(line) for line in lines))
        finally:
            for line in lines:
                await line.close()
        assert (len(book.acknowledged), book.told_to_wait, book.cut_off) == (200, 0, 0), deployment.complain()
        return book.seconds

    assert percentile(asyncio.run(good()), 0.95) < 3.0
    assert deployment.differences() == []
    assert {len(rows) for rows in deployment.reports().values()} == {1}


@pytest.mark.parametrize("where", ["body", "answer"])
def test_clients_that_vanish(standing: Deployment, people: Iterator[Somebody], where: str) -> None:
    """In the middle of the body, or after it and before the answer; three hundred of them, three times."""
    pids = [worker.pid for worker in standing.workers()]
    for _ in range(TIMES):
        whole = [
            request(standing, who, "POST", REPORTS, report(standing, who))
            for who, _ in zip(people, range(VANISHING), strict=False)
        ]
        many = [sent[: len(sent) - 200] if where == "body" else sent for sent in whole]
        asyncio.run(_vanish_together(standing, many))
    _unharmed(standing, people, pids)


def test_clients_that_vanish_from_reading(standing: Deployment, people: Iterator[Somebody]) -> None:
    """The same while the door reads for them."""
    pids = [worker.pid for worker in standing.workers()]
    for _ in range(TIMES):
        those = [next(people) for _ in range(VANISHING // 3)]
        asyncio.run(_vanish_together(standing, [request(standing, who, "GET", TODAY) for who in those]))
    _unharmed(standing, people, pids)


def test_a_stuck_transaction_would_be_seen(standing: Deployment) -> None:
    """The negative control of the count above."""
    with psycopg.connect(standing.server.dsn(APP)) as forgotten:
        forgotten.execute("SELECT 1")
        wait_for(lambda: standing.stuck(0.5) == 1, 10)
    wait_for(lambda: standing.stuck(0.5) == 0, 10)


# -- flooding ------------------------------------------------------------------------------------------------


FLOODING_LINES, EVERY = 48, 0.05
"""About a thousand requests a second from eight accounts."""

#: Beside the factor of two, for machines that do other things at the same time.
ROOM = 0.1


async def _beside_a_flood(
    deployment: Deployment, people: Iterator[Somebody], seconds: float
) -> tuple[float, float, int]:
    """p95 of a phone of one school alone and beside a flood from the other one; how often that one was sent away."""
    flooding = deployment.stage.people[0]
    quiet = (who for who in people if who.school == deployment.stage.schools[1])
    alone = await times_of_a_good_phone(deployment, quiet, seconds)
    stop, sent_away = asyncio.Event(), 0

    async def flood(number: int) -> None:
        nonlocal sent_away
        line = Line(deployment)
        asked = request(deployment, flooding[number % 8], "GET", TODAY)
        await asyncio.sleep(EVERY * number / FLOODING_LINES)
        try:
            while not stop.is_set():
                begun = time.monotonic()
                reply = await line.ask(asked)
                if reply.status == 429:
                    sent_away += 1
                    assert int(reply.headers["retry-after"]) > 0
                await asyncio.sleep(max(0.0, EVERY - (time.monotonic() - begun)))
        finally:
            await line.close()

    async with asyncio.TaskGroup() as group:
        for number in range(FLOODING_LINES):
            group.create_task(flood(number))
        await asyncio.sleep(2.0)
        beside = await times_of_a_good_phone(deployment, quiet, seconds)
        stop.set()
    alone += await times_of_a_good_phone(deployment, quiet, seconds)
    return percentile(alone, 0.95), percentile(beside, 0.95), sent_away


def test_one_school_floods_and_another_is_not_slowed(standing: Deployment, people: Iterator[Somebody]) -> None:
    alone, beside, sent_away = asyncio.run(_beside_a_flood(standing, people, 3))
    print(f"p95 alone {alone * 1000:.0f} ms, beside a flood {beside * 1000:.0f} ms, {sent_away} sent away")
    assert sent_away > 500
    assert beside < 2 * alone + ROOM


def test_without_limits_the_same_flood_would_be_felt(deploy: Deploy) -> None:
    """The negative control."""
    deployment = deploy(FAULT_LIMITLESS="1").start()
    alone, beside, sent_away = asyncio.run(_beside_a_flood(deployment, deployment.stage.everybody(), 3))
    print(f"without limits: alone {alone * 1000:.0f} ms, beside {beside * 1000:.0f} ms")
    assert sent_away == 0
    assert beside > 2 * alone
