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
import psycopg
from django.db import connections

from anxiao.config.embedded import SUPERUSER, EmbeddedServer
from anxiao.config.environment import NotReady

_START_SECONDS = 120.0

_SHARED = ("/dev/zero", "/anon_hugepage", "/SYSV")
"""How the database's shared memory is called among the maps of a process."""

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


def memory(data: Path, *, rest: float) -> dict[str, list[Memory]]:
    """Serve the data directory by itself and weigh every process after ``rest`` seconds of quiet.

    Two figures: as found after the start, and with the database's shared memory counted in full. It fills within a day
    of work and stays full, but a process is only charged with the pages that it touched itself.
    """
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
            server = EmbeddedServer(data)
            fresh = _weigh(process.pid, server.pid, shared=True)
            full = [*_weigh(process.pid, server.pid, shared=False), _shared_memory(server.dsn(SUPERUSER))]
            return {"after its start": fresh, "with a full cache": sorted(full, key=lambda kind: -kind.bytes)}
        finally:
            process.terminate()
            try:
                process.wait(60)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def memory_lines(found: dict[str, list[Memory]]) -> list[str]:
    """The figures of the memory, for people."""
    told: list[str] = []
    for when, kinds in found.items():
        told.append(f"At rest {when}: {sum(kind.bytes for kind in kinds) / 2**20:,.0f} MB resident")
        told += [f"  {k.name:<36} {k.processes:>3} processes {k.bytes / 2**20:>8,.1f} MB" for k in kinds]
    return told


def _shared_memory(url: str) -> Memory:
    with psycopg.connect(url, autocommit=True) as connection:
        row = connection.execute("SELECT setting::bigint FROM pg_settings WHERE name = 'shared_memory_size'").fetchone()
    return Memory("database: shared memory", 1, (row[0] if row else 0) * 2**20)


def _wait(process: subprocess.Popen[bytes], url: str) -> None:
    end = time.monotonic() + _START_SECONDS
    while time.monotonic() < end:
        if process.poll() is not None:
            raise NotReady("The service ended instead of resting; start it with `anxiao serve` to see why.")
        with contextlib.suppress(OSError), urllib.request.urlopen(url, timeout=5):  # noqa: S310 - ours
            return
        time.sleep(0.2)
    raise NotReady("The service did not answer; start it with `anxiao serve` to see why.")


def _weigh(service: int, database: int | None, *, shared: bool) -> list[Memory]:
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
                weight = _resident(process, shared=shared)
                name = f"{group}: {_called(process)}"
                count, total = kinds.get(name, (0, 0))
                kinds[name] = (count + 1, total + weight)
    found = [Memory(name, count, total) for name, (count, total) in kinds.items()]
    return sorted(found, key=lambda kind: -kind.bytes)


def _resident(process: psutil.Process, *, shared: bool) -> int:
    maps = process.memory_maps(grouped=True)
    return sum(m.pss for m in maps if shared or not m.path.startswith(_SHARED))


def _called(process: psutil.Process) -> str:
    """A short name: what the server says a process of its is for, or the module that runs."""
    words = process.cmdline()
    if words and words[0].startswith("postgres:"):
        return "sessions" if words[0].startswith("postgres: anxiao_") else "background"
    if words and "postgres" in words[0]:
        return "postmaster"
    return words[words.index("-m") + 1] if "-m" in words else process.name()
