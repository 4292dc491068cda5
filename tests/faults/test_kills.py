"""Processes are killed in the middle of the peak; what was acknowledged is there afterwards, once, and counted once.

Twenty seeded rounds of three faults: the database with all its processes, some web workers, and everything at once as
a power cut would. ``FAULT_ROUNDS`` asks for more.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
from collections.abc import Callable, Iterator

from anxiao.reporting.rules import receipt_of
from tests.faults.conftest import Deploy
from tests.faults.deployment import Deployment, Somebody, hit
from tests.faults.phones import Book, crowd

ROUNDS = int(os.environ.get("FAULT_ROUNDS", "20"))
A_ROUND = 120
"""People who report in one round."""

Fault = Callable[[Deployment, random.Random], None]


def _database(deployment: Deployment, chance: random.Random) -> None:
    deployment.kill_database()


def _workers(deployment: Deployment, chance: random.Random) -> None:
    workers = deployment.workers()
    hit(chance.sample(workers, chance.randint(1, len(workers))), signal.SIGKILL)


def _everything(deployment: Deployment, chance: random.Random) -> None:
    deployment.kill_everything()
    deployment.launch()


# Everything last: a worker that ends three times soon after its start is given up by the supervisor.
FAULTS: tuple[Fault, ...] = (_database, _workers, _database, _workers, _everything)


async def _peak_with(
    fault: Fault, deployment: Deployment, people: list[Somebody], book: Book, chance: random.Random, share: float = 0.1
) -> None:
    """All these people report; somewhere in the middle the fault strikes, and nobody gives up until they are told."""
    known = len(book.acknowledged)
    moment = known + chance.randint(len(people) // 5, len(people) * 3 // 4)
    load = asyncio.create_task(crowd(deployment, iter(people), book, asyncio.Event(), chance=chance, share=share))
    try:
        async with asyncio.timeout(120):
            while len(book.acknowledged) < moment and not load.done():
                await asyncio.sleep(0.001)
            fault(deployment, chance)
            await load
    finally:
        load.cancel()
    assert len(book.acknowledged) >= known + len(people)


def _missing(deployment: Deployment, book: Book) -> set[str]:
    """Keys of reports that somebody holds a receipt for and that are not there."""
    return set(book.acknowledged) - set(deployment.reports())


def _in_rounds(people: Iterator[Somebody]) -> Iterator[list[Somebody]]:
    while found := [who for _, who in zip(range(A_ROUND), people, strict=False)]:
        yield found


def test_what_was_acknowledged_survives_twenty_kills_once_and_counted_once(deploy: Deploy) -> None:
    deployment = deploy().start()
    chance = random.Random(42)
    book = Book()
    struck = 0
    for number, people in zip(range(ROUNDS), _in_rounds(deployment.stage.everybody()), strict=False):
        cut_off, told_to_wait = book.cut_off, book.told_to_wait
        fault = FAULTS[number % len(FAULTS)]
        asyncio.run(_peak_with(fault, deployment, people, book, chance))
        struck += (book.cut_off, book.told_to_wait) != (cut_off, told_to_wait)
        assert not _missing(deployment, book), f"round {number} lost acknowledged reports"
        assert deployment.differences() == [], f"round {number} left wrong counters"

    # a whole round may have gone with one commit just before
    assert struck > ROUNDS // 2, "nobody was under way when it struck"
    deployment.wait_until_well()
    stored = deployment.reports()
    assert {len(rows) for rows in stored.values()} == {1}, "a key is stored once"
    firsts = {(row["school_id"], row["person_id"]) for (row,) in stored.values() if row["version"] == 1}
    assert len(firsts) == sum(row["version"] == 1 for (row,) in stored.values()), "a person has one first report"
    assert all(receipt_of(stored[key][0]).digest == told["digest"] for key, told in book.acknowledged.items())
    # nobody gave up, so nothing is stored that was not acknowledged in the end
    assert set(stored) == set(book.acknowledged)
    assert deployment.stuck() == 0


def test_a_door_that_acknowledges_before_the_disk_would_be_found_out(deploy: Deploy) -> None:
    """The negative control: the same peak and the same kill, with ``synchronous_commit`` off in the door."""
    deployment = deploy(FAULT_HASTY="1")
    deployment.launch()
    deployment.wait_until_well(in_spite_of="unsafe")
    deployment.execute("ALTER SYSTEM SET wal_writer_delay = '10s'", "SELECT pg_reload_conf()")
    chance = random.Random(42)
    book = Book()
    for _, people in zip(range(4), _in_rounds(deployment.stage.everybody()), strict=False):
        asyncio.run(_peak_with(_database, deployment, people, book, chance, share=0.0))
        if _missing(deployment, book):
            break
    assert _missing(deployment, book)
