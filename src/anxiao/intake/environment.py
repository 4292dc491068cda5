"""What this door needs to know of its machine, from the same variables as ``config.settings``, but without Django."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path

from psycopg.conninfo import make_conninfo

#: Acknowledged means on disk, whatever the server's or the role's own setting says (docs/adr/0003). The Citus settings
#: are harmless on plain PostgreSQL. Ten seconds: a phone gives up after twenty and tries again with the same key.
_OPTIONS = (
    "-c synchronous_commit=on -c statement_timeout=10s -c lock_timeout=8s "
    "-c citus.multi_shard_modify_mode=sequential -c citus.propagate_set_commands=local"
)


def _data() -> Path:
    return Path(os.environ.get("ANXIAO_DATA", "var/data")).resolve()


def conninfo() -> str:
    """How to reach the database as the application role."""
    url = os.environ.get("DATABASE_URL", "postgresql://anxiao_app@/anxiao?host=" + str(_data() / "pgdata"))
    return make_conninfo(url, options=_OPTIONS, application_name="anxiao-intake")


def secret() -> str:
    """The deployment's secret, under which passes are sealed. Empty means: no pass can be valid."""
    return os.environ.get("ANXIAO_SECRET_KEY") or _secret_file(_data() / "secret_key")


@cache
def _secret_file(path: Path) -> str:
    return path.read_text().strip() if path.exists() else ""
