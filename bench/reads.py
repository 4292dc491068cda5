"""P3: reading boards, names and persons while reports come in at half speed; and what a reading costs at rest."""

from __future__ import annotations

import http.client
import subprocess
import sys
import time
from collections import defaultdict
from itertools import cycle
from math import exp, log
from threading import Thread
from typing import Any

from load import Lines, timed
from plan import Plan, quantile, say
from stand import HERE, Broken, Stand, last_json, run, spent


def measure(stand: Stand, plan: Plan, *, half: float) -> dict[str, Any]:
    """``half``: reports a second that come in meanwhile.  Times are those of a reader on the same machine: from asking
    to the last byte, waiting in the server included.
    """
    stand.reset()
    readers: dict[str, Any] = last_json(run([sys.executable, str(HERE / "inside.py"), str(stand.data), "readers"])[0])
    count = int(half * plan.read_seconds)
    lines = Lines(stand, most=count, unchanged=plan.unchanged)
    count = min(lines.need(count), count)
    rest = _at_rest(stand, readers, plan.reads_at_rest)
    load: dict[str, Any] = {}
    trend: list[float] = []

    def send() -> None:
        load.update(timed(stand, lines, count=count, rate=half))

    sender = Thread(target=send)
    sender.start()
    # the sender first reads its lines
    time.sleep(1 + count / 200_000)
    try:
        busy = _while_busy(stand, readers, sender, trend)
    finally:
        sender.join()
        lines.close()
    if not load:
        raise Broken("The load beside the readers failed.")
    kinds = {}
    for what, times in busy.items():
        kinds[what] = {
            "n": len(times),
            **{name: round(quantile(times, share), 2) for name, share in (("p50", 0.5), ("p95", 0.95), ("max", 1.0))},
            "rest_p50": round(quantile(rest[what]["times"], 0.5), 2),
            "rest_cpu_ms": round(rest[what]["cpu_ms"], 2),
        }
    kinds["trend of ten days (its query)"] = {
        "n": len(trend),
        **{name: round(quantile(trend, share), 2) for name, share in (("p50", 0.5), ("p95", 0.95), ("max", 1.0))},
    }
    trivial = rest["trivial"]["cpu_ms"]
    costs = [kind["rest_cpu_ms"] / trivial for kind in kinds.values() if kind.get("rest_cpu_ms")]
    worst = max(kinds, key=lambda what: float(kinds[what]["p95"]))
    say(f"  slowest: {worst}, p95 {kinds[worst]['p95']:.0f} ms; beside it {half:,.0f} reports a second")
    return {
        "half": half,
        "kinds": kinds,
        "worst_p95": kinds[worst]["p95"],
        "worst": worst,
        "trivial_cpu_ms": round(trivial, 3),
        # the usual page in units of a page that shows nothing: what a regression is told by
        "ratio": round(exp(sum(log(cost) for cost in costs) / len(costs)), 3) if costs else 0.0,
        "load": {name: load[name] for name in ("accepted", "statuses", "p50", "p99", "max")},
    }


def _while_busy(stand: Stand, readers: dict[str, Any], sender: Thread, trend: list[float]) -> dict[str, list[float]]:
    found: dict[str, list[float]] = defaultdict(list)
    kinds: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for read in readers["reads"]:
        kinds[read["what"]].append(read)
    turns = {what: cycle(reads) for what, reads in kinds.items()}
    asking = subprocess.Popen(
        [sys.executable, str(HERE / "inside.py"), str(stand.data), "trend", "40"], stdout=subprocess.PIPE
    )
    connection = http.client.HTTPConnection("127.0.0.1", stand.console, timeout=60)
    try:
        while sender.is_alive():
            for what, turn in turns.items():
                if not sender.is_alive():
                    break
                found[what].append(_read(connection, readers["cookie"], next(turn)))
    finally:
        out, _ = asking.communicate()
        trend.extend(last_json(out.decode()))  # type: ignore[arg-type]
    return found


def _at_rest(stand: Stand, readers: dict[str, Any], times: int) -> dict[str, dict[str, Any]]:
    """Each kind by itself, nothing else going on: milliseconds, and processor time of web and database together."""
    kinds: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for read in readers["reads"]:
        kinds[read["what"]].append(read)
    kinds["trivial"] = [{"session": readers["wall"]["session"], "path": readers["trivial"]}]
    connection = http.client.HTTPConnection("127.0.0.1", stand.console, timeout=60)
    found = {}
    for what, reads in kinds.items():
        for read in reads:
            _read(connection, readers["cookie"], read)
        rounds = max(times, len(reads)) * (10 if what == "trivial" else 1)
        turn = cycle(reads)
        before = stand.cpu()
        taken = [_read(connection, readers["cookie"], next(turn)) for _ in range(rounds)]
        used = spent(before, stand.cpu())
        # the housekeeper's sessions go on by themselves
        own = sum(s for kind, s in used.items() if kind.startswith(("web", "database: for the doors")))
        found[what] = {"times": taken, "cpu_ms": max(own / rounds * 1000, 0.05)}
    return found


def _read(connection: http.client.HTTPConnection, cookie: str, read: dict[str, Any]) -> float:
    """Milliseconds of one reading."""
    began = time.perf_counter()
    connection.request("GET", read["path"], headers={"Cookie": f"{cookie}={read['session']}"})
    answer = connection.getresponse()
    answer.read()
    taken = (time.perf_counter() - began) * 1000
    if answer.status != 200:
        raise Broken(f"{read['path']} answered {answer.status}.")
    return taken
