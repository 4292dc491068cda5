"""What a province weighs: bytes a report on disk, and the memory of the whole service at rest."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from dataclasses import dataclass
from pathlib import Path

import psutil
from django.db import connections

from anxiao.config.embedded import EmbeddedServer
from anxiao.config.environment import NotReady

_START_SECONDS = 120.0

_SIZES = """
SELECT t.part, sum(pg_table_size(t.oid))::bigint, sum(pg_indexes_size(t.oid))::bigint
FROM (
    SELECT inhrelid AS oid, 'report' AS part FROM pg_inherits WHERE inhparent = 'report'::regclass
    UNION ALL SELECT c.oid::oid, c.oid::text FROM unnest(ARRAY['tally', 'tally_delta']::regclass[]) AS c(oid)
) t
GROUP BY t.part ORDER BY t.part
"""


@dataclass(frozen=True, slots=True)
class Part:
    """Bytes of one table with all its partitions."""

    name: str
    rows: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Disk:
    """What reports and their counters take; the database as a whole beside it."""

    reports: int
    parts: tuple[Part, ...]
    database: int

    @property
    def per_report(self) -> float:
        """Bytes a report, its indexes and its share of the counters included; 0 without reports."""
        return sum(part.bytes for part in self.parts) / self.reports if self.reports else 0.0


@dataclass(frozen=True, slots=True)
class Memory:
    """Resident bytes of one kind of process; shared pages are divided among those who share them (PSS)."""

    name: str
    processes: int
    bytes: int


def disk() -> Disk:
    """Sizes as the database knows them now."""
    with connections["bulk"].cursor() as cursor:
        cursor.execute("SELECT count(*) FROM report")
        (reports,) = cursor.fetchone()
        cursor.execute(_SIZES)
        parts: list[Part] = []
        for name, table, indexes in cursor.fetchall():
            cursor.execute(f"SELECT count(*) FROM {name}")
            (rows,) = cursor.fetchone()
            parts += [Part(name, rows, table), Part(f"{name}, indexes", rows, indexes)]
        cursor.execute("SELECT pg_database_size(current_database())")
        (database,) = cursor.fetchone()
    return Disk(reports, tuple(parts), database)


def lines(found: Disk) -> list[str]:
    """The figures of the disk, for people."""
    told = [
        f"  {part.name:<24} {part.rows:>12,} rows {part.bytes / 2**20:>10,.1f} MB"
        f" {part.bytes / max(found.reports, 1):>8.1f} bytes a report"
        for part in found.parts
    ]
    return [
        f"On disk: {found.per_report:.1f} bytes a report (the whole database: {found.database / 2**20:,.0f} MB)",
        *told,
    ]


def memory(data: Path, *, rest: float) -> list[Memory]:
    """Serve the data directory by itself for a while and weigh every process: ours, and those of the database."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "anxiao.config.cli", "serve", "--data", str(data), "--port", str(port)],
            stdout=output,
            stderr=output,
        )
        try:
            _wait(process, f"http://127.0.0.1:{port}/healthz")
            time.sleep(rest)
            return _weigh(process.pid, EmbeddedServer(data).pid)
        finally:
            process.terminate()
            try:
                process.wait(60)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def memory_lines(found: list[Memory]) -> list[str]:
    """The figures of the memory, for people."""
    whole = sum(kind.bytes for kind in found)
    return [
        f"At rest: {whole / 2**20:,.0f} MB resident",
        *(f"  {kind.name:<24} {kind.processes:>3} processes {kind.bytes / 2**20:>8,.1f} MB" for kind in found),
    ]


def _wait(process: subprocess.Popen[bytes], url: str) -> None:
    end = time.monotonic() + _START_SECONDS
    while time.monotonic() < end:
        if process.poll() is not None:
            raise NotReady("The service ended instead of resting; start it with `anxiao serve` to see why.")
        with contextlib.suppress(OSError), urllib.request.urlopen(url, timeout=5):  # noqa: S310 - ours
            return
        time.sleep(0.2)
    raise NotReady("The service did not answer; start it with `anxiao serve` to see why.")


def _weigh(service: int, database: int | None) -> list[Memory]:
    kinds: dict[str, tuple[int, int]] = {}
    seen: set[int] = set()
    for root, group in ((database, "database"), (service, "service")):
        if root is None:
            continue
        for process in [psutil.Process(root), *psutil.Process(root).children(recursive=True)]:
            if process.pid in seen:
                continue
            seen.add(process.pid)
            with contextlib.suppress(psutil.Error):
                weight = process.memory_full_info().pss
                name = f"{group}: {_called(process)}"
                count, total = kinds.get(name, (0, 0))
                kinds[name] = (count + 1, total + weight)
    found = [Memory(name, count, total) for name, (count, total) in kinds.items()]
    return sorted(found, key=lambda kind: -kind.bytes)


def _called(process: psutil.Process) -> str:
    """A short name: what the server says a process of its is for, or the module that runs."""
    words = process.cmdline()
    if words and words[0].startswith("postgres:"):
        text = words[0].removeprefix("postgres:").strip()
        return "sessions" if text.startswith("anxiao_") else text
    if words and "postgres" in words[0]:
        return "postmaster"
    for flag in ("-m",):
        if flag in words:
            return " ".join(words[words.index(flag) + 1 : words.index(flag) + 3])
    return process.name()
