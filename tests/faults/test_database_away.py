"""The database is away, hangs, takes nothing or has no room: a clean "try again", never a false receipt, and when it is
over nobody has to do anything.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from anxiao.config.embedded import EmbeddedServer
from tests.faults.conftest import Deploy
from tests.faults.deployment import Deployment, Somebody, hit, wait_for
from tests.faults.phones import CORRECTIONS, REPORTS, TODAY, Book, Line, Reply, crowd, report

KNOWN_WITHIN = 2.5
"""Seconds until every worker has noticed; they look once a second."""

RECOVERS_WITHIN = 30.0
"""Seconds, on a machine that does other things at the same time; seen alone: about one."""


@pytest.fixture(scope="module")
def outside(deploy_module: Deploy) -> Iterator[Deployment]:
    """A deployment whose database is not its own to start again, as in large installations."""
    deployment = deploy_module()
    deployment.database = EmbeddedServer(deployment.data).start()
    try:
        yield deployment.start()
    finally:
        deployment.stop()
        deployment.database.stop()


@pytest.fixture
def people(outside: Deployment) -> Iterator[Somebody]:
    """People who have not reported yet."""
    done = {(rows[0]["school_id"], rows[0]["person_id"]) for rows in outside.reports().values()}
    return (who for who in outside.stage.everybody() if (who.school, who.person) not in done)


def ask(deployment: Deployment, who: Somebody, path: str = REPORTS, patience: float = 20.0) -> Reply:
    """One request of one phone on a fresh connection."""

    async def asked() -> Reply:
        line = Line(deployment)
        try:
            if path == TODAY:
                return await line.get(who, path, patience)
            return await line.post(who, report(deployment, who, version=1 + (path == CORRECTIONS)), path, patience)
        finally:
            await line.close()

    return asyncio.run(asked())


def turned_away(reply: Reply) -> bool:
    """A clean "not now": the phone keeps the report and knows when to come back."""
    clean = reply.status == 503 and int(reply.headers["retry-after"]) > 0 and "receipt" not in reply.body
    assert clean or reply.status in (200, 201), f"{reply.status} {reply.body}"
    return clean


def accepted(deployment: Deployment, who: Somebody) -> bool:
    """Whether a report is kept now. A connection that broke with the database may cost one more "try again"."""
    wait_for(lambda: not turned_away(ask(deployment, who)), RECOVERS_WITHIN, deployment.complain)
    return len(deployment.reports()[report(deployment, who)["key"]]) == 1


def refuses_until(
    deployment: Deployment, people: Iterator[Somebody], over: Callable[[], None], reason: str, seconds: float = 2.0
) -> None:
    """While the fault lasts nobody gets a receipt and the monitors are told why; then everything is as before."""
    refused: list[Somebody] = []
    try:
        wait_for(lambda: reason in deployment.health()["reasons"], 15, deployment.complain)
        time.sleep(KNOWN_WITHIN)
        end = time.monotonic() + seconds
        while time.monotonic() < end or len(refused) < 4:
            refused.append(next(people))
            assert turned_away(ask(deployment, refused[-1])), "a receipt while nothing could be kept"
            assert ask(deployment, refused[-1], TODAY).status in (200, 503)
    finally:
        over()
    deployment.wait_until_well(RECOVERS_WITHIN)
    assert not {report(deployment, who)["key"] for who in refused} & set(deployment.reports()), "refused is refused"
    assert all(accepted(deployment, who) for who in refused)
    assert deployment.differences() == []


def test_a_stopped_database(outside: Deployment, people: Iterator[Somebody]) -> None:
    assert accepted(outside, next(people))
    database = outside.database
    assert database is not None
    database.stop()

    def again() -> None:
        database.start()

    refuses_until(outside, people, again, "database_away")


def test_a_database_that_hangs(outside: Deployment, people: Iterator[Somebody]) -> None:
    assert accepted(outside, next(people))
    under_way = next(people)
    frozen = outside.database_processes()
    hit(frozen, signal.SIGSTOP)
    answers: list[Reply] = []
    # nobody knows yet that the database hangs, so this one is taken in, and gets an answer before its phone gives up
    early = threading.Thread(target=lambda: answers.append(ask(outside, under_way, patience=20)))
    early.start()

    def over() -> None:
        early.join()
        hit(frozen, signal.SIGCONT)

    refuses_until(outside, people, over, "database_away")
    assert turned_away(answers[0])
    # it may have been kept all the same: the same key finds out, and it is there once
    assert accepted(outside, under_way)


def test_a_database_that_may_only_be_read(outside: Deployment, people: Iterator[Somebody]) -> None:
    assert accepted(outside, next(people))
    outside.execute("ALTER SYSTEM SET default_transaction_read_only = on", "SELECT pg_reload_conf()")
    time.sleep(0.5)

    def over() -> None:
        outside.execute(
            "SET default_transaction_read_only = off",
            "ALTER SYSTEM RESET default_transaction_read_only",
            "SELECT pg_reload_conf()",
        )
        time.sleep(0.5)

    refused = [next(people) for _ in range(6)]
    try:
        assert all(turned_away(ask(outside, who)) for who in refused)
        assert ask(outside, refused[0], TODAY).status == 200, "reading goes on"
    finally:
        over()
    assert all(accepted(outside, who) for who in refused)


@pytest.mark.parametrize("setting", ["fsync", "full_page_writes"])
def test_a_database_that_stops_keeping_its_word(outside: Deployment, people: Iterator[Somebody], setting: str) -> None:
    assert accepted(outside, next(people))
    outside.execute(f"ALTER SYSTEM SET {setting} = off", "SELECT pg_reload_conf()")

    def over() -> None:
        outside.execute(f"ALTER SYSTEM RESET {setting}", "SELECT pg_reload_conf()")

    refuses_until(outside, people, over, f"unsafe:{setting}", seconds=0.5)


def test_a_role_that_may_acknowledge_early_turns_the_light_red_and_changes_nothing_at_the_door(
    outside: Deployment, people: Iterator[Somebody]
) -> None:
    outside.execute("ALTER ROLE anxiao_app SET synchronous_commit = off")
    try:
        wait_for(lambda: "unsafe:synchronous_commit" in outside.health()["reasons"], 10, outside.complain)
        # the door says for each of its connections what it wants
        outside.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'anxiao_app'")
        wait_for(lambda: not turned_away(ask(outside, next(people))), 10, outside.complain)
        with outside.django():
            from django.db import connection

            with connection.cursor() as cursor:
                cursor.execute("SHOW synchronous_commit")
                assert cursor.fetchone() == ("on",), "nor for the form without scripts"
    finally:
        outside.execute("ALTER ROLE anxiao_app RESET synchronous_commit")
    outside.wait_until_well(RECOVERS_WITHIN)


def test_nothing_is_served_over_a_database_that_acknowledges_early(deploy: Deploy) -> None:
    """The other half of the negative control in ``test_kills``: with this setting that peak would lose reports."""
    deployment = deploy()
    with (deployment.data / "pgdata" / "postgresql.auto.conf").open("a") as settings:
        settings.write("synchronous_commit = off\n")
    deployment.launch()
    assert deployment.process is not None
    assert deployment.process.wait(60) != 0
    assert "The database may lose reports it has confirmed, so nothing is served" in deployment.output


# -- no room --------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def small_disk(at: Path, megabytes: int) -> Iterator[None]:
    at.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(at)], check=False, capture_output=True
    )
    if done.returncode != 0:
        at.rmdir()
        pytest.skip(f"needs the right to mount a small file system: {done.stderr.decode().strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(at)], check=True)


def filled(at: Path) -> Path:
    """A file that leaves no room for anything."""
    ballast = at / "ballast"
    with contextlib.suppress(OSError), ballast.open("ab", buffering=0) as file:
        for size in (1 << 20, 1 << 12):
            with contextlib.suppress(OSError):
                while file.write(bytes(size)):
                    pass
    return ballast


def test_a_full_disk(deploy: Deploy) -> None:
    with contextlib.ExitStack() as disk:
        deployment = deploy(lambda data: disk.enter_context(small_disk(data / "pgdata", 300)))
        disk.callback(deployment.stop)
        deployment.start()
        people = deployment.stage.everybody()
        book = Book()

        async def load(until: Callable[[], bool], over: Callable[[], None]) -> None:
            stop = asyncio.Event()
            those = [who for _, who in zip(range(900), people, strict=False)]
            sent = asyncio.create_task(crowd(deployment, iter(those), book, stop, chance=random.Random(7), share=0.05))
            end = time.monotonic() + 30
            while not until() and not sent.done():
                assert time.monotonic() < end, deployment.complain()
                await asyncio.sleep(0.01)
            over()
            async with asyncio.timeout(90):
                await sent

        # First a table finds no room for one more page, then the log finds none for its next file.
        for strike in ("SELECT 1", "SELECT pg_switch_wal()"):
            ballast = filled(deployment.data / "pgdata")
            before = book.told_to_wait
            with contextlib.suppress(Exception):
                deployment.execute(strike)
            asyncio.run(load(lambda at=before: book.told_to_wait + book.cut_off > at + 40, ballast.unlink))
            assert book.told_to_wait > before, "the disk was never full"
            deployment.wait_until_well(60)
            stored = deployment.reports()
            assert set(stored) == set(book.acknowledged)
            assert {len(rows) for rows in stored.values()} == {1}
            assert deployment.differences() == []


def test_a_lost_report_would_be_noticed(outside: Deployment, people: Iterator[Somebody]) -> None:
    """The negative control of the comparisons above: one report is taken away behind everybody's back."""
    assert accepted(outside, next(people))
    kept = outside.reports()
    key = next(iter(kept))
    outside.execute(
        "SET session_replication_role = replica",
        f"DELETE FROM report WHERE key = '{key}'",
    )
    assert set(kept) - set(outside.reports()) == {key}
    assert outside.differences() != []
