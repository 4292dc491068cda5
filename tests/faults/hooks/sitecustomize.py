"""Faults inside the processes of a deployment under test; Python imports this file by itself when it is on its path.

``FAULT_CLOCK=FILE``  the application's clock is so many seconds ahead of the machine's as the file says, one line a
                      worker; a missing line or file means 0.
``FAULT_DIE=FILE``    a worker that is about to commit a batch ends by SIGKILL when the file says ``before``, one that
                      has just committed when it says ``after``; the file is removed first, so only one dies.
``FAULT_HASTY=1``     the door acknowledges what is not on disk: the negative control of the tests of durability.
``FAULT_LIMITLESS=1`` nobody knocks too often: the negative control of the test of fairness.
"""

from __future__ import annotations

import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any


def _shift_clock(path: Path) -> None:
    from anxiao.base import clock

    row = int(os.environ.get("ANXIAO_METERS_ROW", "0"))

    def shifted() -> datetime:
        lines = path.read_text().split() if path.exists() else []
        return datetime.now(UTC) + timedelta(seconds=float(lines[row]) if row < len(lines) else 0.0)

    clock.now = shifted


def _die(path: Path) -> None:
    from anxiao.intake import batches

    begin = batches.transaction

    def end_if(moment: str) -> None:
        if path.exists() and path.read_text() == moment:
            path.unlink()
            os.kill(os.getpid(), signal.SIGKILL)

    @asynccontextmanager
    async def transaction(pool: Any, *schools: int) -> AsyncIterator[Any]:
        async with begin(pool, *schools) as connection:
            yield connection
            end_if("before")
        end_if("after")

    batches.transaction = transaction


def _be_hasty() -> None:
    from anxiao.intake import environment

    environment._OPTIONS = environment._OPTIONS.replace("synchronous_commit=on", "synchronous_commit=off")
    environment.may_lose_reports = lambda: True
    from anxiao.intake import standing

    standing.may_lose_reports = environment.may_lose_reports


def _forget_limits() -> None:
    from anxiao.intake.limits import Limits

    Limits.allows = lambda self, account, at: True  # type: ignore[method-assign]


if path := os.environ.get("FAULT_CLOCK"):
    _shift_clock(Path(path))
if path := os.environ.get("FAULT_DIE"):
    _die(Path(path))
if os.environ.get("FAULT_HASTY"):
    _be_hasty()
if os.environ.get("FAULT_LIMITLESS"):
    _forget_limits()
