"""Files read as the house reads them: in the cage, or the same judge in this process for tables that are made here."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from anxiao.base.tables.model import Limits, NumberText, Value
from anxiao.directory.importing.faults import FaultKind
from anxiao.directory.importing.reading import Expectation, Kind, MappingQuestion, Reading, columns, read
from anxiao.directory.importing.reading.child import read_tables
from anxiao.directory.importing.reading.parent import LIMITS, _question, told_as
from anxiao.directory.importing.templates import BY_KIND, STUDENTS, Template
from tests.directory import import_sheets as make

TODAY = date(2026, 11, 24)
LATER = frozenset(
    {
        FaultKind.NUMBER_OTHER_AUDIENCE,
        FaultKind.NUMBER_TWICE,
        FaultKind.NUMBER_TWICE_BY_CASE,
        FaultKind.NUMBER_ZEROS_LOST,
        FaultKind.NUMBER_CASE,
        FaultKind.COUNSELLOR_UNKNOWN,
        FaultKind.COUNSELLOR_NAME_DIFFERS,
        FaultKind.CLASS_TWO_COUNSELLORS,
    }
)
"""Faults that only the roster or the other rows can tell."""
_ESCAPED = re.compile(r"\\(.)")
_BACK = {"t": "\t", "n": "\n", "r": "\r", "\\": "\\"}


def told(**more: Any) -> Expectation:
    known: dict[str, Any] = {
        "kind": Kind.STUDENTS,
        "school_name": make.SCHOOL,
        "today": TODAY,
        "categories": tuple(make.CATEGORIES),
        "other_categories": frozenset({"内地教职工", "离退休"}),
    }
    return Expectation(**{**known, **more})


@dataclass(slots=True)
class MemoryTable:
    """A sheet of values; integers stand for cells that were stored as numbers."""

    name: str
    values: list[tuple[int, list[Value]]]
    hidden: bool = False
    merged: list[tuple[int, int, int, int]] = field(default_factory=list)
    hidden_columns: frozenset[int] = frozenset()
    hidden_rows: tuple[int, list[int]] = (0, [])

    def rows(self) -> Iterator[tuple[int, list[Value]]]:
        yield from self.values


def value_of(value: Any) -> Value:
    if isinstance(value, int):
        return NumberText(value)
    return value or None


def table_of(*rows: Sequence[Any], template: Template | None = STUDENTS, name: str = "表") -> MemoryTable:
    head = [list(template.headers)] if template else []
    lines = [[value_of(value) for value in row] for row in [*head, *rows]]
    return MemoryTable(name, list(enumerate(lines, start=1)))


@dataclass(slots=True)
class Line:
    """One line of COPY, read back."""

    sheet: str
    row: int
    verdict: str
    values: dict[str, str]
    number_stored: str
    raw: dict[str, str] | None
    faults: list[dict[str, Any]]
    notes: list[dict[str, Any]]

    @property
    def kinds(self) -> list[str]:
        return [fault["kind"] for fault in self.faults]


@dataclass(slots=True)
class Read:
    """Everything that came out."""

    lines: list[Line] = field(default_factory=list)
    findings: list[tuple[str, tuple[str, ...]]] = field(default_factory=list)
    questions: tuple[MappingQuestion, ...] = ()
    reading: Reading | None = None

    def faults(self) -> dict[tuple[int, str], str]:
        return {(line.row, fault["column"]): fault["kind"] for line in self.lines for fault in line.faults}


def _unescaped(text: str) -> str | None:
    return None if text == r"\N" else _ESCAPED.sub(lambda found: _BACK[found.group(1)], text)


def lines_of(text: str, kind: Kind) -> list[Line]:
    out = []
    for line in text.split("\n")[:-1]:
        told_values = dict(zip(columns(kind), map(_unescaped, line.split("\t")), strict=True))
        values = {of.value: told_values[of.value] for of in BY_KIND[kind].values}
        out.append(
            Line(
                str(told_values["sheet"]),
                int(str(told_values["row"])),
                str(told_values["verdict"]),
                {name: value for name, value in values.items() if value is not None},
                str(told_values["number_stored"]),
                json.loads(told_values["raw"] or "null"),
                json.loads(told_values["faults"] or "[]"),
                json.loads(told_values["notes"] or "[]"),
            )
        )
    return out


class _Collected:
    """Stands for the way out of the cage."""

    def __init__(self) -> None:
        self.text: list[str] = []
        self.words: dict[str, Any] = {}

    def line(self, text: str) -> None:
        self.text.append(text)

    def say(self, word: dict[str, Any]) -> None:
        self.words.update(word)

    def tell(self, _tables: object) -> None:
        pass


@dataclass(slots=True)
class _Tables:
    sheets: list[Any]

    def progress(self) -> tuple[int, int]:
        return 0, 0


def judged(*tables: MemoryTable, expects: Expectation | None = None) -> Read:
    """The child's work on tables made here, in this process."""
    expects = expects or told()
    out = _Collected()
    read_tables(_Tables(list(tables)), out, json.loads(json.dumps(told_as(expects))), LIMITS)  # type: ignore[arg-type]
    text = "".join(out.text).encode("utf-8", "replace").decode()
    return Read(
        lines_of(text, expects.kind),
        [(one["problem"], tuple(one["columns"])) for one in out.words.get("findings", ())],
        tuple(_question(one) for one in out.words.get("questions", ())),
    )


def read_file(source: Any, expects: Expectation | None = None, limits: Limits | None = None) -> Read:
    """A whole file through the cage; refusals and questions are raised."""
    expects = expects or told()
    with read(source, expects, limits) as reading:
        text = b"".join(reading.lines()).decode()
    assert reading.summary is not None
    return Read(
        lines_of(text, expects.kind),
        [(str(one["problem"]), tuple(one["columns"])) for one in reading.summary.findings],
        reading=reading,
    )
