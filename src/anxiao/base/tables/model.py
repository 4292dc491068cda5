"""What a file looks like once it has been read, and why it may be unreadable.

Only the standard library and nothing of Django at import time: the caged child imports this module and must start
quickly and small.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

MERGED_LIMIT = 50_000
LAST_ROW = 1_048_576
"""What a spreadsheet program can number."""


class CellKind(StrEnum):
    """How a cell was stored. The text alone cannot tell: 00001 typed as a number has already lost its zeros."""

    TEXT = "t"
    NUMBER = "n"
    DATE = "d"
    FORMULA = "f"
    BOOLEAN = "b"
    ERROR = "e"


class TableProblem(StrEnum):
    """Why a whole file was refused."""

    EMPTY = "empty"
    TOO_LARGE = "too_large"
    NOT_A_TABLE = "not_a_table"
    OLD_EXCEL = "old_excel"
    WEB_PAGE = "web_page"
    PASSWORD = "password"
    MACROS = "macros"
    BOMB = "bomb"
    DAMAGED = "damaged"
    FORBIDDEN_MARKUP = "forbidden_markup"
    TOO_MANY_ROWS = "too_many_rows"
    TOO_MANY_SHEETS = "too_many_sheets"
    TOO_MUCH_TEXT = "too_much_text"
    ENCODING = "encoding"
    TOO_SLOW = "too_slow"
    READER_DIED = "reader_died"


@dataclass(frozen=True, slots=True)
class Limits:
    """What one file may cost. The defaults hold a sheet of 100,000 people and nothing much bigger."""

    file_bytes: int = 20 * 1024 * 1024
    inflated_bytes: int = 160 * 1024 * 1024
    ratio: int = 150
    entries: int = 500
    sheets: int = 20
    rows: int = 110_000
    columns: int = 100
    cell_characters: int = 4_000
    output_bytes: int = 64 * 1024 * 1024
    row_bytes: int = 4 * 1024 * 1024
    """What one row may weigh in the file, blank cells and all."""
    bytes_per_row: int = 32 * 1024
    """What a filled row may weigh on average, once a sheet is larger than a few megabytes."""
    string_bytes: int = 96 * 1024 * 1024
    memory_bytes: int = 400 * 1024 * 1024
    cpu_seconds: int = 30
    wall_seconds: float = 45.0


class UnreadableTable(Exception):
    """The file as a whole cannot be read. `str()` is a sentence for the person who sent it."""

    def __init__(self, problem: TableProblem, **params: object) -> None:
        super().__init__(problem.value)
        self.problem = problem
        self.params = params

    @property
    def message(self) -> str:
        """The reason in the reader's language."""
        from anxiao.base.tables.messages import describe

        return describe(self.problem, self.params)

    def __str__(self) -> str:
        return self.message


class NumberText(str):
    """The shown text of a cell that was stored as a number. Everywhere else it is a text like any other."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class OddCell:
    """A cell that is no plain value: a formula, an error, a date or a logical value."""

    text: str
    kind: CellKind


Value = str | OddCell | None
"""What a streamed cell holds: plain texts cost nothing beyond themselves, None is an empty cell."""


class Table(Protocol):
    """One sheet that is read row by row and never held."""

    name: str
    hidden: bool

    def rows(self) -> Iterator[tuple[int, list[Value]]]:
        """(number at the left edge, values from the first column on), from the top; may be asked for again."""

    @property
    def merged(self) -> list[tuple[int, int, int, int]]:
        """Merged blocks as (first row, first column, last row, last column); known when `rows` is exhausted."""

    @property
    def hidden_columns(self) -> frozenset[int]:
        """Columns, counted from 1, that nobody sees; known when `rows` has given its first row."""

    @property
    def hidden_rows(self) -> tuple[int, list[int]]:
        """How many filled rows nobody sees, and the numbers of the first few; known when `rows` is exhausted."""


class Tables(Protocol):
    """A whole file, opened."""

    sheets: list[Table]

    def progress(self) -> tuple[int, int]:
        """(bytes read, bytes to read), unpacked."""


def kind_of(value: str | OddCell) -> CellKind:
    """How a streamed cell was stored."""
    if isinstance(value, OddCell):
        return value.kind
    return CellKind.NUMBER if isinstance(value, NumberText) else CellKind.TEXT


def column_letter(column: int) -> str:
    """1 -> A, 27 -> AA: the name at the top of the column."""
    letters = ""
    while column:
        column, rest = divmod(column - 1, 26)
        letters = chr(65 + rest) + letters
    return letters


def column_number(letters: str) -> int:
    """A -> 1, AA -> 27."""
    number = 0
    for letter in letters:
        number = number * 26 + ord(letter) - 64
    return number
