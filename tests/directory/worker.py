"""A real worker on the test's database, as the supervisor starts it: its own process, which may be killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg

from anxiao.base.tenancy import school_context
from anxiao.directory.models import DirectoryImport

SOON = 60.0


class Worker:
    """One working process."""

    def __init__(self) -> None:
        self._lifeline, self._end = os.pipe()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "anxiao.config.jobs", "--work", str(self._lifeline)], pass_fds=(self._lifeline,)
        )

    def kill(self) -> None:
        """As the kernel does it to whoever takes too much memory."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(SOON)

    def close(self) -> None:
        os.close(self._end)
        try:
            self.process.wait(SOON)
        finally:
            self.process.kill()
            self.process.wait()
            os.close(self._lifeline)


@contextmanager
def working() -> Iterator[Worker]:
    worker = Worker()
    try:
        yield worker
    finally:
        worker.close()


def until(found: Callable[[], Any], seconds: float = SOON) -> Any:
    """What a question answers as soon as it answers anything."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if answer := found():
            return answer
        time.sleep(0.05)
    raise AssertionError("it did not happen in time")


def state_of(import_: DirectoryImport) -> DirectoryImport:
    with school_context("*"):
        return DirectoryImport.objects.get(pk=import_.pk)


def until_state(import_: DirectoryImport, *states: str) -> DirectoryImport:
    def reached() -> DirectoryImport | None:
        found = state_of(import_)
        return found if found.state in states else None

    return until(reached)


@contextmanager
def standing_before(superuser_url: str, table: str) -> Iterator[Callable[[], bool]]:
    """Let nobody write to a table; says whether somebody waits for it."""
    with psycopg.connect(superuser_url) as holder, psycopg.connect(superuser_url, autocommit=True) as watch:
        holder.execute(f"LOCK TABLE {table} IN SHARE MODE")

        def waited_for() -> bool:
            row = watch.execute(
                "SELECT count(*) FROM pg_locks l JOIN pg_class c ON c.oid = l.relation"
                " WHERE c.relname = %s AND NOT l.granted",
                [table],
            ).fetchone()
            return bool(row and row[0])

        yield waited_for
        holder.rollback()


def forget_heartbeats(superuser_url: str) -> None:
    """As if the patience with silent workers had passed."""
    with psycopg.connect(superuser_url, autocommit=True) as connection:
        connection.execute("UPDATE procrastinate_workers SET last_heartbeat = now() - interval '1 hour'")
