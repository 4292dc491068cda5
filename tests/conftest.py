"""What every test stands on: a real PostgreSQL, a clean database for each test that asks, no network.

The tenancy of this project lives in outermost transactions, so no test may be wrapped in one. Instead every test that
asks for ``database`` gets its own copy of a migrated template; copying takes about 30 ms. Fixtures:

``database``          a clean database for this test; all three Django aliases point to it
``module_database``   the same for a whole module, for tests that only read what the module prepared
``live_server_url``   the whole ASGI application, really served from a free port, over ``module_database``
"""

from __future__ import annotations

import itertools
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from anxiao.config.embedded import APP, BULK, OWNER, SUPERUSER, EmbeddedServer, create_database, prepare_database

TEMPLATE = "anxiao_template"
ALIASES = {"default": APP, "owner": OWNER, "bulk": BULK}
_numbers = itertools.count(1)


def pytest_configure() -> None:
    # A test run that is asked to end must still stop its database, which would otherwise outlive it.
    signal.signal(signal.SIGTERM, signal.default_int_handler)


@dataclass(frozen=True, slots=True)
class Database:
    """One database of the test server, and how each role reaches it without Django."""

    server: EmbeddedServer
    name: str

    def url(self, role: str) -> str:
        return self.server.dsn(role, self.name)

    @property
    def app_url(self) -> str:
        return self.url(APP)

    @property
    def owner_url(self) -> str:
        return self.url(OWNER)

    @property
    def bulk_url(self) -> str:
        return self.url(BULK)

    @property
    def superuser_url(self) -> str:
        return self.url(SUPERUSER)

    @property
    def environment(self) -> dict[str, str]:
        """What a child process needs in order to work on this database."""
        return {
            "DATABASE_URL": self.app_url,
            "ANXIAO_OWNER_URL": self.owner_url,
            "ANXIAO_BULK_URL": self.bulk_url,
            "ANXIAO_DATA": str(self.server.data_dir),
        }


@pytest.fixture(scope="session", autouse=True)
def _a_demo(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Accounts that builders make have no second factor, which only a demo allows; static files are not collected."""
    from django.conf import settings

    settings.ANXIAO_DEMO = True
    settings.STATIC_ROOT = tmp_path_factory.mktemp("static")
    os.environ["ANXIAO_DEMO"] = "1"  # for the servers that tests start
    os.environ["ANXIAO_UNSAFE_FAST"] = "1"  # the test server below
    os.environ["ANXIAO_RECEIPT_KEY"] = "t" * 43
    os.environ.setdefault("ANXIAO_SECRET_KEY", settings.SECRET_KEY)


@pytest.fixture(autouse=True)
def _the_house_language() -> None:
    """A request in another language leaves it behind in its thread; the next test begins in the house's own."""
    from django.utils import translation

    translation.deactivate()


@pytest.fixture(scope="session")
def postgres() -> Iterator[EmbeddedServer]:
    """The test server. It gives up durability, which nobody needs here: tests of durability start their own."""
    # A short path: the address of a Unix socket holds about a hundred bytes.
    home = Path(tempfile.mkdtemp(prefix="anxiao-test-"))
    server = EmbeddedServer(home, unsafe_fast=True)
    try:
        yield server.start()
    finally:
        server.stop()
        shutil.rmtree(home, ignore_errors=True)


@pytest.fixture(scope="session")
def _template(postgres: EmbeddedServer, django_db_blocker: object) -> str:
    from django.core.management import call_command

    prepare_database(postgres.dsn(SUPERUSER, "postgres"), TEMPLATE)
    with _pointed_at(Database(postgres, TEMPLATE), django_db_blocker):
        call_command("migrate", database="owner", verbosity=0, interactive=False)
    return TEMPLATE


@contextmanager
def _pointed_at(database: Database, blocker: object) -> Iterator[Database]:
    """Point Django's three aliases, and the environment for child processes, at a database; then back."""
    from django.contrib.contenttypes.models import ContentType
    from django.db import connections

    kept = {alias: dict(connections.settings[alias]) for alias in ALIASES}
    environment = {name: os.environ.get(name) for name in database.environment}
    connections.close_all()
    for alias, role in ALIASES.items():
        connections.settings[alias].update(
            NAME=database.name, USER=role, PASSWORD="", HOST=str(database.server.socket_dir), PORT=""
        )
    os.environ.update(database.environment)
    # Remembered ids belong to the previous database.
    ContentType.objects.clear_cache()
    try:
        with blocker.unblock():  # type: ignore[attr-defined]
            yield database
    finally:
        connections.close_all()
        for alias, settings in kept.items():
            connections.settings[alias].update(settings)
        for name, value in environment.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


@contextmanager
def _fresh_database(server: EmbeddedServer, template: str, blocker: object) -> Iterator[Database]:
    superuser = server.dsn(SUPERUSER, "postgres")
    database = Database(server, f"test_{next(_numbers)}")
    create_database(superuser, database.name, template=template)
    try:
        with _pointed_at(database, blocker):
            yield database
    finally:
        with psycopg.connect(superuser, autocommit=True) as connection:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(database.name)))


@pytest.fixture
def database(postgres: EmbeddedServer, _template: str, django_db_blocker: object) -> Iterator[Database]:
    """A clean, migrated database for this test alone."""
    with _fresh_database(postgres, _template, django_db_blocker) as fresh:
        yield fresh


@pytest.fixture(scope="module")
def module_database(postgres: EmbeddedServer, _template: str, django_db_blocker: object) -> Iterator[Database]:
    """A clean, migrated database which all tests of a module share."""
    with _fresh_database(postgres, _template, django_db_blocker) as fresh:
        yield fresh


@pytest.fixture(scope="module")
def live_server_url(module_database: Database) -> Iterator[str]:
    """The whole application in a process of its own, as ``anxiao serve`` runs it; the value is its address."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(128)
        listener.set_inheritable(True)
        port = listener.getsockname()[1]
        # Nothing is collected in a test; an absent directory would only be complained about.
        (module_database.server.data_dir / "static").mkdir(exist_ok=True)
        environment = {
            **os.environ,
            **module_database.environment,
            "DJANGO_SETTINGS_MODULE": "anxiao.config.settings",
            # whoever works beside the server opens what it has sealed
            "ANXIAO_SECRET_KEY": os.environ["ANXIAO_SECRET_KEY"],
            "PYTHONUNBUFFERED": "1",
        }
        with tempfile.TemporaryFile() as output:
            process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "uvicorn", "anxiao.config.asgi:application"),
                    *("--fd", str(listener.fileno()), "--log-level", "warning"),
                ],
                env=environment,
                pass_fds=[listener.fileno()],
                stdout=output,
                stderr=output,
            )
            try:
                _wait_until_served(port, process)
                yield f"http://127.0.0.1:{port}"
            finally:
                process.terminate()
                try:
                    process.wait(15)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()
                output.seek(0)
                sys.stderr.write(output.read().decode("utf-8", "replace")[-20000:])


def _wait_until_served(port: int, process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + 60
    while time.monotonic() < end:
        if process.poll() is not None:
            pytest.fail("the server ended before it answered; its output is below")
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=5).close()
        except urllib.error.HTTPError as error:
            error.close()
            return
        except OSError:
            time.sleep(0.1)
        else:
            return
    pytest.fail("the server did not answer within a minute; its output is below")
