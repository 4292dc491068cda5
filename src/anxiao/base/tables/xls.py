"""Old workbooks (.xls). They hold at most 65,536 rows a sheet, so reading one as a whole is affordable in the cage."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO

import xlrd
from xlrd.biffh import XL_CELL_BOOLEAN, XL_CELL_DATE, XL_CELL_ERROR, XL_CELL_NUMBER, XL_CELL_TEXT, error_text_from_code

from anxiao.base.tables.model import (
    MERGED_LIMIT,
    CellKind,
    Limits,
    NumberText,
    OddCell,
    Table,
    TableProblem,
    UnreadableTable,
    Value,
)
from anxiao.base.tables.shown import is_date_format, shown, shown_date

_LOCKED = "EncryptedPackage".encode("utf-16-le")
_MACROS = "_VBA_PROJECT".encode("utf-16-le")
_BOOKS = ("Workbook".encode("utf-16-le"), "Book".encode("utf-16-le"))
_SHOWN_ROWS = 8
FILE_BYTES = 48 * 1024 * 1024


@contextmanager
def _oddities() -> Iterator[None]:
    """The library raises what comes for a file that is not what it says; we ask to save it in the new form."""
    try:
        yield
    except (MemoryError, RecursionError):
        raise
    except Exception as error:
        locked = isinstance(error, xlrd.XLRDError) and "encrypted" in str(error).lower()
        raise UnreadableTable(TableProblem.PASSWORD if locked else TableProblem.OLD_EXCEL) from error


class XlsTables:
    """The `Tables` of an old workbook."""

    def __init__(self, file: BinaryIO, size: int, limits: Limits) -> None:
        if size > min(limits.file_bytes, FILE_BYTES):
            raise UnreadableTable(TableProblem.TOO_LARGE, megabytes=FILE_BYTES // (1024 * 1024))
        data = file.read()
        if _LOCKED in data:
            # Excel wraps a new workbook with a password into the old container.
            raise UnreadableTable(TableProblem.PASSWORD)
        if _MACROS in data:
            raise UnreadableTable(TableProblem.MACROS)
        if not any(name in data for name in _BOOKS):
            raise UnreadableTable(TableProblem.OLD_EXCEL)
        with _oddities():
            self.book = xlrd.open_workbook(
                file_contents=data, formatting_info=True, on_demand=True, logfile=io.StringIO()
            )
        if self.book.nsheets > limits.sheets:
            raise UnreadableTable(TableProblem.TOO_MANY_SHEETS, sheets=limits.sheets)
        self.sheets: list[Table] = [XlsTable(self.book, place, limits) for place in range(self.book.nsheets)]
        if not self.sheets:
            raise UnreadableTable(TableProblem.NOT_A_TABLE)

    def progress(self) -> tuple[int, int]:
        """See `Tables.progress`; counted in rows here."""
        return sum(sheet.done for sheet in self.sheets), sum(sheet.total for sheet in self.sheets)  # type: ignore[attr-defined]


class XlsTable:
    """One sheet of an old workbook."""

    def __init__(self, book: Any, place: int, limits: Limits) -> None:
        self.book, self.place, self.limits = book, place, limits
        self.name: str = book.sheet_names()[place]
        self.hidden: bool = book._sheet_visibility[place] != 0
        self.merged: list[tuple[int, int, int, int]] = []
        self.hidden_columns: frozenset[int] = frozenset()
        self.hidden_rows: tuple[int, list[int]] = (0, [])
        self.done = self.total = 0

    def rows(self) -> Iterator[tuple[int, list[Value]]]:
        """See `Table.rows`."""
        with _oddities():
            sheet = self.book.sheet_by_index(self.place)
        self.total = sheet.nrows
        self.merged = [
            (top + 1, left + 1, bottom, right) for top, bottom, left, right in sheet.merged_cells[:MERGED_LIMIT]
        ]
        self.hidden_columns = frozenset(place + 1 for place, info in sheet.colinfo_map.items() if info.hidden)
        hidden = sorted(place + 1 for place, info in sheet.rowinfo_map.items() if info.hidden and place < sheet.nrows)
        self.hidden_rows = (len(hidden), hidden[:_SHOWN_ROWS])
        try:
            for place in range(sheet.nrows):
                self.done = place + 1
                width = min(sheet.row_len(place), self.limits.columns)
                yield place + 1, [self._value(sheet, place, column) for column in range(width)]
        finally:
            # One sheet at a time: a full one takes a hundred megabytes.
            if self.book.nsheets > 1:
                self.book.unload_sheet(self.place)

    def _value(self, sheet: Any, row: int, column: int) -> Value:
        kind, value = sheet.cell_type(row, column), sheet.cell_value(row, column)
        cut = self.limits.cell_characters
        if kind == XL_CELL_TEXT:
            return str(value)[:cut] or None
        if kind == XL_CELL_BOOLEAN:
            return OddCell("TRUE" if value else "FALSE", CellKind.BOOLEAN)
        if kind == XL_CELL_ERROR:
            return OddCell(error_text_from_code.get(value, "#"), CellKind.ERROR)
        if kind not in (XL_CELL_NUMBER, XL_CELL_DATE):
            return None
        style = self.book.xf_list[sheet.cell_xf_index(row, column)]
        found = self.book.format_map.get(style.format_key)
        code = found.format_str if found else "General"
        stored = repr(value)
        if is_date_format(style.format_key, code):
            return OddCell(shown_date(stored, since_1904=bool(self.book.datemode)), CellKind.DATE)
        return NumberText(shown(stored, code)[:cut])
