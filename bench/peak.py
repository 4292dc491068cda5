"""P2: the last half hour before 14:00, played faster: a third of a province comes, whatever the answers do."""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
import tempfile
import threading
import time
from bisect import bisect_right
from pathlib import Path
from typing import Any

from load import Lines, timed
from plan import Plan, quantile, say
from stand import HERE, Broken, Stand, by_group, last_json, run, spent

SHARE, HALF_HOUR = 0.35, 1800.0
PROBE = 0.25


def play(stand: Stand, plan: Plan) -> dict[str, Any]:
    """Play it.  ``speed`` 10: half an hour in three minutes; a shorter play keeps the rate and ends earlier."""
    stand.reset()
    people = stand.people()
    rate = people * SHARE / HALF_HOUR * plan.peak_speed
    seconds = min(plan.peak_seconds, HALF_HOUR / plan.peak_speed)
    count = int(rate * seconds)
    lines = Lines(stand, most=count, unchanged=plan.unchanged)
    ready = lines.need(count)
    if ready < count:
        raise Broken(f"Only {ready} people may still report, {count} are to come.")
    base = stand.accepted()
    readers = last_json(run([sys.executable, str(HERE / "inside.py"), str(stand.data), "readers"])[0])
    acknowledged = Path(tempfile.mkstemp(prefix="anxiao-bench-", suffix=".tsv")[1])
    say(f"  {count:,} of {people:,} people in {seconds:.0f} s: {rate:,.0f} a second")
    checker = subprocess.Popen(
        [sys.executable, str(HERE / "inside.py"), str(stand.data), "boards", str(seconds + 6)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    probes = [Asked(stand, readers), Told(stand, readers)]
    for probe in probes:
        probe.start()
    try:
        time.sleep(3)
        before = stand.cpu()
        found = timed(stand, lines, count=count, rate=rate, acknowledged=acknowledged, connections=200)
        used = by_group(spent(before, stand.cpu()))
        time.sleep(3)
    finally:
        for probe in probes:
            probe.over.set()
        out, errors = checker.communicate()
        for probe in probes:
            probe.join(15)
    if checker.returncode != 0:
        raise Broken(f"The check of the boards failed: {errors.decode()[-500:]}")
    checks: list[dict[str, Any]] = last_json(out.decode())  # type: ignore[assignment]
    known = [line.split("\t") for line in acknowledged.read_text().splitlines()]
    moments = sorted(float(at) for at, _ in known)
    kept = _kept(stand, [key.strip() for _, key in known])
    stand.quiet(30)
    wrong = last_json(run([sys.executable, str(HERE / "inside.py"), str(stand.data), "truth"])[0])
    lines.close()
    acknowledged.unlink()
    asked, told = (_ages(probe.seen, moments) for probe in probes)
    return {
        "people": people,
        "came": count,
        "speed": plan.peak_speed,
        "seconds": seconds,
        "rate": rate,
        **{name: found[name] for name in ("accepted", "statuses", "p50", "p95", "p99", "p99.9", "max", "connections")},
        "most_waiting": found["most_waiting"],
        **kept,
        "accepted_by_the_door": stand.accepted() - base,
        "checks": len(checks),
        "checks_wrong": sum(bool(check["wrong"]) for check in checks),
        "first_wrong": next((check["wrong"][:3] for check in checks if check["wrong"]), []),
        "board_ms": {"p50": quantile([c["board_ms"] for c in checks], 0.5), "max": max(c["board_ms"] for c in checks)},
        "counters_wrong_afterwards": wrong,
        "fresh_asked": asked,
        "fresh_told": told,
        "probe_errors": sum(len(probe.errors) for probe in probes),
        "cpu_us": {kind: s / max(found["accepted"], 1) * 1e6 for kind, s in sorted(used.items())},
        "by_second": found["by_second"],
    }


def _kept(stand: Stand, keys: list[str]) -> dict[str, int]:
    """What was acknowledged and is not there, what is there and was not acknowledged, what is there twice."""
    with stand.sql() as connection:
        connection.execute("CREATE TEMP TABLE acknowledged (key uuid PRIMARY KEY)")
        with connection.cursor().copy("COPY acknowledged FROM STDIN") as copy:
            for key in keys:
                copy.write_row((key,))
        connection.execute(
            "CREATE TEMP TABLE stored AS SELECT key, school_id, person_id, round_id, version FROM report"
            " WHERE day = (now() AT TIME ZONE 'Asia/Shanghai')::date"
        )
        row = connection.execute(
            "SELECT (SELECT count(*) FROM acknowledged a WHERE NOT EXISTS (SELECT FROM stored s WHERE s.key = a.key)),"
            " (SELECT count(*) FROM stored s WHERE NOT EXISTS (SELECT FROM acknowledged a WHERE a.key = s.key)),"
            " (SELECT count(*) - count(DISTINCT (school_id, person_id, round_id)) FROM stored),"
            " (SELECT count(*) - count(DISTINCT key) FROM stored), (SELECT count(*) FROM stored)"
        ).fetchone()
    assert row is not None
    names = ("lost", "stored_unacknowledged", "double_persons", "double_keys", "stored")
    return dict(zip(names, row, strict=True))


class Probe(threading.Thread):
    """Looks at the wall of the province, as a screen does; notes when it knew of how many reports."""

    def __init__(self, stand: Stand, readers: dict[str, Any]) -> None:
        super().__init__(daemon=True)
        self.port, self.cookie = stand.console, f"{readers['cookie']}={readers['wall']['session']}"
        self.path = readers["wall"]["path"]
        self.over = threading.Event()
        self.seen: list[tuple[float, int]] = []
        """A moment, and the reports that were known of then."""
        self.errors: list[str] = []

    def ask(self, connection: http.client.HTTPConnection) -> dict[str, Any]:
        connection.request("GET", self.path, headers={"Cookie": self.cookie})
        answer = connection.getresponse()
        body = answer.read()
        if answer.status != 200:
            raise OSError(f"{self.path}: {answer.status}")
        found: dict[str, Any] = json.loads(body)
        return found


class Asked(Probe):
    """Asks again and again; an answer is as old as the moment at which it was asked for."""

    def run(self) -> None:
        while not self.over.is_set():
            try:
                connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
                while not self.over.is_set():
                    moment = time.time()
                    self.seen.append((moment, self.ask(connection)["progress"]["value"]))
                    self.over.wait(max(moment + PROBE - time.time(), 0.02))
            except (OSError, http.client.HTTPException) as error:
                self.errors.append(str(error))
                self.over.wait(1)


class Told(Probe):
    """Listens to the stream; what a screen shows is sampled four times a second, however long ago it was told."""

    def run(self) -> None:
        shown = -1

        def sample() -> None:
            while not self.over.wait(PROBE):
                if shown >= 0:
                    self.seen.append((time.time(), shown))

        threading.Thread(target=sample, daemon=True).start()
        while not self.over.is_set():
            try:
                connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=8)
                ticket = self.ask(connection)["ticket"]
                connection.request("GET", f"/streams/wall?ticket={ticket}", headers={"Cookie": self.cookie})
                answer = connection.getresponse()
                if answer.status != 200:
                    raise OSError(f"stream: {answer.status}")
                while not self.over.is_set():
                    line = answer.readline()
                    if not line:
                        raise OSError("the stream ended")
                    if line.startswith(b"data: ") and b'"progress"' in line:
                        shown = json.loads(line[6:])["progress"]["value"]
            except (OSError, http.client.HTTPException) as error:
                if not self.over.is_set():
                    self.errors.append(str(error))
                self.over.wait(1)


def _ages(seen: list[tuple[float, int]], acknowledged: list[float]) -> dict[str, float]:
    """Seconds for which the oldest report that was acknowledged and not shown had been acknowledged already."""
    ages = []
    for moment, known in seen:
        if bisect_right(acknowledged, moment) > known >= 0 and acknowledged:
            ages.append(moment - acknowledged[min(known, len(acknowledged) - 1)])
        elif acknowledged and acknowledged[0] <= moment <= acknowledged[-1] + 1:
            ages.append(0.0)
    names = (("p50", 0.5), ("p95", 0.95), ("p99", 0.99), ("max", 1.0))
    return {"looks": len(ages), **{name: round(quantile(ages, share), 3) for name, share in names}}
