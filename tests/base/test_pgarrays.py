"""Array literals that PostgreSQL reads as they were meant."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from anxiao.base.pgarrays import plain, texts
from anxiao.config.embedded import SUPERUSER, EmbeddedServer

TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))


@pytest.fixture(scope="module")
def connection(postgres: EmbeddedServer) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(postgres.dsn(SUPERUSER, "postgres"), autocommit=True) as opened:
        yield opened


def read(connection: psycopg.Connection[Any], literal: str, kind: str) -> Any:
    found = connection.execute(f"SELECT %s::{kind}[]".encode(), [literal]).fetchone()
    assert found is not None
    return found[0]


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.none() | TEXT | st.sampled_from(["NULL", "null", "", '"', "\\", "{}", ",", " x ", '\\"', "\n\t"])))
def test_any_text_arrives_as_it_was(connection: psycopg.Connection[Any], given: list[str | None]) -> None:
    assert read(connection, texts(given), "text") == given


@pytest.mark.parametrize(
    ("kind", "given"),
    [
        ("int", [1, -2, None, 2**31 - 1]),
        ("smallint", []),
        ("boolean", [True, None, False]),
        ("date", [date(2020, 2, 29), None]),
        ("timestamptz", [datetime(2026, 3, 2, 6, 0, 0, 1, tzinfo=UTC), None]),
        ("uuid", [UUID(int=5), None]),
        ("bigint", [2**62]),
    ],
)
def test_plain_values_arrive_as_they_were(connection: psycopg.Connection[Any], kind: str, given: list[Any]) -> None:
    assert read(connection, plain(given), kind) == given
