"""Rows into tables by COPY, with ids that the tables' own sequences gave."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from typing import Any

_TAKE = "SELECT nextval(pg_get_serial_sequence(%s, 'id')) FROM generate_series(1, %s)"
_BLOCK = 2_000


class Ids:
    """Ids of one table, taken from its sequence a block at a time: whoever inserts later gets others."""

    def __init__(self, cursor: Any, table: str) -> None:
        self._cursor, self._table, self._left = cursor, table, []  # type: tuple[Any, str, list[int]]

    def __call__(self) -> int:
        if not self._left:
            self._cursor.execute(_TAKE, [self._table, _BLOCK])
            self._left = sorted((row[0] for row in self._cursor.fetchall()), reverse=True)
        return self._left.pop()


def copy_rows(cursor: Any, table: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> int:
    """COPY rows of Python values; returns how many.

    The rows are told before the COPY begins: a row that takes its id from the database would wait for ever in it.
    """
    return copy_lines(cursor, table, columns, [line(row) for row in rows])


def copy_lines(cursor: Any, table: str, columns: Sequence[str], lines: Iterable[str]) -> int:
    """COPY lines that are in COPY's text format already: for rows by the million."""
    count = 0
    with cursor.copy(f"COPY {table} ({', '.join(columns)}) FROM STDIN") as copy:
        block: list[str] = []
        for text in lines:
            block.append(text)
            count += 1
            if len(block) == _BLOCK:
                copy.write("".join(block))
                block.clear()
        copy.write("".join(block))
    return count


def line(row: Sequence[Any]) -> str:
    """One row in COPY's text format."""
    return "\t".join(map(_text, row)) + "\n"


def _text(value: Any) -> str:
    if value is None:
        return r"\N"
    if isinstance(value, bool):
        return "t" if value else "f"
    if isinstance(value, datetime | date):
        return value.isoformat()
    return str(value).replace("\\", "\\\\").replace("\t", " ").replace("\n", "\\n")
