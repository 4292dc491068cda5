"""Settings of the embedded server while a province is made: nothing in it exists yet that could be lost."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg

from anxiao.config.embedded import SUPERUSER, EmbeddedServer

_HURRIED = {
    "max_wal_size": "16GB",
    "checkpoint_timeout": "1h",
    "autovacuum": "off",
    "wal_compression": "off",
}


@contextmanager
def hurried(server: EmbeddedServer | None) -> Iterator[None]:
    """Fewer checkpoints and no autovacuum inside the block; a server that is not ours is left as it is.

    The lines are added to the file that every start writes anew, so that even a killed run leaves nothing behind.
    """
    if server is None or not server.owned:
        yield
        return
    path = server.pgdata / "postgresql.conf"
    usual = path.read_text(encoding="utf-8")
    try:
        path.write_text(usual + "".join(f"{k} = '{v}'\n" for k, v in _HURRIED.items()), encoding="utf-8")
        _reload(server)
        yield
    finally:
        path.write_text(usual, encoding="utf-8")
        _reload(server)
        with psycopg.connect(server.dsn(SUPERUSER), autocommit=True) as connection:
            connection.execute("CHECKPOINT")


def _reload(server: EmbeddedServer) -> None:
    with psycopg.connect(server.dsn(SUPERUSER), autocommit=True) as connection:
        connection.execute("SELECT pg_reload_conf()")
