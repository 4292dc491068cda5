"""The worker: takes what rooms have asked for out of the queue and does it, one job of a school after the other.

Called as ``python -m anxiao.config.jobs LIFELINE`` (see ``worker``).  This process only waits and holds next to no
memory; where there is work, it starts the working process, which loads the house and ends when it has been idle.
A job whose worker was killed is taken up again by the next one, from its beginning: see ``RESCUE_SECONDS``.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from types import FrameType
from typing import TYPE_CHECKING

import psycopg

if TYPE_CHECKING:
    from procrastinate import App

IDLE_SECONDS = 20.0
"""How long the working process stays when nothing is left to do."""

HEARTBEAT_SECONDS = 2.0
RESCUE_SECONDS = 10.0
"""A worker from which nothing was heard for so long is dead, and its jobs are begun again."""

CONCURRENCY = 2
"""Schools worked on at a time in one process; the reading itself is done by children."""

_POLL_SECONDS = 1.0
_WORK = """SELECT 1 FROM procrastinate_jobs
WHERE status IN ('todo', 'doing') AND coalesce(scheduled_at, now()) <= now() LIMIT 1"""

logger = logging.getLogger("anxiao.jobs")


class Waiter:
    """Waits for work and keeps one working process while there is some."""

    def __init__(self, lifeline: int) -> None:
        self._lifeline = lifeline
        self._stop = threading.Event()
        self._child: subprocess.Popen[bytes] | None = None

    def stop(self, _number: int = 0, _frame: FrameType | None = None) -> None:
        self._stop.set()

    def run(self) -> None:
        """Until asked to stop, or until the supervisor is gone."""
        threading.Thread(target=self._leave_with_supervisor, daemon=True).start()
        connection: psycopg.Connection[tuple[int]] | None = None
        try:
            while not self._stop.wait(_POLL_SECONDS):
                if self._child is not None and self._child.poll() is None:
                    continue
                try:
                    if connection is None:
                        connection = psycopg.connect(os.environ["DATABASE_URL"], autocommit=True)
                    wanted = connection.execute(_WORK).fetchone() is not None
                except psycopg.Error:
                    # the database is being started again; it will be asked once more
                    if connection is not None:
                        connection.close()
                    connection = None
                    continue
                if wanted:
                    command = [sys.executable, "-m", "anxiao.config.jobs", "--work", str(self._lifeline)]
                    self._child = subprocess.Popen(command, stdin=subprocess.DEVNULL, pass_fds=(self._lifeline,))
        finally:
            self._end_child()
            if connection is not None:
                connection.close()

    def _end_child(self) -> None:
        if self._child is None or self._child.poll() is not None:
            return
        self._child.terminate()
        try:
            self._child.wait(25)
        except subprocess.TimeoutExpired:
            # what it was at is kept as little as after a power cut, and done again
            self._child.kill()
            self._child.wait()

    def _leave_with_supervisor(self) -> None:
        while os.read(self._lifeline, 1):
            pass
        self.stop()


async def work(*, idle_seconds: float = IDLE_SECONDS, lifeline: int | None = None) -> None:
    """Work until nothing has been left to do for a while, or until the lifeline ends; Django is set up."""
    from procrastinate.contrib.django import app

    connector = app.connector.get_worker_connector()  # type: ignore[attr-defined]
    with app.replace_connector(connector) as replaced:
        await _work(replaced, idle_seconds, lifeline)


async def _work(app: App, idle_seconds: float, lifeline: int | None) -> None:
    async with app.open_async() as worker_app:
        worker = asyncio.create_task(
            worker_app.run_worker_async(
                name="anxiao",
                concurrency=CONCURRENCY,
                delete_jobs="successful",
                update_heartbeat_interval=HEARTBEAT_SECONDS,
                stalled_worker_timeout=RESCUE_SECONDS,
                fetch_job_polling_interval=1.0,
                shutdown_graceful_timeout=20.0,
            )
        )
        rescue = asyncio.create_task(_rescue(worker_app))
        ends = [worker, rescue, asyncio.create_task(_until_idle(worker_app, idle_seconds))]
        if lifeline is not None:
            ends.append(asyncio.create_task(_until_end_of(lifeline)))
        try:
            done, _others = await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in reversed(ends):
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await task


async def _rescue(app: App) -> None:
    """Begin again what a dead worker had begun; give up on what kills every worker."""
    from procrastinate.jobs import Status

    from anxiao.config import tasks

    manager = app.job_manager
    while True:
        for job in await manager.get_stalled_jobs(seconds_since_heartbeat=RESCUE_SECONDS):
            if job.attempts >= tasks.ATTEMPTS - 1:
                logger.error("job %s has ended its worker %s times and is given up", job.id, job.attempts + 1)
                await asyncio.to_thread(_give_up, job.task_name, dict(job.task_kwargs))
                await manager.finish_job(job, status=Status.FAILED, delete_job=False)
            else:
                logger.warning("job %s is begun again: its worker is gone", job.id)
                await manager.retry_job(job)
        await asyncio.sleep(HEARTBEAT_SECONDS)


def _give_up(name: str, arguments: dict[str, object]) -> None:
    from django.db import connections

    from anxiao.config import tasks

    try:
        tasks.give_up(name, arguments)
    finally:
        connections.close_all()


async def _until_idle(app: App, idle_seconds: float) -> None:
    quiet_since = time.monotonic()
    while True:
        rows = await app.connector.execute_query_all_async(_WORK)
        if rows:
            quiet_since = time.monotonic()
        elif time.monotonic() - quiet_since >= idle_seconds:
            return
        await asyncio.sleep(min(0.5, idle_seconds))


async def _until_end_of(lifeline: int) -> None:
    ended, loop = asyncio.Event(), asyncio.get_running_loop()

    def listen() -> None:
        while os.read(lifeline, 1):
            pass
        loop.call_soon_threadsafe(ended.set)

    threading.Thread(target=listen, daemon=True).start()
    await ended.wait()


def main() -> None:
    if sys.argv[1] == "--work":
        import django

        # somebody waits for a page; who waits for an import sees how far it is
        os.nice(10)

        os.environ.setdefault("DJANGO_SETTINGS_MODULE", "anxiao.config.settings")
        django.setup()
        asyncio.run(work(lifeline=int(sys.argv[2])))
        return
    waiter = Waiter(int(sys.argv[1]))
    signal.signal(signal.SIGTERM, waiter.stop)
    signal.signal(signal.SIGINT, waiter.stop)
    waiter.run()


if __name__ == "__main__":
    main()
