"""The quick way for rows in which nothing is wrong and nothing had to be evened out: most of a million.

It decides nothing itself. A cell passes when the careful judge has passed the same cell before (`learn`), or when it
has one of three shapes that the careful judge always takes as they stand: a plain number, a name of a few ideographs,
a mainland mobile number of a segment that the rules for phones have taken before. Everything else goes the long way.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from anxiao.base.tables.model import NumberText, OddCell, Value
from anxiao.directory.importing.phones import judge_phone
from anxiao.directory.importing.reading.careful import JudgedRow
from anxiao.directory.importing.reading.headers import Place
from anxiao.directory.importing.reading.lines import copied
from anxiao.directory.importing.templates import Field

EXACT_DIGITS = 15
_LEARNT = 20_000
_NUMBER = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,28}[A-Za-z0-9])?").fullmatch
_NAME = re.compile(r"[一-龥]{2,20}").fullmatch
_MOBILE = re.compile(r"1[0-9]{10}").fullmatch
_SEGMENT = 5

Take = Callable[[Any], "str | None"]


class Segments(dict[str, bool]):
    """Whether mainland numbers that begin with these five digits are mobile; asked once each."""

    def __missing__(self, segment: str) -> bool:
        number = segment + "000000"
        good = self[segment] = judge_phone(number) == (number, None)
        return good


def _number(value: str) -> str | None:
    if not _NUMBER(value) or (type(value) is NumberText and len(value) > EXACT_DIGITS):
        return None
    return value


class QuickJudge:
    """Lines of the rows of one sheet, where they can be had quickly."""

    def __init__(self, place: Place) -> None:
        self.memos: dict[Field, dict[Value, str]] = {}
        self.segments = Segments()
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

    def learn(self, row: JudgedRow, values: list[Value]) -> None:
        """Remember the cells of a row that the careful judge took as they stand."""
        if row.faults or row.notes:
            return
        for of, memo in self.memos.items():
            index = self.fields[of]
            value = values[index] if index < len(values) else None
            if isinstance(value, OddCell) or len(memo) >= _LEARNT:
                continue
            if of is Field.COUNSELLOR_NUMBER and value is not None and len(value) > EXACT_DIGITS:
                # As a number in a cell the same digits would have lost some.
                continue
            memo[value] = copied(row.values[of]) if of in row.values else r"\N"

    def _taker(self, of: Field) -> Take:
        if of is Field.NUMBER:
            return _number
        memo: dict[Value, str] = {}
        self.memos[of] = memo
        known = memo.get
        if of is Field.NAME:
            return lambda value: value if value is not None and _NAME(value) else known(value)
        if of is Field.PHONE:
            segments = self.segments
            return lambda value: (
                value if value is not None and _MOBILE(value) and segments[value[:_SEGMENT]] else known(value)
            )
        return known
