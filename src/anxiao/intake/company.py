"""Waiting for company: a moment for one alone, longer only while every moment brings somebody.

A transaction costs a millisecond or two of processor time however few share it, so in the morning peak it pays to leave
the door open a little: a hundred who go together pay a fiftieth each.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

#: Seconds of a moment, and how long moments may go on.
MOMENT, LINGER = 0.002, 0.02


async def company(here: Callable[[], int], most: int) -> None:
    """Return when a moment has brought nobody, when ``most`` are here, or when it has been long enough."""
    end = time.monotonic() + LINGER
    before = -1
    while before < here() < most and time.monotonic() < end:
        before = here()
        await asyncio.sleep(MOMENT)
