"""A real installation, as an operator would run it: started, hurt, started again and looked into."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import psutil
import psycopg
from psycopg.rows import dict_row

from anxiao.base import tickets
from anxiao.base.passes import Pass, seal
from anxiao.base.tickets import Ticket
from anxiao.config.embedded import APP, BULK, OWNER, SUPERUSER, EmbeddedServer

HERE = Path(__file__).parent
REPOSITORY = HERE.parents[1]
PEOPLE_PER_SCHOOL = 2500
WORKERS = 2
START_SECONDS = 120.0
ALIASES = {"default": APP, "owner": OWNER, "bulk": BULK}


class Somebody(NamedTuple):
    """A person with an account and a phone."""

    user: int
    person: int
    school: int
    serial: int


@dataclass(frozen=True)
class Stage:
    """What stands in every data directory copied from the template."""

    template: Path
    round: int
    campaign: int
    version: int
    day: date
    schools: tuple[int, int]
    nodes: tuple[int, int]
    people: tuple[list[Somebody], list[Somebody]]

    def everybody(self) -> Iterator[Somebody]:
        """The people of both schools, by turns."""
        for pair in zip(*self.people, strict=True):
            yield from pair


def make_stage() -> Stage:
    """A data directory with a migrated database and two schools of people; takes some seconds, so made once."""
    # not below pytest's own directory, which it keeps closed to the database's user
    template = Path(tempfile.mkdtemp(prefix="anxiao-stage-"))
    run = subprocess.run(
        [sys.executable, "-m", "tests.faults.stage", str(template), str(PEOPLE_PER_SCHOOL)],
        env=_environment(),
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
    if run.returncode != 0:
        shutil.rmtree(template, ignore_errors=True)
        raise AssertionError(run.stderr[-3000:])
    found = json.loads((template / "stage.json").read_text(encoding="utf-8"))
    first, second = ([Somebody(**one) for one in school] for school in found["people"])
    return Stage(
        template,
        found["round"],
        found["campaign"],
        found["version"],
        date.fromisoformat(found["day"]),
        tuple(found["schools"]),
        tuple(found["nodes"]),
        (first, second),
    )


def _environment(**more: str) -> dict[str, str]:
    """Nothing of what the test run says of its own database, and above all not that it may be fast and unsafe."""
    ours = ("ANXIAO_", "DATABASE_", "FAULT_", "PYTEST_", "DJANGO_")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    return {**kept, "DJANGO_SETTINGS_MODULE": "anxiao.config.settings", "PYTHONUNBUFFERED": "1", **more}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@dataclass
class Deployment:
    """``anxiao serve`` over a copy of the template, with the durability that real installations have."""

    stage: Stage
    data: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    port: int = field(default_factory=_free_port)
    monitor: int = field(default_factory=_free_port)
    process: subprocess.Popen[bytes] | None = None
    database: EmbeddedServer | None = None
    """A database that is not the service's own, as in large installations; the test starts and stops it."""

    @property
    def server(self) -> EmbeddedServer:
        """How to reach the database; starts nothing."""
        return EmbeddedServer(self.data)

    @property
    def output(self) -> str:
        """What the operator saw on the terminal."""
        path = self.data / "output"
        return path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""

    # -- life ---------------------------------------------------------------------------------------------------

    def launch(self) -> None:
        """Start, without waiting for anything."""
        hooks = {"PYTHONPATH": str(HERE / "hooks")} if self.environment else {}
        if self.database is not None:
            hooks["DATABASE_URL"] = self.database.dsn(APP)
        with (self.data / "output").open("ab") as output:
            self.process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "anxiao.config.cli", "serve", "--data", str(self.data)),
                    *("--port", str(self.port), "--metrics-port", str(self.monitor), "--workers", str(WORKERS)),
                ],
                env=_environment(**hooks, **self.environment),
                stdout=output,
                stderr=output,
            )

    def start(self) -> Deployment:
        """Start and wait until the machine room would say that reports can be accepted."""
        self.launch()
        self.wait_until_well()
        return self

    def wait_until_well(self, seconds: float = START_SECONDS, *, in_spite_of: str = "") -> float:
        """Until every worker hears of withdrawn passes and nothing (else) is wrong; returns how long that took."""

        def well() -> bool:
            found = self.health()
            wrong = [reason for reason in found["reasons"] if not in_spite_of or not reason.startswith(in_spite_of)]
            return not wrong and found["intake"]["listening"] == WORKERS

        return wait_for(well, seconds, self.complain)

    def complain(self) -> str:
        return f"{self.health()}\n{self.output[-3000:]}"

    def stop(self) -> None:
        """The orderly end."""
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(60)
            except subprocess.TimeoutExpired:
                self.kill_everything()

    # -- faults -------------------------------------------------------------------------------------------------

    def workers(self) -> list[psutil.Process]:
        """The processes with the doors, in the order of their start."""
        return sorted(self._children("anxiao.config.worker"), key=lambda process: process.create_time())

    def keeper(self) -> psutil.Process:
        (found,) = self._children("anxiao.config.keeper")
        return found

    def database_processes(self) -> list[psutil.Process]:
        """The postmaster and all its children, the postmaster first; empty while it is away."""
        try:
            postmaster = psutil.Process(self.server.pid or 0) if self.server.pid else None
            return [] if postmaster is None else [postmaster, *postmaster.children(recursive=True)]
        except psutil.NoSuchProcess:
            return []

    def kill_database(self) -> None:
        hit(self.database_processes(), signal.SIGKILL)

    def kill_everything(self) -> None:
        """As a power cut would: the supervisor, its workers and the whole database, without warning."""
        assert self.process is not None
        supervisor = psutil.Process(self.process.pid)
        hit([supervisor, *supervisor.children(recursive=True), *self.database_processes()], signal.SIGKILL)
        self.process.wait()

    def _children(self, module: str) -> list[psutil.Process]:
        assert self.process is not None
        return [p for p in psutil.Process(self.process.pid).children() if module in _command(p)]

    # -- looking in ---------------------------------------------------------------------------------------------

    def health(self) -> dict[str, Any]:
        """What the monitors are told; ``{"status": "silent"}`` while nobody answers them."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.monitor}/health", timeout=5) as answer:
                found: dict[str, Any] = json.load(answer)
        except urllib.error.HTTPError as error:
            with error:
                found = json.load(error)
        except OSError:
            found = {"status": "silent", "reasons": ["silent"]}
        return found

    @contextlib.contextmanager
    def looking_in(self, role: str = SUPERUSER) -> Iterator[psycopg.Connection[dict[str, Any]]]:
        """A connection beside the application; it waits for a database that is being started."""
        end = time.monotonic() + 60
        while True:
            try:
                connection = psycopg.connect(
                    self.server.dsn(role), row_factory=dict_row, autocommit=True, connect_timeout=10
                )
                break
            except psycopg.OperationalError:
                if time.monotonic() > end:
                    raise
                time.sleep(0.1)
        with connection:
            yield connection

    def execute(self, *statements: str, role: str = SUPERUSER) -> None:
        """Do something to the database behind the application's back."""
        with self.looking_in(role) as connection:
            for statement in statements:
                connection.execute(statement.encode())

    def ask(self, statement: str, *params: Any) -> Any:
        """The one value of a statement, seen by the administrator."""
        with self.looking_in() as connection:
            row = connection.execute(statement.encode(), params).fetchone()
        return None if row is None else next(iter(row.values()))

    def reports(self) -> dict[str, list[dict[str, Any]]]:
        """Everything stored, by the phone's key."""
        found: dict[str, list[dict[str, Any]]] = {}
        with self.looking_in() as connection:
            for row in connection.execute("SELECT * FROM report ORDER BY version"):
                found.setdefault(str(row["key"]), []).append(row)
        return found

    @contextlib.contextmanager
    def django(self) -> Iterator[None]:
        """Point this process's Django at the deployment, to run queries and commands of the product."""
        from django.db import connections

        kept = {alias: dict(connections.settings[alias]) for alias in ALIASES}
        connections.close_all()
        for alias, role in ALIASES.items():
            connections.settings[alias].update(
                NAME="anxiao", USER=role, PASSWORD="", HOST=str(self.server.socket_dir), PORT=""
            )
        try:
            yield
        finally:
            connections.close_all()
            for alias, settings in kept.items():
                connections.settings[alias].update(settings)

    def differences(self) -> list[tuple[Any, ...]]:
        """Counters of both schools that differ from the truth, in one look at each."""
        from anxiao.base.tenancy import school_context
        from anxiao.reporting.commands.counting import differences

        found: list[tuple[Any, ...]] = []
        with self.django():
            for school in self.stage.schools:
                with school_context(f"0,{school}"):
                    found += differences(school_id=school)
        return found

    def stuck(self, seconds: float = 1.0) -> int:
        """Transactions of the application that have been waiting for their client for so long."""
        count: int = self.ask(
            "SELECT count(*) FROM pg_stat_activity WHERE usename IN ('anxiao_app', 'anxiao_bulk')"
            " AND state LIKE 'idle in transaction%%' AND now() - state_change > make_interval(secs => %s)",
            seconds,
        )
        return count

    # -- phones -------------------------------------------------------------------------------------------------

    @property
    def secret(self) -> str:
        return (self.data / "secret_key").read_text(encoding="ascii").strip()

    def pass_of(self, who: Somebody) -> str:
        expires = datetime.now(UTC) + timedelta(days=1)
        return seal(self.secret, Pass(who.user, who.person, who.school, who.serial, expires))

    def ticket_for(self, who: Somebody, version: int = 1) -> str:
        """What the door itself would give this person now."""
        stage = self.stage
        given = Ticket(who.person, who.school, stage.day, stage.round, stage.version, version, int(time.time()))
        return tickets.seal(self.secret, given)


def copy_of(stage: Stage, into: Path) -> None:
    """A data directory of one's own; the database's user keeps owning its files."""
    subprocess.run(["cp", "-a", f"{stage.template}/.", str(into)], check=True)


def hit(processes: list[psutil.Process], how: signal.Signals) -> None:
    """Send a signal to all, whoever is gone already being none the worse."""
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.send_signal(how)


def wait_for(true: Callable[[], bool], seconds: float, complaint: Callable[[], str] = str) -> float:
    """Until it is true; returns how long that took."""
    begun = time.monotonic()
    while not true():
        if time.monotonic() - begun > seconds:
            raise AssertionError(f"not within {seconds:.0f} s: {complaint()}")
        time.sleep(0.05)
    return time.monotonic() - begun


def without_colour(text: str) -> str:
    return re.sub(r"\x1b\[[0-9;]*m", "", text)


def _command(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""
