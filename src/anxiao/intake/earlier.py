"""The records that "no change" copies. For a page that shows their labels they are looked up together: whoever asks
while a look-up is under way joins the next one. A report reads its record in the transaction that keeps it
(``batches``).
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from anxiao.base import pgarrays
from anxiao.base.tickets import Ticket
from anxiao.intake import statements
from anxiao.intake.company import company
from anxiao.intake.database import Connection, Pool, rows, transaction

LARGEST = 128

Record = Mapping[str, Any]


class Earlier:
    """For a report the newest one before it, for a correction the version that it corrects."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._asked: list[tuple[Ticket, asyncio.Future[Record | None]]] = []
        self._looking: asyncio.Task[None] | None = None

    async def record(self, ticket: Ticket) -> Record | None:
        """The typed columns and ``answers`` of the record, or None."""
        answer: asyncio.Future[Record | None] = asyncio.get_running_loop().create_future()
        self._asked.append((ticket, answer))
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look())
        return await answer

    async def stop(self) -> None:
        """Let the last look-up end."""
        if self._looking is not None:
            await asyncio.gather(self._looking, return_exceptions=True)

    async def _look(self) -> None:
        while self._asked:
            await company(lambda: len(self._asked), LARGEST)
            asked, self._asked = self._asked[:LARGEST], self._asked[LARGEST:]
            try:
                found = await self._read([ticket for ticket, _ in asked])
            except Exception as error:
                for _, answer in asked:
                    if not answer.done():
                        answer.set_exception(error)
                continue
            for n, (_, answer) in enumerate(asked):
                if not answer.done():
                    answer.set_result(found.get(n))

    async def _read(self, tickets: Sequence[Ticket]) -> dict[int, Record]:
        async with transaction(self._pool, *{ticket.school_id for ticket in tickets}) as connection:
            return await records(connection, tickets)


async def records(connection: Connection, tickets: Sequence[Ticket]) -> dict[int, Record]:
    """The records behind some tickets by their place; who has none is left out."""
    found = await rows(
        connection,
        statements.EARLIER,
        {
            "schools": pgarrays.plain([t.school_id for t in tickets]),
            "persons": pgarrays.plain([t.person_id for t in tickets]),
            "days": pgarrays.plain([t.day for t in tickets]),
            "rounds": pgarrays.plain([t.round_id for t in tickets]),
            "versions": pgarrays.plain([t.version - 1 for t in tickets]),
        },
    )
    return {row["n"] - 1: row for row in found}
