"""Pieces that migrations of every room share: the fence of a table with a school, and who may touch it."""

from __future__ import annotations

from django.db import migrations

APP, BULK = "anxiao_app", "anxiao_bulk"

_SCOPE = "current_setting('anxiao.schools', true)"
SEES = (
    f"((SELECT {_SCOPE}) = '*' OR school_id = ANY ((SELECT string_to_array("
    f"nullif(nullif({_SCOPE}, ''), '*'), ',')::int[])::int[]))"
)
"""Sub-selects, so that the scope is read once a statement and not once a row."""

WRITES = f"({SEES} AND (school_id <> 0 OR (SELECT {_SCOPE}) = '*'))"

SCOPE_FUNCTION = """
CREATE OR REPLACE FUNCTION anxiao_scope(schools text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF schools !~ '^(\\*|[0-9]*(,[0-9]+)*)$' THEN
        RAISE EXCEPTION 'not a scope: %', schools;
    END IF;
    EXECUTE format('SET LOCAL anxiao.schools = %L', schools);
END $$;
"""

DEFAULT_PRIVILEGES = f"""
ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO {APP}, {BULK};
ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT USAGE, SELECT ON SEQUENCES TO {APP}, {BULK};
"""
"""For the tables of Django, allauth and friends, which have no school; tables with one take these back again."""

REFUSE_FUNCTION = """
CREATE OR REPLACE FUNCTION anxiao_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% keeps what was written: % is refused', TG_TABLE_NAME, TG_OP USING ERRCODE = '42501';
END $$;
"""


def with_school_security(table: str, rights: str = "SELECT, INSERT, UPDATE") -> migrations.RunSQL:
    """Row-level security with FORCE, one policy for all commands, and grants, for a table with ``school_id``.

    Rows of school 0 (above the schools) are readable by everybody inside a scope, and writable only from ``*``.
    """
    return migrations.RunSQL(
        f"""
        ALTER TABLE {table} ENABLE ROW LEVEL SECURITY;
        ALTER TABLE {table} FORCE ROW LEVEL SECURITY;
        CREATE POLICY {table}_school ON {table} USING {SEES} WITH CHECK {WRITES};
        {_grants(table, rights)}
        """,
        f"""
        DROP POLICY IF EXISTS {table}_school ON {table};
        ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY;
        ALTER TABLE {table} DISABLE ROW LEVEL SECURITY;
        """,
    )


def with_grants(table: str, rights: str = "SELECT, INSERT, UPDATE, DELETE") -> migrations.RunSQL:
    """Grants for a table that has no school (accounts, campaigns, the public register of schools)."""
    return migrations.RunSQL(_grants(table, rights), migrations.RunSQL.noop)


def append_only(table: str) -> migrations.RunSQL:
    """Refuse UPDATE, DELETE and TRUNCATE by trigger, for owners too; grants alone bind only the application."""
    return migrations.RunSQL(
        f"""
        CREATE TRIGGER {table}_keeps BEFORE UPDATE OR DELETE ON {table}
            FOR EACH ROW EXECUTE FUNCTION anxiao_refuse_change();
        CREATE TRIGGER {table}_keeps_all BEFORE TRUNCATE ON {table}
            FOR EACH STATEMENT EXECUTE FUNCTION anxiao_refuse_change();
        """,
        f"DROP TRIGGER IF EXISTS {table}_keeps ON {table}; DROP TRIGGER IF EXISTS {table}_keeps_all ON {table};",
    )


def _grants(table: str, rights: str) -> str:
    return (
        f"REVOKE ALL ON {table} FROM {APP}; GRANT {rights} ON {table} TO {APP}; "
        f"GRANT SELECT, INSERT, UPDATE, DELETE ON {table} TO {BULK};"
    )
