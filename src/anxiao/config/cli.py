"""The command line ``anxiao``: what an operator types, with errors in one sentence instead of tracebacks."""

from __future__ import annotations

import json
import os
import sys
from contextlib import contextmanager
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from anxiao.config.bench.cli import app as bench
from anxiao.config.embedded import DatabaseUnavailable, EmbeddedServer
from anxiao.config.environment import NotReady, role_urls, surroundings

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from anxiao.config.doctor import Finding

app = typer.Typer(
    name="anxiao",
    help="Anxiao (安校): daily reports and zero reports of every school of a province.",
    epilog="Where DATABASE_URL is unset, a PostgreSQL of its own runs in the data directory.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.add_typer(bench, name="bench")

Data = Annotated[
    Path,
    typer.Option(
        "--data", envvar="ANXIAO_DATA", help="Data directory: embedded database, key, uploads.", metavar="DIR"
    ),
]
DEFAULT_DATA = Path("var/data")


class Kind(StrEnum):
    """The templates: two of the notice, and the beds."""

    STUDENT = "student"
    STAFF = "staff"
    DORMITORY = "dormitory"


class Leaving(StrEnum):
    """Who of the people not in a full list leaves."""

    NONE = "none"
    ALL = "all"


class Group(StrEnum):
    """The parts that may have processes of their own; the worker comes along with the console."""

    CONSOLE = "console"
    INTAKE = "intake"
    WORKER = "worker"


@app.command()
def serve(
    data: Data = DEFAULT_DATA,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on; 0 takes any free one.", min=0, max=65535)] = 8000,
    workers: Annotated[int, typer.Option(help="Number of web processes.", min=1, max=64)] = 2,
    only: Annotated[
        Group | None, typer.Option(help="Serve this part alone; the other one runs beside it, behind one proxy.")
    ] = None,
    socket: Annotated[
        Path | None, typer.Option(help="Listen on this socket file instead of a port.", metavar="FILE")
    ] = None,
    metrics_port: Annotated[
        int, typer.Option(help="Port for /health and /metrics; 0 opens none.", min=0, max=65535)
    ] = 0,
    metrics_host: Annotated[str, typer.Option(help="Address for them.")] = "127.0.0.1",
) -> None:
    """Serve all doors until Ctrl-C; the embedded database is started before and stopped last."""
    from anxiao.config import supervisor

    supervisor.serve(
        host=host,
        port=port,
        workers=workers,
        data_dir=data,
        doors=supervisor.Doors(only.value) if only else supervisor.Doors.BOTH,
        socket_file=socket,
        metrics=(metrics_host, metrics_port) if metrics_port else None,
    )


@app.command()
def migrate(data: Data = DEFAULT_DATA) -> None:
    """Bring the database to the form this version needs (as the owner of the tables)."""
    with _django(data):
        _migrate(verbosity=1)


@app.command("found-province")
def found_province(
    name: Annotated[str, typer.Argument(help="The authority, for example 安徽省教育厅.", metavar="NAME")],
    officer: Annotated[str, typer.Option(help="User name of the first province officer.", metavar="USERNAME")],
    officer_name: Annotated[
        str, typer.Option(help="The officer's name as others see it; the authority's, where it is left out.")
    ] = "",
    starts_on: Annotated[
        datetime | None,
        typer.Option(formats=["%Y-%m-%d"], help="First day of the daily report; today, where it is left out."),
    ] = None,
    data: Data = DEFAULT_DATA,
) -> None:
    """Make a fresh installation usable: province, daily report, first officer; then schools apply at /onboarding/.

    Prints the officer's first password, once. Running it again changes nothing; another --officer makes another one.
    """
    if (data / "demo.json").exists():
        raise NotReady(f"{data} holds the demo; a real province needs a data directory of its own.")
    with _django(data):
        _migrate(verbosity=0)
        from anxiao.base.clock import now
        from anxiao.config import founding

        founded = founding.found_province(
            now=now(),
            name=name,
            officer=officer,
            officer_name=officer_name,
            starts_on=starts_on.date() if starts_on else None,
        )
    for step in founded.steps:
        typer.echo(f"{step.what:<9} {step.name}: {'made' if step.made else 'stands'}")
    if founded.credential is not None:
        typer.echo(f"\nFirst password, shown only now: {founded.credential.password}")
        typer.echo("Sign in at /accounts/login/. The password is changed there first, then a second factor is set up.")
        typer.echo("Schools apply at /onboarding/; the officer approves them at /console/settings/schools/.")


@app.command("prepare-database")
def prepare_database(
    url: Annotated[str, typer.Argument(help="Address of your server as its administrator.", metavar="URL")],
    name: Annotated[str, typer.Option(help="Name of the database.")] = "anxiao",
) -> None:
    """Create the three roles and the database on a PostgreSQL of your own; afterwards give the roles passwords.

    Run it once as the administrator of that server. It may be run again: what stands is kept.
    """
    from anxiao.config import embedded

    embedded.prepare_server(url)
    embedded.prepare_database(url, name)
    typer.echo(f"{name} is ready for {embedded.APP}, {embedded.OWNER} and {embedded.BULK}. Now give each a password")
    typer.echo("(ALTER ROLE ... PASSWORD), set DATABASE_URL, ANXIAO_OWNER_URL and ANXIAO_BULK_URL, and run:")
    typer.echo("anxiao migrate")


@app.command("import-directory")
def import_directory(
    files: Annotated[
        list[Path],
        typer.Argument(
            help="Workbooks (.xlsx, .xls) or .csv in the form of the notice, or folders of them.", metavar="FILE|FOLDER"
        ),
    ],
    kind: Annotated[
        Kind | None, typer.Option(help="Which template it is, where the names of the files do not say it.")
    ] = None,
    school: Annotated[
        str | None, typer.Option(help="Ten-digit code of the school, where the names of the files do not say it.")
    ] = None,
    full_list: Annotated[
        bool, typer.Option("--full-list", help="Each file is the whole list: say who is not in it any more.")
    ] = False,
    leavers: Annotated[
        Leaving, typer.Option(help="With --full-list: who is not in the file leaves (all) or stays (none).")
    ] = Leaving.NONE,
    confirm: Annotated[
        str, typer.Option(help="The school's name, to confirm a change that would be a surprise.", metavar="NAME")
    ] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Read and compare, change nothing.")] = False,
    errors: Annotated[
        Path | None, typer.Option(help="Write the rejected rows into this workbook (.xlsx).", metavar="FILE")
    ] = None,
    side_by_side: Annotated[
        int, typer.Option(help="Schools worked on at a time; 0 takes what the machine has.", min=0, max=32)
    ] = 0,
    data: Data = DEFAULT_DATA,
) -> None:
    """Import directories; prints who joins, moves, changes and leaves, and which rows were rejected.

    A folder holds files such as 4134010357-staff.csv and 4134010357-students.xlsx. Ends with 1 when rows were rejected
    (the good rows are applied all the same) and with 3 when one of several files could not be taken at all.
    """
    for file in files:
        if not file.exists():
            raise NotReady(f"There is no file {file}.")
    with _django(data):
        from anxiao.config import importing

        # somebody waits for a page, nobody for this
        os.nice(10)
        status = importing.run(
            files,
            kind=kind.value if kind else None,
            school_code=school,
            wishes=importing.Wishes(full_list, leavers.value, confirm, dry_run, errors),
            side_by_side=side_by_side or importing.cores(),
            say=typer.echo,
        )
    raise typer.Exit(status)


@app.command("sync-key")
def sync_key(
    school: Annotated[str, typer.Option(help="Ten-digit code of the school.")],
    name: Annotated[str, typer.Option(help="Which software will use it.")] = "",
    end: Annotated[int, typer.Option(help="End the key with this number instead.", min=0, metavar="NUMBER")] = 0,
    data: Data = DEFAULT_DATA,
) -> None:
    """Make, list or end the keys with which a school's own software brings its directory (/api/v1/directory/).

    With --name a new key is made and printed, once; without it the school's keys are listed.
    """
    with _django(data):
        from anxiao.config import importing

        for line in importing.keys_of(school, name=name, end=end):
            typer.echo(line)


@app.command("demo-data")
def demo_data(
    people: Annotated[int, typer.Option(help="People in all, over three universities.", min=100)] = 3000,
    days: Annotated[int, typer.Option(help="Days of history.", min=1, max=366)] = 14,
    seed: Annotated[int, typer.Option(help="The same seed makes the same province.")] = 1,
    once: Annotated[bool, typer.Option("--once", help="Do nothing where the demo stands already.")] = False,
    data: Data = DEFAULT_DATA,
) -> None:
    """Fill an empty database with the demo province: invented people in real universities."""
    done, begun = data / "demo.json", data / "demo.begun"
    if once and done.exists():
        return
    with _django(data) as server:
        if server is not None and begun.exists() and not done.exists():
            # Cut off half way: only this command writes the mark, so nobody's work is thrown away.
            typer.echo("The demo was left unfinished; it is made anew.")
            _close_connections()
            server.empty()
        _migrate(verbosity=0)
        if _has_people():
            raise NotReady("The database holds people already; the demo is made only in an empty one.")
        begun.touch()
        from anxiao.config import demo

        typer.echo(f"Creating the demo province: {people} people, {days} days (seed {seed}) ...")
        demo.create_demo(people=people, days=days, seed=seed, data_dir=data)
        done.write_text(json.dumps({"people": people, "days": days, "seed": seed}) + "\n", encoding="utf-8")
        begun.unlink()


@app.command()
def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="For machines.")] = False,
    data: Data = DEFAULT_DATA,
) -> None:
    """Check versions, durability, pending migrations and the fence between schools; ends with 1 if any is wrong."""
    if not os.environ.get("DATABASE_URL") and not (data / "pgdata" / "PG_VERSION").exists():
        raise NotReady(f"There is no database in {data} yet; make one with: anxiao migrate --data {data}")
    with _django(data):
        from anxiao.config.doctor import examine

        findings = examine(role_urls(), data_dir=data.absolute())
    typer.echo(_as_json(findings) if as_json else _as_table(findings))
    raise typer.Exit(0 if all(finding.good for finding in findings) else 1)


@app.command()
def partitions(
    keep_months: Annotated[
        int | None, typer.Option(help="Whole months that stay at hand, beside the running one.", min=3)
    ] = None,
    detach: Annotated[bool, typer.Option("--detach", help="Set older ones aside; without it they are named.")] = False,
    attach: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m"], help="Take this month back.", metavar="YYYY-MM")
    ] = None,
    data: Data = DEFAULT_DATA,
) -> None:
    """List the months of reports; set old ones aside, or take one back. Nothing is deleted."""
    if detach and keep_months is None:
        raise NotReady("Say how many months stay at hand: --keep-months N --detach")
    with _django(data):
        from anxiao.config import months

        for line in months.run(keep_months=keep_months, detach=detach, attach=attach.date() if attach else None):
            typer.echo(line)


@app.command("receipt-key")
def receipt_key(data: Data = DEFAULT_DATA) -> None:
    """Print the public key under this deployment's receipts, and its short id. Give it to whoever checks receipts."""
    from anxiao.base.deployment import receipt_signer

    os.environ["ANXIAO_DATA"] = str(data.absolute())
    try:
        signer = receipt_signer()
    except LookupError:
        raise NotReady(f"There is no receipt key in {data} yet; it is made at the first start.") from None
    typer.echo(f"{signer.public}  {signer.key_id}")


@app.command("verify-receipt")
def verify_receipt(
    file: Annotated[Path, typer.Argument(help="The file from the receipt page of a phone.", metavar="FILE")],
    key: Annotated[
        str | None,
        typer.Option(help="Public key of the deployment, as `anxiao receipt-key` prints it.", metavar="PUBLIC_KEY"),
    ] = None,
) -> None:
    """Check a receipt without network and database: is the record unchanged, and did this deployment sign it?

    Ends with 0 when it is valid, with 1 when not.
    """
    from anxiao.config import receipts

    good, lines = receipts.verify(file, key)
    for line in lines:
        typer.echo(line, err=not good)
    raise typer.Exit(0 if good else 1)


@app.command()
def housekeeping(
    rebuild: Annotated[bool, typer.Option("--rebuild", help="Count every school anew first.")] = False,
    data: Data = DEFAULT_DATA,
) -> None:
    """Do once what `serve` does by itself all the time: fold counters, forget old sessions."""
    with _django(data):
        from anxiao.config.keeper import chores
        from anxiao.directory.models import School
        from anxiao.directory.names import SchoolState
        from anxiao.reporting.commands.counting import rebuild as count_anew

        if rebuild:
            for school in School.objects.filter(state=SchoolState.ACTIVE):
                wrong = count_anew(school_id=school.pk)
                typer.echo(f"{school.name}: {wrong} counters mended")

        for chore in chores():
            chore.run()
            typer.echo(f"{chore.name}: done")


def main(arguments: Sequence[str] | None = None) -> None:
    """Entry point: expected failures are told, all others are faults of ours and keep their traceback."""
    try:
        app(args=None if arguments is None else list(arguments))
    except (NotReady, DatabaseUnavailable) as error:
        _fail(str(error))
    except KeyboardInterrupt:
        _fail("Stopped.", code=130)
    except Exception as error:
        message = _expected(error)
        if message is None:
            raise
        _fail(message)


def _expected(error: Exception) -> str | None:
    """The sentence for a failure that is nobody's fault in the code, or None."""
    import psycopg

    from anxiao.base.errors import NotYours, Refused

    if isinstance(error, Refused):
        return str(error)
    if isinstance(error, NotYours):
        return "That does not exist here."
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, psycopg.OperationalError):
            return f"The database cannot be used: {str(cause).strip().splitlines()[-1]}"
        if isinstance(cause, psycopg.errors.UndefinedTable):
            return "The database is not prepared; run: anxiao migrate"
        cause = cause.__cause__
    if isinstance(error, OSError) and error.filename is not None:
        return f"{error.filename}: {error.strerror}."
    return None


def _fail(message: str, *, code: int = 1) -> None:
    typer.echo(f"anxiao: {message}", err=True)
    sys.exit(code)


@contextmanager
def _django(data: Path) -> Iterator[EmbeddedServer | None]:
    """Database reachable and Django set up; connections are closed before the database is stopped."""
    with surroundings(data) as server:
        import django

        django.setup()
        try:
            yield server
        finally:
            _close_connections()


def _close_connections() -> None:
    from django.db import connections

    connections.close_all()


def _migrate(*, verbosity: int) -> None:
    from anxiao.config import installation

    installation.prepare(verbosity=verbosity)


def _has_people() -> bool:
    from anxiao.directory.models import Person

    return Person.objects.using("bulk").exists()


def _as_json(findings: list[Finding]) -> str:
    rows = [{"group": f.group, "name": f.name, "value": f.value, "good": f.good, "advice": f.advice} for f in findings]
    return json.dumps({"good": all(f.good for f in findings), "findings": rows}, ensure_ascii=False, indent=2)


def _as_table(findings: list[Finding]) -> str:
    width = max(len(finding.name) for finding in findings)
    lines = []
    group = ""
    for finding in findings:
        if finding.group != group:
            group = finding.group
            lines += ["", group]
        mark = "ok   " if finding.good else "WRONG"
        lines.append(f"  {mark}  {finding.name:<{width}}  {finding.value}")
        if finding.advice:
            lines.append(f"         {'':<{width}}  {finding.advice}")
    wrong = sum(not finding.good for finding in findings)
    lines += ["", "Everything is in order." if wrong == 0 else f"{wrong} of {len(findings)} checks found a fault."]
    return "\n".join(lines).lstrip("\n")


if __name__ == "__main__":
    main()
