"""What stands around the application before Django may be set up: the data directory, the key, the database.

Everything is handed over through the environment, because the web workers are processes of their own and read it
there: ``ANXIAO_DATA``, ``ANXIAO_SECRET_KEY``, ``ANXIAO_RECEIPT_KEY``, ``DATABASE_URL`` and its two sisters for the
owner and the bulk role.
"""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg

from anxiao.base import signatures
from anxiao.base.deployment import RECEIPT_KEY_FILE
from anxiao.config.embedded import APP, BULK, OWNER, DatabaseUnavailable, EmbeddedServer, open_database

SETTINGS = "anxiao.config.settings"


class NotReady(Exception):
    """An expected failure, told in one sentence to the person at the shell."""


@contextlib.contextmanager
def surroundings(data_dir: Path, *, exclusive: bool = False, joining: bool = False) -> Iterator[EmbeddedServer | None]:
    """Everything in place while the block runs; the value is our own server, or None where DATABASE_URL names one.

    ``exclusive`` is for whoever serves: it must hold the data directory. Short commands join a running server or start
    one; ``joining`` is for a second group of processes, which waits for the first one's and never starts its own.
    """
    data_dir = data_dir.absolute()
    os.environ["ANXIAO_DATA"] = str(data_dir)
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", SETTINGS)
    if os.environ.get("DATABASE_URL"):
        _complete_urls()
        _check_reachable(os.environ["DATABASE_URL"])
        _make_key(data_dir)
        yield None
        return
    server = EmbeddedServer(data_dir)
    if joining:
        server.join()
    elif exclusive:
        server.start()
    else:
        server = open_database(data_dir)
    try:
        _make_key(data_dir)
        os.environ["DATABASE_URL"] = server.dsn(APP)
        os.environ["ANXIAO_OWNER_URL"] = server.dsn(OWNER)
        os.environ["ANXIAO_BULK_URL"] = server.dsn(BULK)
        yield server
    finally:
        for name in ("DATABASE_URL", "ANXIAO_OWNER_URL", "ANXIAO_BULK_URL"):
            os.environ.pop(name, None)
        server.stop()


def secret_key(data_dir: Path) -> str:
    """The key that signs sessions: made once, readable by its owner alone, the same for every worker."""
    return _kept_text(data_dir / "secret_key", lambda: secrets.token_urlsafe(64), least=40)


def _kept_text(path: Path, make: Callable[[], str], *, least: int) -> str:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    try:
        # Exclusive creation: of two processes that start together, one makes the key and both use it.
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        key = path.read_text(encoding="ascii").strip()
        if len(key) < least:
            raise NotReady(f"{path} holds no usable key; remove it to have a new one made.") from None
        return key
    key = make()
    with os.fdopen(handle, "w", encoding="ascii") as file:
        file.write(key + "\n")
    return key


def receipt_key(data_dir: Path) -> str:
    """The private key under receipts: made once, readable by its owner alone. Losing it ends the proof of old
    receipts.
    """
    return _kept_text(data_dir / RECEIPT_KEY_FILE, signatures.new_key, least=40)


def role_urls() -> dict[str, str]:
    """The three addresses by role, as Django's settings read them."""
    app = os.environ["DATABASE_URL"]
    return {
        "application": app,
        "owner": os.environ.get("ANXIAO_OWNER_URL", app.replace(APP, OWNER)),
        "bulk": os.environ.get("ANXIAO_BULK_URL", app.replace(APP, BULK)),
    }


def without_password(url: str) -> str:
    """An address that may be shown and logged."""
    try:
        facts = psycopg.conninfo.conninfo_to_dict(url)
    except psycopg.ProgrammingError:
        return "(an address that cannot be read)"
    return " ".join(f"{name}={facts[name]}" for name in ("host", "port", "dbname", "user") if facts.get(name))


def _complete_urls() -> None:
    for name, url in zip(("DATABASE_URL", "ANXIAO_OWNER_URL", "ANXIAO_BULK_URL"), role_urls().values(), strict=True):
        os.environ[name] = url


def _make_key(data_dir: Path) -> None:
    try:
        for name, key in (("ANXIAO_SECRET_KEY", secret_key), ("ANXIAO_RECEIPT_KEY", receipt_key)):
            if not os.environ.get(name):
                os.environ[name] = key(data_dir)
    except OSError as error:
        raise NotReady(f"The key file in {data_dir} cannot be used: {error.strerror}.") from error


def _check_reachable(url: str) -> None:
    try:
        psycopg.connect(url, connect_timeout=10).close()
    except (psycopg.OperationalError, psycopg.ProgrammingError) as error:
        reason = str(error).strip().splitlines()[0]
        raise DatabaseUnavailable(
            f"The database that DATABASE_URL names ({without_password(url)}) is not reachable: {reason}"
        ) from error
