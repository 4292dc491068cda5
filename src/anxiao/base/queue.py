"""Handing work to the worker: a job exists exactly when the transaction that asks for it commits.

Who does the work stands on the roof (``config/tasks.py``); rooms know a job by its name.
"""

from __future__ import annotations

from typing import Any


def defer(name: str, *, lock: str, priority: int = 0, **arguments: Any) -> int:
    """Ask for a job; returns its number.  Jobs with the same ``lock`` are done one after the other, in this order.

    Arguments are ids, never names or values: the queue is no place for persons.
    """
    # here, because the door of the phones reads this room too and must stay small
    from procrastinate.contrib.django import app

    return app.configure_task(name, allow_unknown=True, lock=lock, priority=priority).defer(**arguments)
