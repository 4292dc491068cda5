"""The queue before the commit: one bad report, a held roster, a full queue, a long line, people who leave."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import psycopg
import pytest

from anxiao.base.passes import Pass
from anxiao.base.tenancy import school_context
from anxiao.intake import batches as batching
from anxiao.intake import meters
from anxiao.intake.app import door as the_door
from anxiao.intake.batches import Batches, Full
from anxiao.intake.door import Door
from anxiao.reporting.commands.counting import differences
from anxiao.reporting.models import Report
from anxiao.reporting.storage import ROSTER_LOCK_CLASS, Draft, Result
from tests.builders import counted
from tests.cast import Cast
from tests.conftest import Database
from tests.intake.phones import Phone, asked, crowd, drafts, opened, submission


def stored() -> set[int]:
    with school_context("*"):
        return set(Report.objects.values_list("person_id", flat=True))


def settled(given: list[Draft]) -> list[Any]:
    """What becomes of drafts that come together: a result, or the error."""

    async def story(door: Door) -> list[Any]:
        found = await asyncio.gather(*map(door.batches.settle, given), return_exceptions=True)
        return [one if isinstance(one, BaseException) else one.result for one in found]

    return opened(story)


@pytest.mark.parametrize("bad", [[0, 12], [3, 4, 9]])
def test_what_the_database_refuses_fails_alone(cast: Cast, bad: list[int]) -> None:
    """A value that no column holds, wherever it stands in the batch: its neighbours are kept and counted."""
    held = crowd(cast.tongxin1, 13)
    with school_context("*"):
        counted(cast.anda.pk)
    given = drafts(held, asked())
    for n in bad:
        given[n] = replace(given[n], typed={**given[n].typed, "temperature_tenths": 40_000})
    outcomes = settled(given)
    for n, outcome in enumerate(outcomes):
        if n in bad:
            assert isinstance(outcome, psycopg.errors.NumericValueOutOfRange)
        else:
            assert outcome is Result.ACCEPTED
    assert stored() == {one.person_id for n, one in enumerate(held) if n not in bad}
    with school_context("*"):
        assert differences(school_id=cast.anda.pk) == []


def test_halves_find_the_bad_one_in_few_commits(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    given = drafts(crowd(cast.tongxin1, 64), asked())
    given[37] = replace(given[37], typed={**given[37].typed, "temperature_tenths": 40_000})
    monkeypatch.setattr(batching, "WRITERS", 1)

    async def story(door: Door) -> int:
        await asyncio.gather(*map(door.batches.settle, given), return_exceptions=True)
        return door.batches.committed

    assert opened(story) <= 8
    assert len(stored()) == 63


@pytest.mark.usefixtures("morning")
def test_a_no_change_that_says_too_little_is_refused_alone_and_its_neighbours_are_kept(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, new_here, last = crowd(cast.tongxin1, 3)
    round = asked()
    monkeypatch.setattr(batching, "WRITERS", 1)

    def body(held: Pass, **changes: Any) -> dict[str, Any]:
        sent = submission(held, round)
        return {
            "ticket": sent.ticket,
            "round": sent.round_id,
            "form_version": sent.form_version,
            "key": str(sent.key),
            "answers": sent.answers,
            **changes,
        }

    async def story(door: Door) -> list[tuple[int, Any]]:
        bodies = [body(first), body(new_here, unchanged=True, answers={"temperature": 36.5}), body(last)]
        found = await asyncio.gather(
            *(Phone(held).report(sent) for held, sent in zip((first, new_here, last), bodies, strict=True))
        )
        assert door.batches.committed == 1
        return [(answered.status, answered.body.get("code")) for answered in found]

    assert opened(story) == [(201, None), (422, "invalid"), (201, None)]
    assert stored() == {first.person_id, last.person_id}


def test_a_full_queue_is_said_at_once_and_with_when_to_come_again(
    cast: Cast, morning: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    (held,) = crowd(cast.tongxin1, 1)
    round = asked()
    sent = submission(held, round)
    body = {
        "ticket": sent.ticket,
        "round": sent.round_id,
        "form_version": sent.form_version,
        "key": str(sent.key),
        "answers": sent.answers,
    }
    monkeypatch.setattr(batching, "LONGEST_QUEUE", 0)

    async def story(door: Door) -> None:
        refused = await Phone(held).report(body)
        assert (refused.status, refused.body["code"], refused.headers["retry-after"]) == (503, "busy", "5")
        monkeypatch.setattr(batching, "LONGEST_QUEUE", 1)
        assert (await Phone(held).report(body)).status == 201, "the same request, a moment later"

    opened(story)


def _unwritten(longest: int, monkeypatch: pytest.MonkeyPatch) -> Batches:
    """A queue whose writers were never started: nobody takes anything out."""
    monkeypatch.setattr(batching, "LONGEST_QUEUE", longest)
    nothing: Any = None
    return Batches(nothing)


def _for_school(school: int) -> Draft:
    draft: Any = type("Drafted", (), {"school_id": school})()
    return draft  # type: ignore[no-any-return]


def test_a_queue_of_people_who_left_is_full_and_not_broken(monkeypatch: pytest.MonkeyPatch) -> None:
    async def story() -> None:
        queue = _unwritten(2, monkeypatch)
        waiting = [asyncio.create_task(queue.settle(_for_school(1))) for _ in range(2)]
        await asyncio.sleep(0)
        with pytest.raises(Full):
            await queue.settle(_for_school(1))
        for one in waiting:
            one.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        with pytest.raises(Full):
            await queue.settle(_for_school(2))

    asyncio.run(story())


def test_schools_take_turns() -> None:
    """A line of a thousand reports of one school is a line for that school only."""

    async def story() -> list[int]:
        queue = batching._Turns(0)
        for school in [1] * 1000 + [2] * 3 + [3]:
            queue.put_nowait(batching.Waiting(_for_school(school)))
        assert queue.qsize() == 1004
        taken = [queue.get_nowait().draft.school_id for _ in range(1004)]
        assert queue.empty()
        return taken

    taken = asyncio.run(story())
    assert taken[:8] == [1, 2, 3, 1, 2, 1, 2, 1]
    assert (taken.count(1), taken.count(2), taken.count(3)) == (1000, 3, 1)


def test_a_school_that_floods_costs_another_a_commit_or_two(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    """Counted in commits, which are what a waiting phone feels: the flood takes dozens, the other school few."""
    monkeypatch.setattr(batching, "LARGEST", 16)
    round = asked()
    flood = drafts(crowd(cast.tongxin1, 600), round)
    quiet = drafts(crowd(cast.jixie1, 3), round)

    async def story(door: Door) -> tuple[list[int], int]:
        flooding = [asyncio.create_task(door.batches.settle(draft)) for draft in flood]
        while door.batches.committed < 2:
            await asyncio.sleep(0.001)
        waited = []
        for draft in quiet:
            before = door.batches.committed
            await door.batches.settle(draft)
            waited.append(door.batches.committed - before)
        still = sum(not one.done() for one in flooding)
        await asyncio.gather(*flooding)
        return waited, still

    waited, still = opened(story)
    assert max(waited) <= 2 * batching.WRITERS + 3, waited
    assert still > 200, "the flood goes on"
    assert len(stored()) == 603


def test_a_held_roster_holds_up_its_own_school_only(cast: Cast, database: Database) -> None:
    """An import of one school runs; the others' reports are committed, its own wait and are kept afterwards."""
    round = asked()
    theirs, others = drafts(crowd(cast.tongxin1, 5), round), drafts(crowd(cast.jixie1, 5), round)
    mixed = [draft for pair in zip(theirs, others, strict=True) for draft in pair]

    async def story(door: Door) -> None:
        with psycopg.connect(database.app_url) as importing:
            importing.execute("SELECT pg_advisory_xact_lock(%s, %s)", [ROSTER_LOCK_CLASS, cast.anda.pk])
            tasks = {draft.key: asyncio.create_task(door.batches.settle(draft)) for draft in mixed}
            free = await asyncio.wait_for(asyncio.gather(*(tasks[draft.key] for draft in others)), 5)
            assert {one.result for one in free} == {Result.ACCEPTED}
            assert not any(tasks[draft.key].done() for draft in theirs)
            tasks[theirs[0].key].cancel()  # this phone went away
            importing.rollback()
        kept = await asyncio.wait_for(asyncio.gather(*(tasks[draft.key] for draft in theirs[1:])), 10)
        assert {one.result for one in kept} == {Result.ACCEPTED}

    opened(story)
    assert len(stored()) == 10, "also what nobody waited for any more"


def test_a_door_that_closes_finishes_what_it_took_in(cast: Cast, database: Database) -> None:
    round = asked()
    given = [*drafts(crowd(cast.tongxin1, 300), round), *drafts(crowd(cast.jixie1, 2), round)]

    async def story() -> list[Any]:
        await the_door.open()
        with psycopg.connect(database.app_url) as importing:
            importing.execute("SELECT pg_advisory_xact_lock(%s, %s)", [ROSTER_LOCK_CLASS, cast.gongda.pk])
            tasks = [asyncio.create_task(the_door.batches.settle(draft)) for draft in given]
            await asyncio.sleep(0)
            closing = asyncio.create_task(the_door.close())
            await asyncio.wait(tasks[:300])
            assert not closing.done(), "one school's roster is still held"
            importing.rollback()
            await closing
        assert all(task.done() for task in tasks)
        return [task.result().result for task in tasks]

    assert asyncio.run(story()) == [Result.ACCEPTED] * 302
    assert len(stored()) == 302


def test_who_leaves_takes_nobody_along(cast: Cast) -> None:
    held = crowd(cast.tongxin1, 60)
    given = drafts(held, asked())

    async def story(door: Door) -> list[Any]:
        tasks = [asyncio.create_task(door.batches.settle(draft)) for draft in given]
        await asyncio.sleep(0)
        for task in tasks[::3]:
            task.cancel()
        found = await asyncio.gather(*tasks, return_exceptions=True)
        assert (await door.batches.settle(given[1])).result is Result.REPEATED, "the writers live"
        return found

    found = opened(story)
    assert all(isinstance(one, asyncio.CancelledError) for one in found[::3])
    assert [one.result for n, one in enumerate(found) if n % 3] == [Result.ACCEPTED] * 40
    assert stored() >= {one.person_id for n, one in enumerate(held) if n % 3}


def test_batches_are_measured(cast: Cast) -> None:
    before = meters.own()
    settled(drafts(crowd(cast.tongxin1, 7), asked()))
    after = meters.own()
    assert after.sizes.total - before.sizes.total == 7
    assert after.seconds.total > before.seconds.total
