"""``/health`` and ``/metrics`` on a port of their own, for the machine room; never behind the public proxy.

Served by a thread of the housekeeper, or, where a group has no housekeeper, by
``python -m anxiao.config.watch LIFELINE SOCKET``. Every answer is put together from the table of ``intake.meters`` and
one look at the database, which is kept for two seconds, so that a curious monitor costs nothing.
"""

from __future__ import annotations

import json
import math
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import psycopg

from anxiao import __version__
from anxiao.config.doctor import MUST_BE_ON
from anxiao.intake import meters
from anxiao.intake.meters import Histogram, Seen

SINCE = "ANXIAO_SERVING_SINCE"
#: Beyond this the clocks of the application and of the database no longer agree on what "before the deadline" means.
LARGEST_SKEW = 2.0
LOOK_EVERY = 2.0
_WAIT = "-c statement_timeout=3s"


@dataclass(frozen=True, slots=True)
class Database:
    """One look at the database: whether it answers, how far our clock is before its (seconds), what is unsafe."""

    up: bool
    skew: float = 0.0
    unsafe: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class View:
    """Everything an answer is made of. ``rows`` is None where this group has no intake door."""

    database: Database
    rows: list[Seen] | None
    now: float
    since: float

    @property
    def living(self) -> list[Seen]:
        return [row for row in self.rows or () if alive(row.pid)]


def look(url: str) -> Database:
    """Ask the database as the door would, on a new connection: a setting of the role shows only there."""
    try:
        with psycopg.connect(url, connect_timeout=3, autocommit=True, options=_WAIT) as connection:
            before = time.time()
            found = connection.execute("SELECT extract(epoch FROM clock_timestamp())::float8").fetchone()
            after = time.time()
            settings = connection.execute(
                "SELECT name, setting FROM pg_settings WHERE name = ANY(%s) ORDER BY name", [list(MUST_BE_ON)]
            ).fetchall()
    except psycopg.Error:
        return Database(up=False)
    assert found is not None
    unsafe = tuple(name for name, setting in settings if setting == "off")
    return Database(True, (before + after) / 2 - found[0], unsafe)


def reasons(view: View) -> list[str]:
    """Why the door cannot accept reports now; empty when it can. Codes, for alerts to match on."""
    found = []
    living = view.living
    if not view.database.up or any(row.facts["database"] == 0 for row in living):
        found.append("database_away")
    found += [f"unsafe:{name}" for name in view.database.unsafe]
    if not view.database.unsafe and any(row.facts["durable"] == 0 for row in living):
        found.append("unsafe:connection")
    if _skew(view) > LARGEST_SKEW:
        found.append("clock_skew")
    if view.rows is not None:
        if not living:
            found.append("no_intake_process")
        # What was never said counts as no: a door that cannot hear of withdrawn passes must not look healthy.
        if any(row.facts["listener"] != 1 for row in living):
            found.append("listener_down")
    return found


def health(view: View) -> dict[str, Any]:
    """The body of ``/health``."""
    why = reasons(view)
    committed = _last_commit(view)
    return {
        "status": "unavailable" if why else "ok",
        "reasons": why,
        "version": __version__,
        "uptime_seconds": round(view.now - view.since, 1),
        "database": view.database.up,
        "durable": view.database.up and not view.database.unsafe,
        "clock_skew_seconds": round(_skew(view), 3),
        "intake": None
        if view.rows is None
        else {
            "processes": len(view.living),
            "listening": sum(row.facts["listener"] == 1 for row in view.living),
            "queue_depth": int(sum(row.queue for row in view.living)),
            "last_commit_age_seconds": round(view.now - committed, 1) if committed else None,
        },
    }


def exposition(view: View) -> str:
    """The body of ``/metrics``, in the text format of Prometheus (version 0.0.4)."""
    return "".join(line + "\n" for line in _exposed(view))


def _exposed(view: View) -> Iterator[str]:
    database = view.database
    yield from _one("anxiao_door_open", "gauge", "Whether reports can be accepted (1 or 0).", int(not reasons(view)))
    yield from _one("anxiao_uptime_seconds", "gauge", "Seconds since this group was started.", view.now - view.since)
    yield from _one("anxiao_database_up", "gauge", "Whether the database answers.", int(database.up))
    yield from _one("anxiao_durable", "gauge", "Whether all durability settings are on.", int(not database.unsafe))
    yield from _one("anxiao_clock_skew_seconds", "gauge", "Largest distance of a clock to the database's.", _skew(view))
    if view.rows is None:
        return
    living = view.living
    yield from _one("anxiao_intake_processes", "gauge", "Living processes of the intake door.", len(living))
    listening = sum(row.facts["listener"] == 1 for row in living)
    yield from _one("anxiao_listeners_up", "gauge", "Those of them that hear of withdrawn passes.", listening)
    yield from _one("anxiao_queue_depth", "gauge", "Reports waiting for a batch.", sum(row.queue for row in living))
    committed = _last_commit(view)
    if committed:
        yield from _one("anxiao_last_commit_age_seconds", "gauge", "Since the last commit.", view.now - committed)
    rows = view.rows
    accepted = sum(row.accepted for row in rows)
    yield from _one("anxiao_reports_accepted_total", "counter", "Reports kept.", accepted)
    repeated = sum(row.repeated for row in rows)
    yield from _one("anxiao_reports_repeated_total", "counter", "Repeats answered with the first receipt.", repeated)
    yield from _head("anxiao_requests_refused_total", "counter", "Requests answered without a receipt, by code.")
    for reason in meters.REASONS:
        count = sum(row.refused[reason] for row in rows)
        yield f'anxiao_requests_refused_total{{reason="{reason}"}} {_number(count)}'
    yield from _spread("anxiao_batch_reports", "Reports in a committed batch.", [row.sizes for row in rows])
    yield from _spread("anxiao_batch_seconds", "Seconds a batch took, commit included.", [row.seconds for row in rows])


def _head(name: str, kind: str, meaning: str) -> Iterator[str]:
    yield f"# HELP {name} {meaning}"
    yield f"# TYPE {name} {kind}"


def _one(name: str, kind: str, meaning: str, value: float) -> Iterator[str]:
    yield from _head(name, kind, meaning)
    yield f"{name} {_number(value)}"


def _spread(name: str, meaning: str, parts: Iterable[Histogram]) -> Iterator[str]:
    parts = list(parts)
    bounds = parts[0].bounds if parts else ()
    yield from _head(name, "histogram", meaning)
    below = 0.0
    for number, bound in enumerate((*bounds, math.inf)):
        below += sum(part.counts[number] for part in parts)
        yield f'{name}_bucket{{le="{"+Inf" if bound == math.inf else _number(bound)}"}} {_number(below)}'
    yield f"{name}_sum {_number(sum(part.total for part in parts))}"
    yield f"{name}_count {_number(below)}"


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else repr(round(value, 6))


def _skew(view: View) -> float:
    """The largest distance between a clock of ours and the database's, in seconds, whichever is ahead."""
    stated = [row.facts["skew"] for row in view.living if not math.isnan(row.facts["skew"])]
    return max(map(abs, (view.database.skew, *stated)))


def _last_commit(view: View) -> float:
    return max((row.committed for row in view.rows or ()), default=0.0)


def alive(pid: int) -> bool:
    """Whether a process of this number runs on this machine."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


class Watcher:
    """Looks, and remembers for a moment what it saw."""

    def __init__(self, look_at_database: Callable[[], Database], table: Path | None, since: float) -> None:
        self._look = look_at_database
        self._table = table
        self._since = since
        self._lock = threading.Lock()
        self._seen: tuple[float, Database] = (-math.inf, Database(up=False))

    def view(self) -> View:
        with self._lock:
            if time.monotonic() - self._seen[0] > LOOK_EVERY:
                self._seen = (time.monotonic(), self._look())
            database = self._seen[1]
        rows = meters.read(self._table) if self._table is not None else None
        return View(database, rows, time.time(), self._since)


class _Answers(BaseHTTPRequestHandler):
    watcher: Watcher
    # A monitor that connects and says nothing gives its thread back.
    timeout = 10

    def do_GET(self) -> None:
        if self.path == "/metrics":
            self._send(200, "text/plain; version=0.0.4; charset=utf-8", exposition(self.watcher.view()))
        elif self.path == "/health":
            body = health(self.watcher.view())
            self._send(503 if body["reasons"] else 200, "application/json", json.dumps(body, indent=1) + "\n")
        else:
            self._send(404, "text/plain; charset=utf-8", "/health or /metrics\n")

    def _send(self, status: int, kind: str, text: str) -> None:
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        self.wfile.write(body)

    def version_string(self) -> str:
        return "anxiao"

    def log_message(self, format: str, *args: Any) -> None:
        """Nobody wants a line for every look of a monitor."""


class _Server(ThreadingHTTPServer):
    def __init__(self, listener: socket.socket, watcher: Watcher) -> None:
        answers = type("Answers", (_Answers,), {"watcher": watcher})
        super().__init__(listener.getsockname()[:2], answers, bind_and_activate=False)
        self.socket.close()
        self.socket = listener

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A monitor that hangs up is no event."""


def start(fd: int) -> _Server:
    """Answer on this listening socket from now on, in a thread; where to look stands in the environment."""
    table = os.environ.get(meters.FILE)
    url = os.environ["DATABASE_URL"]
    watcher = Watcher(lambda: look(url), Path(table) if table else None, float(os.environ.get(SINCE, time.time())))
    server = _Server(socket.socket(fileno=fd), watcher)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def main() -> None:
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    signal.signal(signal.SIGINT, lambda *_: stop.set())
    start(int(sys.argv[2]))
    threading.Thread(target=leave_with_supervisor, args=(int(sys.argv[1]), stop), daemon=True).start()
    stop.wait()


def leave_with_supervisor(lifeline: int, stop: threading.Event) -> None:
    """Set ``stop`` when the supervisor is gone, however it went (see ``worker``)."""
    while os.read(lifeline, 1):
        pass
    stop.set()


if __name__ == "__main__":
    main()
