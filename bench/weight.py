"""P8: what a report weighs on disk, and what the service weighs in memory at rest."""

from __future__ import annotations

import time
from typing import Any

from stand import Stand

_DISK = """
SELECT (SELECT sum(pg_total_relation_size(inhrelid)) FROM pg_inherits WHERE inhparent = 'report'::regclass)::bigint,
       pg_total_relation_size('tally')::bigint, pg_total_relation_size('tally_delta')::bigint,
       pg_total_relation_size('ledger_entry')::bigint, pg_database_size(current_database())::bigint,
       (SELECT count(*) FROM report)
"""


def measure(stand: Stand, seconds: int) -> dict[str, Any]:
    """A service that has just been started and left alone for a while; PSS of every process."""
    time.sleep(seconds)
    resident = stand.resident()
    with stand.sql() as connection:
        row = connection.execute(_DISK).fetchone()
    assert row is not None
    reports, tally, delta, ledger, whole, n = row
    return {
        "reports": n,
        "bytes_a_report": round((reports + tally + delta) / n, 1) if n else 0.0,
        "parts": {
            name: round(size / n, 1) if n else 0.0
            for name, size in (("reports", reports), ("tally", tally), ("deltas", delta), ("ledger", ledger))
        },
        "database_bytes": whole,
        "resident_bytes": sum(resident.values()),
        "resident": dict(sorted(resident.items(), key=lambda kind: -kind[1])),
    }
