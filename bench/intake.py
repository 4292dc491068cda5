"""P1: accepting reports, beside the ceiling of the same minutes and the door without its database."""

from __future__ import annotations

from statistics import median
from typing import Any

import ceiling
from load import Lines, closed, refused_lines, timed
from plan import Plan, say, spread
from stand import Stand, by_group, spent


def reports(stand: Stand, lines: Lines, *, seconds: int, connections: int, rate_guess: float) -> dict[str, Any]:
    """One run of accepting as many reports as the door takes.

    ``cpu_us`` are processor microseconds a report while the load runs; ``cpu_after_us`` those until the housekeeper
    has folded the counters.
    """
    ready = lines.need(int(rate_guess * seconds * 1.4))
    seconds = max(1, min(seconds, int(ready / (rate_guess * 1.2))))
    before, kept, batches = stand.cpu(), stand.accepted(), stand.batches()
    found = closed(stand, lines.path, start=lines.start, seconds=seconds, connections=connections)
    after, batched = stand.cpu(), stand.batches()
    accepted = stand.accepted() - kept
    lines.used(found["position"], accepted)
    waited = stand.quiet()
    settled = stand.cpu()
    used = spent(before, after)
    later = by_group(spent(after, settled))
    groups = by_group(used)
    bad = found["errors"]["status"] + found["errors"]["read"] + found["errors"]["connect"] + found["errors"]["timeout"]
    seconds_run = found["seconds"]
    commits = batched[0] - batches[0]
    return {
        "rate": (found["requests"] - found["errors"]["status"]) / seconds_run,
        "accepted": accepted,
        "refused": bad,
        "used_up": found["used_up"],
        **{name: found[name] for name in ("p50", "p95", "p99", "max")},
        "batch": accepted / commits if commits else 0.0,
        "commit_ms": (batched[1] - batches[1]) / commits * 1000 if commits else 0.0,
        "cpu_us": {kind: s / accepted * 1e6 for kind, s in sorted(groups.items())}
        | {"generator": found["generator_cpu"] / accepted * 1e6},
        "cpu_detail_us": {kind: s / accepted * 1e6 for kind, s in sorted(used.items()) if s > 0},
        "cpu_after_us": {kind: s / accepted * 1e6 for kind, s in sorted(later.items()) if s > 0},
        "settled_in": waited,
    }


def door_alone(stand: Stand, lines: Lines, *, seconds: int, connections: int) -> dict[str, Any]:
    """Pass, ticket, body and form checked, and refused for its answers: all of a report but the database."""
    lines.need(8_000)
    path = refused_lines(lines, 8_000)
    before = stand.cpu()
    found = closed(stand, path, start=0, seconds=seconds, connections=connections, again=True)
    used = by_group(spent(before, stand.cpu()))
    return {
        "rate": found["requests"] / found["seconds"],
        "p99": found["p99"],
        "web_us": used.get("web", 0.0) / found["requests"] * 1e6,
    }


def warm_up(stand: Stand, lines: Lines, connections: int) -> float:
    """Caches, plans and pools as in the middle of a morning; returns a first guess of the rate."""
    lines.need(min(8_000, lines.most))
    return max(reports(stand, lines, seconds=2, connections=connections, rate_guess=3_000)["rate"], 500.0)


def sweep(data: Any, plan: Plan) -> dict[str, Any]:
    """Which number of processes and connections is the best here; tried once, briefly."""
    tried = []
    for workers in plan.sweep_workers:
        with Stand(data, workers=workers, layout=plan.layout) as stand:
            stand.reset()
            lines = Lines(stand, most=plan.lines, unchanged=plan.unchanged)
            guess = warm_up(stand, lines, 64)
            for connections in plan.sweep_connections:
                found = reports(stand, lines, seconds=plan.sweep_seconds, connections=connections, rate_guess=guess)
                guess = max(guess, found["rate"])
                tried.append(
                    {"workers": workers, "connections": connections, "rate": found["rate"], "p99": found["p99"]}
                )
                say(f"  sweep: {workers} processes, {connections} connections: {found['rate']:,.0f}/s")
            lines.close()
    best = max(tried, key=lambda each: float(each["rate"]))
    return {"tried": tried, "workers": best["workers"], "connections": best["connections"]}


def measure(stand: Stand, plan: Plan, *, connections: int) -> dict[str, Any]:
    """Runs in turn: ceiling, reports, door alone; medians with least and most, and each run."""
    stand.reset()
    lines = Lines(stand, most=plan.lines, unchanged=plan.unchanged)
    script = ceiling.prepare(stand)
    runs: dict[str, list[dict[str, Any]]] = {"ceiling": [], "reports": [], "door": []}
    try:
        guess = warm_up(stand, lines, connections)
        for number in range(plan.runs):
            runs["ceiling"].append(ceiling.insert(stand, script, seconds=plan.seconds))
            found = reports(stand, lines, seconds=plan.seconds, connections=connections, rate_guess=guess)
            runs["reports"].append(found)
            guess = max(guess, found["rate"])
            runs["door"].append(door_alone(stand, lines, seconds=max(plan.seconds // 2, 2), connections=connections))
            say(
                f"  run {number + 1} of {plan.runs}: ceiling {runs['ceiling'][-1]['rate']:,.0f}/s,"
                f" reports {found['rate']:,.0f}/s, p99 {found['p99']:.0f} ms"
            )
        rate = median(run["rate"] for run in runs["reports"])
        count = int(rate * 0.8 * plan.open_seconds)
        count = min(count, lines.need(min(count, plan.lines)))
        eighty = timed(stand, lines, count=count, rate=rate * 0.8)
        eighty.pop("by_second")
    finally:
        ceiling.remove(stand, script)
        lines.close()
    made = runs["reports"]
    return {
        "connections": connections,
        "workers": stand.workers,
        "rate": spread([run["rate"] for run in made]),
        "ceiling": spread([run["rate"] for run in runs["ceiling"]]),
        "door": spread([run["rate"] for run in runs["door"]]),
        # of each pair that ran one after the other
        "ratio": spread([r["rate"] / c["rate"] for r, c in zip(made, runs["ceiling"], strict=True)]),
        "cpu_us": spread([_web_and_database(run["cpu_us"]) for run in made]),
        "cpu_all_us": spread([_all(run["cpu_us"]) + sum(run["cpu_after_us"].values()) for run in made]),
        "ceiling_cpu_us": spread([run["database_us"] for run in runs["ceiling"]]),
        **{name: spread([run[name] for run in made]) for name in ("p50", "p95", "p99", "batch")},
        "at_80_percent": eighty,
        "refused": sum(run["refused"] for run in made),
        "runs": runs,
    }


def growth(full: Stand, empty: Stand, plan: Plan, *, connections: int) -> dict[str, Any]:
    """The same people, with and without a history, in turn.  Nobody says "no change": on the empty one nobody can."""
    sides = {"full": full, "empty": empty}
    lines = {}
    runs: dict[str, list[dict[str, Any]]] = {"full": [], "empty": []}
    try:
        for name, stand in sides.items():
            stand.reset()
            lines[name] = Lines(stand, most=plan.lines, unchanged=0.0)
        guess = max(warm_up(stand, lines[name], connections) for name, stand in sides.items())
        for number in range(plan.runs):
            for name, stand in sides.items():
                runs[name].append(
                    reports(stand, lines[name], seconds=plan.seconds, connections=connections, rate_guess=guess)
                )
                guess = max(guess, runs[name][-1]["rate"])
            say(
                f"  run {number + 1} of {plan.runs}: with history {runs['full'][-1]['rate']:,.0f}/s,"
                f" without {runs['empty'][-1]['rate']:,.0f}/s"
            )
    finally:
        for each in lines.values():
            each.close()
    pairs = list(zip(runs["empty"], runs["full"], strict=True))
    return {
        "ratio": spread([e["rate"] / f["rate"] for e, f in pairs]),
        "cpu_ratio": spread([_web_and_database(f["cpu_us"]) / _web_and_database(e["cpu_us"]) for e, f in pairs]),
        "cpu_us": spread([_web_and_database(run["cpu_us"]) for run in runs["full"]]),
        **{name: spread([run["rate"] for run in found]) for name, found in runs.items()},
        "runs": runs,
    }


def _web_and_database(cpu: dict[str, float]) -> float:
    return sum(value for kind, value in cpu.items() if kind in ("web", "database"))


def _all(cpu: dict[str, float]) -> float:
    """Everything of ours; the generator is nobody's server."""
    return sum(value for kind, value in cpu.items() if kind != "generator")
