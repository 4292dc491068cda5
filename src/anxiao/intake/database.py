"""Transactions of the door: the scope first, then the story, then the commit, and only then an answer."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import psycopg
from psycopg import AsyncConnection
from psycopg.rows import DictRow, dict_row
from psycopg_pool import AsyncConnectionPool, PoolTimeout, TooManyRequests

from anxiao.base.scope import SHARED_SCHOOL
from anxiao.intake.environment import conninfo
from anxiao.intake.statements import SCOPE
from anxiao.reporting.storage import Accepted, Rows, Step, Story

Connection = AsyncConnection[DictRow]
Pool = AsyncConnectionPool[Connection]

AWAY = (psycopg.OperationalError, psycopg.errors.ReadOnlySqlTransaction, PoolTimeout, TooManyRequests)
"""What a database raises that is away, full, overloaded or (in the middle of a change of servers) only to be read:
nothing was kept, and the same key may be sent again.
"""


def make_pool() -> Pool:
    """A pool that opens in the background: the door answers 503 while the database is away, and recovers by itself."""
    return AsyncConnectionPool(
        conninfo(),
        min_size=1,
        max_size=16,
        timeout=8,
        max_waiting=2000,
        open=False,
        kwargs={"row_factory": dict_row, "autocommit": True, "prepare_threshold": 1},
    )


@asynccontextmanager
async def transaction(pool: Pool, *schools: int) -> AsyncIterator[Connection]:
    """A transaction that sees these schools (and what is above the schools) and no other.

    In pipeline mode: statements travel together until somebody wants a row, and the commit with the last of them.
    """
    scope = ",".join(map(str, (SHARED_SCHOOL, *sorted(schools))))
    async with pool.connection() as connection, connection.pipeline(), connection.transaction():
        await connection.execute(SCOPE, {"scope": scope})
        yield connection


async def rows(connection: Connection, statement: str, params: Mapping[str, Any]) -> list[DictRow]:
    """All rows of a statement that has some."""
    return await (await connection.execute(statement.encode(), params)).fetchall()


async def drive(connection: Connection, story: Story[list[Accepted]]) -> list[Accepted]:
    """Run the steps of a story and send their rows back until it returns."""
    try:
        steps = next(story)
        while True:
            steps = story.send(await _together(connection, steps))
    except StopIteration as end:
        outcome: list[Accepted] = end.value
        return outcome


async def _together(connection: Connection, steps: Sequence[Step]) -> list[Rows]:
    sent = [await connection.execute(step.sql.encode(), step.params) for step in steps]
    return [await cursor.fetchall() if step.wanted else [] for cursor, step in zip(sent, steps, strict=True)]
