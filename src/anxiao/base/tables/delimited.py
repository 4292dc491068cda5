"""CSV files as Chinese spreadsheet programs write them: UTF-8 with or without a mark, UTF-16, or GB18030."""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Iterator
from typing import BinaryIO, cast

from anxiao.base.tables.model import CellKind, Limits, OddCell, Table, TableProblem, UnreadableTable, Value

_SIGNS = (",", "\t", ";")
_PIECE = 1024 * 1024
_HEAD = 65_536
_CLEARLY = 3
"""How many times more often the zeros stand on one side: a few ideographs, such as 一, have theirs on the other."""
_ZEROS = 0.08
"""How much of UTF-16 is zero bytes at least: digits, commas and line ends have one each."""
ENCODINGS = ("utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "gb18030")


def candidates(head: bytes) -> tuple[str, ...]:
    """Encodings to try, by byte order mark first, then by the zero bytes of UTF-16 without one."""
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return ("utf-16",)
    if head.startswith(b"\xef\xbb\xbf"):
        return ("utf-8-sig",)
    if b"\x00" in head:
        high, low = head[::2].count(0), head[1::2].count(0)
        if min(high, low) * _CLEARLY > max(high, low) or high + low < _ZEROS * len(head):
            return ()
        return ("utf-16-be",) if high > low else ("utf-16-le",)
    return ("utf-8", "gb18030")


class Delimited:
    """The `Tables` of a CSV file, and its only `Table`. Every cell is text; a leading equals sign is a formula."""

    name = "CSV"
    hidden = False
    merged: list[tuple[int, int, int, int]] = []
    hidden_columns: frozenset[int] = frozenset()
    hidden_rows: tuple[int, list[int]] = (0, [])

    def __init__(self, file: BinaryIO, size: int, limits: Limits) -> None:
        self.file, self.size, self.limits = file, size, limits
        self.sheets: list[Table] = [cast(Table, self)]
        head = file.read(_HEAD)
        encodings = candidates(head)
        if not encodings:
            raise UnreadableTable(TableProblem.NOT_A_TABLE)
        self.encoding = next((encoding for encoding in encodings if self._fits(encoding)), "")
        if not self.encoding:
            raise UnreadableTable(TableProblem.ENCODING)
        text = codecs.getincrementaldecoder(self.encoding)("strict").decode(head)
        beginning = "\n".join(text.split("\n", 20)[:20])
        self.sign = max(_SIGNS, key=beginning.count)

    def _fits(self, encoding: str) -> bool:
        """Whether the whole file is text in this encoding, with lines of a length that a table has."""
        decoder = codecs.getincrementaldecoder(encoding)("strict")
        line, filled = 0, False
        self.file.seek(0)
        while piece := self.file.read(_PIECE):
            try:
                text = decoder.decode(piece)
            except UnicodeDecodeError:
                return False
            if "\x00" in text:
                raise UnreadableTable(TableProblem.NOT_A_TABLE)
            filled = filled or not text.isspace()
            at = max(text.rfind("\n"), text.rfind("\r"))
            line = len(text) - at - 1 if at >= 0 else line + len(text)
            if line > self.limits.row_bytes:
                raise UnreadableTable(TableProblem.TOO_MUCH_TEXT)
        try:
            decoder.decode(b"", True)
        except UnicodeDecodeError:
            return False
        if not filled:
            raise UnreadableTable(TableProblem.NOT_A_TABLE)
        return True

    def progress(self) -> tuple[int, int]:
        """See `Tables.progress`."""
        return min(self.file.tell(), self.size), self.size

    def rows(self) -> Iterator[tuple[int, list[Value]]]:
        """See `Table.rows`."""
        self.file.seek(0)
        csv.field_size_limit(self.limits.cell_characters * 16)
        cut = self.limits.cell_characters
        text = io.TextIOWrapper(io.BufferedReader(_Unclosed(self.file), _PIECE), self.encoding, newline="")
        try:
            for number, values in enumerate(csv.reader(text, delimiter=self.sign), start=1):
                if number > 2 * self.limits.rows:
                    raise UnreadableTable(TableProblem.TOO_MANY_ROWS, rows=self.limits.rows)
                together = "".join(values)
                if "=" in together or len(together) > cut or len(values) > self.limits.columns:
                    yield number, [self._value(value[:cut]) for value in values[: self.limits.columns]]
                else:
                    yield number, cast("list[Value]", values)
        except csv.Error as error:
            raise UnreadableTable(TableProblem.NOT_A_TABLE) from error

    def _value(self, text: str) -> Value:
        return OddCell(text, CellKind.FORMULA) if text.startswith("=") else text


class _Unclosed(io.RawIOBase):
    """The file as a raw stream that may be wrapped and thrown away without closing the file."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def readable(self) -> bool:
        """Always."""
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        """As `io.RawIOBase`."""
        data = self._file.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)
