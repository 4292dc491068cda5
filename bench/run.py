"""``make bench``: the scenarios in turn, a result file, the readable page, and a verdict.

Provinces are made where they are missing.  Exit status 1: a floor is missed, or P1 or P3 got worse by more than a
tenth.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from itertools import pairwise
from math import exp, log
from pathlib import Path
from typing import Any

import ceiling
import directory
import intake
import machine
import page
import peak
import reads
import weight
from plan import FULL, QUICK, Plan, say
from stand import ANXIAO, Broken, Stand, run

WORSE = 0.10
NO_FLOOR = float("inf")
SCENARIOS = ("p1", "p2", "p3", "p4", "p8", "p10")


def main() -> int:
    options = _options()
    plan = QUICK if options.quick else FULL
    chosen = {
        "peak_speed": options.speed,
        "peak_seconds": options.peak_seconds,
        "people": options.people,
        "sizes": options.sizes,
        "runs": options.runs,
        "seconds": options.seconds,
        "workers": options.workers,
        "connections": options.connections,
        "layout": options.layout,
        "unchanged": options.unchanged,
    }
    plan = replace(plan, **{name: value for name, value in chosen.items() if value is not None})
    if options.speed is not None and options.peak_seconds is None and not options.quick:
        plan = replace(plan, peak_seconds=round(peak.HALF_HOUR / options.speed))
    if options.no_sweep:
        plan = replace(plan, sweep_workers=())
    wanted = options.only.split(",") if options.only else list(SCENARIOS)
    unknown = set(wanted) - set(SCENARIOS)
    if unknown:
        raise Broken(f"There is no scenario {', '.join(sorted(unknown))}; there are {', '.join(SCENARIOS)}.")
    result: dict[str, Any] = {
        "kind": plan.kind,
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": machine.describe(options.data),
        "plan": {name: getattr(plan, name) for name in plan.__dataclass_fields__},
    }
    if result["machine"]["load_before"][0] > 0.5 * result["machine"]["cores"]:
        say(f"The machine is busy already (load {result['machine']['load_before'][0]}): figures will be bad.")
    measure(result, plan, options.data, wanted)
    result["gates"] = gates(result)
    result["took_s"] = round(time.monotonic() - _BEGAN)
    earlier = page.newest(plan.kind)
    before = json.loads(earlier.read_text(encoding="utf-8")) if earlier else None
    path = options.out or page.RESULTS / f"{result['at'][:10]}-{plan.kind}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    say(f"Written: {path}")
    if not options.no_page:
        page.write(result, path.name)
        say(f"Written: {page.PAGE}")
    return verdict(result, before, earlier.name if earlier else "")


def measure(result: dict[str, Any], plan: Plan, root: Path, wanted: list[str]) -> None:
    """Everything that is wanted, into ``result``; a province is served by one service at a time, but for P1's two."""
    full = root / f"province-{_short(plan.people)}"
    _made(full, plan.people, plan.days)
    workers, connections = plan.workers, plan.connections
    if "p1" in wanted and plan.sweep_workers:
        say("P1: processes and connections")
        result["p1"] = {"sweep": intake.sweep(full, plan)}
        workers, connections = result["p1"]["sweep"]["workers"], result["p1"]["sweep"]["connections"]
    rate = 0.0
    with Stand(full, workers=workers, layout=plan.layout) as stand:
        result["machine"]["postgresql"] = machine.database_version(stand)
        if "p8" in wanted:
            say("P8: footprint")
            stand.reset()
            result["p8"] = weight.measure(stand, plan.rest_seconds)
        if "p1" in wanted or "p3" in wanted:
            say(f"P1: accepting reports, {plan.people:,} people")
            p1 = result.setdefault("p1", {})
            p1["main"] = intake.measure(stand, replace(plan, unchanged=0.0), connections=connections)
            p1["reports"] = stand.value("SELECT count(*) FROM report")
            p1["unchanged"], p1["ceiling_role"] = 0.0, ceiling.APP
            rate = p1["main"]["rate"]["median"]
        if "p1" in wanted:
            say(f'P1: the same, when {plan.unchanged:.0%} say "no change"')
            result["p1"]["mixed"] = intake.measure(stand, replace(plan, runs=3), connections=connections)
            result["p1"]["mixed"]["unchanged"] = plan.unchanged
            say("P1: with a history and without")
            empty = root / f"empty-{_short(plan.people)}"
            _made(empty, plan.people, 0)
            with Stand(empty, workers=workers, layout=plan.layout) as other:
                result["p1"]["growth"] = intake.growth(stand, other, plan, connections=connections)
        if "p3" in wanted:
            say("P3: reading meanwhile")
            result["p3"] = reads.measure(stand, plan, half=rate / 2)
        if "p2" in wanted:
            say("P2: the last half hour before 14:00")
            result["p2"] = peak.play(stand, plan)
        if "p4" in wanted:
            result["p4"] = directory.measure(stand)
        stand.reset()
    if "p10" in wanted:
        result["p10"] = [_size(root, plan, people, workers, connections) for people in plan.sizes]


def _size(root: Path, plan: Plan, people: int, workers: int, connections: int) -> dict[str, Any]:
    say(f"P10: {people:,} people")
    data = root / f"province-{_short(people)}"
    _made(data, people, plan.days)
    # few people are soon used up: shorter runs, more of them
    shorter = replace(plan, runs=max(plan.runs, 5), seconds=min(plan.seconds, 4), open_seconds=2)
    with Stand(data, workers=workers, layout=plan.layout) as stand:
        made = intake.measure(stand, shorter, connections=connections)
        half = made["rate"]["median"] / 2
        seconds = max(min(12, int(people * 0.9 / half)), 2)
        read = reads.measure(stand, replace(plan, read_seconds=seconds), half=half)
        stand.reset()
    costs = [kind["rest_cpu_ms"] for kind in read["kinds"].values() if kind.get("rest_cpu_ms")]
    return {
        "people": people,
        "rate": made["rate"]["median"],
        "ratio": made["ratio"]["median"],
        "cpu_us": made["cpu_us"]["median"],
        "page_cpu_ms": round(exp(sum(map(log, costs)) / len(costs)), 3),
        "worst_p95": read["worst_p95"],
        "worst": read["worst"],
        "kinds": read["kinds"],
    }


def _made(data: Path, people: int, days: int) -> None:
    if (data / "demo.json").exists():
        return
    say(f"Making {data}: {people:,} people, {days} days ...")
    run([*ANXIAO, "bench", "province", "--data", str(data), "--people", str(people), "--days", str(days)])


def _short(people: int) -> str:
    return f"{people // 1_000_000}m" if people % 1_000_000 == 0 else f"{people // 1000}k"


# --- verdict -----------------------------------------------------------------------------------


def gates(result: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Every promise with what was measured; ``verdict`` is "target", "floor" or "missed"."""
    found: list[dict[str, Any]] = []

    def gate(
        name: str, value: float, target: float, floor: float, form: str = "{:,.2f}", *, least: bool = False
    ) -> None:
        def reached(bound: float) -> bool:
            return value >= bound if least else value <= bound

        sign = "≥ " if least else "≤ "
        how = "target" if reached(target) else "floor" if reached(floor) else "missed"
        found.append(
            {
                "name": name,
                "value": value,
                "shown": form.format(value),
                "target": sign + form.format(target),
                "floor": sign + form.format(floor) if floor != NO_FLOOR else "published",
                "verdict": how,
            }
        )

    if (p1 := result.get("p1", {})) and (main := p1.get("main")):
        gate("P1 reports, of the ceiling", main["ratio"]["median"], 0.7, 0.5, least=True)
        gate("P1 CPU a report, web and database", main["cpu_us"]["median"], 200, 300, "{:,.0f} µs")
        gate("P1 p99 at 80% of the maximum", main["at_80_percent"]["p99"], 150, 150, "{:,.0f} ms")
        if "growth" in p1:
            gate("P1 empty to full database", p1["growth"]["ratio"]["median"], 1.2, 1.2)
    if p2 := result.get("p2"):
        gate("P2 acknowledged and lost", p2["lost"], 0, 0, "{:,.0f}")
        gate("P2 stored twice", p2["double_persons"] + p2["double_keys"], 0, 0, "{:,.0f}")
        gate("P2 boards that differed", p2["checks_wrong"] + p2["counters_wrong_afterwards"], 0, 0, "{:,.0f}")
        fresh = max(p2["fresh_asked"]["p99"], p2["fresh_told"]["p99"])
        gate("P2 freshness p99", fresh, 2.0, 2.0, "{:,.2f} s")
        gate(f"P2 p99, played {p2['speed']:g} times faster", p2["p99"], 300, 300, "{:,.0f} ms")
    if p3 := result.get("p3"):
        gate("P3 slowest page, p95", p3["worst_p95"], 50, 100, "{:,.0f} ms")
    for form, seconds in (("csv", 30), ("xlsx", 60)):
        if p4 := result.get("p4", {}).get(form):
            gate(f"P4 {p4['rows']:,} people from {form}", p4["wall"], seconds, 2 * seconds, "{:,.1f} s")
            gate(f"P4 memory of reader and importer, {form}", p4["memory_mb"], 512, 512, "{:,.0f} MB")
            gate(f"P4 slowest page meanwhile, p95, {form}", p4["pages_p95"], 50, 100, "{:,.0f} ms")
    if p8 := result.get("p8"):
        gate("P8 bytes a report", p8["bytes_a_report"], 150, 250, "{:,.0f}")
        gate("P8 resident at rest", p8["resident_bytes"] / 2**20, 400, 600, "{:,.0f} MB")
    if p10 := result.get("p10"):
        for smaller, larger in pairwise(p10):
            decades = log(larger["people"] / smaller["people"], 10)
            times = max(
                larger["cpu_us"] / smaller["cpu_us"],
                larger["page_cpu_ms"] / smaller["page_cpu_ms"],
            ) ** (1 / decades)
            gate(f"P10 {smaller['people']:,} to {larger['people']:,}, a decade", times, 1.5, NO_FLOOR)
    return found


def verdict(result: Mapping[str, Any], before: Mapping[str, Any] | None, name: str) -> int:
    """Print every promise and every regression; 1 where something is missed."""
    bad = 0
    for gate in result["gates"]:
        mark = {"target": "ok", "floor": "floor", "missed": "MISSED"}[gate["verdict"]]
        bad += gate["verdict"] == "missed"
        say(f"{mark:>7}  {gate['name']}: {gate['shown']} (target {gate['target']}, floor {gate['floor']})")
    for what, better, read in _RATIOS:
        now, then = _read(result, read), _read(before, read) if before else None
        if now is None or not then:
            continue
        change = now / then - 1
        worse = change < -WORSE if better == "more" else change > WORSE
        bad += worse
        say(f"{'WORSE' if worse else 'ok':>7}  {what}: {now:.3f}, was {then:.3f} in {name} ({change:+.0%})")
    return 1 if bad else 0


_RATIOS: tuple[tuple[str, str, Callable[[Mapping[str, Any]], float]], ...] = (
    ("P1 ratio to the ceiling", "more", lambda r: r["p1"]["main"]["ratio"]["median"]),
    ("P3 cost of a page against an empty one", "less", lambda r: r["p3"]["ratio"]),
)


def _read(result: Mapping[str, Any] | None, read: Callable[[Mapping[str, Any]], float]) -> float | None:
    try:
        return None if result is None else read(result)
    except KeyError:
        return None


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a few minutes on a hundred thousand people")
    parser.add_argument("--data", type=Path, default=page.ROOT / "var" / "bench", help="where the provinces are")
    parser.add_argument("--only", default="", help=f"some of {','.join(SCENARIOS)}")
    parser.add_argument("--out", type=Path, help="result file")
    parser.add_argument("--no-page", action="store_true", help="leave docs/benchmarks.md as it is")
    parser.add_argument("--speed", type=float, help="how many times faster the half hour is played (10)")
    parser.add_argument("--peak-seconds", type=int, help="end the play earlier, at the same rate")
    parser.add_argument("--people", type=int, help="people of the province that is measured")
    parser.add_argument("--sizes", type=lambda text: tuple(map(int, text.split(","))), help="sizes of P10")
    parser.add_argument("--runs", type=int)
    parser.add_argument("--seconds", type=int, help="of one run of P1")
    parser.add_argument("--workers", type=int)
    parser.add_argument("--connections", type=int)
    parser.add_argument(
        "--layout", choices=("both", "split"), help="both doors in one group of processes, or two groups"
    )
    parser.add_argument("--unchanged", type=float, help='share of people who say "no change" (0.3)')
    parser.add_argument("--no-sweep", action="store_true", help="do not try numbers of processes and connections")
    options = parser.parse_args()
    options.data = options.data.absolute()
    return options


_BEGAN = time.monotonic()

if __name__ == "__main__":
    try:
        sys.exit(main())
    except Broken as broken:
        sys.stderr.write(f"bench: {broken}\n")
        sys.exit(2)
