"""The jobs of the house by their names: what the worker (``jobs``) runs when a room has asked for it."""

from __future__ import annotations

from procrastinate import JobContext, RetryStrategy
from procrastinate.contrib.django import app

from anxiao.directory.importing import commands, stepping

ATTEMPTS = 5
"""How often a job is begun, whether it failed or its worker was killed."""

_RETRY = RetryStrategy(max_attempts=ATTEMPTS - 1, wait=2)


@app.task(name=commands.JOB, retry=_RETRY, pass_context=True)
def import_step(context: JobContext, *, school_id: int, import_id: int, step: str) -> str:
    """Read, apply or undo an import."""
    try:
        return stepping.run_step(school_id=school_id, import_id=import_id, step=step)
    except Exception:
        if context.job.attempts >= ATTEMPTS - 1:
            stepping.give_up(school_id=school_id, import_id=import_id, step=step)
        raise


def give_up(name: str, arguments: dict[str, object]) -> None:
    """Say that a job has killed its worker too often."""
    if name == commands.JOB:
        stepping.give_up(**arguments)  # type: ignore[arg-type]
