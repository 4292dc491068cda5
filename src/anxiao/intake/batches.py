"""Reports that arrive together are committed together.

Whoever comes waits a moment for company (``company``), alone or in the morning peak, and goes with those who came.
Nobody hears of an outcome before the commit of their batch.

A school whose roster is being changed holds up its own reports and nobody else's: they are taken out of the batch and
wait for their roster in a batch of their own. Schools take turns: a long line is long for its own school only.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from anxiao.base.deployment import receipt_signer
from anxiao.base.tickets import Ticket
from anxiao.intake import meters
from anxiao.intake.company import company
from anxiao.intake.database import AWAY, Connection, Pool, drive, transaction
from anxiao.intake.earlier import Record, records
from anxiao.intake.http import Denied
from anxiao.reporting.storage import Accepted, Draft, Result, accept

log = logging.getLogger(__name__)

LARGEST = 256
#: Two, so that one batch is gathered while the other is written.
WRITERS = 2
LONGEST_QUEUE = 5000
#: Schools whose roster is waited for at the same time; each holds a connection of the pool while it waits.
MOST_PATIENT = 4
#: Seconds after which a phone is told to try again, although its report may yet be kept: the same key finds out. A
#: database that hangs ends no statement, and nobody should be left without an answer.
LONGEST_WAIT = 12.0
_TICK = 0.5


class Full(Exception):
    """More reports are waiting than this process will promise to keep in time."""


@dataclass(slots=True)
class Unfinished:
    """A report that says "no change": it can be judged when its record is at hand, which its own transaction reads.

    ``finish`` is given the record (None: there is none) and makes the draft, or raises what the sender is told.
    """

    ticket: Ticket
    finish: Callable[[Record | None], Draft]

    @property
    def school_id(self) -> int:
        return self.ticket.school_id


@dataclass(slots=True, eq=False)
class Waiting:
    """A report and who waits for its outcome."""

    draft: Draft | Unfinished
    outcome: asyncio.Future[Accepted] = field(default_factory=lambda: asyncio.get_running_loop().create_future())


class _Turns(asyncio.Queue[Waiting]):
    """A line for each school that has one, and one from each in turn."""

    def _init(self, maxsize: int) -> None:
        self._lines: OrderedDict[int, deque[Waiting]] = OrderedDict()
        self._length = 0

    def qsize(self) -> int:
        return self._length

    def empty(self) -> bool:
        return not self._length

    def _put(self, item: Waiting) -> None:
        self._lines.setdefault(item.draft.school_id, deque()).append(item)
        self._length += 1

    def _get(self) -> Waiting:
        school, line = self._lines.popitem(last=False)
        item = line.popleft()
        if line:
            self._lines[school] = line
        self._length -= 1
        return item


class Batches:
    """The queue before the commit, and its writers."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._queue = _Turns(LONGEST_QUEUE)
        self._writers: list[asyncio.Task[None]] = []
        self._gathering = asyncio.Lock()
        self._held_up: dict[int, list[Waiting]] = {}
        self._patient: set[asyncio.Task[None]] = set()
        self._patience = asyncio.Semaphore(MOST_PATIENT)
        self._since: deque[tuple[float, asyncio.Future[Accepted]]] = deque()
        self._waiting = 0
        self.committed = 0

    def start(self) -> None:
        self._writers = [asyncio.create_task(self._write()) for _ in range(WRITERS)]
        self._writers.append(asyncio.create_task(self._end_long_waits()))

    async def stop(self) -> None:
        """Finish what was taken in, then end."""
        await self._queue.join()
        while self._patient:
            await asyncio.gather(*self._patient, return_exceptions=True)
        for writer in self._writers:
            writer.cancel()
        await asyncio.gather(*self._writers, return_exceptions=True)

    async def settle(self, draft: Draft | Unfinished) -> Accepted:
        """Keep a report; returns what became of it, after the commit."""
        # those who left while they waited still have their place until a writer comes to it
        if self._waiting >= LONGEST_QUEUE or self._queue.full():
            raise Full
        waiting = Waiting(draft)
        self._queue.put_nowait(waiting)
        self._waiting += 1
        self._since.append((time.monotonic(), waiting.outcome))
        try:
            return await waiting.outcome
        finally:
            self._waiting -= 1

    async def _end_long_waits(self) -> None:
        """One clock for all who wait: a timer each would cost a twentieth of a report."""
        while True:
            await asyncio.sleep(_TICK)
            limit = time.monotonic() - LONGEST_WAIT
            while self._since and (self._since[0][1].done() or self._since[0][0] < limit):
                outcome = self._since.popleft()[1]
                if not outcome.done():
                    outcome.set_exception(Full())

    async def _write(self) -> None:
        while True:
            async with self._gathering:  # two who gather at once would both get half
                batch = await self._company(await self._queue.get())
            meters.queue_depth(self._waiting)
            try:
                await self._settle_together(batch)
            finally:
                for _ in batch:
                    self._queue.task_done()

    async def _company(self, first: Waiting) -> list[Waiting]:
        """The first and whoever comes within the moments after, one school after the other."""
        await company(self._queue.qsize, LARGEST - 1)
        together = min(LARGEST - 1, self._queue.qsize())
        return [first, *(self._queue.get_nowait() for _ in range(together))]

    async def _settle_together(self, batch: Sequence[Waiting], *, patient: bool = False) -> None:
        try:
            await self._commit(batch, patient=patient)
        except AWAY as error:
            for waiting in batch:
                _fail(waiting, error)
        except Exception as error:
            if len(batch) == 1:
                _fail(batch[0], error)
                return
            # One of them spoils the batch, and nothing of it was kept: halves, so that only that one fails.
            log.warning("a batch of %d reports is split: %s", len(batch), type(error).__name__)
            await self._settle_together(batch[: len(batch) // 2], patient=patient)
            await self._settle_together(batch[len(batch) // 2 :], patient=patient)

    async def _commit(self, batch: Sequence[Waiting], *, patient: bool) -> None:
        begun = time.perf_counter()
        async with transaction(self._pool, *{waiting.draft.school_id for waiting in batch}) as connection:
            # One order for everybody: two writers that correct the same reports wait for each other, never in a ring.
            ordered = sorted(await _finished(connection, batch), key=_in_order)
            drafts = [draft for draft, _waiting in ordered]
            outcomes = await drive(connection, accept(drafts, receipt_signer(), patient=patient)) if drafts else []
        self.committed += 1
        meters.batch(len(batch), time.perf_counter() - begun)
        for (_draft, waiting), outcome in zip(ordered, outcomes, strict=True):
            if outcome.result is Result.HELD_UP and not patient:
                self._wait_for_roster(waiting)
            elif not waiting.outcome.done():
                waiting.outcome.set_result(outcome)

    def _wait_for_roster(self, waiting: Waiting) -> None:
        school = waiting.draft.school_id
        queue = self._held_up.setdefault(school, [])
        queue.append(waiting)
        if len(queue) == 1:
            task = asyncio.create_task(self._write_patiently(school))
            self._patient.add(task)
            task.add_done_callback(self._patient.discard)

    async def _write_patiently(self, school: int) -> None:
        while queue := self._held_up.get(school):
            batch = queue[:LARGEST]
            async with self._patience:
                await self._settle_together(batch, patient=True)
            del queue[: len(batch)]
        del self._held_up[school]


async def _finished(connection: Connection, batch: Sequence[Waiting]) -> list[tuple[Draft, Waiting]]:
    """The drafts of a batch; whose answers are refused is told so, and the others go on."""
    asking = [waiting.draft for waiting in batch if isinstance(waiting.draft, Unfinished)]
    found = await records(connection, [asked.ticket for asked in asking]) if asking else {}
    before = {id(asked): found.get(n) for n, asked in enumerate(asking)}
    drafts = []
    for waiting in batch:
        draft = waiting.draft
        try:
            drafts.append((draft.finish(before[id(draft)]) if isinstance(draft, Unfinished) else draft, waiting))
        except Denied as denied:
            _fail(waiting, denied)
    return drafts


def _in_order(kept: tuple[Draft, Waiting]) -> tuple[int, int, int]:
    draft, _waiting = kept
    return draft.school_id, draft.person_id, draft.round_id


def _fail(waiting: Waiting, error: Exception) -> None:
    if not waiting.outcome.done():
        waiting.outcome.set_exception(error)
