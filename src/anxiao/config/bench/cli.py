"""``anxiao bench``: make a synthetic province and measure on it.  Never on an installation with real people."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer

from anxiao.config.embedded import EmbeddedServer
from anxiao.config.environment import NotReady, surroundings

app = typer.Typer(
    name="bench",
    help="Synthetic provinces of any size, and measurements on them.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

Data = Annotated[
    Path,
    typer.Option("--data", envvar="ANXIAO_DATA", help="Data directory of the synthetic province.", metavar="DIR"),
]


@app.command()
def province(
    data: Data,
    people: Annotated[int, typer.Option(help="People in all, over all universities of the register.", min=1)] = 100_000,
    days: Annotated[int, typer.Option(help="Days of history before today, which is left empty.", min=0, max=366)] = 30,
    seed: Annotated[int, typer.Option(help="The same seed makes the same province.")] = 1,
) -> None:
    """Fill an empty database with a synthetic province: people, accounts, reports and counters, by the million."""
    with ready(data) as server:
        from anxiao.base.clock import now
        from anxiao.config import installation
        from anxiao.config.bench.province import make_province
        from anxiao.config.bench.province_footprint import disk, lines
        from anxiao.config.bench.province_tuning import hurried

        installation.prepare()
        with hurried(server):
            made = make_province(people=people, days=days, seed=seed, now=now(), say=typer.echo)
        facts = {"people": people, "days": days, "seed": seed, "reports": made.reports}
        # The mark of a synthetic deployment: it may be served without certificates and second factors.
        (data / "demo.json").write_text(json.dumps(facts) + "\n", encoding="utf-8")
        for line in lines(disk()):
            typer.echo(line)
    typer.echo(f"{made.people:,} people, {made.reports:,} reports in {made.seconds:.0f} s")
    if made.wrong_counters:
        raise NotReady(f"{made.wrong_counters} counters differ from the truth; this is a fault of ours.")


@app.command()
def passes(
    data: Data,
    count: Annotated[int, typer.Option(help="Lines to write, one a person.", min=1)],
    out: Annotated[Path, typer.Option(help="File to write; each line: person, pass, body, split by tabs.")],
    offset: Annotated[int, typer.Option(help="People to pass over first.", min=0)] = 0,
    unchanged: Annotated[float, typer.Option(help='Share of people who say "no change".', min=0, max=1)] = 0.0,
    seed: Annotated[int, typer.Option(help="The same seed puts people into the same order.")] = 1,
    ahead: Annotated[int, typer.Option(help="Minutes from now at which the tickets are issued.", min=0)] = 0,
) -> None:
    """Write passes, tickets and ready bodies of synthetic people, so that any load generator can use the door.

    Only people who may still report today: neither exempt nor done. Tickets last 15 minutes from their issue.
    """
    if not (data / "demo.json").exists():
        raise NotReady(f"{data} is not a synthetic province; passes are made for nobody else.")
    began = time.monotonic()
    with ready(data):
        from anxiao.base import deployment
        from anxiao.base.clock import now
        from anxiao.config.bench.passes import write_passes

        # Whoever holds this file can report for these people until the tickets end.
        with os.fdopen(os.open(out, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
            written = write_passes(
                file,
                secret=deployment.secret(),
                now=now(),
                count=count,
                offset=offset,
                unchanged=unchanged,
                seed=seed,
                ahead=timedelta(minutes=ahead),
            )
    typer.echo(
        f"{written.lines:,} lines in {time.monotonic() - began:.0f} s, {written.unchanged:,} of them without change,"
        f" for round {written.round_id}; tickets end at {written.until:%H:%M:%S} UTC"
    )


@app.command()
def footprint(
    data: Data,
    seconds: Annotated[int, typer.Option(help="How long the service rests before it is weighed.", min=1)] = 20,
) -> None:
    """Weigh a province: bytes a report on disk, and the resident memory of the whole service at rest."""
    with ready(data):
        from anxiao.config.bench.province_footprint import disk, lines, memory, memory_lines

        weighed = lines(disk())
    for line in [*weighed, *memory_lines(memory(data, rest=seconds))]:
        typer.echo(line)


@contextmanager
def ready(data: Path) -> Iterator[EmbeddedServer | None]:
    """Database reachable and Django set up; connections are closed before the database is stopped."""
    with surroundings(data) as server:
        import django
        from django.db import connections

        django.setup()
        try:
            yield server
        finally:
            connections.close_all()
