"""A crash between any two steps of keeping and counting: the counters equal the truth, and the boards with them."""

from __future__ import annotations

import asyncio
import contextlib
import random
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from anxiao.base.scope import system_scope
from anxiao.base.tenancy import school_context
from anxiao.config.embedded import BULK
from anxiao.reporting.commands.partitions import MONTHS_AHEAD, MONTHS_BACK, ensure_partitions
from anxiao.reporting.rules import Metric
from anxiao.statistics.commands import SQUASH_SQL, squash
from anxiao.statistics.queries import numbers
from tests.faults.conftest import Deploy
from tests.faults.deployment import REPOSITORY, Deployment, Somebody, hit, wait_for
from tests.faults.phones import REPORTS, Book, Line, NoAnswer, Reply, crowd, insist, report


@pytest.fixture(scope="module")
def deployment(deploy_module: Deploy, tmp_path_factory: pytest.TempPathFactory) -> Deployment:
    switch = tmp_path_factory.mktemp("switch") / "die"
    return deploy_module(FAULT_DIE=str(switch)).start()


@pytest.fixture
def people(deployment: Deployment) -> Iterator[Somebody]:
    """People who have not reported yet."""
    done = {(rows[0]["school_id"], rows[0]["person_id"]) for rows in deployment.reports().values()}
    return (who for who in deployment.stage.everybody() if (who.school, who.person) not in done)


async def send(deployment: Deployment, who: Somebody) -> Reply | None:
    """One try; None when there was no answer."""
    line = Line(deployment)
    try:
        return await line.post(who, report(deployment, who))
    except NoAnswer:
        return None
    finally:
        await line.close()


def sent_until_answered(deployment: Deployment, who: Somebody) -> None:
    async def sent() -> None:
        line = Line(deployment)
        try:
            async with asyncio.timeout(60):
                await insist(line, who, report(deployment, who), Book(), asyncio.Event(), REPORTS)
        finally:
            await line.close()

    asyncio.run(sent())


def on_the_board(deployment: Deployment) -> int:
    """Everybody who has reported, as the boards of both schools say now."""
    stage = deployment.stage
    total = 0
    with deployment.django():
        for school, node in zip(stage.schools, stage.nodes, strict=True):
            with school_context(f"0,{school}"):
                found = numbers(system_scope("tests"), nodes=[node], series=stage.campaign, day=stage.day)
            total += sum(n for (_, metric, _), n in found[node].items() if metric in (Metric.ON_TIME, Metric.LATE))
    return total


def first_reports(deployment: Deployment) -> int:
    return sum(row["version"] == 1 for rows in deployment.reports().values() for row in rows)


@pytest.mark.parametrize(("moment", "kept"), [("before", 0), ("after", 1)])
def test_a_door_that_dies_at_the_commit(
    deployment: Deployment, people: Iterator[Somebody], moment: str, kept: int
) -> None:
    """Just before it nothing is kept; just after it everything is, though nobody was told; the same key finds out."""
    who = next(people)
    switch = Path(deployment.environment["FAULT_DIE"])
    switch.write_text(moment)
    assert asyncio.run(send(deployment, who)) is None
    key = report(deployment, who)["key"]
    assert len(deployment.reports().get(key, [])) == kept
    assert deployment.differences() == []
    assert on_the_board(deployment) == first_reports(deployment)
    sent_until_answered(deployment, who)
    assert len(deployment.reports()[key]) == 1
    assert deployment.differences() == []
    deployment.wait_until_well()


@pytest.mark.parametrize("table", ["tally_delta", "ledger_entry"])
def test_a_door_that_dies_between_two_statements(
    deployment: Deployment, people: Iterator[Somebody], table: str
) -> None:
    """The report is written and what follows it must wait; then the door is killed: neither is there."""
    those = [next(people) for _ in range(8)]

    async def story() -> None:
        with deployment.looking_in() as holding, holding.transaction():
            holding.execute(f"LOCK TABLE {table} IN SHARE MODE".encode())
            sent = [asyncio.create_task(send(deployment, who)) for who in those]
            async with asyncio.timeout(20):
                while not deployment.ask(
                    "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = %s::regclass", table
                ):
                    await asyncio.sleep(0.02)
            hit(deployment.workers(), signal.SIGKILL)
            assert await asyncio.gather(*sent) == [None] * len(those)

    asyncio.run(story())
    keys = {report(deployment, who)["key"] for who in those}
    assert not keys & set(deployment.reports())
    assert deployment.differences() == []
    for who in those:
        sent_until_answered(deployment, who)
    assert deployment.differences() == []
    assert on_the_board(deployment) == first_reports(deployment)
    deployment.wait_until_well()


SQUASHING = """
import django; django.setup()
from django.db import Error, connections
from anxiao.statistics.commands import squash
print(squash(), flush=True)
while True:
    try:
        squash()
    except Error:
        connections["bulk"].close()
"""


KILL_SQUASHERS = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'anxiao_bulk'"


def test_squashers_killed_again_and_again_under_load(deployment: Deployment, people: Iterator[Somebody]) -> None:
    """The process that folds the counters is killed, or its database connection, a dozen times."""
    book, chance = Book(), random.Random(5)
    server = deployment.server
    environment = {
        "DJANGO_SETTINGS_MODULE": "anxiao.config.settings",
        "DATABASE_URL": server.dsn("anxiao_app"),
        "ANXIAO_DATA": str(deployment.data),
        "ANXIAO_SECRET_KEY": "only-for-tests-" + "x" * 40,
    }
    squashers: list[subprocess.Popen[bytes]] = []

    def squashing() -> None:
        squasher = subprocess.Popen(
            [sys.executable, "-c", SQUASHING],
            env=environment,
            cwd=REPOSITORY,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        squashers.append(squasher)
        assert squasher.stdout is not None
        assert squasher.stdout.readline(), "it folds"

    async def story() -> None:
        stop = asyncio.Event()
        load = asyncio.create_task(crowd(deployment, people, book, stop, lines=4, chance=chance))
        for kill in range(12):
            if kill % 6 == 0:
                await asyncio.to_thread(squashing)
            await asyncio.sleep(chance.uniform(0.05, 0.25))
            if kill % 6 == 5:
                squashers[-1].kill()
            else:
                deployment.execute(KILL_SQUASHERS)
            assert await asyncio.to_thread(deployment.differences) == []
        stop.set()
        async with asyncio.timeout(60):
            await load

    try:
        asyncio.run(story())
    finally:
        for squasher in squashers:
            squasher.kill()
            squasher.communicate()
    assert len(book.acknowledged) > 20
    with deployment.django():
        wait_for(squash, 10)
        assert on_the_board(deployment) == first_reports(deployment)
    assert deployment.differences() == []


def test_a_squasher_in_two_steps_would_be_found_out(deployment: Deployment, people: Iterator[Somebody]) -> None:
    """The negative control: the waiting counts are taken out, committed, and then somebody dies."""
    assert "DELETE FROM tally_delta" in SQUASH_SQL
    hit([deployment.keeper()], signal.SIGSTOP)
    try:
        sent_until_answered(deployment, next(people))
        with psycopg.connect(deployment.server.dsn(BULK)) as bulk:
            taken = bulk.execute("DELETE FROM tally_delta RETURNING *").fetchall()
            columns = ", ".join(column.name for column in bulk.execute("SELECT * FROM tally_delta").description or ())
            bulk.commit()
            assert deployment.differences() != []
            assert on_the_board(deployment) < first_reports(deployment)
            # as it was: the other tests of this module stand on the same deployment
            marks = ", ".join(["%s"] * len(taken[0]))
            for row in taken:
                bulk.execute(
                    f"INSERT INTO tally_delta ({columns}) OVERRIDING SYSTEM VALUE VALUES ({marks})".encode(), row
                )
    finally:
        hit([deployment.keeper()], signal.SIGCONT)
    assert deployment.differences() == []


def test_the_housekeeper_is_killed_and_the_boards_stay_exact(
    deployment: Deployment, people: Iterator[Somebody]
) -> None:
    killed = deployment.keeper()
    hit([killed], signal.SIGKILL)
    for _ in range(10):
        sent_until_answered(deployment, next(people))
        assert on_the_board(deployment) == first_reports(deployment)

    def another() -> bool:
        with contextlib.suppress(ValueError):
            return deployment.keeper().pid != killed.pid
        return False

    wait_for(another, 20, deployment.complain)
    wait_for(lambda: deployment.ask("SELECT count(*) FROM tally_delta") == 0, 40, deployment.complain)
    assert on_the_board(deployment) == first_reports(deployment)
    assert deployment.differences() == []


def test_a_month_without_its_partition_loses_nothing(deployment: Deployment, people: Iterator[Somebody]) -> None:
    month = deployment.stage.day.strftime("report_%Y_%m")
    before = first_reports(deployment)
    deployment.execute(f"ALTER TABLE report DETACH PARTITION {month}")
    try:
        those = [next(people) for _ in range(5)]
        for who in those:
            sent_until_answered(deployment, who)
            again = asyncio.run(send(deployment, who))
            assert again is not None
            assert again.status == 200, "the same key finds it there"
        keys = {report(deployment, who)["key"] for who in those}
        assert {str(key) for key in deployment.ask("SELECT array_agg(key) FROM report_other")} == keys
        # as if it had never been made: it cannot be made any more, which keeps nobody from making the others
        deployment.execute(f"ALTER TABLE {month} RENAME TO never_made")
        try:
            with deployment.django():
                made = ensure_partitions(day=deployment.stage.day)
            assert month not in made
            assert len(made) == MONTHS_BACK + MONTHS_AHEAD
        finally:
            deployment.execute(f"ALTER TABLE never_made RENAME TO {month}")
    finally:
        deployment.execute(
            f"INSERT INTO {month} SELECT * FROM report_other",
            "SET session_replication_role = replica",
            "DELETE FROM report_other",
            f"ALTER TABLE report ATTACH PARTITION {month} FOR VALUES FROM ('{deployment.stage.day.replace(day=1)}') TO"
            f" (('{deployment.stage.day.replace(day=1)}'::date + interval '1 month')::date)",
        )
    assert first_reports(deployment) == before + len(those)
    assert deployment.differences() == []
