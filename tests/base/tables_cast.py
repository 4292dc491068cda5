"""A whole file read at once, in this process, for tests that look at single cells."""

from __future__ import annotations

import io
from dataclasses import dataclass, field

from anxiao.base.tables.child import opener_for
from anxiao.base.tables.model import CellKind, Limits, OddCell, kind_of


@dataclass(frozen=True, slots=True)
class Cell:
    column: int
    text: str
    kind: CellKind


@dataclass(frozen=True, slots=True)
class Row:
    number: int
    cells: dict[int, Cell]


@dataclass(slots=True)
class Sheet:
    name: str
    hidden: bool
    rows: list[Row]
    merged: list[tuple[int, int, int, int]] = field(default_factory=list)


@dataclass(slots=True)
class Workbook:
    sheets: list[Sheet] = field(default_factory=list)


def read_workbook(data: bytes) -> Workbook:
    """Every filled cell; raises `UnreadableTable`."""
    book = Workbook()
    for table in opener_for(data[:4096])(io.BytesIO(data), len(data), Limits()).sheets:
        sheet = Sheet(table.name, table.hidden, [])
        for number, values in table.rows():
            cells = {
                column: Cell(column, value.text if isinstance(value, OddCell) else value, kind_of(value))
                for column, value in enumerate(values, start=1)
                if value
            }
            if cells:
                sheet.rows.append(Row(number, cells))
        sheet.merged = table.merged
        book.sheets.append(sheet)
    return book
