"""What this door needs to know of its machine, from the same variables as ``config.settings``, but without Django."""

from __future__ import annotations

import os

from psycopg.conninfo import make_conninfo

from anxiao.base.deployment import data_dir

#: Acknowledged means on disk, whatever the server's or the role's own setting says (docs/adr/0003). The Citus
#: settings are harmless on plain PostgreSQL. Ten seconds: a phone gives up after twenty and tries again with the same
#: key. Generic plans: every statement here goes by whole keys, and planning a batch's joins anew would cost as much
#: as running them. No sequential scans: a plan made on the first of a month, over an empty partition, is kept while
#: that partition grows.
_OPTIONS = (
    "-c synchronous_commit=on -c statement_timeout=10s -c lock_timeout=8s "
    "-c plan_cache_mode=force_generic_plan -c enable_seqscan=off "
    "-c citus.multi_shard_modify_mode=sequential -c citus.propagate_set_commands=local"
)

#: A machine that vanishes closes no connection: without these a writer would wait for it for two hours.
_ENDS = {"keepalives_idle": 5, "keepalives_interval": 3, "keepalives_count": 3, "tcp_user_timeout": 10_000}


def conninfo() -> str:
    """How to reach the database as the application role."""
    url = os.environ.get("DATABASE_URL", "postgresql://anxiao_app@/anxiao?host=" + str(data_dir() / "pgdata"))
    return make_conninfo(url, options=_OPTIONS, application_name="anxiao-intake", **_ENDS)


def may_lose_reports() -> bool:
    """Whether this process may acknowledge what a power cut takes back: tests only, on a server without flushes."""
    return os.environ.get("ANXIAO_UNSAFE_FAST") == "1"
