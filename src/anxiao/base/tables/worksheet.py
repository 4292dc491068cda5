"""One worksheet of a workbook, row by row and never as a whole.

Processor time for a row of twelve cells: openpyxl read-only 175 us, expat 60 us, the quick way here 15 us. calamine
would be quicker still, but hides number formats and formulas, which a roster needs to be judged honestly (00001
against 1), holds the sheet in memory and aborts on a sparse one. Only cells that exist cost anything.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Callable, Iterator
from typing import Any

from anxiao.base.tables.markup import PIECE, character_data, damage_is_said, is_utf8, unescape
from anxiao.base.tables.model import (
    LAST_ROW,
    MERGED_LIMIT,
    CellKind,
    Limits,
    NumberText,
    OddCell,
    TableProblem,
    UnreadableTable,
    Value,
    column_number,
)
from anxiao.base.tables.odd import OddReader
from anxiao.base.tables.shown import is_date_format, shown, shown_date
from anxiao.base.tables.strings import Strings

_SHOWN_ROWS = 8
_CACHED = 512
_LONGEST_NUMBER = 64
_FAIR = 4 * 1024 * 1024
_CELL = re.compile(
    r'<c r="([A-Z]{1,3})[0-9]{1,7}"((?: s="[0-9]{1,6}")?(?: t="[A-Za-z]{1,9}")?)'
    r'(?:/>|>(?:<v>([^<]*)</v>|<is><t(?: xml:space="preserve")?>([^<]*)</t></is>)?</c>)'
)
_ROW = re.compile(r'\s*<row(?: r="([0-9]{1,7})")?((?: [A-Za-z0-9:]+="[^"<>]*")*)(/?)>')
_NUMBER = re.compile(r'\A.* r="([0-9]{1,7})".*\Z')
_SHEET_DATA = re.compile(rb"<([A-Za-z0-9]{1,20}:)?sheetData *(/?)>")
_COLUMN = re.compile(rb"<(?:\w+:)?col\b([^>]*)>")
_ATTRIBUTE = re.compile(rb'(min|max|hidden)="([^"]*)"')
_MERGE = re.compile(rb'<(?:\w+:)?mergeCell [^>]*?ref="([A-Z]{1,3})([0-9]{1,7}):([A-Z]{1,3})([0-9]{1,7})"')
_PLAIN_NUMBER = re.compile(r"0|[1-9][0-9]{0,14}")
_TRUE = ("1", "true")

Style = tuple[int, str]
"""Number format of a cell style: (id, code)."""


class Worksheet:
    """A `Table` over one part of an opened workbook."""

    def __init__(
        self,
        name: str,
        hidden: bool,
        archive: zipfile.ZipFile,
        part: str,
        strings: Callable[[], Strings],
        styles: list[Style],
        since_1904: bool,
        limits: Limits,
        advance: Callable[[int], None],
    ) -> None:
        self.name, self.hidden = name, hidden
        self.archive, self.part = archive, part
        self.strings, self.styles, self.since_1904 = strings, styles, since_1904
        self.limits, self.advance = limits, advance
        self.merged: list[tuple[int, int, int, int]] = []
        self.hidden_columns: frozenset[int] = frozenset()
        self._hidden: tuple[int, list[int]] = (0, [])
        self._prefix = b""
        self._columns: tuple[str, ...] = ()
        self._attributes: tuple[str, ...] = ()
        self._getters: list[Callable[[str], Value]] = []
        self._places: list[int] | None = None
        self._numbers: dict[str, int] = {}
        self._by_column: dict[tuple[int, str], Callable[[str], Value]] = {}

    @property
    def hidden_rows(self) -> tuple[int, list[int]]:
        return self._hidden

    def rows(self) -> Iterator[tuple[int, list[Value]]]:
        """See `Table.rows`."""
        self.merged, self._hidden = [], (0, [])
        weighed = filled = 0
        with damage_is_said(), self.archive.open(self.part) as part:

            def more() -> bytes:
                nonlocal weighed
                piece = part.read(PIECE)
                weighed += len(piece)
                self.advance(len(piece))
                if weighed > _FAIR and weighed > filled * self.limits.bytes_per_row:
                    raise UnreadableTable(TableProblem.BOMB)
                return piece

            for row in self._rows(more):
                filled += 1
                yield row

    def _rows(self, more: Callable[[], bytes]) -> Iterator[tuple[int, list[Value]]]:
        head, rest = self._head(more)
        if head is None:
            yield from self._odd(rest, more, 0)
            return
        self._columns_of(head)
        last = 0
        odd = OddReader(self, head)
        opening, closing = b"<" + self._prefix, b"</" + self._prefix
        end = closing + b"row>"
        while True:
            cut = rest.rfind(end)
            if cut < 0:
                if closing + b"sheetData" in rest:
                    # Only rows without cells, if any, stand before the end.
                    break
                piece = more()
                if not piece:
                    raise UnreadableTable(TableProblem.DAMAGED)
                if len(rest) > self.limits.row_bytes:
                    raise UnreadableTable(TableProblem.BOMB)
                rest += piece
                continue
            whole, rest = rest[:cut], rest[cut + len(end) :]
            if b"<!" in whole or b"<?" in whole or closing + b"sheetData" in whole:
                yield from self._odd(head + whole + end + rest, more, last)
                return
            if self._prefix:
                # Without comments and the like, a bracket is always a tag's.
                whole = whole.replace(opening, b"<").replace(closing, b"</")
            text = whole.decode("utf-8")
            tidy = "&" not in text and "\r" not in text
            for piece_of in text.split("</row>"):
                start = _ROW.match(piece_of)
                while start and start.group(3):
                    # A row without cells stands alone and in front.
                    last = int(start.group(1) or last + 1)
                    piece_of = piece_of[start.end() :]
                    start = _ROW.match(piece_of)
                if not start:
                    raise UnreadableTable(TableProblem.DAMAGED)
                number, more_said, _closed = start.groups()
                if number is None and ' r="' in more_said:
                    number = _NUMBER.sub(r"\1", more_said)
                last = int(number) if number else last + 1
                if not 0 < last <= LAST_ROW:
                    raise UnreadableTable(TableProblem.DAMAGED)
                if more_said and "hidden" in more_said:
                    self.note_hidden(last, more_said)
                values = self._quick(piece_of[start.end() :], tidy)
                if values is None:
                    values = odd.row(last, piece_of + "</row>")
                yield last, values
            piece = more()
            if not piece:
                break
            rest += piece
        self._tail(rest, more)

    def note_hidden(self, row: int, attributes: str) -> None:
        """Count a row whose attributes say that nobody sees it."""
        if 'hidden="1"' in attributes or 'hidden="true"' in attributes:
            count, first = self._hidden
            if len(first) < _SHOWN_ROWS:
                first.append(row)
            self._hidden = (count + 1, first)

    def _head(self, more: Callable[[], bytes]) -> tuple[bytes | None, bytes]:
        """(everything up to the first row, the rest); the first is None when only expat can read this part."""
        rest = b""
        while len(rest) <= 4 * PIECE and (piece := more()):
            rest += piece
            if found := _SHEET_DATA.search(rest):
                head = rest[: found.end()]
                self._prefix = found.group(1) or b""
                plain = is_utf8(head) and b"<!" not in head and not found.group(2)
                return (head, rest[found.end() :]) if plain else (None, rest)
        return None, rest

    def _columns_of(self, head: bytes) -> None:
        hidden: set[int] = set()
        for found in _COLUMN.finditer(head):
            said = {key: value.decode("ascii", "replace") for key, value in _ATTRIBUTE.findall(found.group(1))}
            if said.get(b"hidden") in _TRUE and said.get(b"min", "").isdigit() and said.get(b"max", "").isdigit():
                hidden.update(range(int(said[b"min"]), min(int(said[b"max"]), self.limits.columns) + 1))
        self.hidden_columns = frozenset(hidden)

    def _tail(self, rest: bytes, more: Callable[[], bytes]) -> None:
        """Merged blocks stand behind the rows."""
        while piece := more():
            rest = rest[-200:] + piece if len(rest) > 4 * PIECE else rest + piece
            if len(rest) > 2 * PIECE:
                self._merges(rest)
                rest = rest[rest.rfind(b"<") :]
        self._merges(rest)

    def _merges(self, data: bytes) -> None:
        for left, top, right, bottom in _MERGE.findall(data):
            if len(self.merged) < MERGED_LIMIT:
                self.merged.append((int(top), column_number(left.decode()), int(bottom), column_number(right.decode())))

    def _odd(self, data: bytes, more: Callable[[], bytes], last: int) -> Iterator[tuple[int, list[Value]]]:
        """Everything from `data` on with expat: another dialect, comments, an encoding of its own."""
        yield from OddReader(self, b"").all(data, more, last)

    # -- the quick way

    def _quick(self, text: str, tidy: bool) -> list[Value] | None:
        """The cells of one row, or None when its markup is not exactly the usual one."""
        found = _CELL.split(text)
        if any(found[::5]):
            return None
        columns, attributes = tuple(found[1::5]), tuple(found[2::5])
        stored = found[3::5]
        if None in stored:
            stored = [inline if value is None else value for value, inline in zip(stored, found[4::5], strict=True)]
        if columns != self._columns or attributes != self._attributes:
            self._plan(columns, attributes)
        if not tidy:
            stored = [value if value is None else character_data(value) for value in stored]
        values: list[Value]
        if None in stored:
            values = [None if value is None else get(value) for get, value in zip(self._getters, stored, strict=True)]
        else:
            values = [get(value) for get, value in zip(self._getters, stored, strict=True)]
        if self._places is None:
            return values
        spread: list[Value] = [None] * (max(self._places, default=-1) + 1)
        for place, value in zip(self._places, values, strict=True):
            if place >= 0:
                spread[place] = value
        return spread

    def _plan(self, columns: tuple[str, ...], attributes: tuple[str, ...]) -> None:
        """How the cells of rows of this shape are read; the next row usually has the same."""
        numbers = []
        for letters in columns:
            number = self._numbers.get(letters)
            if number is None:
                number = self._numbers[letters] = column_number(letters)
            numbers.append(number if number <= self.limits.columns else 0)
        self._getters = [self.getter(number, said) for number, said in zip(numbers, attributes, strict=True)]
        regular = numbers == list(range(1, len(numbers) + 1))
        self._places = None if regular else [number - 1 for number in numbers]
        self._columns, self._attributes = columns, attributes

    def getter(self, column: int, said: str) -> Callable[[str], Value]:
        """From what a cell of this column stores to what it shows; `said` are the attributes s and t as they stand."""
        key = (column, said)
        get = self._by_column.get(key)
        if get is None:
            if len(self._by_column) > _CACHED:
                self._by_column.clear()
            get = self._by_column[key] = self._new_getter(said)
        return get

    def _new_getter(self, said: str) -> Callable[[str], Value]:
        parts = dict(part.split("=", 1) for part in said.replace('"', "").split())
        kind, style = parts.get("t", "n"), int(parts.get("s") or 0)
        return getter_of(self, kind, style)


def getter_of(sheet: Any, kind: str, style: int) -> Callable[[str], Value]:
    """What a stored text of this type and style shows."""
    cut = sheet.limits.cell_characters
    match kind:
        case "s":
            return sheet.strings().getter(cut)
        case "inlineStr" | "str":
            return lambda stored: unescape(stored)[:cut] or None
        case "b":
            return lambda stored: OddCell("TRUE" if stored.strip() in _TRUE else "FALSE", CellKind.BOOLEAN)
        case "e":
            return lambda stored: OddCell(stored[:cut], CellKind.ERROR) if stored else None
        case "d":
            return lambda stored: OddCell(stored[:cut], CellKind.DATE) if stored else None
    format_id, code = sheet.styles[style] if style < len(sheet.styles) else (0, "General")
    if is_date_format(format_id, code):
        since_1904 = sheet.since_1904
        return lambda stored: (
            OddCell(shown_date(stored, since_1904=since_1904)[:cut], CellKind.DATE) if stored else None
        )
    plain = code in ("General", "0", "@")

    def number(stored: str) -> Value:
        if plain and _PLAIN_NUMBER.fullmatch(stored):
            return NumberText(stored)
        text = (shown(stored.strip(), code) if len(stored) < _LONGEST_NUMBER else stored)[:cut]
        return NumberText(text) if text else None

    return number
