"""Rows of a worksheet that are not written in the usual way, read by expat: right for everything, and slow."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from anxiao.base.tables.markup import DEPTH, PIECE, local, new_parser
from anxiao.base.tables.model import (
    LAST_ROW,
    MERGED_LIMIT,
    CellKind,
    OddCell,
    TableProblem,
    UnreadableTable,
    Value,
    column_number,
)

if TYPE_CHECKING:
    from anxiao.base.tables.worksheet import Worksheet

_REFERENCE = re.compile(r"([A-Z]{1,3})([0-9]{1,7})\Z")


class OddReader:
    """Turns the events of (a piece of) one worksheet part into rows."""

    def __init__(self, sheet: Worksheet, head: bytes) -> None:
        self.sheet, self.head = sheet, head
        self.done: list[tuple[int, list[Value]]] = []
        self.row_number = 0
        self.forced = 0
        self.column = 0
        self.cells: dict[int, Value] = {}
        self.kind = "n"
        self.style = 0
        self.value: list[str] = []
        self.formula: list[str] | None = None
        self.target: list[str] | None = None
        self.phonetic = 0
        self.weight = 0
        self.depth = 0

    def row(self, number: int, markup: str) -> list[Value]:
        """One row, given as its markup."""
        self.done.clear()
        self.depth = 0
        self.forced = number
        parser = self._parser()
        parser.Parse(self.head, False)
        parser.Parse(markup.encode("utf-8"), False)
        self.forced = 0
        if len(self.done) != 1:
            raise UnreadableTable(TableProblem.DAMAGED)
        return self.done[0][1]

    def all(self, data: bytes, more: Callable[[], bytes], last: int) -> Iterator[tuple[int, list[Value]]]:
        """All rows from `data` on, which begin after row `last`."""
        parser = self._parser()
        self.row_number = last
        while data:
            for start in range(0, len(data), PIECE):
                parser.Parse(data[start : start + PIECE], False)
                yield from self.done
                self.done.clear()
            data = more()
        parser.Parse(b"", True)

    def _parser(self) -> Any:
        parser: Any = new_parser()
        parser.StartElementHandler = self.start
        parser.EndElementHandler = self.end
        parser.CharacterDataHandler = self.characters
        return parser

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        """A start tag."""
        self.depth += 1
        if self.depth > DEPTH:
            raise UnreadableTable(TableProblem.BOMB)
        name = local(tag)
        if name == "c":
            reference = attributes.get("r")
            if reference is None:
                self.column += 1
            else:
                found = _REFERENCE.match(reference)
                if not found:
                    raise UnreadableTable(TableProblem.DAMAGED)
                self.column = column_number(found.group(1))
            self.kind = attributes.get("t", "n")
            self.style = int(attributes.get("s") or 0)
            self.value = []
            self.formula = None
        elif name == "v" or (name == "t" and not self.phonetic):
            self.target = self.value
        elif name == "f":
            self.formula = self.target = []
        elif name == "rPh":
            self.phonetic += 1
        elif name == "row":
            number = attributes.get("r")
            self.row_number = self.forced or (int(number) if number else self.row_number + 1)
            if not 0 < self.row_number <= LAST_ROW:
                raise UnreadableTable(TableProblem.DAMAGED)
            if not self.forced and attributes.get("hidden") in ("1", "true"):
                self.sheet.note_hidden(self.row_number, 'hidden="1"')
            self.column = 0
            self.weight = 0
            self.cells = {}
        elif name == "mergeCell" and len(self.sheet.merged) < MERGED_LIMIT:
            first, _colon, last = attributes.get("ref", "").partition(":")
            start, end = _REFERENCE.match(first), _REFERENCE.match(last)
            if start and end:
                self.sheet.merged.append(
                    (int(start.group(2)), column_number(start.group(1)), int(end.group(2)), column_number(end.group(1)))
                )

    def characters(self, data: str) -> None:
        """Text."""
        if self.target is not None:
            self.weight += len(data)
            if self.weight > self.sheet.limits.row_bytes:
                raise UnreadableTable(TableProblem.TOO_MUCH_TEXT)
            self.target.append(data)

    def end(self, tag: str) -> None:
        """An end tag."""
        self.depth -= 1
        name = local(tag)
        if name in ("v", "t", "f"):
            self.target = None
        elif name == "rPh":
            self.phonetic -= 1
        elif name == "c":
            if (self.value or self.formula is not None) and self.column <= self.sheet.limits.columns:
                shown = self._shown()
                if shown is not None:
                    self.cells[self.column] = shown
        elif name == "row":
            values: list[Value] = [None] * max(self.cells, default=0)
            for column, value in self.cells.items():
                values[column - 1] = value
            self.done.append((self.row_number, values))
            self.cells = {}

    def _shown(self) -> Value:
        if self.formula is not None:
            text = "=" + "".join(self.formula)
            return OddCell(text[: self.sheet.limits.cell_characters], CellKind.FORMULA)
        said = f' s="{self.style}" t="{self.kind}"'
        return self.sheet.getter(self.column, said)("".join(self.value))
