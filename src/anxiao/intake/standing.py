"""Which passes have ended, known to this process within a second and asked without a database.

PostgreSQL says ``account:serial`` on a channel when the passes of an account end (disabled, signed out everywhere,
moved, a role given or ended). Whoever connects, or connects again, first listens and then reads what ended within the
lifetime of a pass, so nothing falls between. While the connection is away nobody can be told: the door then says so
in its health and refuses whatever a pass would be needed for, because a pass that ended a moment ago must not be good
for a report.

The same connection is asked for its clock and for the settings behind "acknowledged means on disk" every second.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from datetime import UTC, datetime

import psycopg
from psycopg import AsyncConnection

from anxiao.base.marking import gettext_noop as _
from anxiao.base.passes import CHANNEL, LIFETIME, Pass
from anxiao.intake import meters
from anxiao.intake.environment import may_lose_reports
from anxiao.intake.http import Denied

log = logging.getLogger(__name__)

#: Seconds between two looks at the connection, and how long an answer may take before it counts as lost.
BEAT, PATIENCE = 1.0, 0.8
MOST_SKEW = 2.0
#: How long a lost connection is tried again before the next attempt.
_RETRY = 0.2

_RECENT = "SELECT id, pass_serial FROM account WHERE pass_changed_at > now() - %(lifetime)s"
_BEAT = """
SELECT extract(epoch FROM clock_timestamp())::float8,
       current_setting('fsync') = 'on' AND current_setting('full_page_writes') = 'on'
       AND current_setting('synchronous_commit') = 'on'
"""


class Standing:
    """The serials below which passes have ended, and whether this knowledge is fresh."""

    def __init__(self, conninfo: str) -> None:
        self._conninfo = conninfo
        self._serials: dict[int, int] = {}
        self._task: asyncio.Task[None] | None = None
        self._heard = asyncio.Event()
        self.up = False
        self.durable = True
        self.epoch = 0
        """Raised with every connection: what a process remembers of the database is void after a new one."""

    def start(self) -> None:
        self._task = asyncio.create_task(self._listen())

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def ready(self, seconds: float) -> None:
        """Wait for the first connection, but not for ever: a door whose database is away says so to everybody."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._heard.wait(), seconds)

    def check(self, held: Pass) -> None:
        """Raise ``Denied`` when the pass has ended, or when that cannot be known."""
        if not self.up:
            raise Denied(503, "busy", _("The platform is busy. Please try again in a moment."))
        if held.serial < self._serials.get(held.user_id, 0):
            raise Denied(401, "signed_out", _("Please sign in again."))

    def check_durable(self) -> None:
        """Raise ``Denied`` when the database would acknowledge what a power cut can take back."""
        if not self.durable:
            raise Denied(503, "busy", _("The platform is busy. Please try again in a moment."))

    async def _listen(self) -> None:
        while True:
            try:
                async with await AsyncConnection.connect(self._conninfo, autocommit=True) as connection:
                    await self._follow(connection)
            except (OSError, psycopg.Error, TimeoutError) as error:
                if self.up:
                    log.warning("withdrawn passes are not heard of: %s", type(error).__name__)
            finally:
                self._say(False)
            await asyncio.sleep(_RETRY)

    async def _follow(self, connection: AsyncConnection) -> None:
        await connection.execute(f"LISTEN {CHANNEL}")
        serials = await connection.execute(_RECENT, {"lifetime": LIFETIME})
        self._serials = dict(await serials.fetchall())
        self.epoch += 1
        await self._beat(connection)
        while True:
            async for notice in connection.notifies(timeout=BEAT, stop_after=100):
                account, _mark, serial = notice.payload.partition(":")
                self._serials[int(account)] = max(int(serial), self._serials.get(int(account), 0))
            await self._beat(connection)

    async def _beat(self, connection: AsyncConnection) -> None:
        # Ending a statement that hangs takes the driver ten seconds more; the door must know now.
        overdue = asyncio.get_running_loop().call_later(PATIENCE, self._say, False)
        try:
            cursor = await asyncio.wait_for(connection.execute(_BEAT), PATIENCE)
        finally:
            overdue.cancel()
        found = await cursor.fetchone()
        assert found is not None
        moment, durable = found
        if self.durable and not durable:
            log.warning("the database may lose what it acknowledges")
        self.durable = durable or may_lose_reports()
        meters.health("skew", datetime.now(UTC).timestamp() - moment)
        meters.health("durable", durable)
        self._say(True)

    def _say(self, up: bool) -> None:
        self.up = up
        meters.listener(up)
        meters.health("database", up)
        if up:
            self._heard.set()
