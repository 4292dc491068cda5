"""A pass that ended is refused within a second in every worker; a door that cannot know refuses everybody."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp
from typing import Any

import psycopg
import pytest
from django.db import connection

from anxiao.accounts.commands.grants import end_grant, give_grant
from anxiao.accounts.commands.sessions import change_password, end_all_sessions
from anxiao.accounts.models import Grant, User
from anxiao.base.passes import Pass
from anxiao.base.permissions import Role
from anxiao.base.tenancy import school_context
from anxiao.config.embedded import APP, SUPERUSER, EmbeddedServer
from anxiao.intake import meters, standing
from anxiao.intake.environment import conninfo
from anxiao.intake.http import Denied
from anxiao.intake.standing import Standing
from tests.builders import HOUSE, MORNING, TODAY
from tests.cast import Cast
from tests.conftest import Database
from tests.intake.phones import Phone, asked, crowd, opened

Way = Callable[[Cast, User], None]


def _move(cast: Cast, user: User) -> None:
    User.objects.filter(pk=user.pk).update(home_school=cast.gongda)


def _give(cast: Cast, user: User) -> None:
    give_grant(
        by=cast.admin, now=MORNING, user=user, role=Role.COUNSELLOR, organisation=cast.tongxin1, valid_from=TODAY
    )


def _end(cast: Cast, user: User) -> None:
    end_grant(by=cast.admin, now=MORNING, grant=Grant.objects.get(user=user))


WAYS: dict[str, Way] = {
    "disabled": lambda cast, user: User.objects.filter(pk=user.pk).update(is_active=False) and None,
    "signed out everywhere": lambda cast, user: end_all_sessions(by=HOUSE, now=MORNING, user=user),
    "another password": lambda cast, user: change_password(
        by=HOUSE, now=MORNING, user=user, password="correct horse 9"
    ),
    "given a role": _give,
    "a role ended": _end,
    "moved to another school": _move,
}


def ended(known: Standing, held: Pass) -> int:
    """The status that this pass is answered with; 0 means that it is good."""
    try:
        known.check(held)
    except Denied as denied:
        return denied.status
    return 0


@asynccontextmanager
async def workers(count: int) -> AsyncIterator[list[Standing]]:
    """As many workers as the service would have, each with its own connection."""
    started = [Standing(conninfo()) for _ in range(count)]
    for one in started:
        one.start()
    try:
        for one in started:
            await one.ready(20)
        yield started
    finally:
        for one in started:
            await one.stop()


async def within(seconds: float, true: Callable[[], bool]) -> float:
    """Seconds until something was true; fails when it took too long."""
    begun = time.monotonic()
    while not true():
        assert time.monotonic() - begun < seconds, "it took too long"
        await asyncio.sleep(0.005)
    return time.monotonic() - begun


async def through_django(what: Callable[[], None]) -> None:
    def done() -> None:
        try:
            with school_context("*"):
                what()
        finally:
            connection.close()  # this thread's own

    await asyncio.to_thread(done)


async def renewed(held: Pass) -> Pass:
    """The pass that signing in again would give."""
    serials: list[int] = []
    await through_django(lambda: serials.append(User.objects.get(pk=held.user_id).pass_serial))
    return Pass(held.user_id, held.person_id, held.school_id, serials[0], held.expires_at)


def _go(way: Way, cast: Cast, held: Pass) -> None:
    way(cast, User.objects.get(pk=held.user_id))


def _stale(held: Pass, cast: Cast) -> None:
    """A row is read, a role ends its pass, and the row is saved whole."""
    read = User.objects.get(pk=held.user_id)
    _give(cast, read)
    read.save()


def _all_refuse(started: list[Standing], held: Pass) -> bool:
    return all(ended(one, held) == 401 for one in started)


def test_whatever_ends_a_pass_is_known_to_every_worker_within_a_second(cast: Cast) -> None:
    (held, neighbour) = crowd(cast.tongxin1, 2)

    async def story() -> None:
        current = held
        async with workers(3) as started:
            for name, way in WAYS.items():
                assert [ended(one, current) for one in started] == [0, 0, 0], name
                await through_django(partial(_go, way, cast, held))
                await within(1.0, partial(_all_refuse, started, current))
                current = await renewed(held)
            assert [ended(one, neighbour) for one in started] == [0, 0, 0]

    asyncio.run(story())


def test_the_database_ends_passes_whoever_writes_the_row(cast: Cast, database: Database) -> None:
    """An operator with psql; and a row that was read long ago and is saved whole brings no pass back."""
    (held,) = crowd(cast.tongxin1, 1)
    old = User.objects.get(pk=held.user_id)

    async def story() -> None:
        async with workers(1) as (known,):
            with psycopg.connect(database.superuser_url, autocommit=True) as operator:
                operator.execute("UPDATE account SET display_name = 'x' WHERE id = %s", [held.user_id])
                operator.execute("UPDATE account SET pass_version = pass_version + 1 WHERE id = %s", [held.user_id])
                operator.execute("UPDATE account SET pass_serial = 1 WHERE id = %s", [held.user_id])
            await within(1.0, lambda: ended(known, held) == 401)
            assert (await renewed(held)).serial == 2, "it never falls"
            await through_django(lambda: _stale(held, cast))
            assert (await renewed(held)).serial == 3
            await through_django(lambda: old.save())
            fresh = await renewed(held)
            assert fresh.serial > held.serial
            await within(1.0, lambda: ended(known, fresh) == 0)
            assert ended(known, held) == 401
        async with workers(1) as (later,):
            assert (ended(later, held), ended(later, fresh)) == (401, 0), "and a worker that starts anew knows"

    asyncio.run(story())


def test_a_change_that_ends_nothing_leaves_the_pass_alone(cast: Cast) -> None:
    (held,) = crowd(cast.tongxin1, 1)
    with school_context("*"):
        User.objects.filter(pk=held.user_id).update(display_name="新名", must_change_password=True)
    assert asyncio.run(renewed(held)) == held


@pytest.mark.usefixtures("morning")
def test_a_door_that_lost_its_ear_refuses_until_it_has_caught_up(cast: Cast, database: Database) -> None:
    """The connection is cut and the database takes no other; meanwhile a pass ends, which nobody can be told."""
    held, neighbour = crowd(cast.tongxin1, 2)

    async def story(door: Any) -> None:
        phone, other = Phone(held), Phone(neighbour)
        assert (await phone.today()).status == 200
        assert meters.own().facts["listener"] == 1
        with psycopg.connect(database.server.dsn(SUPERUSER, "postgres"), autocommit=True) as operator:
            operator.execute(f"ALTER DATABASE {database.name} ALLOW_CONNECTIONS false".encode())
            operator.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = %s AND application_name = 'anxiao-intake' AND query LIKE '%%full_page_writes%%'",
                [database.name],
            )
            await within(2.0, lambda: not door.standing.up)
            refused = await phone.today()
            assert (refused.status, refused.body["code"], refused.headers["retry-after"]) == (503, "busy", "5")
            assert meters.own().facts["listener"] == 0
            operator.execute(f"ALTER DATABASE {database.name} ALLOW_CONNECTIONS true".encode())
            with psycopg.connect(database.superuser_url, autocommit=True) as inside:
                inside.execute("UPDATE account SET is_active = false WHERE id = %s", [held.user_id])
        await within(5.0, lambda: bool(door.standing.up))
        assert (await phone.today()).status == 401
        assert (await other.today()).status == 200
        assert meters.own().facts["listener"] == 1

    opened(story)


def test_a_connection_that_hangs_is_no_ear(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    """A firewall that swallows packets cuts nothing; who is not answered in time knows nothing."""
    (held,) = crowd(cast.tongxin1, 1)

    async def story() -> None:
        async with workers(1) as (known,):
            assert ended(known, held) == 0
            execute = psycopg.AsyncConnection.execute

            async def swallowed(self: Any, query: Any, *args: Any, **more: Any) -> Any:
                await asyncio.sleep(60)

            monkeypatch.setattr(psycopg.AsyncConnection, "execute", swallowed)
            await within(4.0, lambda: ended(known, held) == 503)
            monkeypatch.setattr(psycopg.AsyncConnection, "execute", execute)

    asyncio.run(story())


@pytest.mark.usefixtures("morning")
def test_the_look_at_a_pass_asks_the_database_nothing(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    held, gone = crowd(cast.tongxin1, 2)
    with school_context("*"):
        User.objects.filter(pk=gone.user_id).update(is_active=False)
    sent: list[str] = []
    execute = psycopg.AsyncCursor.execute

    async def counted(self: Any, query: Any, *args: Any, **more: Any) -> Any:
        sent.append(query.decode() if isinstance(query, bytes) else str(query))
        return await execute(self, query, *args, **more)

    async def story(_door: Any) -> None:
        phone = Phone(held)
        await phone.ask("GET", "/form?version=1")  # compiled now
        monkeypatch.setattr(psycopg.AsyncCursor, "execute", counted)
        for _ in range(10):
            assert (await phone.ask("GET", "/form?version=1")).status == 200
            assert (await Phone(gone).ask("GET", "/form?version=1")).status == 401
        foreign = [one for one in sent if "full_page_writes" not in one]
        assert foreign == []
        await phone.today()
        assert [one for one in sent if "full_page_writes" not in one], "the counting counts"
        monkeypatch.setattr(psycopg.AsyncCursor, "execute", execute)

    asked()
    opened(story)


def test_how_far_the_clocks_are_apart_is_said(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    class Ahead(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> datetime:
            return datetime.now(tz) + timedelta(seconds=5)

    async def story() -> None:
        async with workers(1):
            assert abs(meters.own().facts["skew"]) < standing.MOST_SKEW
            monkeypatch.setattr(standing, "datetime", Ahead)
            await within(4.0, lambda: meters.own().facts["skew"] > standing.MOST_SKEW)
            assert meters.own().facts["skew"] == pytest.approx(5, abs=1)

    asyncio.run(story())


@pytest.fixture(scope="module")
def durable() -> Iterator[EmbeddedServer]:
    """A server that keeps what it acknowledges, with as much in it as a listener asks for."""
    home = Path(mkdtemp(prefix="anxiao-durable-"))
    server = EmbeddedServer(home)
    try:
        server.start()
        with psycopg.connect(server.dsn(SUPERUSER), autocommit=True) as operator:
            operator.execute("CREATE TABLE account (id int, pass_serial int, pass_changed_at timestamptz)")
            operator.execute(f"GRANT SELECT ON account TO {APP}".encode())
        yield server
    finally:
        server.stop()
        rmtree(home, ignore_errors=True)


def test_a_database_that_may_forget_is_refused_within_two_seconds(
    durable: EmbeddedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", durable.dsn(APP))
    monkeypatch.delenv("ANXIAO_UNSAFE_FAST")
    held = Pass(1, 1, 1, 1, datetime.now(UTC) + timedelta(days=1))

    async def sent() -> tuple[int, str]:
        answer = await Phone(held).report({})
        return answer.status, answer.body["code"]

    async def story(door: Any) -> None:
        with psycopg.connect(durable.dsn(SUPERUSER), autocommit=True) as operator:

            async def set_to(value: str, name: str) -> None:
                operator.execute(f"ALTER SYSTEM SET {name} = {value}".encode())
                operator.execute("SELECT pg_reload_conf()")

            assert await sent() == (400, "unreadable"), "refused for what it says, not for the database"
            for name in ("fsync", "full_page_writes"):
                await set_to("off", name)
                await within(2.0, lambda: not door.standing.durable)
                assert await sent() == (503, "busy")
                assert meters.own().facts["durable"] == 0
                await set_to("on", name)
                await within(2.0, lambda: bool(door.standing.durable))
                assert await sent() == (400, "unreadable")

            # What is set for a role or a database is overruled by the door's own connections.
            operator.execute("ALTER SYSTEM SET synchronous_commit = off")
            operator.execute("SELECT pg_reload_conf()")
            operator.execute(f"ALTER ROLE {APP} SET synchronous_commit = off".encode())
            operator.execute("ALTER DATABASE anxiao SET synchronous_commit = off")
            operator.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'anxiao-intake'"
            )
            before = door.standing.epoch
            await within(5.0, lambda: door.standing.epoch > before and door.standing.up)
            assert door.standing.durable
            await door.pool.check()
            async with door.pool.connection() as own:
                found = await (await own.execute("SHOW synchronous_commit")).fetchone()
                assert found == {"synchronous_commit": "on"}

    opened(story)


def test_only_a_test_may_say_that_forgetting_is_fine(
    postgres: EmbeddedServer, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story() -> bool:
        async with workers(1) as (known,):
            return known.durable

    assert postgres.unsafe_fast
    assert asyncio.run(story()), "this run says so"
    monkeypatch.delenv("ANXIAO_UNSAFE_FAST")
    assert not asyncio.run(story())
