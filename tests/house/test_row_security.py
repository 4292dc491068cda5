"""The fence between schools, tried from outside: raw connections as the application role, every table, real rows.

Rows are made up from the column types, so a new table is inside these tests on the day it is born.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

import psycopg
import pytest
from psycopg import sql
from psycopg.rows import tuple_row

from tests.conftest import Database
from tests.house.plan import settle

A, B = 7001, 7002
DAY = date(2026, 3, 2)

INSERT_ALLOWED = {
    "ledger_entry": "append-only and unreadable from outside: a refused sign-in leaves its row before a scope exists",
}
"""Tables into which the application may write a foreign school's row."""

SHARED: dict[str, str] = {}
"""Tables with a school_id that are not fenced at all."""


@dataclass(frozen=True)
class Table:
    name: str
    parent: str | None
    columns: tuple[tuple[str, str], ...]

    @property
    def day(self) -> date:
        """A day that falls into this partition."""
        if self.parent and self.name[-7:-5].isdigit():
            return date(int(self.name[-7:-3]), int(self.name[-2:]), 5)
        return date(1999, 1, 1) if self.name.endswith("_other") else DAY

    def row(self, school: int) -> list[Any]:
        return [_value(name, kind, school, self.day) for name, kind in self.columns]

    def insert(self, into: str | None = None) -> sql.Composed:
        return sql.SQL("INSERT INTO {} ({}) VALUES ({})").format(
            sql.Identifier(into or self.name),
            sql.SQL(", ").join(sql.Identifier(name) for name, _ in self.columns),
            sql.SQL(", ").join(sql.Placeholder() * len(self.columns)),
        )


def _value(name: str, kind: str, school: int, day: date) -> Any:
    """Something that a column of this type takes, different for the two schools."""
    if name == "school_id":
        return school
    if name == "version":
        return 1
    if kind == "date":
        return date(2999, 1, 1) if name.endswith("_to") else day
    if kind == "timestamptz":
        return datetime(day.year + (name == "superseded_at"), day.month, day.day, tzinfo=UTC)
    if kind == "bool":
        return True
    if kind in ("int2", "int4", "int8"):
        return school
    if kind == "bytea":
        return str(school).encode()
    if kind == "_int4":
        return [school]
    if kind == "jsonb":
        return "{}"
    if kind == "uuid":
        return f"00000000-0000-4000-8000-{school:012d}"
    if kind == "ltree":
        return str(school)
    if kind == "varchar(1)":
        return "F"
    if kind.startswith(("varchar", "text")):
        return str(school)
    raise LookupError(f"no example for a column of type {kind}: teach this test")


@pytest.fixture(scope="module")
def tables(module_database: Database) -> list[Table]:
    """Every table with a ``school_id``, partitions too; one row of school A and one of B in each."""
    with psycopg.connect(module_database.owner_url, autocommit=True) as owner:
        owner.execute("SELECT anxiao_report_partition(%s)", [DAY])
    with psycopg.connect(module_database.superuser_url, autocommit=True, row_factory=tuple_row) as connection:
        rows = connection.execute(
            """
            SELECT c.relname, parent.relname,
                   array_agg(ARRAY[a.attname::text, CASE WHEN a.atttypmod = 5 AND t.typname = 'varchar'
                                   THEN 'varchar(1)' ELSE t.typname::text END] ORDER BY a.attnum)
            FROM pg_class c
            JOIN pg_namespace n ON n.oid = c.relnamespace AND n.nspname = 'public'
            JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
            JOIN pg_type t ON t.oid = a.atttypid
            LEFT JOIN pg_inherits i ON i.inhrelid = c.oid
            LEFT JOIN pg_class parent ON parent.oid = i.inhparent
            WHERE c.relkind IN ('r', 'p')
              AND EXISTS (SELECT FROM pg_attribute s WHERE s.attrelid = c.oid AND s.attname = 'school_id')
              AND NOT (a.attname = ANY(%s))
            GROUP BY c.relname, parent.relname ORDER BY c.relname
            """,
            [["temperature_tenths"]],
        ).fetchall()
        found = [Table(name, parent, tuple((c[0], c[1]) for c in columns)) for name, parent, columns in rows]
        connection.execute("SET session_replication_role = replica")  # rows without the rows they point to
        for table in found:
            if table.parent is None and any(other.parent == table.name for other in found):
                continue  # its rows are those of its partitions
            for school in (A, B):
                connection.execute(table.insert(), table.row(school))
    assert len(found) >= 18
    return found


@pytest.fixture
def app(module_database: Database) -> Iterator[psycopg.Connection[Any]]:
    """A raw connection of the application role: no Django, no middleware in between."""
    with psycopg.connect(module_database.app_url) as connection:
        yield connection
        connection.rollback()


def seen(app: psycopg.Connection[Any], table: Table) -> set[int] | None:
    """Schools whose rows the connection can read; None when it may not read the table at all."""
    try:
        with app.transaction():
            query = sql.SQL("SELECT DISTINCT school_id FROM {}").format(sql.Identifier(table.name))
            return {row[0] for row in app.execute(query)}
    except psycopg.errors.InsufficientPrivilege:
        return None


def test_every_table_with_a_school_is_fenced(module_database: Database, tables: list[Table]) -> None:
    with psycopg.connect(module_database.owner_url) as connection:
        rows = connection.execute(
            """
            SELECT c.relname FROM pg_class c WHERE c.relname = ANY(%s)
              AND NOT (c.relrowsecurity AND c.relforcerowsecurity
                       AND EXISTS (SELECT FROM pg_policy p WHERE p.polrelid = c.oid
                                   AND pg_get_expr(p.polqual, p.polrelid) LIKE '%%anxiao.schools%%'))
            """,
            [[t.name for t in tables]],
        ).fetchall()
    settle([r[0] for r in rows], SHARED, "row-level security, FORCE and a policy that looks at the scope")


def test_the_application_owns_nothing_and_cannot_empty_a_table(
    module_database: Database, tables: list[Table], app: psycopg.Connection[Any]
) -> None:
    owned = app.execute("SELECT relname FROM pg_class WHERE pg_get_userbyid(relowner) = current_user").fetchall()
    assert owned == []
    truncatable = app.execute(
        "SELECT relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'public' "
        "AND relkind IN ('r', 'p') AND has_table_privilege(c.oid, 'TRUNCATE, REFERENCES, TRIGGER')"
    ).fetchall()
    assert truncatable == []
    for table in tables:
        with pytest.raises(psycopg.errors.InsufficientPrivilege), app.transaction():
            app.execute(sql.SQL("TRUNCATE {}").format(sql.Identifier(table.name)))
    attributes = app.execute(
        "SELECT rolsuper, rolbypassrls, rolcreaterole, rolcreatedb FROM pg_roles WHERE rolname = current_user"
    ).fetchone()
    assert attributes == (False, False, False, False)


def test_without_a_scope_nothing_is_seen(tables: list[Table], app: psycopg.Connection[Any]) -> None:
    assert {t.name: seen(app, t) for t in tables if seen(app, t)} == {}
    app.execute("SELECT anxiao_scope('')")
    assert {t.name: seen(app, t) for t in tables if seen(app, t)} == {}


def test_a_scope_shows_its_school_and_no_other(tables: list[Table], app: psycopg.Connection[Any]) -> None:
    app.execute("SELECT anxiao_scope(%s)", [f"0,{A}"])
    wrong = {t.name: seen(app, t) for t in tables if seen(app, t) not in ({A}, None)}
    assert wrong == {}
    unreadable = {t.name for t in tables if seen(app, t) is None}
    assert unreadable == {t.name for t in tables if t.parent}, "partitions are reached through their parent only"


def test_the_scope_ends_with_the_transaction(tables: list[Table], app: psycopg.Connection[Any]) -> None:
    with app.transaction():
        app.execute("SELECT anxiao_scope('*')")
        assert seen(app, tables[0])
    assert not seen(app, tables[0])


def test_a_foreign_row_cannot_be_written(tables: list[Table], app: psycopg.Connection[Any]) -> None:
    allowed = []
    app.execute("SELECT anxiao_scope(%s)", [f"0,{A}"])
    for table in tables:
        try:
            with app.transaction(force_rollback=True):
                app.execute(table.insert(), table.row(B))
        except psycopg.errors.InsufficientPrivilege:
            continue
        except psycopg.IntegrityError:
            pass
        allowed.append(table.name)
    settle(allowed, INSERT_ALLOWED, "no row of a school outside the scope is accepted")


@pytest.mark.parametrize(
    "verb", ["UPDATE {} SET school_id = school_id WHERE school_id = %s", "DELETE FROM {} WHERE school_id = %s"]
)
def test_a_foreign_row_cannot_be_touched(verb: str, tables: list[Table], app: psycopg.Connection[Any]) -> None:
    app.execute("SELECT anxiao_scope(%s)", [f"0,{A}"])
    touched = []
    for table in tables:
        try:
            with app.transaction(force_rollback=True):
                if app.execute(sql.SQL(verb).format(sql.Identifier(table.name)), [B]).rowcount:
                    touched.append(table.name)
        except psycopg.errors.InsufficientPrivilege:
            continue
    assert touched == []


def test_rows_above_the_schools_are_read_and_not_written(
    module_database: Database, tables: list[Table], app: psycopg.Connection[Any]
) -> None:
    organisation = next(t for t in tables if t.name == "organisation")
    app.execute("SELECT anxiao_scope(%s)", [f"0,{A}"])
    with pytest.raises(psycopg.errors.InsufficientPrivilege), app.transaction():
        app.execute(organisation.insert(), organisation.row(0))


@pytest.mark.parametrize("text", ["1;2", "*,1", "1 OR 1=1", "-1", "'"])
def test_the_scope_takes_nothing_but_a_list_of_schools(text: str, app: psycopg.Connection[Any]) -> None:
    with pytest.raises(psycopg.errors.RaiseException):
        app.execute("SELECT anxiao_scope(%s)", [text])
