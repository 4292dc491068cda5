"""The command line as somebody uses it: a process of its own, its output, its exit code."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import psycopg
import pytest

from anxiao.config.embedded import EmbeddedServer

COMMANDS = [
    "serve",
    "migrate",
    "prepare-database",
    "found-province",
    "import-directory",
    "sync-key",
    "demo-data",
    "doctor",
    "housekeeping",
    "partitions",
    "receipt-key",
    "verify-receipt",
]


def environment(**more: str) -> dict[str, str]:
    ours = ("DATABASE_URL", "ANXIAO_", "DJANGO_", "COLUMNS")
    return {k: v for k, v in os.environ.items() if not k.startswith(ours)} | {"COLUMNS": "200"} | more


def anxiao(*arguments: str | Path, **more: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "anxiao.config.cli", *map(str, arguments)]
    return subprocess.run(command, env=environment(**more), capture_output=True, text=True, check=False, timeout=180)


@pytest.fixture(scope="module")
def data() -> Iterator[Path]:
    """A real, durable installation, migrated by the command line itself."""
    with tempfile.TemporaryDirectory(prefix="anxiao-cli-") as directory:
        done = anxiao("migrate", "--data", directory)
        assert done.returncode == 0, done.stderr
        yield Path(directory)


@pytest.mark.parametrize("command", [[], *([name] for name in COMMANDS)])
def test_every_command_has_help(command: list[str]) -> None:
    done = anxiao(*command, "--help")
    assert done.returncode == 0
    assert "Usage: " in done.stdout
    assert len(done.stdout.splitlines()) > 4


def one_sentence(done: subprocess.CompletedProcess[str], said: str) -> None:
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr
    assert re.search(said, done.stderr), done.stderr


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    done = anxiao("import-directory", tmp_path / "absent.xlsx", "--kind", "student", "--data", tmp_path)
    one_sentence(done, r"There is no file .*absent\.xlsx")


def test_an_unreachable_server_is_told_without_its_password(tmp_path: Path) -> None:
    url = "postgresql://anxiao_app:geheim@127.0.0.1:1/anxiao"
    done = anxiao("migrate", "--data", tmp_path, DATABASE_URL=url)
    one_sentence(done, r"host=127\.0\.0\.1 port=1 .*not reachable")
    assert "geheim" not in done.stderr


def test_doctor_without_a_database_says_how_to_make_one(tmp_path: Path) -> None:
    one_sentence(anxiao("doctor", "--data", tmp_path), "There is no database in .* anxiao migrate")


def test_serving_a_directory_twice_is_refused(data: Path) -> None:
    with EmbeddedServer(data):
        one_sentence(anxiao("serve", "--data", data, "--port", "0"), "already served by another anxiao process")


def test_a_port_in_use_is_told_before_a_database_is_started(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        done = anxiao("serve", "--data", tmp_path / "none", "--port", port)
    one_sentence(done, f"Port {port} on 127.0.0.1 cannot be opened")
    assert not (tmp_path / "none").exists()


def test_a_wrong_kind_is_a_usage_error(tmp_path: Path) -> None:
    done = anxiao("import-directory", tmp_path, "--kind", "teacher")
    assert done.returncode == 2
    assert "student" in done.stderr


def test_doctor_is_content_with_a_fresh_installation(data: Path) -> None:
    done = anxiao("doctor", "--data", data)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Everything is in order." in done.stdout
    facts = json.loads(anxiao("doctor", "--json", "--data", data).stdout)
    assert facts["good"] is True
    assert {f["group"] for f in facts["findings"]} >= {"versions", "durability", "migrations", "row-level security"}


def test_doctor_ends_with_1_when_a_policy_is_missing(data: Path) -> None:
    with EmbeddedServer(data) as server, psycopg.connect(server.dsn("postgres"), autocommit=True) as connection:
        row = connection.execute(
            "SELECT polrelid::regclass::text, polname, pg_get_expr(polqual, polrelid),"
            " pg_get_expr(polwithcheck, polrelid) FROM pg_policy"
            " WHERE polrelid::regclass::text IN ('person', 'directory_person')"
        ).fetchone()
        assert row is not None
        table, policy, using, check = row
        connection.execute(f"DROP POLICY {policy} ON {table}")
        # The doctor joins the running server, as it would beside `anxiao serve`.
        done = anxiao("doctor", "--data", data)
        connection.execute(f"CREATE POLICY {policy} ON {table} USING ({using}) WITH CHECK ({check})")
    assert done.returncode == 1
    assert re.search(rf"WRONG +{table} +has no policy", done.stdout)


def test_the_key_is_made_once_and_kept_private(data: Path) -> None:
    key = data / "secret_key"
    before = key.read_text()
    assert key.stat().st_mode & 0o077 == 0
    assert anxiao("housekeeping", "--rebuild", "--data", data).returncode == 0
    assert key.read_text() == before
    assert len(before) > 60


def test_an_import_without_a_school_asks_for_one(data: Path, tmp_path: Path) -> None:
    (tmp_path / "sheet.csv").write_text("学校名称\n")
    done = anxiao("import-directory", tmp_path / "sheet.csv", "--kind", "staff", "--data", data)
    one_sentence(done, "No school is in use yet")
    done = anxiao("import-directory", tmp_path / "sheet.csv", "--kind", "staff", "--school", "1", "--data", data)
    one_sentence(done, "No school has the code 1")


class Serving:
    """``anxiao serve`` on a free port, read until it says that it is open."""

    def __init__(self, data: Path, *arguments: str) -> None:
        command = [sys.executable, "-m", "anxiao.config.cli", "serve", "--data", str(data), "--port", "0", *arguments]
        self.process = subprocess.Popen(
            command, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        self.said = ""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.said += line
            if "Ctrl-C stops it" in line:
                break
        found = re.search(r"open: (http://127\.0\.0\.1:\d+)/", self.said)
        assert found, self.said
        self.url = found[1]

    def children(self, what: str) -> list[psutil.Process]:
        return [
            child
            for child in psutil.Process(self.process.pid).children()
            if child.status() != psutil.STATUS_ZOMBIE and any(what in part for part in child.cmdline())
        ]

    def end(self, how: signal.Signals) -> int:
        self.process.send_signal(how)
        assert self.process.stdout is not None
        self.said += self.process.stdout.read()
        self.process.stdout.close()
        return self.process.wait(60)


def answers(url: str) -> bool:
    try:
        urllib.request.urlopen(url + "/healthz", timeout=5).close()
    except urllib.error.HTTPError as error:
        error.close()
        return True
    except OSError:
        return False
    return True


def wait_for(condition: Any, seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.1)


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_it_serves_and_stops_in_order(data: Path, how: signal.Signals) -> None:
    serving = Serving(data)
    assert "/h5/" in serving.said
    assert "/console/" in serving.said
    assert "/wall/" in serving.said
    assert answers(serving.url)
    assert len(serving.children("anxiao.config.worker")) == 2
    everything = psutil.Process(serving.process.pid).children(recursive=True)
    assert serving.end(how) == 0
    assert serving.said.rstrip().endswith("Stopped.")
    assert "Traceback" not in serving.said
    _gone, still = psutil.wait_procs(everything, timeout=10)
    assert still == []
    # A clean stop leaves no mark of a running server.
    assert not (data / "pgdata" / "postmaster.pid").exists()


def test_a_worker_and_a_database_that_die_are_started_again(data: Path) -> None:
    serving = Serving(data, "--workers", "1")
    try:
        (worker,) = serving.children("anxiao.config.worker")
        worker.kill()
        wait_for(lambda: [c.pid for c in serving.children("anxiao.config.worker")] not in ([], [worker.pid]))
        wait_for(lambda: answers(serving.url))
        (database,) = serving.children("bin/postgres")
        database.kill()
        wait_for(lambda: [c.pid for c in serving.children("bin/postgres")] not in ([], [database.pid]))
        assert anxiao("doctor", "--data", data).returncode == 0
    finally:
        assert serving.end(signal.SIGTERM) == 0
    assert "The web worker 1 ended" in serving.said
    assert "The database ended by itself" in serving.said


def test_workers_do_not_outlive_a_killed_supervisor_and_the_next_start_takes_over(data: Path) -> None:
    serving = Serving(data)
    workers = serving.children("anxiao.config")
    assert serving.end(signal.SIGKILL) == -signal.SIGKILL
    _gone, still = psutil.wait_procs(workers, timeout=30)
    assert [process.pid for process in still if process.status() != psutil.STATUS_ZOMBIE] == []
    again = Serving(data)
    assert answers(again.url)
    assert again.end(signal.SIGINT) == 0


def test_a_server_that_may_lose_reports_is_not_served(data: Path) -> None:
    with EmbeddedServer(data) as server, psycopg.connect(server.dsn("postgres"), autocommit=True) as connection:
        connection.execute("ALTER ROLE anxiao_app SET synchronous_commit = off")
    try:
        done = anxiao("serve", "--data", data, "--port", "0")
        one_sentence(done, "may lose reports .*synchronous_commit for application is off")
    finally:
        with EmbeddedServer(data) as server, psycopg.connect(server.dsn("postgres"), autocommit=True) as connection:
            connection.execute("ALTER ROLE anxiao_app RESET synchronous_commit")


def test_a_server_of_ones_own_is_prepared_migrated_and_examined(postgres: EmbeddedServer, tmp_path: Path) -> None:
    administrator = postgres.dsn("postgres", "postgres")
    for _again in range(2):
        done = anxiao("prepare-database", administrator, "--name", "of_their_own")
        assert done.returncode == 0, done.stderr
    url = postgres.dsn("anxiao_app", "of_their_own")
    assert anxiao("migrate", "--data", tmp_path, DATABASE_URL=url).returncode == 0
    findings = json.loads(anxiao("doctor", "--json", "--data", tmp_path, DATABASE_URL=url).stdout)["findings"]
    # The test server gives durability up; everything else must be in order.
    assert {f["group"] for f in findings if not f["good"]} == {"durability"}
    one_sentence(anxiao("prepare-database", "postgresql://x@127.0.0.1:1/x"), "database cannot be used")


def test_pending_migrations_of_a_foreign_server_are_not_run_silently(data: Path) -> None:
    with EmbeddedServer(data) as server, psycopg.connect(server.dsn("postgres"), autocommit=True) as connection:
        kept = connection.execute("DELETE FROM django_migrations WHERE app = 'sessions' RETURNING *").fetchall()
        try:
            done = anxiao("serve", "--data", data, "--port", "0", DATABASE_URL=server.dsn("anxiao_app"))
            one_sentence(done, "pending migrations; run: anxiao migrate")
        finally:
            for row in kept:
                connection.execute("INSERT INTO django_migrations VALUES (%s, %s, %s, %s)", row)


def test_a_demo_that_was_cut_off_is_made_anew() -> None:
    with tempfile.TemporaryDirectory(prefix="anxiao-demo-") as directory:
        data = Path(directory)
        arguments = ["demo-data", "--people", "300", "--days", "2", "--data", directory, "--once"]
        first = subprocess.Popen(
            [sys.executable, "-m", "anxiao.config.cli", *arguments],
            env=environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert first.stdout is not None
        for line in first.stdout:
            # By now there are people, and a half-made demo would be refused.
            if "Reports ..." in line:
                break
        first.kill()
        first.wait()
        first.stdout.close()
        assert not (data / "demo.json").exists()

        again = anxiao(*arguments)
        assert again.returncode == 0, again.stderr
        assert "left unfinished; it is made anew" in again.stdout
        assert json.loads((data / "demo.json").read_text()) == {"people": 300, "days": 2, "seed": 1}
        names = {account["name"] for account in json.loads((data / "accounts.json").read_text())}
        assert {"demo-student", "demo2-student"} <= names

        third = anxiao(*arguments)
        assert (third.returncode, third.stdout) == (0, "")
        one_sentence(anxiao(*arguments[:-1]), "holds people already")

        sheet = next((data / "samples").glob("学生*.xlsx"))

        trial = anxiao("import-directory", sheet, "--kind", "student", "--data", data, "--dry-run")
        one_sentence(trial, r"several are in use: --school CODE \(4134010357 安徽大学")
        errors = data / "errors.xlsx"
        trial = anxiao(
            *("import-directory", sheet, "--kind", "student", "--school", "4134010357", "--data", data),
            *("--dry-run", "--errors", errors),
        )
        assert trial.returncode == 1, trial.stderr
        assert "Dry run: nothing was changed." in trial.stdout
        assert errors.stat().st_size > 1000
        assert "新增" in trial.stdout
