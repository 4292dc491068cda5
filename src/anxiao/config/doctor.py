"""Looks the installation over: versions, durability, migrations, and the fence between the schools.

Every check returns findings in plain words. Nothing here changes anything, so the doctor may be called at any time.
"""

from __future__ import annotations

import platform
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from anxiao.config.embedded import APP, BULK

NEWEST_NEEDED = (18, 0)
ADVISED = (18, 7)
MUST_BE_ON = ("fsync", "full_page_writes", "synchronous_commit")

# A policy for INSERT alone may be open: what is written there cannot be read back through it (the ledger).
TABLES_WITH_A_SCHOOL = """
SELECT c.relname AS name, c.relkind::text AS kind, c.relispartition AS partition, o.rolname AS owner,
       c.relrowsecurity AS enabled, c.relforcerowsecurity AS forced,
       coalesce(c.reloptions::text, '') AS options,
       (SELECT count(*) FROM pg_policy p WHERE p.polrelid = c.oid) AS policies,
       (SELECT count(*) FROM pg_policy p WHERE p.polrelid = c.oid AND p.polpermissive AND p.polcmd <> 'a'
           AND strpos(coalesce(pg_get_expr(p.polqual, p.polrelid), pg_get_expr(p.polwithcheck, p.polrelid), ''),
                      'anxiao.schools') = 0) AS open_policies,
       has_table_privilege(%(app)s, c.oid, 'SELECT, INSERT, UPDATE, DELETE') AS reachable
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_roles o ON o.oid = c.relowner
WHERE n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname NOT LIKE 'pg\\_%%'
  AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
  AND EXISTS (SELECT 1 FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'school_id' AND NOT a.attisdropped)
ORDER BY c.relname
"""

TRUNCATABLE = """
SELECT c.relname, r.rolname
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
CROSS JOIN pg_roles r
WHERE n.nspname = 'public' AND c.relkind IN ('r', 'p') AND r.rolname IN (%(app)s, %(bulk)s)
  AND has_table_privilege(r.oid, c.oid, 'TRUNCATE')
ORDER BY 1, 2
"""


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report. ``advice`` says what to do; it is empty where nothing needs doing."""

    group: str
    name: str
    value: str
    good: bool = True
    advice: str = ""


def examine(urls: Mapping[str, str], *, data_dir: Path) -> list[Finding]:
    """All findings. ``urls`` are the addresses of the three roles; Django must be set up."""
    findings = [Finding("versions", "Python", platform.python_version()), *_packages()]
    with psycopg.connect(urls["application"], autocommit=True) as connection:
        findings += _server_version(connection)
    findings += durability(urls)
    findings += migrations()
    with psycopg.connect(urls["owner"], autocommit=True) as connection:
        findings += roles(connection)
        findings += security_holes(connection)
    findings += _files(data_dir)
    return findings


def durability(urls: Mapping[str, str]) -> list[Finding]:
    """Whether an acknowledged report survives a power cut, asked from each role's own connection.

    A setting may be turned off for the server, for the database or for one role: only the role itself sees the sum.
    """
    findings = []
    for role, url in urls.items():
        with psycopg.connect(url, autocommit=True) as connection:
            rows = connection.execute(
                "SELECT name, setting, source FROM pg_settings WHERE name = ANY(%s) ORDER BY name", [list(MUST_BE_ON)]
            ).fetchall()
        for name, setting, source in rows:
            good = setting != "off"
            advice = "" if good else f"turn {name} on (it was turned off by: {source}); reports would be lost"
            findings.append(Finding("durability", f"{name} for {role}", setting, good, advice))
    return findings


def migrations() -> list[Finding]:
    """Pending migrations, seen as the owner that would run them."""
    from django.db import connections
    from django.db.migrations.executor import MigrationExecutor

    executor = MigrationExecutor(connections["owner"])
    plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
    if not plan:
        return [Finding("migrations", "pending", "none")]
    names = ", ".join(str(migration) for migration, _backwards in plan[:5]) + (" ..." if len(plan) > 5 else "")
    return [Finding("migrations", "pending", f"{len(plan)}: {names}", False, "run: anxiao migrate")]


def roles(connection: psycopg.Connection[Any]) -> list[Finding]:
    """The application must not be able to step over the fence."""
    # An installation may name its roles differently, so the settings are asked and not the constants.
    app, bulk = _role_names()
    rows = connection.execute(
        "SELECT rolname, rolsuper, rolbypassrls FROM pg_roles WHERE rolname = ANY(%s)", [[app, bulk]]
    ).fetchall()
    findings = []
    for name, superuser, bypass in rows:
        wrong = superuser or (name == app and bypass) or (name == bulk and not bypass)
        value = "superuser" if superuser else "bypasses row-level security" if bypass else "held by row-level security"
        advice = "" if not wrong else "the application role must be held, the bulk role must bypass, none is superuser"
        findings.append(Finding("roles", name, value, not wrong, advice))
    if app == bulk:
        findings.append(Finding("roles", app, "used for everything", False, "give each of the three roles its own"))
    return findings


def security_holes(connection: psycopg.Connection[Any]) -> list[Finding]:
    """Every table with a ``school_id``: row-level security on, forced, with policies that look at the scope."""
    app, bulk = _role_names()
    names = {"app": app, "bulk": bulk}
    holes = []
    count = 0
    with connection.cursor(row_factory=psycopg.rows.dict_row) as cursor:
        for table in cursor.execute(TABLES_WITH_A_SCHOOL, names):
            count += 1
            holes += [
                Finding("row-level security", table["name"], complaint, False, "fence it as anxiao.base.schema does")
                for complaint in _complaints(table, {app, bulk})
            ]
    holes += [
        Finding("row-level security", name, f"{role} may TRUNCATE it", False, "REVOKE TRUNCATE; it ignores policies")
        for name, role in connection.execute(TRUNCATABLE, names)
    ]
    return holes or [Finding("row-level security", "tables with a school", f"{count}, all fenced")]


def _complaints(table: Mapping[str, Any], application_roles: set[str]) -> Iterator[str]:
    if table["owner"] in application_roles:
        yield f"is owned by {table['owner']}"
    if table["kind"] == "v":
        if table["reachable"] and "security_invoker=true" not in table["options"].lower().replace("=on", "=true"):
            yield "is a view that reads with its owner's rights"
        return
    if table["kind"] in ("m", "f"):
        if table["reachable"]:
            yield "cannot have policies, yet the application may read it"
        return
    # A partition that nobody may touch directly is guarded by the policies of its parent.
    if table["partition"] and not table["reachable"]:
        return
    if not table["enabled"]:
        yield "has no row-level security"
    elif not table["forced"]:
        yield "does not force row-level security on its owner"
    if not table["policies"]:
        yield "has no policy"
    if table["open_policies"]:
        yield "has a policy that does not look at the scope"


def _role_names() -> tuple[str, str]:
    from django.db import connections

    return (
        connections["default"].settings_dict.get("USER") or APP,
        connections["bulk"].settings_dict.get("USER") or BULK,
    )


def _packages() -> list[Finding]:
    from importlib import metadata

    return [
        Finding("versions", label, metadata.version(name))
        for label, name in (("Anxiao", "anxiao"), ("Django", "django"), ("psycopg", "psycopg"))
    ]


def _server_version(connection: psycopg.Connection[Any]) -> list[Finding]:
    number = connection.info.server_version
    version = (number // 10000, number % 10000)
    text = ".".join(map(str, version))
    if version < NEWEST_NEEDED:
        return [Finding("versions", "PostgreSQL", text, False, "PostgreSQL 18 or newer is needed")]
    remark = "" if version >= ADVISED else "18.7 or newer is advised in production"
    return [Finding("versions", "PostgreSQL", text, True, remark)]


def _files(data_dir: Path) -> list[Finding]:
    key = data_dir / "secret_key"
    if not key.exists():
        return []
    loose = key.stat().st_mode & 0o077
    advice = f"chmod 600 {key}" if loose else ""
    return [Finding("files", "secret key", "readable by others" if loose else "private", not loose, advice)]
