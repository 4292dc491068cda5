"""The intake door over a database with the cast on stage, at a time of the test's choosing."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from anxiao.base import clock, tickets
from anxiao.base.passes import COOKIE, LIFETIME, Pass, seal
from anxiao.base.tenancy import school_context
from anxiao.base.tickets import Ticket
from anxiao.directory.models import Person
from anxiao.intake.app import application
from anxiao.reporting.commands.campaigns import ensure_rounds
from tests.builders import MORNING, TODAY, add_account, answers
from tests.cast import Cast, assemble

with warnings.catch_warnings():
    # Starlette recommends a client that is not released yet.
    warnings.simplefilter("ignore")
    from starlette.testclient import TestClient

SECRET = "only-for-tests-" + "x" * 40


@dataclass
class Door:
    """A phone before the door."""

    client: TestClient
    cast: Cast
    moment: datetime = MORNING
    passes: dict[int, str] = field(default_factory=dict)

    def pass_of(self, person: Person, *, serial: int = 1) -> str:
        if person.pk not in self.passes:
            with school_context("*"):
                user = add_account(f"phone-{person.pk}", person=person)
            self.passes[person.pk] = str(user.pk)
        held = Pass(int(self.passes[person.pk]), person.pk, person.school_id, serial, self.moment + LIFETIME)
        return seal(SECRET, held)

    def today(self, person: Person, **query: str) -> Any:
        return self.client.get("/today", params=query, headers={"Cookie": f"{COOKIE}={self.pass_of(person)}"})

    def send(self, person: Person | None, body: Any, door: str = "/reports", **headers: str) -> Any:
        kept = {"X-Anxiao": "1", "Content-Type": "application/json", **headers}
        if person is not None:
            kept["Cookie"] = f"{COOKIE}={self.pass_of(person)}"
        if isinstance(body, bytes):
            return self.client.post(door, content=body, headers=kept)
        return self.client.post(door, json=body, headers=kept)

    def correct(self, person: Person, body: dict[str, Any]) -> Any:
        return self.send(person, body, "/corrections")

    def ticket(self, person: Person, version: int = 1, **changes: Any) -> str:
        """What the door itself would give this person now."""
        with school_context("*"):
            (found,) = ensure_rounds(day=clock.day_of(self.moment))
        given = Ticket(
            person.pk, person.school_id, found.day, found.pk, found.version_id, version, int(self.moment.timestamp())
        )
        return tickets.seal(SECRET, given._replace(**changes))

    def body(self, person: Person | None = None, *, version: int = 1, **changes: Any) -> dict[str, Any]:
        """A report (``version`` above 1: a correction) as the phone of this person would send it; 王五, where nobody
        is named.
        """
        with school_context("*"):
            (found,) = ensure_rounds(day=clock.day_of(self.moment))
        sent: dict[str, Any] = {
            "ticket": self.ticket(person or self.cast.wangwu, version),
            "round": found.pk,
            "form_version": found.version_id,
            "key": str(uuid4()),
            "answers": answers(),
            "unchanged": False,
        }
        if version > 1:
            sent["reason"] = "填错了"
        return {**sent, **changes}


@pytest.fixture(autouse=True)
def _secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANXIAO_SECRET_KEY", SECRET)


@pytest.fixture
def morning(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is half past eight, and stays so."""
    monkeypatch.setattr(clock, "now", lambda: MORNING)


@pytest.fixture
def cast(database: Any) -> Cast:
    return assemble()


@pytest.fixture
def door(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> Iterator[Door]:
    with TestClient(application) as client:
        opened = Door(client, cast)
        monkeypatch.setattr(clock, "now", lambda: opened.moment)
        yield opened


def at(door: Door, hours: float) -> None:
    """Let it be so many hours after midnight of the test's day."""
    door.moment = clock.day_bounds(TODAY)[0] + timedelta(hours=hours)


def soon(true: Callable[[], bool], within: float = 1.0) -> bool:
    """Whether something becomes true in time; what the doors hear of is promised within a second."""
    end = time.monotonic() + within
    while not true():
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True
