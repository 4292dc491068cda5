"""The quick way for rows in which nothing is wrong and nothing had to be evened out: most of a million.

It decides nothing itself. A cell passes when the careful judge has passed the same cell before (`learn`), or when it
has one of the shapes that the careful judge always takes as they stand (`shapes`). Everything else goes the long way.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from anxiao.base.tables.model import NumberText, OddCell, Value
from anxiao.directory.importing.reading.assembled import Assembler
from anxiao.directory.importing.reading.headers import Place
from anxiao.directory.importing.reading.lines import copied
from anxiao.directory.importing.reading.shapes import EXACT_DIGITS, PLAIN, plain_number
from anxiao.directory.importing.templates import Field

_LEARNT = 20_000

Take = Callable[[Any], "str | None"]


class QuickJudge:
    """Lines of the rows of one sheet, where they can be had quickly."""

    def __init__(self, place: Place) -> None:
        self.memos: dict[Field, dict[Value, str]] = {}
        template = place.template
        self.width = max(place.columns.values())
        self.takers: list[tuple[int, Take]] = []
        """Column from zero and what it becomes, in the order of the line."""
        self.checks: list[tuple[int, Take]] = []
        """The same for what is only looked at."""
        self.number = self.name = -1
        pieces: list[str] = []
        for of in template.values:
            if of not in place.columns:
                pieces.append(r"\N")
                continue
            if of is Field.NUMBER:
                self.number = len(self.takers)
                self.number_column = place.columns[of] - 1
            elif of is Field.NAME:
                self.name = len(self.takers)
            pieces.append("%s")
            self.takers.append((place.columns[of] - 1, self._taker(of)))
        for of, column in place.columns.items():
            if of not in template.values:
                self.checks.append((column - 1, self._taker(of)))
        self.fields = {of: column - 1 for of, column in place.columns.items()}
        sheet = copied(place.table.name).replace("%", "%%")
        self.pattern = f"{sheet}\t%s\taccepted\t" + "\t".join(pieces) + "\t%s\t\\N\t\\N\t\\N\n"

    def line(self, number: int, values: list[Value]) -> str | None:
        """The row's line, or None: judge it carefully."""
        if len(values) < self.width:
            values = values + [None] * (self.width - len(values))
        try:
            for index, take in self.checks:
                if take(values[index]) is None:
                    return None
            out = [take(values[index]) for index, take in self.takers]
        except TypeError:
            # An empty or an odd cell where a shape is looked for.
            return None
        if None in out or out[self.name] == out[self.number]:
            return None
        return self.pattern % (number, *out, "n" if type(values[self.number_column]) is NumberText else "t")

    def stored(self, values: list[Value]) -> str:
        """'n' when the number stands in the sheet as a number."""
        column = self.number_column
        return "n" if column < len(values) and type(values[column]) is NumberText else "t"

    def learn(self, judged: Assembler, values: list[Value]) -> None:
        """Remember the cells of an accepted row that the careful judge took as they stand."""
        for of, memo in self.memos.items():
            index = self.fields[of]
            value = values[index] if index < len(values) else None
            if isinstance(value, OddCell) or value in memo or len(memo) >= _LEARNT:
                continue
            if of is Field.COUNSELLOR_NUMBER and value is not None and len(value) > EXACT_DIGITS:
                # As a number in a cell the same digits would have lost some.
                continue
            piece = judged.piece(of, value)
            if piece and not piece[2] and not piece[3]:
                memo[value] = piece[0]

    def _taker(self, of: Field) -> Take:
        memo: dict[Value, str] = {}
        known, plain = memo.get, PLAIN.get(of)
        if of is Field.NUMBER:
            # Hardly any number stands twice: nothing to learn.
            return lambda value: value if plain_number(value) else None
        self.memos[of] = memo
        if plain is None:
            return known
        return lambda value: value if value is not None and plain(value) else known(value)
