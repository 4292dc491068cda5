"""Many phones at once: committed together, each with its own outcome."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Coroutine, Iterable
from datetime import timedelta
from typing import Any
from uuid import uuid4

from anxiao.base.deployment import receipt_signer
from anxiao.base.signatures import verify
from anxiao.base.tenancy import school_context
from anxiao.intake import service
from anxiao.intake.door import Door
from anxiao.intake.http import Answer, Denied
from anxiao.reporting.commands.counting import differences
from anxiao.reporting.models import Report
from tests.builders import MORNING, counted
from tests.cast import Cast
from tests.intake.phones import asked, crowd, opened, submission, ticket_of


async def _answers(calls: Iterable[Coroutine[Any, Any, Answer]]) -> list[tuple[int, Any]]:
    """Status and body (of a refusal: what goes with it) of each."""
    found = []
    for one in await asyncio.gather(*calls, return_exceptions=True):
        if isinstance(one, Denied):
            found.append((one.status, {"code": one.code, **one.more}))
        elif isinstance(one, BaseException):
            raise one
        else:
            found.append((one.status, one.body))
    return found


def test_forty_phones_share_a_few_commits_and_the_counters_stay_true(cast: Cast) -> None:
    held = [*crowd(cast.tongxin1, 25), *crowd(cast.jixie1, 15)]
    with school_context("*"):
        counted(cast.anda.pk)
        counted(cast.gongda.pk)
    round = asked()

    async def story(door: Door) -> tuple[list[tuple[int, Any]], int]:
        calls = (service.submit(door, one, submission(one, round), MORNING, correction=False) for one in held)
        return await _answers(calls), door.batches.committed

    answered, commits = opened(story)
    assert [status for status, _ in answered] == [201] * 40
    assert commits < 30
    receipts = [body["receipt"] for _, body in answered]
    assert all(verify(receipt_signer().public, r["digest"], r["signature"]) for r in receipts)
    assert len({r["signature"].split(":")[2] for r in receipts}) <= commits, "one signature a commit"
    with school_context("*"):
        assert Report.objects.count() == 40
        assert differences(school_id=cast.anda.pk) == []
        assert differences(school_id=cast.gongda.pk) == []


def test_fifty_equal_requests_at_once_are_one_report_with_one_receipt(cast: Cast) -> None:
    (held,) = crowd(cast.tongxin1, 1)
    sent = submission(held, asked())

    async def story(door: Door) -> list[tuple[int, Any]]:
        return await _answers(service.submit(door, held, sent, MORNING, correction=False) for _ in range(50))

    answered = opened(story)
    assert Counter(status for status, _ in answered) == {201: 1, 200: 49}
    assert len({body["receipt"]["digest"] for _, body in answered}) == 1
    with school_context("*"):
        assert Report.objects.count() == 1


def test_an_impatient_thumb_makes_one_report(cast: Cast) -> None:
    (held,) = crowd(cast.tongxin1, 1)
    round, key = asked(), uuid4()
    sent = [
        *[submission(held, round, key=key)] * 8,
        *[submission(held, round, key=key, temperature=37.0)] * 4,
        *[submission(held, round, temperature=37.0)] * 4,
    ]

    async def story(door: Door) -> list[tuple[int, Any]]:
        return await _answers(service.submit(door, held, what, MORNING, correction=False) for what in sent)

    answered = opened(story)
    assert sum(status == 201 for status, _ in answered) == 1
    assert {status for status, _ in answered} <= {200, 201, 409}
    assert len({body["receipt"]["digest"] for _, body in answered}) == 1, "each is shown the report that stands"
    with school_context("*"):
        assert Report.objects.count() == 1


def test_a_key_belongs_to_its_person_alone(cast: Cast) -> None:
    one, other = crowd(cast.tongxin1, 2)
    round, key = asked(), uuid4()

    async def story(door: Door) -> list[tuple[int, Any]]:
        return await _answers(
            service.submit(door, who, submission(who, round, key=key), MORNING, correction=False)
            for who in (one, other)
        )

    (first, mine), (second, theirs) = opened(story)
    assert (first, second) == (201, 201)
    assert mine["receipt"]["digest"] != theirs["receipt"]["digest"]


def test_late_is_decided_at_arrival_and_not_at_the_commit(cast: Cast) -> None:
    (held,) = crowd(cast.tongxin1, 1)
    just_before = MORNING.replace(hour=13, minute=59, second=59, microsecond=999_999)
    round = asked()
    sent = submission(held, round)._replace(ticket=ticket_of(held, round, at=just_before))

    async def story(door: Door) -> bool:
        answer = await service.submit(door, held, sent, just_before, correction=False)
        assert answer.body is not None
        return bool(answer.body["receipt"]["late"])

    assert opened(story) is False
    assert just_before + timedelta(microseconds=1) == MORNING.replace(hour=14, minute=0)
