"""The judge: from a sheet and what the school already knows to values or faults, cell by cell. Pure.

Nothing is guessed silently. A cell is either taken as it stands, or evened out with a note, or reported.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from anxiao.base.tables.model import Cell, CellKind, Row, Workbook
from anxiao.directory.importing import text as tidying
from anxiao.directory.importing.faults import Fault, FaultKind, Note, NoteKind
from anxiao.directory.importing.findings import BLOCKING
from anxiao.directory.importing.phones import judge_phone, restore_scientific
from anxiao.directory.importing.sheets import TEMPLATES, Field, FoundSheet, SheetFinding, find
from anxiao.directory.names import Audience, Sex


@dataclass(frozen=True, slots=True)
class StaffFact:
    """What a counsellor's columns are compared with."""

    name: str
    phone: str


@dataclass(frozen=True, slots=True)
class Facts:
    """What the school knows at this moment."""

    audience: Audience
    school_name: str
    today: date
    categories: tuple[str, ...]
    other_categories: frozenset[str] = frozenset()
    numbers: frozenset[str] = frozenset()
    """Numbers of the same audience in the directory."""
    other_numbers: frozenset[str] = frozenset()
    """Numbers of the other audience."""
    staff: Mapping[str, StaffFact] = field(default_factory=dict)


@dataclass(slots=True)
class JudgedRow:
    """One row with its verdict: `values` are complete exactly when `faults` is empty."""

    sheet: str
    row: int
    raw: dict[str, str]
    values: dict[str, str] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)

    @property
    def rejected(self) -> bool:
        return bool(self.faults)


@dataclass(slots=True)
class Judgement:
    """The whole file."""

    rows: list[JudgedRow]
    findings: list[SheetFinding]

    @property
    def blocked(self) -> bool:
        """Whether no row could be read at all."""
        return not self.rows and any(finding.problem in BLOCKING for finding in self.findings)


LIMITS: Mapping[Field, int] = {
    Field.SCHOOL: 100,
    Field.COLLEGE: 60,
    Field.NUMBER: 30,
    Field.NAME: 60,
    Field.CATEGORY: 30,
    Field.CLASS: 60,
    Field.COUNSELLOR_NAME: 60,
    Field.COUNSELLOR_NUMBER: 30,
}
_TIDY: Mapping[Field, Callable[[str], str]] = {
    Field.SCHOOL: tidying.tidy_title,
    Field.COLLEGE: tidying.tidy_title,
    Field.CLASS: tidying.tidy_title,
    Field.CATEGORY: tidying.tidy_title,
    Field.NAME: tidying.tidy_name,
    Field.COUNSELLOR_NAME: tidying.tidy_name,
}
_SEXES = {"男": Sex.MALE.value, "女": Sex.FEMALE.value}
_NUMBER_WRONG = re.compile(r"[^A-Za-z0-9-]|\A-|-\Z")
_SCIENTIFIC = re.compile(r"[0-9](?:\.[0-9]+)?[eE]\+[0-9]{1,2}\Z")
_TITLE_WRONG = re.compile(r"[=<>|\\\"^~`$@#%*?!！？;；]")
_NAME_WRONG = re.compile(r"[^\w ·.'’（）()\-]|_")
_DATE_LIKE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}(?: [0-9:]{8})?\Z")
_GRADE = re.compile(r"(19|20)?([0-9]{2})(级|届)?\Z")


class _RowJudge:
    """One row under judgement."""

    def __init__(self, place: FoundSheet, row: Row, facts: Facts, own_name: str) -> None:
        self.place, self.row, self.facts, self.own_name = place, row, facts, own_name
        self.template = TEMPLATES[facts.audience]
        self.out = JudgedRow(place.sheet.name, row.number, {})

    def fault(self, of: Field, kind: FaultKind, **params: Any) -> None:
        """Report the cell of a field."""
        header = self.template.header_of(of)
        self.out.faults.append(
            Fault(kind, of.value, header, self.place.letter(of), self.out.raw.get(header, ""), params)
        )

    def note(self, of: Field, kind: NoteKind, **params: Any) -> None:
        """Remember something that does not stop the row."""
        header = self.template.header_of(of)
        self.out.notes.append(Note(kind, of.value, header, self.place.letter(of), self.out.raw.get(header, ""), params))

    def judge(self) -> JudgedRow | None:
        """The judged row, or None when there is nothing in it."""
        cells: dict[Field, Cell | None] = {}
        for of, column in self.place.columns.items():
            cell = self.row.cells.get(column)
            if cell is not None and not tidying.tidy(cell.text):
                cell = None
            cells[of] = cell
            self.out.raw[self.template.header_of(of)] = cell.text if cell else ""
        if not any(cells.values()):
            return None
        for of, cell in cells.items():
            cleaned = self._clean(of, cell)
            if cleaned is not None and cell is not None:
                self._field(of, cleaned, cell)
        if self.out.values.get("name") and self.out.values.get("name") == self.out.values.get("number"):
            self.fault(Field.NAME, FaultKind.NAME_IS_NUMBER)
        if self.facts.audience is Audience.STUDENT:
            self._counsellor()
        return self.out

    def _clean(self, of: Field, cell: Cell | None) -> str | None:
        """The evened-out text, or None when there is none or it cannot be text at all."""
        if cell is None:
            if of not in self.template.optional:
                merged = self.place.in_merged_block(self.row.number, self.place.columns[of])
                self.fault(of, FaultKind.MERGED if merged else FaultKind.EMPTY)
            return None
        wrong = {
            CellKind.FORMULA: FaultKind.FORMULA,
            CellKind.ERROR: FaultKind.ERROR_CELL,
            CellKind.DATE: FaultKind.DATE_CELL,
            CellKind.BOOLEAN: FaultKind.LOGICAL_CELL,
        }.get(cell.kind)
        if wrong:
            self.fault(of, wrong)
            return None
        cleaned = _TIDY.get(of, tidying.tidy_code)(cell.text)
        if not cleaned.isprintable():
            if "\n" in cleaned or "\r" in cleaned:
                self.fault(of, FaultKind.LINE_BREAK)
                return None
            if hidden := tidying.invisible(cleaned):
                self.fault(of, FaultKind.INVISIBLE, character=hidden)
                return None
        if "\ufffd" in cleaned or not cleaned.isprintable():
            self.fault(of, FaultKind.UNREADABLE, character=tidying.unreadable(cleaned) or "?")
            return None
        if len(cleaned) > LIMITS.get(of, 100):
            self.fault(of, FaultKind.TOO_LONG, limit=LIMITS.get(of, 100))
            return None
        return cleaned

    def _take(self, of: Field, value: str, shown: str, cell: Cell) -> None:
        """Accept a value; when it is written differently from the cell, say so."""
        self.out.values[of.value] = value
        if shown != cell.text:
            self.note(of, NoteKind.NORMALISED, after=shown)

    def _field(self, of: Field, cleaned: str, cell: Cell) -> None:
        match of:
            case Field.SCHOOL:
                if tidying.fold(cleaned) != self.own_name:
                    self.fault(of, FaultKind.SCHOOL_OTHER, school=self.facts.school_name)
            case Field.COLLEGE:
                if tidying.fold(cleaned) == self.own_name:
                    self.fault(of, FaultKind.COLLEGE_IS_SCHOOL)
                else:
                    self._title(of, cleaned, cell, FaultKind.COLLEGE_CHARACTERS)
            case Field.CLASS:
                self._title(of, cleaned, cell, FaultKind.CLASS_CHARACTERS)
            case Field.NUMBER | Field.COUNSELLOR_NUMBER:
                self._number(of, cleaned, cell)
            case Field.NAME | Field.COUNSELLOR_NAME:
                self._name(of, cleaned, cell)
            case Field.SEX:
                if cleaned in _SEXES:
                    self._take(of, _SEXES[cleaned], cleaned, cell)
                else:
                    self.fault(of, FaultKind.SEX_WRONG)
            case Field.PHONE | Field.COUNSELLOR_PHONE:
                phone, kind = judge_phone(cleaned)
                if kind:
                    self.fault(of, kind, digits=sum(c.isdigit() for c in cleaned))
                else:
                    self._take(of, phone, phone, cell)
            case Field.CATEGORY:
                self._category(cleaned, cell)
            case Field.GRADE:
                self._grade(cleaned, cell)

    def _title(self, of: Field, cleaned: str, cell: Cell, kind: FaultKind) -> None:
        if _DATE_LIKE.match(cleaned):
            self.fault(of, FaultKind.DATE_CELL)
        elif found := _TITLE_WRONG.search(cleaned):
            self.fault(of, kind, character=found.group())
        elif not any(c.isalnum() for c in cleaned):
            self.fault(of, kind, character=cleaned)
        else:
            self._take(of, cleaned, cleaned, cell)

    def _number(self, of: Field, cleaned: str, cell: Cell) -> None:
        if _SCIENTIFIC.match(cleaned):
            restored = restore_scientific(cleaned)
            if restored is None:
                self.fault(of, FaultKind.NUMBER_DIGITS_LOST)
                return
            cleaned = restored
        if found := _NUMBER_WRONG.search(cleaned):
            self.fault(of, FaultKind.NUMBER_CHARACTERS, character=found.group())
            return
        if cell.kind is CellKind.NUMBER and len(cleaned) > 15:
            self.fault(of, FaultKind.NUMBER_TOO_EXACT)
            return
        self._take(of, cleaned, cleaned, cell)

    def _name(self, of: Field, cleaned: str, cell: Cell) -> None:
        if any(c.isdigit() for c in cleaned):
            self.fault(of, FaultKind.NAME_DIGITS)
        elif found := _NAME_WRONG.search(cleaned):
            self.fault(of, FaultKind.NAME_CHARACTERS, character=found.group())
        elif not any(c.isalpha() for c in cleaned):
            self.fault(of, FaultKind.NAME_CHARACTERS, character=cleaned[:1])
        else:
            self._take(of, cleaned, cleaned, cell)

    def _category(self, cleaned: str, cell: Cell) -> None:
        if cleaned in self.facts.categories:
            self._take(Field.CATEGORY, cleaned, cleaned, cell)
            return
        # A category may have been named with half-width brackets: it is the same list entry.
        same = [name for name in self.facts.categories if tidying.fold(name) == tidying.fold(cleaned)]
        if len(same) == 1:
            self._take(Field.CATEGORY, same[0], same[0], cell)
        elif cleaned in self.facts.other_categories:
            self.fault(Field.CATEGORY, FaultKind.CATEGORY_OTHER_AUDIENCE, known=list(self.facts.categories))
        else:
            self.fault(Field.CATEGORY, FaultKind.CATEGORY_UNKNOWN, known=list(self.facts.categories))

    def _grade(self, cleaned: str, cell: Cell) -> None:
        found = _GRADE.match(cleaned)
        if not found:
            self.fault(Field.GRADE, FaultKind.GRADE_FORM)
            return
        century, year, word = found.groups()
        latest = self.facts.today.year + 1
        if word == "届":
            self.fault(Field.GRADE, FaultKind.GRADE_GRADUATION)
        elif (century or "20") == "20" and latest < 2000 + int(year) and (century or int(year) < 70):
            self.fault(Field.GRADE, FaultKind.GRADE_FUTURE)
        else:
            self._take(Field.GRADE, f"{year}级", f"{year}级", cell)

    def _counsellor(self) -> None:
        values = self.out.values
        number = values.get(Field.COUNSELLOR_NUMBER)
        if number is None:
            return
        known = self.facts.staff.get(number)
        if known is None:
            if number in self.facts.numbers:
                self.fault(Field.COUNSELLOR_NUMBER, FaultKind.COUNSELLOR_IS_STUDENT)
            elif padded := _padded(number, self.facts.staff):
                self.fault(Field.COUNSELLOR_NUMBER, FaultKind.COUNSELLOR_ZEROS_LOST, known=padded)
            else:
                self.fault(Field.COUNSELLOR_NUMBER, FaultKind.COUNSELLOR_UNKNOWN)
            return
        name = values.get(Field.COUNSELLOR_NAME)
        if name is not None and tidying.fold(name) != tidying.fold(known.name):
            self.fault(Field.COUNSELLOR_NAME, FaultKind.COUNSELLOR_NAME_DIFFERS, number=number, known=known.name)
        phone = values.get(Field.COUNSELLOR_PHONE)
        if phone and known.phone and phone != known.phone:
            self.note(Field.COUNSELLOR_PHONE, NoteKind.COUNSELLOR_PHONE_DIFFERS)


def _padded(number: str, known: Any) -> list[str]:
    """Known numbers that are this one with zeros in front. Numbers have at most 30 characters, so this is cheap."""
    if not number.isdigit():
        return []
    bare = number.lstrip("0")
    return [padded for width in range(len(bare), 31) if (padded := bare.zfill(width)) != number and padded in known]


def judge(book: Workbook, facts: Facts) -> Judgement:
    """Judge every row of every sheet of the kind."""
    places, findings = find(book, facts.audience)
    own_name = tidying.fold(facts.school_name)
    judges: list[_RowJudge] = []
    for place in places:
        for row in place.body:
            one = _RowJudge(place, row, facts, own_name)
            if one.judge() is not None:
                judges.append(one)
    _numbers(judges, facts)
    if facts.audience is Audience.STUDENT:
        _one_counsellor(judges)
    for one in judges:
        # Reported in the order of the columns, so that a person mends them from left to right.
        order = {of.value: column for of, column in one.place.columns.items()}
        one.out.faults.sort(key=lambda fault, order=order: order[fault.field])  # type: ignore[misc]
    return Judgement([one.out for one in judges], findings)


def _numbers(judges: list[_RowJudge], facts: Facts) -> None:
    """A number stands once in the file, on one list, and is written as the directory writes it."""
    by_fold: dict[str, list[_RowJudge]] = defaultdict(list)
    known = {number.casefold(): number for number in facts.numbers}
    others = {number.casefold() for number in facts.other_numbers}
    for one in judges:
        number = one.out.values.get(Field.NUMBER)
        if number is None:
            continue
        by_fold[number.casefold()].append(one)
        if number.casefold() in others:
            one.fault(Field.NUMBER, FaultKind.NUMBER_OTHER_AUDIENCE)
        elif number in facts.numbers:
            continue
        elif number.casefold() in known:
            one.fault(Field.NUMBER, FaultKind.NUMBER_CASE, known=known[number.casefold()])
        else:
            cell = one.row.cells[one.place.columns[Field.NUMBER]]
            if cell.kind is CellKind.NUMBER and (padded := _padded(number, facts.numbers)):
                one.fault(Field.NUMBER, FaultKind.NUMBER_ZEROS_LOST, known=padded)
    for group in by_fold.values():
        if len(group) < 2:
            continue
        exact = len({one.out.values[Field.NUMBER] for one in group}) == 1
        for one in group:
            places = [(other.out.sheet, other.out.row) for other in group if other is not one][:5]
            kind = FaultKind.NUMBER_TWICE if exact else FaultKind.NUMBER_TWICE_BY_CASE
            one.fault(Field.NUMBER, kind, places=places)


def _one_counsellor(judges: list[_RowJudge]) -> None:
    """Every row of a class that has two counsellors in the file is reported: which one is right, only people know.

    Rows whose counsellor is already reported as wrong do not count: one typing error must not stop a whole class.
    """
    wrong = {Field.COUNSELLOR_NUMBER.value, Field.COUNSELLOR_NAME.value}
    classes: dict[tuple[str, str, str], dict[str, list[_RowJudge]]] = defaultdict(lambda: defaultdict(list))
    for one in judges:
        values = one.out.values
        if any(fault.field in wrong for fault in one.out.faults):
            continue
        key = (values.get(Field.COLLEGE, ""), values.get(Field.GRADE, ""), values.get(Field.CLASS, ""))
        counsellor = values.get(Field.COUNSELLOR_NUMBER)
        if all(key) and counsellor:
            classes[key][counsellor].append(one)
    for (_college, grade, name), counsellors in classes.items():
        if len(counsellors) < 2:
            continue
        said = [
            f"{number} {rows[0].out.values.get(Field.COUNSELLOR_NAME, '')} ({len(rows)})"
            for number, rows in sorted(counsellors.items())
        ]
        for rows in counsellors.values():
            for one in rows:
                one.fault(
                    Field.COUNSELLOR_NUMBER,
                    FaultKind.CLASS_TWO_COUNSELLORS,
                    **{"class": f"{grade} {name}", "counsellors": said},
                )
