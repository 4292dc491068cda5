"""The doctor finds every hole that is cut into a healthy database."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from anxiao.config import doctor
from anxiao.config.doctor import Finding


@pytest.fixture
def owner(database: Any) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(database.superuser_url, autocommit=True) as connection:
        connection.execute("SET ROLE anxiao_owner")
        yield connection


def holes(connection: psycopg.Connection[Any]) -> list[tuple[str, str]]:
    return [(finding.name, finding.value) for finding in doctor.security_holes(connection) if not finding.good]


def test_a_migrated_database_has_no_holes(owner: psycopg.Connection[Any]) -> None:
    assert holes(owner) == []


@pytest.mark.parametrize(
    ("cut", "complaint"),
    [
        ("DROP POLICY directory_person_school ON directory_person", "has no policy"),
        ("ALTER TABLE directory_person DISABLE ROW LEVEL SECURITY", "has no row-level security"),
        ("ALTER TABLE directory_person NO FORCE ROW LEVEL SECURITY", "does not force row-level security on its owner"),
        ("CREATE POLICY wide ON directory_person USING (true)", "has a policy that does not look at the scope"),
        ("GRANT TRUNCATE ON directory_person TO anxiao_app", "anxiao_app may TRUNCATE it"),
    ],
)
def test_a_hole_in_a_table_is_found(owner: psycopg.Connection[Any], cut: str, complaint: str) -> None:
    table = owner.execute(
        "SELECT tablename FROM pg_tables WHERE tablename IN ('person', 'directory_person')"
    ).fetchone()
    assert table is not None
    owner.execute(cut.replace("directory_person", table[0]))
    assert holes(owner) == [(table[0], complaint)]


def test_a_new_table_with_a_school_is_a_hole_until_it_is_fenced(owner: psycopg.Connection[Any]) -> None:
    owner.execute("CREATE TABLE forgotten (school_id int, id int)")
    assert holes(owner) == [("forgotten", "has no row-level security"), ("forgotten", "has no policy")]


def test_a_table_of_the_application_role_is_a_hole(database: Any, owner: psycopg.Connection[Any]) -> None:
    owner.execute("RESET ROLE")
    owner.execute("GRANT CREATE ON SCHEMA public TO anxiao_app")
    with psycopg.connect(database.app_url, autocommit=True) as app:
        app.execute("CREATE TABLE mine (school_id int)")
    assert ("mine", "is owned by anxiao_app") in holes(owner)


def test_a_view_over_a_fenced_table_is_a_hole_unless_it_asks_as_the_reader(owner: psycopg.Connection[Any]) -> None:
    owner.execute("CREATE VIEW leak AS SELECT 1 AS school_id")
    owner.execute("CREATE VIEW tight WITH (security_invoker = true) AS SELECT 1 AS school_id")
    owner.execute("CREATE MATERIALIZED VIEW frozen AS SELECT 1 AS school_id")
    assert holes(owner) == [
        ("frozen", "cannot have policies, yet the application may read it"),
        ("leak", "is a view that reads with its owner's rights"),
    ]


def test_durability_is_asked_from_each_role(database: Any) -> None:
    urls = {"application": database.app_url, "owner": database.owner_url, "bulk": database.bulk_url}
    # The test server gives durability up for speed: the doctor must say so, nine times.
    assert [f.good for f in doctor.durability(urls)] == [False] * 9


def test_one_role_alone_can_be_careless(database: Any) -> None:
    with psycopg.connect(database.superuser_url, autocommit=True) as connection:
        connection.execute(f"ALTER DATABASE {database.name} SET synchronous_commit = on")
        connection.execute(f"ALTER ROLE anxiao_bulk IN DATABASE {database.name} SET synchronous_commit = off")
    urls = {"application": database.app_url, "bulk": database.bulk_url}
    found = {f.name: f for f in doctor.durability(urls) if f.name.startswith("synchronous_commit")}
    assert found["synchronous_commit for application"].good
    assert not found["synchronous_commit for bulk"].good
    assert "turned off by: database user" in found["synchronous_commit for bulk"].advice


def test_pending_migrations_are_named(database: Any) -> None:
    assert doctor.migrations() == [Finding("migrations", "pending", "none")]
    with psycopg.connect(database.owner_url, autocommit=True) as connection:
        connection.execute("DELETE FROM django_migrations WHERE app = 'sessions'")
    (finding,) = doctor.migrations()
    assert not finding.good
    assert "sessions.0001_initial" in finding.value
    assert finding.advice == "run: anxiao migrate"


def test_a_role_that_steps_over_the_fence_is_found(database: Any, owner: psycopg.Connection[Any]) -> None:
    assert all(finding.good for finding in doctor.roles(owner))
    owner.execute("RESET ROLE")
    owner.execute("ALTER ROLE anxiao_app BYPASSRLS")
    try:
        assert [f.name for f in doctor.roles(owner) if not f.good] == ["anxiao_app"]
    finally:
        owner.execute("ALTER ROLE anxiao_app NOBYPASSRLS")


def test_a_key_that_others_can_read_is_found(database: Any, tmp_path: Path) -> None:
    (tmp_path / "secret_key").write_text("x")
    (tmp_path / "secret_key").chmod(0o644)
    urls = {"application": database.app_url, "owner": database.owner_url, "bulk": database.bulk_url}
    wrong = [f.name for f in doctor.examine(urls, data_dir=tmp_path) if not f.good and f.group != "durability"]
    assert wrong == ["secret key"]
