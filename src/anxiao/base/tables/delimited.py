"""CSV files as Chinese spreadsheet programs write them: UTF-8 with or without a mark, UTF-16, or GB18030."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from typing import BinaryIO

from anxiao.base.tables.model import Cell, CellKind, Limits, Row, Sheet, TableProblem, UnreadableTable

_SIGNS = (",", "\t", ";")


def decode(data: bytes) -> str:
    """The text, by byte order mark first, then strict UTF-8, then GB18030 (which contains GBK and GB 2312)."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        encodings = ["utf-16"]
    elif data.startswith(b"\xef\xbb\xbf"):
        encodings = ["utf-8-sig"]
    else:
        encodings = ["utf-8", "gb18030"]
    for encoding in encodings:
        try:
            return data.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise UnreadableTable(TableProblem.ENCODING)


def _separator(text: str) -> str:
    head = "\n".join(text.split("\n", 20)[:20])
    return max(_SIGNS, key=head.count)


def read(file: BinaryIO, limits: Limits, emit: Callable[[object], None]) -> None:
    """Emit one `Sheet` and its `Row`s. Every cell is text; a leading equals sign is kept and marked."""
    text = decode(file.read(limits.file_bytes))
    if "\x00" in text or not text.strip():
        raise UnreadableTable(TableProblem.NOT_A_TABLE)
    emit(Sheet("CSV"))
    csv.field_size_limit(limits.cell_characters * 16)
    filled = 0
    try:
        rows = csv.reader(io.StringIO(text, newline=""), delimiter=_separator(text))
        for number, values in enumerate(rows, start=1):
            cells = {
                column: Cell(
                    column,
                    value[: limits.cell_characters],
                    CellKind.FORMULA if value.startswith("=") else CellKind.TEXT,
                )
                for column, value in enumerate(values[: limits.columns], start=1)
                if value.strip()
            }
            if cells:
                filled += 1
                if filled > limits.rows:
                    raise UnreadableTable(TableProblem.TOO_MANY_ROWS, rows=limits.rows)
                emit(Row(number, cells))
    except csv.Error as error:
        raise UnreadableTable(TableProblem.NOT_A_TABLE) from error
