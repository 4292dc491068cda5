"""The judge of one row: from cells to values or faults, cell by cell. Pure, and the only place that decides.

Nothing is guessed silently. A cell is either taken as it stands, or evened out with a note, or reported. What needs
the roster or the other rows of the file is judged where those are, in SQL.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from anxiao.base.tables.model import CellKind, Value, kind_of
from anxiao.directory.importing import text as tidying
from anxiao.directory.importing.faults import Fault, FaultKind, Note, NoteKind
from anxiao.directory.importing.phones import judge_phone, restore_scientific
from anxiao.directory.importing.reading.headers import Place, text_of
from anxiao.directory.importing.templates import PLACE_CHOICES, PLACE_KINDS, Field

LIMITS: Mapping[Field, int] = {
    Field.SCHOOL: 100,
    Field.COLLEGE: 60,
    Field.NUMBER: 30,
    Field.NAME: 60,
    Field.CATEGORY: 30,
    Field.CLASS: 60,
    Field.COUNSELLOR_NAME: 60,
    Field.COUNSELLOR_NUMBER: 30,
    Field.CAMPUS: 60,
    Field.BUILDING: 60,
    Field.PLACE: 60,
    Field.ROOM: 30,
    Field.BED: 30,
}
_TIDY: Mapping[Field, Callable[[str], str]] = {
    Field.SCHOOL: tidying.tidy_title,
    Field.COLLEGE: tidying.tidy_title,
    Field.CLASS: tidying.tidy_title,
    Field.CATEGORY: tidying.tidy_title,
    Field.CAMPUS: tidying.tidy_title,
    Field.BUILDING: tidying.tidy_title,
    Field.PLACE: tidying.tidy_title,
    Field.NAME: tidying.tidy_name,
    Field.COUNSELLOR_NAME: tidying.tidy_name,
}
_WRONG_KINDS = {
    CellKind.FORMULA: FaultKind.FORMULA,
    CellKind.ERROR: FaultKind.ERROR_CELL,
    CellKind.DATE: FaultKind.DATE_CELL,
    CellKind.BOOLEAN: FaultKind.LOGICAL_CELL,
}
_SEXES = {"男": "M", "女": "F"}
_NUMBER_WRONG = re.compile(r"[^A-Za-z0-9-]|\A-|-\Z")
_SCIENTIFIC = re.compile(r"[0-9](?:\.[0-9]+)?[eE]\+[0-9]{1,2}\Z")
_TITLE_WRONG = re.compile(r"[=<>|\\\"^~`$@#%*?!！？;；]")
_NAME_WRONG = re.compile(r"[^\w ·.'’（）()\-]|_")
_DATE_LIKE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}(?: [0-9:]{8})?\Z")
_GRADE = re.compile(r"(19|20)?([0-9]{2})(级|届)?\Z")
_REMEMBERED = 20_000
_SHORT = 64


@dataclass(slots=True)
class JudgedRow:
    """One row with its verdict: `values` are complete exactly when `faults` is empty."""

    sheet: str
    row: int
    raw: dict[str, str]
    """Header of the template -> the cell as it stands."""
    values: dict[str, str] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)

    @property
    def rejected(self) -> bool:
        return bool(self.faults)


class Verdict:
    """What is said about one cell."""

    __slots__ = ("faults", "note", "value")

    def __init__(self) -> None:
        self.value: str | None = None
        self.faults: list[tuple[FaultKind, dict[str, Any]]] = []
        self.note: str | None = None
        """How the cell was read, when that is not as it stands."""


class CellJudge:
    """Judges cells alone: the same cell always gets the same verdict, so verdicts are remembered."""

    def __init__(self, school_name: str, today: date, categories: tuple[str, ...], others: frozenset[str]) -> None:
        self.school_name, self.latest = school_name, today.year + 1
        self.categories, self.others = categories, others
        self.own_name = tidying.fold(school_name)
        self._folded = [(tidying.fold(name), name) for name in categories]
        self._known: dict[tuple[Field, str, CellKind], Verdict] = {}

    def judge(self, of: Field, text: str, kind: CellKind) -> Verdict:
        """The verdict about a filled cell."""
        key = (of, text, kind)
        verdict = self._known.get(key)
        if verdict is None:
            verdict = Verdict()
            if len(text) <= _SHORT:
                if len(self._known) >= _REMEMBERED:
                    self._known.clear()
                self._known[key] = verdict
            cleaned = self._clean(of, text, kind, verdict)
            if cleaned is not None:
                self._field(of, cleaned, text, kind, verdict)
        return verdict

    def _clean(self, of: Field, text: str, kind: CellKind, out: Verdict) -> str | None:
        """The evened-out text, or None when it cannot be text at all."""
        wrong = _WRONG_KINDS.get(kind)
        if wrong:
            out.faults.append((wrong, {}))
            return None
        cleaned = _TIDY.get(of, tidying.tidy_code)(text)
        if not cleaned.isprintable():
            if "\n" in cleaned or "\r" in cleaned:
                out.faults.append((FaultKind.LINE_BREAK, {}))
                return None
            if hidden := tidying.invisible(cleaned):
                out.faults.append((FaultKind.INVISIBLE, {"character": hidden}))
                return None
        if "\ufffd" in cleaned or not cleaned.isprintable():
            out.faults.append((FaultKind.UNREADABLE, {"character": tidying.unreadable(cleaned) or "?"}))
            return None
        limit = LIMITS.get(of, 100)
        if len(cleaned) > limit:
            out.faults.append((FaultKind.TOO_LONG, {"limit": limit}))
            return None
        return cleaned

    def _field(self, of: Field, cleaned: str, text: str, kind: CellKind, out: Verdict) -> None:
        match of:
            case Field.SCHOOL:
                if tidying.fold(cleaned) != self.own_name:
                    out.faults.append((FaultKind.SCHOOL_OTHER, {"school": self.school_name}))
            case Field.COLLEGE:
                if tidying.fold(cleaned) == self.own_name:
                    out.faults.append((FaultKind.COLLEGE_IS_SCHOOL, {}))
                else:
                    _title(cleaned, text, FaultKind.COLLEGE_CHARACTERS, out)
            case Field.CLASS:
                _title(cleaned, text, FaultKind.CLASS_CHARACTERS, out)
            case Field.CAMPUS | Field.BUILDING | Field.PLACE | Field.ROOM | Field.BED:
                _title(cleaned, text, FaultKind.PLACE_CHARACTERS, out)
            case Field.NUMBER | Field.COUNSELLOR_NUMBER:
                _number(cleaned, text, kind, out)
            case Field.NAME | Field.COUNSELLOR_NAME:
                _name(cleaned, text, out)
            case Field.SEX:
                if cleaned in _SEXES:
                    _take(_SEXES[cleaned], cleaned, text, out)
                else:
                    out.faults.append((FaultKind.SEX_WRONG, {}))
            case Field.PHONE | Field.COUNSELLOR_PHONE:
                phone, wrong = judge_phone(cleaned)
                if wrong:
                    out.faults.append((wrong, {"digits": sum(c.isdigit() for c in cleaned)}))
                else:
                    _take(phone, phone, text, out)
            case Field.CATEGORY:
                self._category(cleaned, text, out)
            case Field.GRADE:
                self._grade(cleaned, text, out)
            case Field.PLACE_KIND:
                if cleaned in PLACE_KINDS:
                    _take(PLACE_KINDS[cleaned], cleaned, text, out)
                else:
                    out.faults.append((FaultKind.PLACE_KIND_UNKNOWN, {"known": list(PLACE_CHOICES)}))

    def _category(self, cleaned: str, text: str, out: Verdict) -> None:
        if cleaned in self.categories:
            _take(cleaned, cleaned, text, out)
            return
        # A category may have been named with half-width brackets: it is the same list entry.
        folded = tidying.fold(cleaned)
        same = [name for known, name in self._folded if known == folded]
        if len(same) == 1:
            _take(same[0], same[0], text, out)
        else:
            other = cleaned in self.others
            kind = FaultKind.CATEGORY_OTHER_AUDIENCE if other else FaultKind.CATEGORY_UNKNOWN
            out.faults.append((kind, {"known": list(self.categories)}))

    def _grade(self, cleaned: str, text: str, out: Verdict) -> None:
        found = _GRADE.match(cleaned)
        if not found:
            out.faults.append((FaultKind.GRADE_FORM, {}))
            return
        century, year, word = found.groups()
        if word == "届":
            out.faults.append((FaultKind.GRADE_GRADUATION, {}))
        elif (century or "20") == "20" and self.latest < 2000 + int(year) and (century or int(year) < 70):
            out.faults.append((FaultKind.GRADE_FUTURE, {}))
        else:
            _take(f"{year}级", f"{year}级", text, out)


def _take(value: str, shown: str, text: str, out: Verdict) -> None:
    """Accept a value; when it is written differently from the cell, say so."""
    out.value = value
    if shown != text:
        out.note = shown


def _title(cleaned: str, text: str, kind: FaultKind, out: Verdict) -> None:
    if _DATE_LIKE.match(cleaned):
        out.faults.append((FaultKind.DATE_CELL, {}))
    elif found := _TITLE_WRONG.search(cleaned):
        out.faults.append((kind, {"character": found.group()}))
    elif not any(c.isalnum() for c in cleaned):
        out.faults.append((kind, {"character": cleaned}))
    else:
        _take(cleaned, cleaned, text, out)


def _number(cleaned: str, text: str, kind: CellKind, out: Verdict) -> None:
    if _SCIENTIFIC.match(cleaned):
        restored = restore_scientific(cleaned)
        if restored is None:
            out.faults.append((FaultKind.NUMBER_DIGITS_LOST, {}))
            return
        cleaned = restored
    if found := _NUMBER_WRONG.search(cleaned):
        out.faults.append((FaultKind.NUMBER_CHARACTERS, {"character": found.group()}))
    elif kind is CellKind.NUMBER and len(cleaned) > 15:
        out.faults.append((FaultKind.NUMBER_TOO_EXACT, {}))
    else:
        _take(cleaned, cleaned, text, out)


def _name(cleaned: str, text: str, out: Verdict) -> None:
    if any(c.isdigit() for c in cleaned):
        out.faults.append((FaultKind.NAME_DIGITS, {}))
    elif found := _NAME_WRONG.search(cleaned):
        out.faults.append((FaultKind.NAME_CHARACTERS, {"character": found.group()}))
    elif not any(c.isalpha() for c in cleaned):
        out.faults.append((FaultKind.NAME_CHARACTERS, {"character": cleaned[:1]}))
    else:
        _take(cleaned, cleaned, text, out)


class RowJudge:
    """Judges the rows of one sheet."""

    def __init__(self, place: Place, cells: CellJudge) -> None:
        self.place, self.cells = place, cells
        # In the order of the columns, so that a person mends them from left to right.
        self.fields = [
            (of, column - 1, place.template.header_of(of), place.letter(of), of in place.template.optional)
            for of, column in sorted(place.columns.items(), key=lambda item: item[1])
        ]

    def judge(self, number: int, values: list[Value]) -> JudgedRow | None:
        """The judged row, or None when there is nothing in it."""
        out = JudgedRow(self.place.table.name, number, {})
        width = len(values)
        filled = False
        for of, index, header, letter, optional in self.fields:
            value = values[index] if index < width else None
            text = text_of(value)
            if value is None or not text or not tidying.tidy(text):
                out.raw[header] = ""
                if not optional:
                    merged = self.place.in_merged_block(number, index + 1)
                    kind = FaultKind.MERGED if merged else FaultKind.EMPTY
                    out.faults.append(Fault(kind, of.value, header, letter, ""))
                continue
            filled = True
            out.raw[header] = text
            verdict = self.cells.judge(of, text, kind_of(value))
            if verdict.value is not None:
                out.values[of.value] = verdict.value
            for wrong, params in verdict.faults:
                out.faults.append(Fault(wrong, of.value, header, letter, text, params))
            if verdict.note is not None:
                out.notes.append(Note(NoteKind.NORMALISED, of.value, header, letter, text, {"after": verdict.note}))
        if not filled:
            return None
        name = out.values.get(Field.NAME)
        if name and name == out.values.get(Field.NUMBER):
            self._name_is_number(out)
        return out

    def _name_is_number(self, out: JudgedRow) -> None:
        header = self.place.template.header_of(Field.NAME)
        letter = self.place.letter(Field.NAME)
        fault = Fault(FaultKind.NAME_IS_NUMBER, Field.NAME.value, header, letter, out.raw[header])
        order = [of.value for of, *_rest in self.fields]
        out.faults.append(fault)
        out.faults.sort(key=lambda one: order.index(one.field))
