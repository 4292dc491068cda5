"""What a run of the bench does, and how figures are put together."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

BEGAN = time.monotonic()


@dataclass(frozen=True)
class Plan:
    """``kind`` tells results apart that may be compared.  Seconds are of a single run."""

    kind: str
    people: int
    sizes: Sequence[int]
    runs: int
    seconds: int
    open_seconds: int
    lines: int
    sweep_workers: Sequence[int]
    sweep_connections: Sequence[int]
    sweep_seconds: int
    peak_seconds: int
    peak_speed: float
    read_seconds: int
    reads_at_rest: int
    rest_seconds: int
    days: int = 32
    workers: int = 2
    connections: int = 64
    layout: str = "both"
    unchanged: float = 0.3
    """Share of people who say "no change"; the others send all their answers."""


FULL = Plan(
    kind="full",
    people=1_000_000,
    sizes=(10_000, 100_000, 1_000_000),
    runs=5,
    seconds=7,
    open_seconds=10,
    lines=200_000,
    sweep_workers=(1, 2, 3),
    sweep_connections=(32, 64, 128, 256),
    sweep_seconds=3,
    peak_seconds=180,
    peak_speed=10.0,
    read_seconds=40,
    reads_at_rest=12,
    rest_seconds=20,
)
QUICK = Plan(
    kind="quick",
    people=100_000,
    sizes=(10_000, 100_000),
    runs=5,
    seconds=3,
    open_seconds=5,
    lines=60_000,
    sweep_workers=(),
    sweep_connections=(),
    sweep_seconds=2,
    peak_seconds=30,
    peak_speed=10.0,
    read_seconds=15,
    reads_at_rest=6,
    rest_seconds=8,
)


def say(line: str) -> None:
    sys.stdout.write(f"{time.monotonic() - BEGAN:7.0f} s  {line}\n")
    sys.stdout.flush()


def spread(values: Sequence[float]) -> dict[str, float]:
    """Median, least and most of some runs."""
    if not values:
        return {"median": 0.0, "min": 0.0, "max": 0.0}
    return {name: round(how(values), 4) for name, how in (("median", median), ("min", min), ("max", max))}


def quantile(values: Sequence[float], share: float) -> float:
    found = sorted(values)
    return found[min(int(len(found) * share), len(found) - 1)] if found else 0.0
