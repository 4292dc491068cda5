"""The stand: the real service on a real data directory, and what its processes cost."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import psycopg

from anxiao.config.embedded import SUPERUSER, EmbeddedServer
from anxiao.intake import meters

HERE = Path(__file__).resolve().parent
ANXIAO = [sys.executable, "-m", "anxiao.config.cli"]
START_SECONDS = 180.0


class Broken(Exception):
    """A measurement cannot be made, or found something that must not be; one sentence."""


@dataclass
class Stand:
    """``anxiao serve`` on one data directory.  ``layout``: "both" doors in one group of processes, or "split"."""

    data: Path
    workers: int = 2
    layout: str = "both"
    name: str = ""
    intake: int = 0
    console: int = 0
    groups: list[subprocess.Popen[bytes]] = field(default_factory=list)
    output: list[Path] = field(default_factory=list)

    def start(self) -> Stand:
        self.console = self.intake = _free_port()
        if self.layout == "split":
            self.intake = _free_port()
            self._serve(self.console, "--only", "console")
            self._wait(self.console, "/healthz")
            self._serve(self.intake, "--only", "intake")
        else:
            self._serve(self.console)
        self._wait(self.intake)
        return self

    def stop(self) -> None:
        for process in reversed(self.groups):
            process.terminate()
            try:
                process.wait(60)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self.groups.clear()

    def __enter__(self) -> Stand:
        try:
            return self.start()
        except BaseException:
            self.stop()
            raise

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _serve(self, port: int, *more: str) -> None:
        out = Path(tempfile.mkstemp(prefix="anxiao-bench-", suffix=".log")[1])
        command = [*ANXIAO, "serve", "--data", str(self.data), "--port", str(port), "--workers", str(self.workers)]
        with out.open("wb") as file:
            self.groups.append(subprocess.Popen([*command, *more], stdout=file, stderr=file, stdin=subprocess.DEVNULL))
        self.output.append(out)

    def _wait(self, port: int, path: str = "/intake/v1/key") -> None:
        end = time.monotonic() + START_SECONDS
        while time.monotonic() < end:
            if self.groups[-1].poll() is not None:
                raise Broken(f"The service on {self.data} ended: {self.output[-1].read_text(errors='replace')[-400:]}")
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5):
                    time.sleep(0.5)
                    return
            except OSError:
                time.sleep(0.2)
        raise Broken(f"The service on {self.data} did not answer.")

    # -- the database, as its administrator ----------------------------------------------------------------------

    def dsn(self, role: str = SUPERUSER) -> str:
        return EmbeddedServer(self.data).dsn(role)

    @contextmanager
    def sql(self) -> Iterator[psycopg.Connection]:
        with psycopg.connect(self.dsn(), autocommit=True) as connection:
            yield connection

    def value(self, statement: str, params: Mapping[str, object] | None = None) -> object:
        with self.sql() as connection:
            row = connection.execute(statement, params).fetchone()  # type: ignore[arg-type]
        assert row is not None
        return row[0]

    # -- counting ------------------------------------------------------------------------------------------------

    def accepted(self) -> int:
        """Reports that the processes say they have kept."""
        return int(sum(seen.accepted for seen in self._meters()))

    def refused(self) -> dict[str, int]:
        found: dict[str, int] = defaultdict(int)
        for seen in self._meters():
            for reason, n in seen.refused.items():
                if n:
                    found[reason] += int(n)
        return dict(found)

    def batches(self) -> tuple[float, float]:
        """Batches committed so far, and the seconds that they took."""
        seen = self._meters()
        return sum(sum(s.seconds.counts) for s in seen), sum(s.seconds.total for s in seen)

    def _meters(self) -> list[meters.Seen]:
        pids = {process.pid for process in self.groups}
        return [
            seen
            for path in (self.data / "meters").glob("*")
            if path.name.isdigit() and int(path.name) in pids
            for seen in meters.read(path)
        ]

    def cpu(self) -> dict[str, float]:
        """Seconds of processor time so far, user and system, by kind of process."""
        found: dict[str, float] = defaultdict(float)
        for process in self.groups:
            root = psutil.Process(process.pid)
            _add(found, "supervisor", root)
            for child in root.children(recursive=True):
                _add(found, _kind(child), child)
        postmaster = self._postmaster()
        if postmaster is not None:
            times = postmaster.cpu_times()
            found["database: postmaster"] += times.user + times.system
            # backends that have ended since are counted at their parent
            found["database: ended sessions"] += times.children_user + times.children_system
            for child in postmaster.children():
                _add(found, _kind(child), child)
        return dict(found)

    def resident(self) -> dict[str, int]:
        """Proportional resident bytes (PSS) by kind of process."""
        found: dict[str, int] = defaultdict(int)
        roots = [psutil.Process(process.pid) for process in self.groups]
        postmaster = self._postmaster()
        for process in [*roots, *([postmaster] if postmaster else [])]:
            for each in (process, *process.children(recursive=True)):
                if process is not postmaster and postmaster is not None and _beneath(each, postmaster):
                    continue
                try:
                    kind = "supervisor" if each.pid in {r.pid for r in roots} else _kind(each)
                    found[kind] += each.memory_full_info().pss
                except psutil.Error:
                    continue
        return dict(found)

    def _postmaster(self) -> psutil.Process | None:
        pid = EmbeddedServer(self.data).pid
        return psutil.Process(pid) if pid is not None else None

    # -- states --------------------------------------------------------------------------------------------------

    def quiet(self, patience: float = 15.0) -> float:
        """Wait until the housekeeper has folded all counters; returns the seconds that took."""
        began = time.monotonic()
        with self.sql() as connection:
            while time.monotonic() - began < patience:
                row = connection.execute("SELECT EXISTS (SELECT FROM tally_delta)").fetchone()
                if row is not None and not row[0]:
                    break
                time.sleep(0.1)
        return time.monotonic() - began

    def reset(self) -> int:
        """Take back today's reports and their counters, so that everybody may report again; returns how many.

        Done as the database's administrator, because nobody else could; the place they took is given back.
        """
        self.quiet()
        with self.sql() as connection:
            with connection.transaction():
                rounds = [
                    (pk, campaign, day)
                    for pk, campaign, day in connection.execute(
                        "SELECT id, campaign_id, day FROM round WHERE day = (now() AT TIME ZONE 'Asia/Shanghai')::date"
                    )
                ]
                gone = 0
                for _pk, campaign, day in rounds:
                    gone += connection.execute("DELETE FROM report WHERE day = %s", [day]).rowcount
                    connection.execute("DELETE FROM tally WHERE day = %s AND series = %s", [day, campaign])
            if gone:
                parts = [
                    part
                    for (part,) in connection.execute(
                        "SELECT DISTINCT 'report_' || to_char(day, 'YYYY_MM') FROM round"
                        " WHERE day = (now() AT TIME ZONE 'Asia/Shanghai')::date"
                    )
                ]
                for table in (*parts, "tally", "tally_delta"):
                    connection.execute(f"VACUUM (INDEX_CLEANUP ON) {table}")
                connection.execute("CHECKPOINT")
        return gone

    def people(self) -> int:
        return int(self.value("SELECT count(*) FROM person"))  # type: ignore[call-overload]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _add(found: dict[str, float], kind: str, process: psutil.Process) -> None:
    try:
        times = process.cpu_times()
    except psutil.Error:
        return
    found[kind] += times.user + times.system


def _kind(process: psutil.Process) -> str:
    try:
        words = process.cmdline()
    except psutil.Error:
        return "ended"
    line = " ".join(words)
    if line.startswith("postgres:"):
        text = line.removeprefix("postgres:").strip()
        if text.startswith("anxiao_app"):
            return "database: for the doors"
        if text.startswith("anxiao_bulk"):
            return "database: for the housekeeper"
        if text.startswith(("anxiao_", SUPERUSER)):
            return "database: other sessions"
        return "database: " + re.sub(r"[ \d]+$", "", text.split(" anxiao")[0])
    if "anxiao.config.worker" in line:
        return "web: console" if words[-1] == "console" else "web"
    if "anxiao.config.jobs" in line:
        return "worker"
    if "anxiao.config.keeper" in line:
        return "housekeeper"
    if "anxiao.config.watch" in line:
        return "watch"
    return "database: postmaster" if "postgres" in line else "other"


def _beneath(process: psutil.Process, above: psutil.Process) -> bool:
    return process.pid == above.pid or any(parent.pid == above.pid for parent in process.parents())


def spent(before: Mapping[str, float], after: Mapping[str, float]) -> dict[str, float]:
    """Seconds by kind; kinds of the database whose processes ended in between are balanced by "ended sessions"."""
    return {kind: after.get(kind, 0.0) - before.get(kind, 0.0) for kind in {*before, *after}}


def by_group(seconds: Mapping[str, float]) -> dict[str, float]:
    """The same for web, database, housekeeper, supervisor."""
    found: dict[str, float] = defaultdict(float)
    for kind, value in seconds.items():
        found[kind.split(":")[0]] += value
    return dict(found)


def run(command: Sequence[str], environment: Mapping[str, str] | None = None) -> tuple[str, float]:
    """Run a program to its end; its output and its seconds of processor time.  Raises ``Broken`` when it fails."""
    with tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(
            list(command), stdout=subprocess.PIPE, stderr=errors, env={**os.environ, **(environment or {})}
        )
        assert process.stdout is not None
        out = process.stdout.read().decode()
        _pid, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode != 0:
            errors.seek(0)
            raise Broken(f"{command[0]} {command[-1]} failed: {errors.read().decode(errors='replace')[-600:]}")
    return out, usage.ru_utime + usage.ru_stime


def last_json(text: str, mark: str = "JSON ") -> dict[str, object]:
    line = next((line for line in reversed(text.splitlines()) if line.startswith(mark)), None)
    if line is None:
        raise Broken(f"A helper ended without its figures; its complaint stands above. {text[-300:]}")
    found: dict[str, object] = json.loads(line.removeprefix(mark))
    return found
