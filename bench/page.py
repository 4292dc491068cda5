# ruff: noqa: E501 - rows of Markdown tables cannot be broken
"""The readable page: docs/benchmarks.md and its charts, from a result file.

python bench/page.py [RESULT.json]      (the newest full result where none is named)
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from charts import Line, bars, lines, stacked

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "bench" / "results"
PAGE = ROOT / "docs" / "benchmarks.md"
CHARTS = ROOT / "docs" / "benchmarks"


def write(result: Mapping[str, Any], source: str) -> None:
    CHARTS.mkdir(parents=True, exist_ok=True)
    parts = [_head(result, source), _summary(result)]
    for name, part in (("p1", _p1), ("p2", _p2), ("p3", _p3), ("p4", _p4), ("p8", _p8), ("p10", _p10)):
        if result.get(name):
            parts.append(part(result[name]))
    parts.append(_how(result))
    PAGE.write_text("\n\n".join(parts) + "\n", encoding="utf-8")


def newest(kind: str | None = None, *, but: Path | None = None) -> Path | None:
    """The newest result file, of a kind where one is asked for."""
    found = [path for path in RESULTS.glob("*.json") if path != but]
    found = [path for path in found if kind is None or json.loads(path.read_text())["kind"] == kind]
    return max(found, key=lambda path: json.loads(path.read_text())["at"], default=None)


# --- parts -------------------------------------------------------------------------------------


def _head(result: Mapping[str, Any], source: str) -> str:
    m = result["machine"]
    what = (
        ""
        if result["kind"] == "full"
        else ("\n\n**This was the quick run**: a smaller province and short runs. `make bench` makes the whole one.")
    )
    return f"""# Benchmarks

Written by `make bench` from `bench/results/{source}`; do not edit. Everything — service, database, generator, readers —
ran on one machine, durable (`fsync`, `full_page_writes` and `synchronous_commit` on), on {result["at"][:10]}.{what}

| machine | |
|---|---|
| processor | {m["cpu"]}, {m["cores"]} cores |
| memory | {m["memory_gb"]} GB |
| system | {m["system"]}, kernel {m["kernel"]} |
| disk | {m["fsync_us"]} µs for 8 KB to be on the disk (median of 300) |
| versions | PostgreSQL {m.get("postgresql", "")}, Python {m["python"]}, {m["wrk"]} |
| load before | {", ".join(map(str, m["load_before"]))} (1, 5, 15 minutes) |

Machines are shared and noisy, so what counts is a ratio taken within minutes of each other, in turn, or processor time
for a unit of work (user and system of every process involved, from `/proc`). Figures are medians; least and most of
the runs stand in brackets."""


def _summary(result: Mapping[str, Any]) -> str:
    rows = [
        f"| {gate['name']} | {gate['shown']} | {gate['target']} | {gate['floor']} | {gate['verdict']} |"
        for gate in result.get("gates", [])
    ]
    return "\n".join(["| | measured | target | floor | |", "|---|---|---|---|---|", *rows])


def _p1(p1: Mapping[str, Any]) -> str:
    main = p1["main"]
    _chart(
        "p1-rate",
        bars(
            "Accepting reports: one second",
            [
                _bar("ceiling: pgbench, one commit a row", main["ceiling"]),
                _bar("reports accepted", main["rate"]),
                _bar("the door without its database", main["door"]),
            ],
            "/s",
            mark=("0.7 of the ceiling", main["ceiling"]["median"] * 0.7),
        ),
    )
    middle = sorted(main["runs"]["reports"], key=lambda run: sum(run["cpu_us"].values()))[
        len(main["runs"]["reports"]) // 2
    ]
    _chart(
        "p1-cpu",
        stacked(
            "Processor time of one report",
            [
                ("reports", [(kind, us) for kind, us in middle["cpu_us"].items() if us >= 0.5]),
                ("ceiling: a row", [("database", main["ceiling_cpu_us"]["median"])]),
            ],
            "µs",
        ),
    )
    detail = "\n".join(f"| {kind} | {us:,.1f} |" for kind, us in middle["cpu_detail_us"].items() if us >= 0.5)
    after = ", ".join(f"{kind} {us:,.0f} µs" for kind, us in middle["cpu_after_us"].items() if us >= 0.5) or "nothing"
    eighty = main["at_80_percent"]
    text = f"""## P1: accepting reports

A report here is everything: pass and ticket checked, answers judged, the row committed, counted, entered in the ledger,
its signed receipt returned. {_share_unchanged(p1)} of the people say "no change". The ceiling is pgbench (32 clients, prepared,
`{p1.get("ceiling_role", "anxiao_app")}`, fence judged for every row) inserting the same row into an identical empty
table of the same server, one commit each. {main["workers"]} processes, {main["connections"]} connections.

![rates](benchmarks/p1-rate.svg)

![processor time](benchmarks/p1-cpu.svg)

| | |
|---|---|
| reports a second | {_spread(main["rate"])} |
| ceiling, rows a second | {_spread(main["ceiling"])} |
| **ratio** | **{_spread(main["ratio"])}** |
| the door without its database, a second | {_spread(main["door"])} |
| processor time, web and database | {_spread(main["cpu_us"])} µs |
| all of ours, folding of counters afterwards included | {_spread(main["cpu_all_us"])} µs |
| answer at full load, p50 / p95 / p99 | {main["p50"]["median"]:,.0f} / {main["p95"]["median"]:,.0f} / {main["p99"]["median"]:,.0f} ms |
| answer at 80% ({eighty["planned_rate"]:,.0f}/s, open loop), p50 / p99 / max | {eighty["p50"]:,.0f} / {eighty["p99"]:,.0f} / {eighty["max"]:,.0f} ms |
| reports a commit | {_spread(main["batch"])} |
| refused | {main["refused"]} |

Where the time goes (one run), µs a report; afterwards, until the counters are folded: {after}.

| process | µs |
|---|---|
{detail}"""
    if mixed := p1.get("mixed"):
        text += f"""

**When {mixed["unchanged"]:.0%} say "no change"**, so that the house first looks up its own copy of their last report:
{_spread(mixed["rate"])} reports a second, ratio {_spread(mixed["ratio"])}, web and database {_spread(mixed["cpu_us"])} µs."""
    if p1.get("growth"):
        g = p1["growth"]
        text += f"""

**With a history and without.** The same people on a database with {p1["reports"]:,} reports and on an empty one, in
turn: {_spread(g["full"])} and {_spread(g["empty"])} reports a second, so the empty one is **{_spread(g["ratio"])}**
times as fast (at most 1.2 allowed). Nobody says "no change" here, because on the empty one nobody can: a report with all its
answers takes {_spread(g["cpu_us"])} µs of web and database with a history; processor time grows {_spread(g["cpu_ratio"])} times."""
    if p1.get("sweep"):
        rows = "\n".join(
            f"| {t['workers']} | {t['connections']} | {t['rate']:,.0f} | {t['p99']:,.0f} |"
            for t in p1["sweep"]["tried"]
        )
        text += f"""

**Processes and connections**, tried once, a few seconds each:

| processes | connections | reports a second | p99 ms |
|---|---|---|---|
{rows}"""
    return text


def _p2(p2: Mapping[str, Any]) -> str:
    second = p2["by_second"]
    _chart(
        "p2-wait",
        lines(
            "The peak: what a person waits",
            [
                Line("p99 of the second, ms", [(i, s[2]) for i, s in enumerate(second[:-1])]),
                Line("p50 of the second, ms", [(i, s[1]) for i, s in enumerate(second[:-1])]),
            ],
            x_name="second",
            y_name="ms",
            limit=("300 ms", 300.0),
        ),
    )
    statuses = ", ".join(f"{status}: {n:,}" for status, n in p2["statuses"].items())
    return f"""## P2: the last half hour before 14:00

{p2["people"]:,} people; {p2["came"]:,} of them come at random moments, {p2["rate"]:,.0f} a second for {p2["seconds"]:.0f} s:
the last half hour played {p2["speed"]:g} times faster. They do not wait for each other (open loop); waiting is
counted from the moment at which a person would have pressed the button.

![waiting](benchmarks/p2-wait.svg)

| | |
|---|---|
| answers | {statuses} |
| p50 / p95 / p99 / p99.9 / max | {p2["p50"]:,.0f} / {p2["p95"]:,.0f} / **{p2["p99"]:,.0f}** / {p2["p99.9"]:,.0f} / {p2["max"]:,.0f} ms |
| acknowledged and not stored | **{p2["lost"]}** |
| stored twice | **{p2["double_persons"] + p2["double_keys"]}** |
| stored and not acknowledged | {p2["stored_unacknowledged"]} |
| boards compared with the reports, all schools and the province, in one snapshot every 2 s | {p2["checks"]} times, **{p2["checks_wrong"]}** wrong |
| counters against the truth afterwards, all schools | {p2["counters_wrong_afterwards"]} wrong |
| wall asked over HTTP: age of the oldest acknowledged report not in it, p50 / p99 / max | {_age(p2["fresh_asked"])} |
| wall told by its stream: the same, sampled 4 times a second | {_age(p2["fresh_told"])} |
| board of the province in the database, p50 / max | {p2["board_ms"]["p50"]:,.0f} / {p2["board_ms"]["max"]:,.0f} ms |"""


def _p3(p3: Mapping[str, Any]) -> str:
    rows = "\n".join(
        f"| {what} | {k['n']} | {k['p50']:,.1f} | {k['p95']:,.1f} | {k['max']:,.0f} | {_or_dash(k.get('rest_p50'))}"
        f" | {_or_dash(k.get('rest_cpu_ms'))} |"
        for what, k in p3["kinds"].items()
    )
    _chart(
        "p3-reads",
        bars(
            "Reading while reports come in: p95 (line: p50 to p95)",
            [(what[:34], k["p95"], k["p50"], k["p95"]) for what, k in p3["kinds"].items()],
            "ms",
            mark=("100 ms", 100.0),
        ),
    )
    return f"""## P3: reading meanwhile

One reader after the other through HTTP with a signed-in session, whole pages, while {p3["half"]:,.0f} reports a second
come in (half of P1's rate); from asking to the last byte. At rest: nothing else going on, and processor time of web
and database for one page. A page that shows nothing costs {p3["trivial_cpu_ms"]} ms; the usual page costs
**{p3["ratio"]}** times that (geometric mean), which is what a regression is told by.

![reads](benchmarks/p3-reads.svg)

| what | n | p50 ms | p95 ms | max ms | at rest p50 ms | at rest CPU ms |
|---|---|---|---|---|---|---|
{rows}"""


def _p4(p4: Mapping[str, Any]) -> str:
    rows = [
        f"| {form} | {run['files']:,} | {run['rows']:,} | {run['bytes'] / 2**20:,.0f} | **{run['wall']:,.1f}** | {run['cpu_importer']:,.1f} "
        f"| {run['cpu_database']:,.1f} | {run['cpu'] / run['rows'] * 1e6:,.0f} | {run['memory_mb']:,.0f} | {run['written']:,} "
        f"| {run['pages_p50']:,.0f} / {run['pages_p95']:,.0f} ({run['slowest_page']}) |"
        for form, run in p4.items()
    ]
    return f"""## P4: the directories of all schools

`anxiao import-directory FOLDER --full-list`: a file for the staff and one for the students of every school, onto the database that holds
all these people; one row in a hundred differs. From the start of the command to its end: read in the cage, staged, compared, applied, in
the ledger, counted. Memory is the sum of the high-water marks (VmHWM) of the importer and its readers. Meanwhile somebody
reads boards, lists and persons, one after the other.

| from | files | people | MB | seconds | CPU importer, s | CPU database, s | CPU a person, µs | memory, MB | changed | pages meanwhile, p50 / p95 of the slowest, ms |
|---|---|---|---|---|---|---|---|---|---|---|
{chr(10).join(rows)}"""


def _p8(p8: Mapping[str, Any]) -> str:
    parts = ", ".join(f"{name} {size:,.1f}" for name, size in p8["parts"].items())
    _chart(
        "p8-memory",
        stacked(
            "Memory at rest",
            [("resident (PSS)", _largest(p8["resident"]))],
            "MB",
        ),
    )
    return f"""## P8: footprint

**{p8["bytes_a_report"]} bytes a report** on disk over {p8["reports"]:,} reports, indexes and counters included ({parts}; the
ledger stands apart and is not in the sum). **{p8["resident_bytes"] / 2**20:,.0f} MB** resident at rest (PSS, all processes,
database included).

![memory](benchmarks/p8-memory.svg)"""


def _p10(p10: Sequence[Mapping[str, Any]]) -> str:
    sizes = [each for each in p10 if each.get("rate")]
    _chart(
        "p10-growth",
        lines(
            "Growth: multiples of the smallest province",
            [
                Line("reports a second", [(e["people"], e["rate"] / sizes[0]["rate"]) for e in sizes]),
                Line("CPU a report", [(e["people"], e["cpu_us"] / sizes[0]["cpu_us"]) for e in sizes]),
                Line("CPU a page", [(e["people"], e["page_cpu_ms"] / sizes[0]["page_cpu_ms"]) for e in sizes]),
            ],
            x_name="people",
            y_name="times",
            log_x=True,
            limit=("1.5 times a decade", 1.5),
        ),
    )
    rows = "\n".join(
        f"| {e['people']:,} | {e['rate']:,.0f} | {e['ratio']:.2f} | {e['cpu_us']:,.0f} | {e['page_cpu_ms']:.1f}"
        f" | {e['worst_p95']:,.0f} ({e['worst']}) |"
        for e in sizes
    )
    return f"""## P10: growth

![growth](benchmarks/p10-growth.svg)

| people | reports a second | of the ceiling | CPU a report, µs | CPU a page at rest, ms (geometric mean) | slowest page, p95 ms |
|---|---|---|---|---|---|
{rows}"""


def _how(result: Mapping[str, Any]) -> str:
    return f"""## Running it again

```
make bench                         # a province of a million people is made first (about 15 minutes), then measured
make bench QUICK=1                 # a few minutes, a hundred thousand people
make bench BENCH_DATA=/big/disk    # where the provinces are, or are to be made; var/bench otherwise
make bench ONLY=p1,p3              # some of it
make bench SPEED=5                 # the half hour before 14:00 played five times faster instead of ten
```

`wrk` is needed (Debian: `apt-get install -y wrk`). Each run writes `bench/results/<date>-<kind>.json` and this page. It
fails when a floor is missed, or when the ratio of P1 falls or that of P3 rises by more than 10% against the newest
earlier result of the same kind. The generator and what it sends: `anxiao bench passes` writes passes, tickets and
bodies of synthetic people for any load generator; `bench/reports.lua` hands them to wrk, `bench/openloop.py` plays a
plan. This run took {result.get("took_s", 0) / 60:.0f} minutes."""


# --- words -------------------------------------------------------------------------------------


def _chart(name: str, svg: str) -> None:
    (CHARTS / f"{name}.svg").write_text(svg, encoding="utf-8")


def _bar(name: str, found: Mapping[str, float]) -> tuple[str, float, float, float]:
    return name, found["median"], found["min"], found["max"]


def _spread(found: Mapping[str, float]) -> str:
    digits = 0 if found["median"] >= 100 else 1 if found["median"] >= 10 else 2
    return f"{found['median']:,.{digits}f} ({found['min']:,.{digits}f}–{found['max']:,.{digits}f})"


def _age(found: Mapping[str, float]) -> str:
    return f"{found['p50']:.2f} / **{found['p99']:.2f}** / {found['max']:.2f} s in {found['looks']} looks"


def _or_dash(value: float | None) -> str:
    return "–" if value is None else f"{value:,.1f}"


def _largest(resident: Mapping[str, int]) -> list[tuple[str, float]]:
    """Megabytes of the five largest kinds, and of all others together."""
    found = [(kind, size / 2**20) for kind, size in sorted(resident.items(), key=lambda kind: -kind[1])]
    return [*found[:5], ("all others", sum(size for _, size in found[5:]))]


def _share_unchanged(p1: Mapping[str, Any]) -> str:
    return f"{p1.get('unchanged', 0.3):.0%}"


if __name__ == "__main__":
    path = Path(sys.argv[1]) if len(sys.argv) > 1 else newest("full") or newest()
    if path is None:
        sys.exit("There is no result yet; make bench writes one.")
    write(json.loads(path.read_text(encoding="utf-8")), path.name)
