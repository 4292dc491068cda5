"""Clocks that disagree: late is what the receiving server's clock says, order is the order of versions, and the machine
room is told.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.faults.conftest import Deploy
from tests.faults.deployment import WORKERS, Deployment, Somebody, wait_for
from tests.faults.phones import CORRECTIONS, REPORTS, Line, Reply, report


@pytest.fixture(scope="module")
def skewed(deploy_module: Deploy, tmp_path_factory: pytest.TempPathFactory) -> Deployment:
    """A deployment whose application clock the tests may set while it runs."""
    return deploy_module(FAULT_CLOCK=str(tmp_path_factory.mktemp("clock") / "ahead")).start()


@pytest.fixture(scope="module")
def people(skewed: Deployment) -> Iterator[Somebody]:
    return skewed.stage.everybody()


def ahead(deployment: Deployment, seconds: float) -> None:
    """Let every worker's clock be so far ahead of the machine's."""
    Path(deployment.environment["FAULT_CLOCK"]).write_text(f"{seconds}\n" * WORKERS)


def send(deployment: Deployment, who: Somebody, version: int = 1) -> Reply:
    async def sent() -> Reply:
        line = Line(deployment)
        try:
            return await line.post(
                who, report(deployment, who, version=version), REPORTS if version == 1 else CORRECTIONS
            )
        finally:
            await line.close()

    return asyncio.run(sent())


def deadline_at(deployment: Deployment, moment: datetime) -> None:
    deployment.execute(
        f"UPDATE round SET deadline_at = '{moment.isoformat()}' WHERE id = {deployment.stage.round}",
        role="anxiao_owner",
    )


@pytest.mark.parametrize(("clock", "deadline", "late"), [(120, 60, True), (-120, -60, False), (0, 60, False)])
def test_late_is_what_the_receiving_servers_clock_says(
    skewed: Deployment, people: Iterator[Somebody], clock: float, deadline: float, late: bool
) -> None:
    """The database's clock and the phone's would say otherwise in the first two cases."""
    deadline_at(skewed, datetime.now(UTC) + timedelta(seconds=deadline))
    ahead(skewed, clock)
    try:
        reply = send(skewed, next(people))
    finally:
        ahead(skewed, 0)
    assert reply.status == 201
    assert reply.body["receipt"]["late"] is late
    received = datetime.fromisoformat(reply.body["receipt"]["received_at"])
    assert abs((received - datetime.now(UTC)).total_seconds() - clock) < 30
    assert skewed.differences() == []


def test_versions_are_ordered_by_their_number_when_the_clock_steps_back(
    skewed: Deployment, people: Iterator[Somebody]
) -> None:
    who = next(people)
    assert send(skewed, who).status == 201
    ahead(skewed, -300)
    try:
        correction = send(skewed, who, version=2)
    finally:
        ahead(skewed, 0)
    assert correction.status == 201
    assert correction.body["receipt"]["version"] == 2
    first, second = sorted(
        (
            row
            for rows in skewed.reports().values()
            for row in rows
            if (row["school_id"], row["person_id"]) == (who.school, who.person)
        ),
        key=lambda row: row["version"],
    )
    assert second["received_at"] < first["received_at"], "the clock stood before"
    assert (first["is_current"], second["is_current"]) == (False, True), "and yet the later one stands"
    assert (first["temperature_tenths"], second["temperature_tenths"]) == (365, 378)
    assert skewed.differences() == []


DATABASE_CLOCK = (
    "CREATE OR REPLACE FUNCTION public.clock_timestamp() RETURNS timestamptz LANGUAGE sql VOLATILE AS"
    " 'SELECT pg_catalog.clock_timestamp() + interval ''{} seconds'''"
)
"""A database whose clock is wrong: this function stands before the real one in every new session's path."""


def test_the_machine_room_is_told_of_clocks_that_disagree(skewed: Deployment, people: Iterator[Somebody]) -> None:
    assert abs(skewed.health()["clock_skew_seconds"]) < 2, "the negative control: it is quiet while they agree"
    reconnect = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'anxiao_app'"
    skewed.execute(DATABASE_CLOCK.format(-7), role="anxiao_owner")
    skewed.execute("ALTER ROLE anxiao_app SET search_path = public, pg_catalog", reconnect)
    try:
        wait_for(lambda: "clock_skew" in skewed.health()["reasons"], 20, skewed.complain)
        assert 6 < abs(skewed.health()["clock_skew_seconds"]) < 9
        # a report is still kept and still timed by the server that received it
        wait_for(lambda: skewed.health()["intake"]["listening"] == WORKERS, 20, skewed.complain)
        wait_for(lambda: send(skewed, next(people)).status == 201, 20, skewed.complain)
    finally:
        skewed.execute("ALTER ROLE anxiao_app RESET search_path", reconnect)
        skewed.execute("DROP FUNCTION public.clock_timestamp()", role="anxiao_owner")
    skewed.wait_until_well(30)
