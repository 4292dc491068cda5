"""One request, one transaction: the scope first, then the story, then the commit, and only then an answer."""

from __future__ import annotations

from collections.abc import AsyncIterator, Generator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from psycopg import AsyncConnection
from psycopg.rows import DictRow, dict_row
from psycopg_pool import AsyncConnectionPool

from anxiao.base.scope import SHARED_SCHOOL
from anxiao.intake.environment import conninfo
from anxiao.intake.statements import SCOPE
from anxiao.reporting.storage import Accepted, Rows, Statement

Connection = AsyncConnection[DictRow]
Pool = AsyncConnectionPool[Connection]


def make_pool() -> Pool:
    """A pool that opens in the background: the door answers 503 while the database is away, and recovers by itself."""
    return AsyncConnectionPool(
        conninfo(),
        min_size=1,
        max_size=16,
        timeout=8,
        max_waiting=2000,
        open=False,
        kwargs={"row_factory": dict_row, "autocommit": True},
    )


@asynccontextmanager
async def transaction(pool: Pool, *schools: int) -> AsyncIterator[Connection]:
    """A transaction that sees these schools (and what is above the schools) and no other."""
    async with pool.connection() as connection, connection.transaction():
        await connection.execute(SCOPE, {"scope": ",".join(str(s) for s in (SHARED_SCHOOL, *sorted(schools)))})
        yield connection


async def rows(connection: Connection, statement: str, params: Mapping[str, Any]) -> list[DictRow]:
    """All rows of a statement; none for a statement that has no result."""
    cursor = await connection.execute(statement.encode(), params)
    return await cursor.fetchall() if cursor.description is not None else []


async def drive(connection: Connection, story: Generator[Statement, Rows, list[Accepted]]) -> list[Accepted]:
    """Run the statements of ``reporting.storage.accept`` and send their rows back until it returns."""
    try:
        statement, params = next(story)
        while True:
            statement, params = story.send(await rows(connection, statement, params))
    except StopIteration as end:
        outcome: list[Accepted] = end.value
        return outcome
