"""Console and intake in processes of their own, over one database; how their sockets are opened."""

from __future__ import annotations

import json
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from anxiao.config.embedded import EmbeddedServer
from anxiao.config.environment import NotReady
from anxiao.config.supervisor import listening_at
from tests.config.test_cli import Serving, anxiao, environment, one_sentence, wait_for


@pytest.fixture(scope="module")
def data() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="anxiao-groups-") as directory:
        done = anxiao("migrate", "--data", directory)
        assert done.returncode == 0, done.stderr
        yield Path(directory)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def get(url: str) -> tuple[int, Any]:
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        with error:
            body = error.read()
            kind = error.headers.get("Content-Type", "")
            return error.code, json.loads(body) if kind.startswith("application/json") else None


def test_two_groups_share_a_database_and_each_serves_its_own_doors(data: Path) -> None:
    port, other = free_port(), free_port()
    console = Serving(data, "--only", "console", "--workers", "1", "--metrics-port", str(other))
    try:
        intake = Serving(data, "--only", "intake", "--workers", "2", "--metrics-port", str(port))
        try:
            assert get(intake.url + "/intake/v1/today")[0] == 401
            assert get(intake.url + "/healthz")[0] == 404
            assert get(console.url + "/healthz")[0] == 200
            assert get(console.url + "/intake/v1/today")[0] == 404
            assert intake.children("anxiao.config.keeper") == [], "the chores are done once"
            health = f"http://127.0.0.1:{port}/health"
            wait_for(lambda: get(health)[1]["intake"]["listening"] == 2)
            assert get(health)[0] == 200
            assert get(health)[1]["intake"] == {
                "processes": 2,
                "listening": 2,
                "queue_depth": 0,
                "last_commit_age_seconds": None,
            }
            assert get(f"http://127.0.0.1:{other}/health")[1]["intake"] is None
            (page,) = console.children("anxiao.config.worker")
            for worker in intake.children("anxiao.config.worker"):
                assert worker.nice() > page.nice(), "somebody waits for the page"
                held = worker.environ()
                assert "ANXIAO_OWNER_URL" not in held and "ANXIAO_BULK_URL" not in held
            worker.kill()
            wait_for(lambda: get(health)[1]["intake"]["processes"] == 2 and get(health)[0] == 200)
        finally:
            assert intake.end(signal.SIGTERM) == 0
        assert get(console.url + "/healthz")[0] == 200, "the database belongs to the console's group and stays"
    finally:
        assert console.end(signal.SIGTERM) == 0
    assert list((data / "meters").iterdir()) == []


def test_an_intake_group_that_may_lose_reports_does_not_begin(data: Path) -> None:
    with EmbeddedServer(data) as server:
        url = server.dsn("anxiao_app")
        with psycopg.connect(server.dsn("postgres"), autocommit=True) as superuser:
            superuser.execute("ALTER ROLE anxiao_app SET synchronous_commit = off")
            try:
                done = anxiao("serve", "--only", "intake", "--data", data, "--port", "0", DATABASE_URL=url)
            finally:
                superuser.execute("ALTER ROLE anxiao_app RESET synchronous_commit")
            one_sentence(done, "may lose reports .*synchronous_commit for application is off")
            superuser.execute("CREATE DATABASE bare OWNER anxiao_owner")
        bare = server.dsn("anxiao_app", "bare")
        done = anxiao("serve", "--only", "intake", "--data", data, "--port", "0", DATABASE_URL=bare)
        one_sentence(done, "pending migrations")


def test_an_intake_process_carries_no_django() -> None:
    script = "import sys, anxiao.config.asgi_intake, anxiao.config.worker; print('django' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", script], env=environment(), capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "False"


def test_a_socket_file_is_closed_to_others_and_goes_with_its_process() -> None:
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "door.sock"
        with listening_at(path) as listener:
            assert stat.S_IMODE(path.stat().st_mode) == 0o660
            assert listener.getsockname() == str(path)
            with pytest.raises(NotReady, match="served by another process"), listening_at(path):
                pass
            assert path.exists()
        assert not path.exists()
        with socket.socket(socket.AF_UNIX) as killed:
            killed.bind(str(path))
        with listening_at(path):  # what a killed process left is replaced
            assert path.exists()
        path.write_text("not a socket")
        with pytest.raises(NotReady, match="cannot be opened"), listening_at(path):
            pass
        assert path.read_text() == "not a socket"
