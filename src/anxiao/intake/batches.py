"""Reports that arrive together are committed together.

Nobody waits for a batch to fill: whoever comes while a commit is on its way to the disk goes with the next one. Alone,
a report costs one commit; in the morning peak sixty of them share one, and the roster, the counters and the ledger are
written in one statement each. Nobody hears of an outcome before the commit of their batch.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field

from anxiao.base.passes import Pass
from anxiao.intake import statements
from anxiao.intake.database import Pool, drive, rows, transaction
from anxiao.reporting.storage import Accepted, Draft, accept

log = logging.getLogger(__name__)

LARGEST = 64
#: Two, so that one batch is judged and written while the other waits for the disk.
WRITERS = 2
LONGEST_QUEUE = 5000


class Full(Exception):
    """More reports are waiting than this process will promise to keep in time."""


class PassEnded(Exception):
    """The pass was withdrawn between the look at it and the transaction that would have used it."""


@dataclass(slots=True, eq=False)
class Waiting:
    """A judged report and who waits for its outcome."""

    draft: Draft
    held: Pass
    outcome: asyncio.Future[Accepted] = field(default_factory=lambda: asyncio.get_running_loop().create_future())


class Batches:
    """The queue before the commit, and its writers."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._queue: asyncio.Queue[Waiting] = asyncio.Queue(LONGEST_QUEUE)
        self._writers: list[asyncio.Task[None]] = []
        self.committed = 0

    def start(self) -> None:
        self._writers = [asyncio.create_task(self._write()) for _ in range(WRITERS)]

    async def stop(self) -> None:
        """Finish what was taken in, then end."""
        await self._queue.join()
        for writer in self._writers:
            writer.cancel()
        await asyncio.gather(*self._writers, return_exceptions=True)

    async def settle(self, draft: Draft, held: Pass) -> Accepted:
        """Keep a report; returns what became of it, after the commit."""
        waiting = Waiting(draft, held)
        try:
            self._queue.put_nowait(waiting)
        except asyncio.QueueFull:
            raise Full from None
        return await waiting.outcome

    async def _write(self) -> None:
        while True:
            batch = [await self._queue.get()]
            while len(batch) < LARGEST and not self._queue.empty():
                batch.append(self._queue.get_nowait())
            try:
                await self._settle_together(batch)
            finally:
                for _ in batch:
                    self._queue.task_done()

    async def _settle_together(self, batch: Sequence[Waiting]) -> None:
        try:
            await self._commit(batch)
        except Exception as error:
            if len(batch) == 1:
                _fail(batch[0], error)
                return
            # One of them spoils the batch, and nothing of it was kept: each for itself, so that only that one fails.
            log.warning("a batch of %d reports is split: %s", len(batch), type(error).__name__)
            for waiting in batch:
                await self._settle_together([waiting])

    async def _commit(self, batch: Sequence[Waiting]) -> None:
        # One order for everybody: two writers that correct the same reports wait for each other and never in a ring.
        ordered = sorted(batch, key=lambda w: (w.draft.school_id, w.draft.person_id, w.draft.round_id))
        async with transaction(self._pool, *{w.draft.school_id for w in ordered}) as connection:
            standing = await rows(connection, statements.PASSES, {"users": [w.held.user_id for w in ordered]})
            versions = {row["id"]: row["pass_version"] for row in standing if row["is_active"]}
            valid = [w for w in ordered if versions.get(w.held.user_id) == w.held.version]
            outcomes = await drive(connection, accept([w.draft for w in valid])) if valid else []
        self.committed += 1
        for waiting in ordered:
            if waiting not in valid:
                _fail(waiting, PassEnded())
        for waiting, outcome in zip(valid, outcomes, strict=True):
            if not waiting.outcome.done():
                waiting.outcome.set_result(outcome)


def _fail(waiting: Waiting, error: Exception) -> None:
    if not waiting.outcome.done():
        waiting.outcome.set_exception(error)
