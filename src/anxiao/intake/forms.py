"""Published forms, compiled once a process and language-free."""

from __future__ import annotations

import asyncio

from anxiao.base.marking import gettext_noop as _
from anxiao.intake import statements
from anxiao.intake.database import Pool, rows, transaction
from anxiao.intake.http import Denied
from anxiao.intake.standing import Standing
from anxiao.questionnaires.rules import Compiled, compile

_MOST = 64


class Forms:
    """Versions never change once published; only a database that was put back may give a number to another form."""

    def __init__(self, pool: Pool, standing: Standing) -> None:
        self._pool = pool
        self._standing = standing
        self._epoch = 0
        self._known: dict[int, Compiled] = {}
        self._reading = asyncio.Lock()

    async def get(self, version: int) -> Compiled:
        """The compiled form, or ``Denied`` (404)."""
        if self._epoch != self._standing.epoch:
            self._known.clear()
            self._epoch = self._standing.epoch
        known = self._known.get(version)
        if known is not None:
            return known
        async with self._reading:  # the first thousand of the morning come at once, and one of them reads
            return self._known.get(version) or await self._read(version)

    async def _read(self, version: int) -> Compiled:
        async with transaction(self._pool) as connection:
            found = await rows(connection, statements.DEFINITION, {"version": version})
        if not found:
            raise Denied(404, "not_found", _("That does not exist here."))
        if len(self._known) >= _MOST:
            self._known.clear()
        self._known[version] = compile(found[0]["definition"])
        return self._known[version]
