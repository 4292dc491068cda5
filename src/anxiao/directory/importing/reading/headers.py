"""Finding a template again in a sheet that people have worked on. Pure.

The header is one of the first rows; titles may stand above it. A column is known by the template's name, by a synonym
that leaves no doubt, or because the school has said so before; everything else is asked for, with a guess.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice

from anxiao.base.tables.model import LAST_ROW, OddCell, Table, Value, column_letter
from anxiao.directory.importing.findings import SheetFinding, SheetProblem
from anxiao.directory.importing.reading.contract import Expectation, MappingQuestion, UnknownHeader
from anxiao.directory.importing.reading.guessing import guesses
from anxiao.directory.importing.templates import (
    BY_KIND,
    HELP_SHEET,
    OURS,
    SYNONYMS,
    SYNONYMS_OF,
    Field,
    Kind,
    Template,
)

_HEADER_ROWS = 20
_LOOKED_AT = 40
_SEARCHED = 10_000
_SAMPLES = 8
_SAMPLE = 60
_SHOWN_SAMPLES = 3
_ENOUGH = 3
_DECORATION = re.compile(r"[\s*:：]|\((?:必填|选填|可选)\)")
_PEOPLE = frozenset({Kind.STUDENTS, Kind.STAFF})

Rows = list[tuple[int, list[Value]]]


def bare(header: str) -> str:
    """A header without the decoration people add: spaces, asterisks, （必填）, capital letters."""
    return _DECORATION.sub("", unicodedata.normalize("NFKC", header)).casefold()


def text_of(value: Value) -> str:
    """What a cell shows."""
    return (value.text if isinstance(value, OddCell) else value) or ""


@dataclass(slots=True)
class Place:
    """A sheet whose header has been recognised: where each field stands."""

    table: Table
    template: Template
    header_row: int
    columns: dict[Field, int] = field(default_factory=dict)
    """Counted from 1."""
    headers: dict[Field, str] = field(default_factory=dict)
    """As they stand in the sheet."""
    _blocks: dict[int, list[tuple[int, int]]] = field(default_factory=dict)
    _indexed: int = 0

    def letter(self, wanted: Field) -> str:
        """The letter at the top of the field's column."""
        return column_letter(self.columns[wanted])

    def in_merged_block(self, row: int, column: int) -> bool:
        """Whether the cell is covered by a merged block (its value stands only in the block's first cell)."""
        if len(self.table.merged) != self._indexed:
            self._index()
        blocks = self._blocks.get(column, ())
        at = bisect_right(blocks, (row, LAST_ROW))
        return at > 0 and blocks[at - 1][1] >= row

    def _index(self) -> None:
        """Merged blocks do not overlap, so those of one column can be searched by halves."""
        self._indexed = len(self.table.merged)
        wanted = set(self.columns.values())
        self._blocks = {}
        for top, left, bottom, right in self.table.merged:
            for column in wanted & set(range(left, min(right, max(wanted)) + 1)):
                self._blocks.setdefault(column, []).append((top, bottom))
        for blocks in self._blocks.values():
            blocks.sort()


@dataclass(frozen=True, slots=True)
class Look:
    """What the first rows of all sheets have shown."""

    places: list[Place]
    findings: list[SheetFinding]
    questions: tuple[MappingQuestion, ...]


@dataclass(slots=True)
class _Header:
    """One row read as a header of one template."""

    number: int
    texts: dict[int, str]
    columns: dict[Field, int]
    unknown: list[int]
    double: list[str]

    def missing(self, template: Template) -> list[Field]:
        return [of for of, _name in template.columns if of not in self.columns and of not in template.optional]


def _names_of(template: Template) -> dict[str, tuple[Field, int]]:
    """Bare name -> (field, rank); the template's own names come first."""
    names: dict[str, tuple[Field, int]] = {}
    own = SYNONYMS_OF.get(template.kind, {})
    for of, header in template.columns:
        for rank, name in enumerate((header, *own.get(of, ()), *SYNONYMS.get(of, ()))):
            names.setdefault(bare(name), (of, rank))
    return names


_NAMES = {template.kind: _names_of(template) for template in BY_KIND.values()}
_OURS = frozenset(bare(name) for name in OURS)


def _read_as(number: int, values: Sequence[Value], template: Template, mapping: Mapping[str, str]) -> _Header:
    texts = {column: text_of(value).strip() for column, value in enumerate(values, start=1) if text_of(value).strip()}
    names = _NAMES[template.kind]
    found: dict[Field, list[tuple[int, int]]] = {}
    unknown: list[int] = []
    wanted = {of.value: of for of, _header in template.columns}
    for column, text in texts.items():
        key = bare(text)
        if key in _OURS:
            continue
        if key in mapping:
            of = wanted.get(mapping[key])
            if of:
                found.setdefault(of, []).append((-1, column))
        elif key in names:
            of, rank = names[key]
            found.setdefault(of, []).append((rank, column))
        else:
            unknown.append(column)
    columns: dict[Field, int] = {}
    double: list[str] = []
    for of, places in found.items():
        places.sort()
        columns[of] = places[0][1]
        for rank, column in places[1:]:
            if rank == places[0][0]:
                double.append(texts[column])
            else:
                unknown.append(column)
    return _Header(number, texts, columns, sorted(unknown), double)


def _best(rows: Rows, template: Template, mapping: Mapping[str, str]) -> _Header | None:
    """The row among the first ones with most of the template's columns."""
    best: _Header | None = None
    for number, values in rows[:_HEADER_ROWS]:
        header = _read_as(number, values, template, mapping)
        if len(header.columns) > (len(best.columns) if best else 0):
            best = header
    return best


def first_rows(table: Table) -> Rows:
    """The first filled rows of a sheet."""
    rows: Rows = []
    for number, values in islice(table.rows(), _SEARCHED):
        if any(value is not None and text_of(value).strip() for value in values):
            rows.append((number, values))
            if len(rows) >= _LOOKED_AT:
                break
    return rows


def look(tables: Sequence[Table], told: Expectation) -> Look:
    """All sheets of the kind, what has to be said about the sheets, and what has to be asked."""
    template = BY_KIND[told.kind]
    mapping = {bare(header): of for header, of in told.mapping.items()}
    places: list[Place] = []
    findings: list[SheetFinding] = []
    questions: list[tuple[MappingQuestion, bool]] = []
    for table in tables:
        if table.hidden or table.name.strip() == HELP_SHEET:
            if table.hidden and not table.name.startswith("_") and first_rows(table):
                findings.append(SheetFinding(table.name, SheetProblem.IGNORED))
            continue
        rows = first_rows(table)
        if not rows:
            continue
        header = _best(rows, template, mapping)
        missing = header.missing(template) if header else list(dict(template.columns))
        if missing and (rival := _rival(table, rows, template, header)):
            findings.append(rival)
        elif missing:
            question, sure = _question(table, rows, template, header, told)
            if question:
                questions.append((question, sure))
            elif header and len(header.columns) >= _ENOUGH:
                names = tuple(template.header_of(of) for of in missing)
                findings.append(SheetFinding(table.name, SheetProblem.MISSING_COLUMNS, header.number, names))
            else:
                findings.append(SheetFinding(table.name, SheetProblem.NO_HEADER))
        else:
            assert header is not None
            findings.extend(_place(table, rows, template, header, places))
    if places:
        # A cover sheet beside a good one is not an error, only something to mention.
        findings = [
            SheetFinding(f.sheet, SheetProblem.IGNORED) if f.problem is SheetProblem.NO_HEADER else f for f in findings
        ]
        findings += [SheetFinding(one.sheet, SheetProblem.IGNORED) for one, sure in questions if not sure]
        questions = [(one, sure) for one, sure in questions if sure]
    elif not findings and not questions:
        findings.append(SheetFinding("", SheetProblem.NO_HEADER))
    return Look(places, findings, tuple(one for one, _sure in questions))


def _rival(table: Table, rows: Rows, template: Template, header: _Header | None) -> SheetFinding | None:
    """The remark that this is another template, when it is one."""
    hits = len(header.columns) if header else 0
    for other in BY_KIND.values():
        if other.kind is template.kind:
            continue
        rival = _best(rows, other, {})
        if rival and len(rival.columns) > hits and len(rival.columns) >= _ENOUGH and not rival.missing(other):
            if {other.kind, template.kind} <= _PEOPLE:
                return SheetFinding(table.name, SheetProblem.OTHER_KIND, rival.number)
            return SheetFinding(table.name, SheetProblem.OTHER_TEMPLATE, rival.number, (other.title,))
    return None


def _place(table: Table, rows: Rows, template: Template, header: _Header, places: list[Place]) -> list[SheetFinding]:
    if header.double:
        return [SheetFinding(table.name, SheetProblem.DOUBLE_COLUMN, header.number, tuple(header.double))]
    if rows[-1][0] <= header.number:
        return [SheetFinding(table.name, SheetProblem.NO_ROWS, header.number)]
    columns = {of: header.columns[of] for of, _name in template.columns if of in header.columns}
    headers = {of: header.texts[column] for of, column in columns.items()}
    places.append(Place(table, template, header.number, columns, headers))
    said = []
    renamed = tuple(
        f"{text} → {template.header_of(of)}"
        for of, text in headers.items()
        if bare(text) != bare(template.header_of(of))
    )
    if renamed:
        said.append(SheetFinding(table.name, SheetProblem.READ_AS, header.number, renamed))
    unread = tuple(header.texts[column] for column in header.unknown)
    if unread:
        said.append(SheetFinding(table.name, SheetProblem.UNKNOWN_COLUMNS, header.number, unread))
    unseen = tuple(headers[of] for of, column in columns.items() if column in table.hidden_columns)
    if unseen:
        said.append(SheetFinding(table.name, SheetProblem.HIDDEN_COLUMNS, header.number, unseen))
    return said


def _question(
    table: Table, rows: Rows, template: Template, header: _Header | None, told: Expectation
) -> tuple[MappingQuestion | None, bool]:
    """What to ask about a sheet with columns missing, and whether the sheet surely belongs here."""
    wanted = [of for of, _name in template.columns if of not in template.optional]
    sure = header is not None and 2 * len(header.columns) >= len(wanted)
    if header is None or len(header.columns) < _ENOUGH:
        header = _likely(rows, template)
    if header is None or not header.unknown:
        return None, False
    body = [values for number, values in rows if number > header.number][:_SAMPLES]
    if not body:
        return None, False
    samples = {
        column: tuple(text_of(values[column - 1]).strip()[:_SAMPLE] for values in body if len(values) >= column)
        for column in header.unknown
    }
    open_fields = [of for of, _name in template.columns if of not in header.columns]
    guessed = guesses({column: bare(header.texts[column]) for column in header.unknown}, samples, open_fields, told)
    if len(header.columns) + len(guessed) < max(_ENOUGH, len(wanted) // 2):
        return None, False
    return (
        MappingQuestion(
            table.name,
            header.number,
            tuple(of.value for of in header.missing(template)),
            {of.value: (column_letter(column), header.texts[column]) for of, column in header.columns.items()},
            tuple(
                UnknownHeader(
                    bare(header.texts[column]),
                    header.texts[column],
                    column_letter(column),
                    guessed[column].value if column in guessed else "",
                    tuple(text for text in samples[column] if text)[:_SHOWN_SAMPLES],
                )
                for column in header.unknown
            ),
        ),
        sure,
    )


def _likely(rows: Rows, template: Template) -> _Header | None:
    """The row that looks most like a header when hardly any name is known: many short words, no numbers."""
    best: _Header | None = None
    for number, values in rows[:_HEADER_ROWS]:
        words = [text_of(value).strip() for value in values if text_of(value).strip()]
        if any(len(word) > 20 or re.search(r"[0-9]{3}", word) for word in words):
            continue
        if len(words) >= _ENOUGH + 1 and len(words) > (len(best.texts) if best else 0):
            best = _read_as(number, values, template, {})
    return best
