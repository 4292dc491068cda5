"""Loads: wrk as fast as it can, or reports at the moments of a plan; and the lines that they send."""

from __future__ import annotations

import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from stand import ANXIAO, HERE, Broken, Stand, last_json, run

#: Tickets live for fifteen minutes; younger ones than this are used.
FRESH_SECONDS = 11 * 60.0


class Lines:
    """Passes, tickets and bodies of people who have not reported yet, used up from the front."""

    def __init__(self, stand: Stand, *, most: int, seed: int = 1, unchanged: float) -> None:
        self.stand, self.most, self.seed, self.unchanged = stand, most, seed, unchanged
        self.path = Path(tempfile.mkdtemp(prefix="anxiao-bench-")) / "lines.tsv"
        self.start = 0
        self.left = 0
        self._made = float("-inf")
        self.resets = 0

    def need(self, count: int) -> int:
        """See that so many lines are ready, anew where tickets grow old, after a reset where people run out.

        Returns how many are ready: fewer only in a province of fewer people.
        """
        if self.left >= count and time.monotonic() - self._made < FRESH_SECONDS:
            return self.left
        self._write()
        if self.left < count:
            self.stand.reset()
            self.resets += 1
            self._write()
        return self.left

    def used(self, position: int, count: int) -> None:
        self.start, self.left = position, max(self.left - count, 0)

    def close(self) -> None:
        shutil.rmtree(self.path.parent, ignore_errors=True)

    def _write(self) -> None:
        command = [*ANXIAO, "bench", "passes", "--data", str(self.stand.data), "--count", str(self.most)]
        command += ["--out", str(self.path), "--unchanged", str(self.unchanged), "--seed", str(self.seed)]
        said, _cpu = run(command)
        self.start, self.left, self._made = 0, int(said.split()[0].replace(",", "")), time.monotonic()


def refused_lines(lines: Lines, count: int) -> Path:
    """The same requests without answers: the door checks everything and refuses them before the database."""
    path = lines.path.with_name("refused.tsv")
    with lines.path.open(encoding="utf-8") as source, path.open("w", encoding="utf-8") as target:
        for _ in range(count):
            line = source.readline()
            if not line:
                break
            head, mark, _rest = line.partition('"answers":')
            target.write(f'{head}{mark}{{}},"unchanged":false}}\n')
    return path


def closed(
    stand: Stand, file: Path, *, start: int, seconds: int, connections: int, again: bool = False
) -> dict[str, Any]:
    """wrk: each connection sends its next request when the last one was answered."""
    wrk = shutil.which("wrk")
    if wrk is None:
        raise Broken("wrk is not installed; on Debian: apt-get install -y wrk")
    command = [wrk, "-t1", f"-c{connections}", f"-d{seconds}", "--timeout", "10", "-s", str(HERE / "reports.lua")]
    command += [f"http://127.0.0.1:{stand.intake}", "--", str(file), str(start), "again" if again else "once"]
    out, cpu = run(command)
    return {**last_json(out), "generator_cpu": cpu}


def timed(
    stand: Stand,
    lines: Lines,
    *,
    count: int,
    rate: float,
    acknowledged: Path | None = None,
    connections: int = 64,
    seed: int = 1,
) -> dict[str, Any]:
    """Reports at the moments of a plan, whatever the answers do; waiting is counted from the planned moment."""
    command = [sys.executable, str(HERE / "openloop.py"), "--file", str(lines.path), "--start", str(lines.start)]
    command += ["--count", str(count), "--rate", str(rate), "--port", str(stand.intake), "--seed", str(seed)]
    command += ["--connections", str(connections)]
    if acknowledged is not None:
        command += ["--acknowledged", str(acknowledged)]
    out, cpu = run(command)
    found: dict[str, Any] = {**last_json(out), "generator_cpu": cpu}
    lines.used(found["position"], count)
    return found
