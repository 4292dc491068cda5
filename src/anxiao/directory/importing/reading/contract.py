"""What goes into a reading and what comes out of it. Pure: the caged child imports this module."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from anxiao.directory.importing.templates import BY_KIND, Kind


@dataclass(frozen=True, slots=True)
class Expectation:
    """What the judge is told: small facts only, never the roster.

    `categories` are those of the sheet's own audience, `other_categories` those of the other one (empty for sheets
    that are not about people). `mapping` is what the school has said before: the bare text of a header
    (`headers.bare`) -> value of a `Field`, or "" for a column that is not to be read.
    """

    kind: Kind
    school_name: str
    today: date
    categories: tuple[str, ...] = ()
    other_categories: frozenset[str] = frozenset()
    mapping: Mapping[str, str] = field(default_factory=dict)


def columns(kind: Kind) -> tuple[str, ...]:
    """The names of what one line holds, for `COPY stage (...) FROM STDIN` in text format.

    `sheet` text, `row` int, `verdict` 'accepted' | 'rejected'; then the values of the template as text (\\N when
    absent; for people number, name, sex M | F, phone, category, college, grade, class, counsellor_number,
    counsellor_name, counsellor_phone); then

    `number_stored` 't' | 'n': 'n' when the number stood in the sheet as a number, which may have cost leading zeros;
    `raw` jsonb: the cells as they stand, by the template's header; \\N for a row without fault and note;
    `faults`, `notes` jsonb: lists of `Fault.as_json()`, `Note.as_json()`; \\N when there are none.

    Of a rejected row the values that could be read are there too.
    """
    values = tuple(value.value for value in BY_KIND[kind].values)
    return ("sheet", "row", "verdict", *values, "number_stored", "raw", "faults", "notes")


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the reader is, in bytes of the file (of the unpacked parts, for a workbook)."""

    done: int = 0
    total: int = 0


@dataclass(frozen=True, slots=True)
class ReadSheet:
    """One sheet that was read. `columns`: field -> (letter, header as it stands in the sheet)."""

    sheet: str
    header_row: int
    columns: Mapping[str, tuple[str, str]]
    rows: int
    rejected: int

    def as_json(self) -> dict[str, Any]:
        """For storage, and for the way out of the cage."""
        return {
            "sheet": self.sheet,
            "header_row": self.header_row,
            "columns": {name: list(place) for name, place in self.columns.items()},
            "rows": self.rows,
            "rejected": self.rejected,
        }


@dataclass(frozen=True, slots=True)
class Summary:
    """Known when the last line has gone by."""

    sheets: tuple[ReadSheet, ...]
    findings: tuple[Mapping[str, Any], ...]
    """`SheetFinding.as_json()`, to be said by `findings.say_finding`."""
    rows: int
    rejected: int
    sha256: str
    bytes: int
    cpu_seconds: float
    memory_bytes: int
    """The child's largest resident size."""

    def as_json(self) -> dict[str, Any]:
        """For storage with the import."""
        return {
            "sheets": [sheet.as_json() for sheet in self.sheets],
            "findings": [dict(finding) for finding in self.findings],
            "rows": self.rows,
            "rejected": self.rejected,
            "sha256": self.sha256,
            "bytes": self.bytes,
            "cpu_seconds": self.cpu_seconds,
            "memory_bytes": self.memory_bytes,
        }


@dataclass(frozen=True, slots=True)
class UnknownHeader:
    """A column whose header nobody knows. `guess` is the value of a `Field`, or "" without a good guess."""

    key: str
    """The bare header: the key of `Expectation.mapping`."""
    header: str
    column: str
    guess: str
    samples: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class MappingQuestion:
    """What a person must say before a sheet can be read."""

    sheet: str
    header_row: int
    missing: tuple[str, ...]
    """Values of the fields without a column."""
    known: Mapping[str, tuple[str, str]]
    """Field -> (letter, header) of the columns that are clear."""
    unknown: tuple[UnknownHeader, ...]

    def as_json(self) -> dict[str, Any]:
        """For storage with the import."""
        return {
            "sheet": self.sheet,
            "header_row": self.header_row,
            "missing": list(self.missing),
            "known": {name: list(place) for name, place in self.known.items()},
            "unknown": [
                {
                    "key": one.key,
                    "header": one.header,
                    "column": one.column,
                    "guess": one.guess,
                    "samples": list(one.samples),
                }
                for one in self.unknown
            ],
        }


class NeedsMapping(Exception):
    """The file is a table, but some headers are unknown: ask, keep the answer for the school, and read again."""

    def __init__(self, questions: tuple[MappingQuestion, ...]) -> None:
        super().__init__("needs_mapping")
        self.questions = questions
