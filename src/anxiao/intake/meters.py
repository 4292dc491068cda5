"""What the door counts and knows of itself, in a table of numbers that all processes of a machine share.

Each process owns one row of eight-byte numbers in a mapped file and is the only one to write there; whoever serves
``/metrics`` (``config.watch``) reads all rows. A write is an addition in memory, about 0.1 µs, so it may stand in the
path of a report. A process that starts again goes on with its predecessor's row, so a counter never falls.

Own code because of its price (docs/adr/0016). Nothing here names a person, and every label is from a closed list.
Without ``join`` the numbers live in this process alone, which is what tests and tools want.
"""

from __future__ import annotations

import mmap
import os
import time
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

FILE, ROW = "ANXIAO_METERS", "ANXIAO_METERS_ROW"

#: Codes of answers other than success; whatever else comes is counted as "other".
REASONS = (
    "signed_out",
    "too_often",
    "ticket_expired",
    "ticket_wrong",
    "already",
    "key_reused",
    "invalid",
    "form_changed",
    "not_open",
    "closed",
    "not_expected",
    "not_found",
    "nothing_to_correct",
    "unreadable",
    "too_large",
    "not_json",
    "foreign",
    "busy",
    "other",
)
SIZES = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0)
SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
#: What a process may say of itself: whether it hears of withdrawn passes, whether the database answers it, how far
#: its clock is before the database's (seconds), whether that database keeps what it acknowledges.
FACTS = ("listener", "database", "skew", "durable")

_PID, _STARTED, _ACCEPTED, _REPEATED, _QUEUE, _COMMITTED = range(6)
_REFUSED = 6
_SIZES = _REFUSED + len(REASONS)  # one cell a bound, one for what is above them all, one for the sum
_SECONDS = _SIZES + len(SIZES) + 2
_FACTS = _SECONDS + len(SECONDS) + 2
WIDTH = _FACTS + len(FACTS)

_UNKNOWN = float("nan")
_REASON_CELL = {reason: _REFUSED + n for n, reason in enumerate(REASONS)}
_FACT_CELL = {fact: _FACTS + n for n, fact in enumerate(FACTS)}


def _alone() -> memoryview[float]:
    return memoryview(bytearray(WIDTH * 8)).cast("d")


_row = _alone()


def accepted(n: int = 1) -> None:
    """Reports kept by a commit that has happened."""
    _row[_ACCEPTED] += n


def repeated(n: int = 1) -> None:
    """Requests answered with the receipt of an earlier one."""
    _row[_REPEATED] += n


def refused(reason: str, n: int = 1) -> None:
    """Requests answered with anything but a receipt, by the code of the answer."""
    _row[_REASON_CELL.get(reason, _REASON_CELL["other"])] += n


def batch(size: int, seconds: float) -> None:
    """A batch of this many reports was committed; ``seconds`` from its first statement to the end of its commit."""
    _row[_SIZES + bisect_left(SIZES, size)] += 1
    _row[_SIZES + len(SIZES) + 1] += size
    _row[_SECONDS + bisect_left(SECONDS, seconds)] += 1
    _row[_SECONDS + len(SECONDS) + 1] += seconds
    _row[_COMMITTED] = time.time()


def queue_depth(n: int) -> None:
    """How many reports wait for a batch in this process now."""
    _row[_QUEUE] = n


def listener(up: bool) -> None:
    """Whether this process hears of withdrawn passes."""
    health("listener", up)


def health(fact: str, value: float) -> None:
    """One of ``FACTS`` as this process sees it now; a yes is 1, a no is 0. Raises KeyError for any other name."""
    _row[_FACT_CELL[fact]] = value


@dataclass(frozen=True, slots=True)
class Histogram:
    """``counts`` has one more than ``bounds``: what was above them all. Not cumulated."""

    bounds: Sequence[float]
    counts: Sequence[float]
    total: float


@dataclass(frozen=True, slots=True)
class Seen:
    """One process's row. Moments are seconds since 1970 (0: never); a fact nobody has stated is NaN."""

    pid: int
    started: float
    accepted: float
    repeated: float
    refused: dict[str, float]
    queue: float
    committed: float
    sizes: Histogram
    seconds: Histogram
    facts: dict[str, float]


def prepare(path: Path, processes: int) -> None:
    """An empty table for this many processes; whatever an earlier run left there is gone."""
    path.unlink(missing_ok=True)
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        os.ftruncate(handle, max(processes, 1) * WIDTH * 8)
    finally:
        os.close(handle)


def join() -> None:
    """Write into the row that the environment names, if it names one. Counters go on; what was known is forgotten."""
    global _row
    path, number = os.environ.get(FILE), os.environ.get(ROW)
    if not path or not number:
        return
    with open(path, "r+b") as file:
        table = memoryview(mmap.mmap(file.fileno(), 0)).cast("d")
    start = int(number) * WIDTH
    _row = table[start : start + WIDTH]
    _row[_QUEUE] = 0
    for cell in _FACT_CELL.values():
        _row[cell] = _UNKNOWN
    _row[_PID], _row[_STARTED] = os.getpid(), time.time()


def leave() -> None:
    """Count in this process alone again."""
    global _row
    _row = _alone()


def read(path: Path) -> list[Seen]:
    """The rows of all processes that ever began; the ended ones keep their counters until they are started again."""
    table = memoryview(path.read_bytes()).cast("d")
    rows = (table[start : start + WIDTH] for start in range(0, len(table), WIDTH))
    return [_seen(row) for row in rows if row[_PID]]


def own() -> Seen:
    """The row of this process."""
    return _seen(_row)


def _seen(row: memoryview[float]) -> Seen:
    return Seen(
        pid=int(row[_PID]),
        started=row[_STARTED],
        accepted=row[_ACCEPTED],
        repeated=row[_REPEATED],
        refused={reason: row[cell] for reason, cell in _REASON_CELL.items()},
        queue=row[_QUEUE],
        committed=row[_COMMITTED],
        sizes=_histogram(row, _SIZES, SIZES),
        seconds=_histogram(row, _SECONDS, SECONDS),
        facts={fact: row[cell] for fact, cell in _FACT_CELL.items()},
    )


def _histogram(row: memoryview[float], start: int, bounds: Sequence[float]) -> Histogram:
    end = start + len(bounds) + 1
    return Histogram(bounds, row[start:end].tolist(), row[end])
