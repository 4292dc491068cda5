"""Many phones at once: committed together, each with its own outcome."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db import connection

from anxiao.accounts.models import User
from anxiao.base.passes import LIFETIME, Pass
from anxiao.base.tenancy import school_context
from anxiao.directory.models import Person
from anxiao.intake import batches as batching
from anxiao.intake import service
from anxiao.intake.batches import Batches, Full
from anxiao.intake.database import Pool, make_pool
from anxiao.intake.service import Denied, Submission
from anxiao.reporting.commands.counting import differences
from anxiao.reporting.models import Report
from tests.builders import MORNING, add_account, add_people, answers, counted, round_of
from tests.cast import Cast, assemble


def together(story: Callable[[Pool, Batches], Coroutine[Any, Any, Any]]) -> Any:
    async def played() -> Any:
        pool = make_pool()
        await pool.open(wait=True)
        queue = Batches(pool)
        queue.start()
        try:
            return await story(pool, queue)
        finally:
            await queue.stop()
            await pool.close()

    return asyncio.run(played())


@pytest.fixture
def cast(database: Any) -> Cast:
    return assemble()


def passes_of(people: list[Person]) -> list[Pass]:
    with school_context("*"):
        users = [add_account(f"phone-{person.pk}", person=person) for person in people]
    return [Pass(u.pk, p.pk, p.school_id, 1, MORNING + LIFETIME) for u, p in zip(users, people, strict=True)]


def submission(key: UUID, **changes: Any) -> Submission:
    with school_context("*"):
        asked = round_of()
    return Submission(asked.pk, asked.version_id, key, answers(**changes), False, None, None)


async def outcomes(calls: list[Awaitable[tuple[int, dict[str, Any]]]]) -> list[int]:
    found = await asyncio.gather(*calls, return_exceptions=True)
    statuses = []
    for one in found:
        if isinstance(one, Denied):
            statuses.append(one.status)
        elif isinstance(one, BaseException):
            raise one
        else:
            statuses.append(one[0])
    return statuses


def test_forty_phones_share_a_few_commits_and_the_counters_stay_true(cast: Cast) -> None:
    with school_context("*"):
        crowd = [*add_people(cast.tongxin1, 25), *add_people(cast.jixie1, 15)]
        counted(cast.anda.pk)
        counted(cast.gongda.pk)
    held = passes_of(crowd)
    sent = [submission(uuid4()) for _ in held]

    async def story(pool: Pool, queue: Batches) -> tuple[list[int], int]:
        calls = [
            service.submit(pool, queue, one, what, MORNING, str, correction=False)
            for one, what in zip(held, sent, strict=True)
        ]
        return await outcomes(calls), queue.committed

    statuses, commits = together(story)
    assert statuses == [201] * 40
    assert commits < 30
    with school_context("*"):
        assert Report.objects.count() == 40
        assert differences(school_id=cast.anda.pk) == []
        assert differences(school_id=cast.gongda.pk) == []


def test_an_impatient_thumb_makes_one_report(cast: Cast) -> None:
    (held,) = passes_of([cast.wangwu])
    again, other = submission(uuid4()), submission(uuid4(), temperature=37.0)

    async def story(pool: Pool, queue: Batches) -> list[int]:
        return await outcomes(
            [
                service.submit(pool, queue, held, what, MORNING, str, correction=False)
                for what in [again] * 8 + [other] * 2
            ]
        )

    statuses = together(story)
    assert statuses.count(201) == 1
    assert set(statuses) <= {200, 201, 409}
    with school_context("*"):
        assert Report.objects.filter(person_id=cast.wangwu.pk).count() == 1


def test_one_bad_report_does_not_spoil_its_neighbours(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    people = [cast.wangwu, cast.zhaoliu, cast.wuyi]
    held = passes_of(people)
    sent = [submission(uuid4()) for _ in held]
    accept = batching.accept

    def fragile(drafts: Any) -> Any:
        if any(draft.person_id == cast.zhaoliu.pk for draft in drafts):
            raise RuntimeError("spoilt")
        return accept(drafts)

    monkeypatch.setattr(batching, "accept", fragile)

    async def story(pool: Pool, queue: Batches) -> list[Any]:
        calls = [
            service.submit(pool, queue, one, what, MORNING, str, correction=False)
            for one, what in zip(held, sent, strict=True)
        ]
        return await asyncio.gather(*calls, return_exceptions=True)

    first, second, third = together(story)
    assert (first[0], third[0]) == (201, 201)
    assert isinstance(second, RuntimeError)


def test_a_pass_withdrawn_at_the_last_moment_keeps_nothing(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    (held,) = passes_of([cast.wangwu])
    sent = submission(uuid4())
    settle = Batches.settle

    async def slow(self: Batches, draft: Any, holder: Pass) -> Any:
        def withdraw() -> None:
            with school_context("*"):
                User.objects.filter(pk=holder.user_id).update(pass_version=2)
            connection.close()  # this thread's own

        await asyncio.to_thread(withdraw)
        return await settle(self, draft, holder)

    monkeypatch.setattr(Batches, "settle", slow)

    async def story(pool: Pool, queue: Batches) -> list[int]:
        return await outcomes([service.submit(pool, queue, held, sent, MORNING, str, correction=False)])

    assert together(story) == [401]
    with school_context("*"):
        assert not Report.objects.exists()


def test_a_queue_that_is_full_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batching, "LONGEST_QUEUE", 1)
    nothing: Any = None

    async def story() -> None:
        queue = Batches(nothing)  # no writer was started: nobody takes anything out
        first = asyncio.create_task(queue.settle(nothing, nothing))
        await asyncio.sleep(0)
        with pytest.raises(Full):
            await queue.settle(nothing, nothing)
        first.cancel()

    asyncio.run(story())


def test_late_is_decided_at_arrival_and_not_at_the_commit(cast: Cast) -> None:
    (held,) = passes_of([cast.wangwu])
    sent = submission(uuid4())
    just_before = MORNING.replace(hour=13, minute=59, second=59, microsecond=999_999)

    async def story(pool: Pool, queue: Batches) -> bool:
        _, body = await service.submit(pool, queue, held, sent, just_before, str, correction=False)
        return bool(body["receipt"]["late"])

    assert together(story) is False
    assert just_before + timedelta(microseconds=1) == MORNING.replace(hour=14, minute=0)
