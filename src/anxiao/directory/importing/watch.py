"""How far a job is, told from beside it: the job's own transaction shows nothing before it ends.

A second connection writes ``progress`` of the import twice a second and looks whether somebody asked to cancel; then it
ends the statement under way.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Protocol, Self

from django.db import connection, connections

from anxiao.base.clock import now
from anxiao.base.scope import SHARED_SCHOOL
from anxiao.base.tenancy import school_context
from anxiao.directory.models import DirectoryImport
from anxiao.directory.names import AT_WORK

EVERY_SECONDS = 0.5


class Cancelled(Exception):
    """Somebody asked to stop; nothing that was under way is kept."""


class Watch(Protocol):
    """What the steps of an import tell while they work."""

    def phase(self, name: str, source: Callable[[], tuple[int, int]] | None = None) -> None:
        """A step begins; ``source`` says how much of how much is done, where that is known."""

    def check(self) -> None:
        """Raises `Cancelled` when somebody asked to stop."""


class Unwatched:
    """For those who wait for the end anyway: the command line, tests."""

    def phase(self, name: str, source: Callable[[], tuple[int, int]] | None = None) -> None:
        """Nobody looks."""

    def check(self) -> None:
        """Nobody can ask to stop."""


@dataclass(slots=True)
class _Step:
    name: str
    source: Callable[[], tuple[int, int]] | None
    began: str


class Watched:
    """The watch of a job.  Enter it outside of any transaction, leave it when the transaction of the work is over."""

    def __init__(self, school_id: int, import_id: int) -> None:
        self._school_id, self._import_id = school_id, import_id
        self._step = _Step("", None, now().isoformat())
        self._over, self._asked = threading.Event(), threading.Event()
        self._guard = threading.Lock()
        self._thread = threading.Thread(target=self._tell, daemon=True)
        self._working: Any = None

    def __enter__(self) -> Self:
        connection.ensure_connection()
        self._working = connection.connection
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._guard:
            self._over.set()
        self._thread.join()

    @property
    def asked_to_stop(self) -> bool:
        return self._asked.is_set()

    def phase(self, name: str, source: Callable[[], tuple[int, int]] | None = None) -> None:
        """A step begins."""
        self.check()
        self._step = _Step(name, source, now().isoformat())

    def check(self) -> None:
        """Raises `Cancelled` when somebody asked to stop."""
        if self._asked.is_set():
            raise Cancelled

    def _tell(self) -> None:
        try:
            due = time.monotonic() + EVERY_SECONDS
            while not self._over.wait(max(0.0, due - time.monotonic())):
                due = time.monotonic() + EVERY_SECONDS
                if self._write() and not self._asked.is_set():
                    self._asked.set()
                    with self._guard:
                        if not self._over.is_set():
                            self._working.cancel_safe()
        finally:
            connections.close_all()

    def _write(self) -> bool:
        """Write the progress; whether somebody asked to stop."""
        step = self._step
        done, total = step.source() if step.source else (0, 0)
        progress = {"phase": step.name, "done": done, "total": total, "started_at": step.began}
        with school_context(f"{SHARED_SCHOOL},{self._school_id}"):
            found = DirectoryImport.objects.filter(
                pk=self._import_id, school_id=self._school_id, state__in=[state.value for state in AT_WORK]
            )
            found.update(progress=progress)
            return bool(found.values_list("cancel_asked", flat=True).first())
