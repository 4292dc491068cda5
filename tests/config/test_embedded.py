"""The embedded server: starts, stops, survives being killed, and never serves two masters."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg
import pytest

from anxiao.config import embedded
from anxiao.config.embedded import APP, BULK, OWNER, SUPERUSER, DatabaseUnavailable, DataLocked, EmbeddedServer

HOLD = """
import sys, time
from pathlib import Path
from anxiao.config.embedded import EmbeddedServer
server = EmbeddedServer(Path(sys.argv[1])).start()
print(server.pid, flush=True)
time.sleep(600)
"""


@pytest.fixture(scope="module")
def home() -> Iterator[Path]:
    """One data directory for the module: making a database is the slow part."""
    with tempfile.TemporaryDirectory(prefix="anxiao-embedded-") as directory:
        yield Path(directory) / "data"


def ask(url: str, question: str) -> object:
    with psycopg.connect(url) as connection:
        row = connection.execute(question).fetchone()
        assert row is not None
        return row[0]


def alive(pid: int) -> bool:
    # A container's first process need not collect orphans: one that ended may stand in the table as a zombie.
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_it_starts_answers_all_roles_and_stops(home: Path) -> None:
    with EmbeddedServer(home) as server:
        for role in (APP, OWNER, BULK):
            assert ask(server.dsn(role), "SELECT current_user") == role
        pid = server.pid
        assert pid is not None
        assert server.running
    assert not alive(pid)
    assert not server.running
    assert server.pid is None


def test_it_is_durable_and_private(home: Path) -> None:
    with EmbeddedServer(home) as server:
        for name in ("fsync", "full_page_writes", "synchronous_commit", "data_checksums"):
            assert ask(server.dsn(APP), f"SHOW {name}") == "on"
        assert ask(server.dsn(APP), "SHOW listen_addresses") == ""
        assert ask(server.dsn(APP), "SHOW timezone") == "UTC"
        assert ask(server.dsn(APP), "SHOW server_encoding") == "UTF8"
        assert stat.S_IMODE(server.socket_dir.stat().st_mode) == 0o700
        assert stat.S_IMODE(server.pgdata.stat().st_mode) == 0o700


def test_no_role_is_more_than_it_must_be(home: Path) -> None:
    with EmbeddedServer(home) as server, psycopg.connect(server.dsn(SUPERUSER)) as connection:
        rows = connection.execute(
            "SELECT rolname, rolsuper, rolcreaterole, rolcreatedb, rolreplication, rolbypassrls FROM pg_roles"
            " WHERE rolname LIKE 'anxiao%' ORDER BY rolname"
        ).fetchall()
    assert rows == [
        (APP, False, False, False, False, False),
        (BULK, False, False, False, False, True),
        (OWNER, False, False, False, False, False),
    ]


def test_the_application_role_can_make_and_truncate_nothing(home: Path) -> None:
    with EmbeddedServer(home) as server:
        with psycopg.connect(server.dsn(OWNER)) as connection:
            connection.execute("CREATE TABLE IF NOT EXISTS kept (id int)")
        with psycopg.connect(server.dsn(APP)) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("CREATE TABLE mine (id int)")
        with psycopg.connect(server.dsn(APP)) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("TRUNCATE kept")


def test_the_second_is_told_who_is_first(home: Path) -> None:
    with EmbeddedServer(home), pytest.raises(DataLocked, match=f"already served .*process id {os.getpid()}"):
        EmbeddedServer(home).start()


def test_a_short_command_joins_and_does_not_stop_it(home: Path) -> None:
    with EmbeddedServer(home) as server:
        guest = embedded.open_database(home)
        assert ask(guest.dsn(APP), "SELECT 1") == 1
        assert not guest.owned
        guest.stop()
        assert server.running


def test_what_was_committed_is_there_after_the_server_was_killed(home: Path) -> None:
    server = EmbeddedServer(home).start()
    with psycopg.connect(server.dsn(OWNER)) as connection:
        connection.execute("CREATE TABLE acknowledged (id int)")
    with psycopg.connect(server.dsn(APP)) as connection:
        connection.execute("INSERT INTO acknowledged VALUES (1), (2)")
    assert server.pid is not None
    os.kill(server.pid, signal.SIGKILL)
    server.stop()
    with EmbeddedServer(home) as again:
        assert ask(again.dsn(APP), "SELECT count(*) FROM acknowledged") == 2


def test_an_orphan_of_a_killed_supervisor_is_replaced(home: Path) -> None:
    holder = subprocess.Popen([sys.executable, "-c", HOLD, str(home)], stdout=subprocess.PIPE, text=True)
    assert holder.stdout is not None
    orphan = int(holder.stdout.readline())
    holder.kill()
    holder.wait()
    holder.stdout.close()
    assert alive(orphan)
    with EmbeddedServer(home) as server:
        assert server.pid != orphan
        assert ask(server.dsn(APP), "SELECT 1") == 1
        assert not alive(orphan)


def test_a_pid_file_naming_some_other_process_is_no_obstacle(home: Path) -> None:
    with EmbeddedServer(home) as server:
        pgdata = server.pgdata
    bystander = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    try:
        stale = pgdata / "postmaster.pid"
        stale.write_text(f"{bystander.pid}\n{pgdata}\n{int(time.time())}\n5432\n/nowhere\n\n0 0\nready\n")
        with EmbeddedServer(home) as again:
            assert again.running
        assert bystander.poll() is None
    finally:
        bystander.kill()
        bystander.wait()


def test_a_database_of_another_version_is_refused(home: Path) -> None:
    with EmbeddedServer(home) as server:
        version = server.pgdata / "PG_VERSION"
    kept = version.read_text()
    try:
        version.write_text("17\n")
        with pytest.raises(DatabaseUnavailable, match="made by PostgreSQL 17"):
            EmbeddedServer(home).start()
    finally:
        version.write_text(kept)


def test_a_start_that_was_cut_off_leaves_no_half_database(home: Path) -> None:
    half = home.parent / "half"
    (half / "pgdata.new").mkdir(parents=True)
    (half / "pgdata.new" / "PG_VERSION").write_text("18\n")
    with EmbeddedServer(half, unsafe_fast=True) as server:
        assert ask(server.dsn(APP), "SELECT 1") == 1


@pytest.mark.parametrize("name", ["x" * 90, "数据", "with space, and comma"])
def test_a_path_that_no_socket_can_have_gets_a_short_one(tmp_path: Path, name: str) -> None:
    server = EmbeddedServer(tmp_path / name)
    assert server.socket_dir.parent == Path("/tmp")
    assert server.socket_dir == EmbeddedServer(tmp_path / name).socket_dir
    assert len(str(server.socket_dir)) <= embedded.LONGEST_SOCKET_DIR


def test_a_socket_directory_of_somebody_else_is_refused(tmp_path: Path) -> None:
    server = EmbeddedServer(tmp_path)
    trap = tmp_path / "trap"
    trap.symlink_to(tmp_path)
    with pytest.raises(DatabaseUnavailable, match="belongs to somebody else"):
        server._make_private(trap)


def test_a_data_directory_that_is_a_file_is_told_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DatabaseUnavailable, match="cannot be made"):
        EmbeddedServer(tmp_path / "file" / "data").start()
