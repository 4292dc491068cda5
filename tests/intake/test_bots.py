"""What scripts of other systems live on does not work here and leaves a trace; honest phones never notice."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from anxiao.base import clock
from anxiao.base.clock import SHANGHAI
from anxiao.base.deployment import receipt_signer
from anxiao.base.passes import COOKIE
from anxiao.base.signatures import verify
from anxiao.base.tenancy import school_context
from anxiao.intake import limits
from anxiao.ledger.models import Entry
from anxiao.reporting.models import Report
from tests.builders import MORNING, answers
from tests.cast import Cast
from tests.intake.conftest import Door
from tests.intake.phones import Phone, asked, crowd, opened


def traces(door: Door) -> list[tuple[str, str, str, Any]]:
    """Verb, outcome, actor and reason of every security event, oldest first."""
    with school_context("*"):
        found = Entry.objects.filter(verb__startswith="intake.").order_by("id")
        return [(e.verb, e.outcome, e.actor, e.facts.get("why") or e.facts["code"]) for e in found]


def stored() -> int:
    with school_context("*"):
        return Report.objects.count()


@dataclass(frozen=True)
class Trick:
    body: Callable[[Door], dict[str, Any]]
    code: str
    why: str
    path: str = "/reports"


TRICKS = {
    "no ticket": Trick(lambda d: d.body(ticket=None), "ticket_wrong", "missing"),
    "a ticket of another kind": Trick(lambda d: d.body(ticket=7), "ticket_wrong", "missing"),
    "an invented ticket": Trick(lambda d: d.body(ticket="1.1.1.1.1.1.1~x"), "ticket_wrong", "forged"),
    "a ticket with another person written in": Trick(
        lambda d: d.body(ticket=d.ticket(d.cast.zhaoliu).replace(f"{d.cast.zhaoliu.pk}.", f"{d.cast.wangwu.pk}.", 1)),
        "ticket_wrong",
        "forged",
    ),
    "another person's ticket": Trick(lambda d: d.body(ticket=d.ticket(d.cast.zhaoliu)), "ticket_wrong", "person"),
    "a ticket from another school": Trick(
        lambda d: d.body(ticket=d.ticket(d.cast.wangwu, school_id=d.cast.gongda.pk)), "ticket_wrong", "person"
    ),
    "a pass shown as a ticket": Trick(lambda d: d.body(ticket=d.pass_of(d.cast.wangwu)), "ticket_wrong", "forged"),
    "a ticket of a round, a body for another": Trick(
        lambda d: d.body(round=d.body()["round"] + 1), "ticket_wrong", "round"
    ),
    "a body for another form": Trick(lambda d: d.body(form_version=999), "ticket_wrong", "form"),
    "a correction's ticket for a report": Trick(
        lambda d: d.body(ticket=d.ticket(d.cast.wangwu, 2)), "ticket_wrong", "version"
    ),
    "a report's ticket for a correction": Trick(
        lambda d: {**d.body(version=2), "ticket": d.ticket(d.cast.wangwu)}, "ticket_wrong", "version", "/corrections"
    ),
    "a ticket a quarter of an hour old": Trick(
        lambda d: d.body(ticket=_aged(d, minutes=15)), "ticket_expired", "ticket_expired"
    ),
    "yesterday's ticket": Trick(lambda d: _yesterdays(d), "ticket_expired", "ticket_expired"),
}


def _aged(door: Door, **time: int) -> str:
    return door.ticket(door.cast.wangwu, issued_at=int((door.moment - timedelta(**time)).timestamp()))


def _yesterdays(door: Door) -> dict[str, Any]:
    """Yesterday's whole body, as a recorder would play it again."""
    door.moment -= timedelta(days=1)
    try:
        return door.body()
    finally:
        door.moment += timedelta(days=1)


def test_no_trick_is_accepted_and_each_leaves_a_trace(door: Door) -> None:
    expected = []
    for name, trick in TRICKS.items():
        answer = door.send(door.cast.wangwu, trick.body(door), trick.path)
        assert (answer.status_code, answer.json()["code"]) == (403, trick.code), name
        assert "receipt" not in answer.json()
        expected.append(("intake.refused", "denied", f"phone-{door.cast.wangwu.pk}", trick.why))
    assert traces(door) == expected
    assert stored() == 0
    assert door.send(door.cast.wangwu, door.body()).status_code == 201, "the same phone, honestly"


def test_what_was_sent_once_is_never_kept_twice(door: Door) -> None:
    """Replayed as recorded; the ticket with another key; the key with other answers; the ticket for a correction."""
    cast, sent = door.cast, door.body()
    assert door.send(cast.wangwu, sent).status_code == 201
    tricks: list[tuple[dict[str, Any], str, int, str]] = [
        (sent, "/reports", 200, "repeated"),
        ({**sent, "key": str(uuid4())}, "/reports", 409, "already"),
        ({**sent, "key": str(uuid4()), "answers": answers(temperature=38)}, "/reports", 409, "already"),
        ({**sent, "answers": answers(temperature=38)}, "/reports", 409, "key_reused"),
    ]
    for body, path, status, _ in tricks:
        assert door.send(cast.wangwu, body, path).status_code == status
    change = door.body(version=2)
    assert door.correct(cast.wangwu, change).status_code == 201
    second = door.correct(cast.wangwu, {**change, "key": str(uuid4())})
    assert (second.status_code, second.json()["code"]) == (409, "already"), "its ticket is used up"
    assert [(why, outcome) for _, outcome, _, why in traces(door)] == [
        *((code, "denied") for *_, code in tricks),
        ("already", "denied"),
    ]
    assert stored() == 2


def test_a_recorded_request_is_worth_nothing_with_another_pass_or_none(door: Door) -> None:
    cast, sent = door.cast, door.body()
    assert door.send(cast.zhaoliu, sent).status_code == 403
    assert traces(door)[-1][2:] == (f"phone-{cast.zhaoliu.pk}", "person")
    for shown in (door.ticket(cast.wangwu), "", "x" * 5000):
        answer = door.send(None, sent, Cookie=f"{COOKIE}={shown}")
        assert (answer.status_code, answer.json()["code"]) == (401, "signed_out")
    assert stored() == 0


def test_a_correction_by_two_hands_is_one(door: Door) -> None:
    door.send(door.cast.wangwu, door.body())
    one, other = door.body(version=2), door.body(version=2, answers=answers(temperature=37.0))
    assert door.correct(door.cast.wangwu, one).status_code == 201
    assert door.correct(door.cast.wangwu, other).json()["code"] == "already"
    assert door.correct(door.cast.wangwu, one).status_code == 200, "and may be repeated"


def test_a_repeat_after_the_round_closed_is_the_same_receipt(door: Door) -> None:
    door.moment = datetime(2026, 3, 2, 23, 55, tzinfo=SHANGHAI)
    sent = door.body()
    first = door.send(door.cast.wangwu, sent)
    door.moment += timedelta(minutes=8)
    again = door.send(door.cast.wangwu, sent)
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json()["receipt"] == again.json()["receipt"]


@pytest.mark.parametrize("honest", [1000])
def test_a_thousand_honest_phones_see_no_refusal(cast: Cast, monkeypatch: pytest.MonkeyPatch, honest: int) -> None:
    """From one address, within seconds, with retries; every fifth page was open for twenty minutes and renews its
    ticket, every fifth answer was lost for so long that the phone asks first what became of its report.
    """
    moment = [MORNING]
    monkeypatch.setattr(clock, "now", lambda: moment[0])
    held = [*crowd(cast.tongxin1, honest // 2), *crowd(cast.jixie1, honest - honest // 2)]
    asked()
    dice = random.Random(20200215)
    statuses: Counter[int] = Counter()
    pages: dict[int, dict[str, Any]] = {}
    lost: dict[int, dict[str, Any]] = {}

    async def look(phone: Phone) -> dict[str, Any]:
        answer = await phone.today()
        statuses[answer.status] += 1
        (found,) = answer.body["rounds"]
        return dict(found)

    async def send(phone: Phone, page: dict[str, Any]) -> dict[str, Any]:
        body = {
            "ticket": page["ticket"],
            "round": page["id"],
            "form_version": page["form_version"],
            "key": str(uuid4()),
            "answers": answers(temperature=round(dice.uniform(36, 37), 1)),
            "unchanged": False,
        }
        tries = await asyncio.gather(*(phone.report(body) for _ in range(dice.choice((1, 1, 1, 2, 3)))))
        statuses.update(answer.status for answer in tries)
        receipts = [answer.body["receipt"] for answer in tries]
        assert len({receipt["digest"] for receipt in receipts}) == 1
        assert receipts[0]["key"] == body["key"]
        assert verify(receipt_signer().public, receipts[0]["digest"], receipts[0]["signature"])
        return body

    async def morning(n: int, phone: Phone) -> None:
        page = await look(phone)
        if n % 5 == 0:
            pages[n] = page
            return
        sent = await send(phone, page)
        if n % 5 == 1:
            lost[n] = sent

    async def later(n: int, phone: Phone) -> None:
        page = await look(phone)
        if n in lost:
            assert page["receipt"]["key"] == lost[n]["key"], "the phone learns that its report arrived"
        else:
            await send(phone, page)

    async def story(_door: Any) -> None:
        phones = [Phone(one) for one in held]
        for start in range(0, honest, 100):
            await asyncio.gather(*(morning(n, phones[n]) for n in range(start, min(start + 100, honest))))
        moment[0] += timedelta(minutes=20)
        await asyncio.gather(*(later(n, phones[n]) for n in (*pages, *lost)))

    opened(story)
    assert set(statuses) == {200, 201}, statuses
    assert statuses[201] == honest
    assert stored() == honest
    with school_context("*"):
        assert not Entry.objects.filter(verb="intake.refused").exists()


@pytest.mark.usefixtures("morning")
def test_an_account_that_floods_is_told_to_wait_and_its_neighbour_is_served(cast: Cast) -> None:
    flooding, quiet = map(Phone, crowd(cast.tongxin1, 2))

    async def story(_door: Any) -> tuple[list[Any], int]:
        return [await flooding.ask("GET", "/form?version=1") for _ in range(limits.BURST + 15)], (
            await quiet.ask("GET", "/form?version=1")
        ).status

    answered, neighbour = opened(story)
    assert (answered[-1].status, answered[-1].headers["retry-after"]) == (429, "5")
    assert answered[0].status == neighbour == 200
