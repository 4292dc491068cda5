"""Pure decisions about day sheets (日报表): what stands in one, what must be stated, who may do what when.

The life of a sheet, as ``diagram()`` prints it:

    [*] --> submitted : submit
    submitted --> returned : return
    returned --> submitted : submit
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields
from datetime import UTC, date, datetime
from enum import StrEnum
from typing import Any, Self

from anxiao.reporting.names import SheetState, ZeroCategory
from anxiao.reporting.rules import Metric

# -- what stands in a sheet -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Addable:
    """Counts that can be added up field by field."""

    def __add__(self, other: Self) -> Self:
        return type(self)(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(self)))

    @classmethod
    def read(cls, stored: Mapping[str, int]) -> Self:
        """From a stored sheet; a field that did not exist when it was signed counts zero."""
        return cls(**{f.name: int(stored.get(f.name, 0)) for f in fields(cls)})


@dataclass(frozen=True, slots=True)
class Counts(_Addable):
    """How the people of one audience answered, from the counters."""

    people: int = 0
    exempt: int = 0
    expected: int = 0
    on_time: int = 0
    late: int = 0
    missing: int = 0
    unwell: int = 0
    fever: int = 0
    suspected: int = 0
    confirmed: int = 0
    isolated: int = 0
    contact: int = 0

    @property
    def reported(self) -> int:
        return self.on_time + self.late


@dataclass(frozen=True, slots=True)
class Facts(_Addable):
    """What the people of one audience answered (mission A.4), from the current reports of the day."""

    answered: int = 0
    at_school: int = 0
    not_at_school: int = 0
    plan_undecided: int = 0
    plan_dated: int = 0
    plan_not_this_term: int = 0
    left_region: int = 0
    crossed_border: int = 0
    isolated_home: int = 0
    isolated_central: int = 0
    isolated_hospital: int = 0


STUDENT, STAFF = 1, 2
"""Values of ``directory.names.Audience``, as counters and reports carry them."""


@dataclass(frozen=True, slots=True)
class SheetFigures:
    """All numbers of a day sheet, for students and for staff; ``regions``: first two digits of GB/T 2260 -> people."""

    counts: Mapping[int, Counts] = field(default_factory=dict)
    facts: Mapping[int, Facts] = field(default_factory=dict)
    regions: Mapping[str, int] = field(default_factory=dict)

    @property
    def total(self) -> Counts:
        return sum(self.counts.values(), Counts())

    @property
    def total_facts(self) -> Facts:
        return sum(self.facts.values(), Facts())

    def of(self, category: ZeroCategory | str) -> int:
        """The number that the reports give for a category of zero reporting."""
        return int(getattr(self.total, str(category)))

    def stored(self) -> dict[str, Any]:
        """Plain JSON, as it is frozen."""
        return {
            "counts": {str(audience): asdict(counts) for audience, counts in self.counts.items()},
            "facts": {str(audience): asdict(facts) for audience, facts in self.facts.items()},
            "regions": dict(self.regions),
        }

    @classmethod
    def read(cls, stored: Mapping[str, Any]) -> Self:
        return cls(
            counts={int(audience): Counts.read(counts) for audience, counts in stored["counts"].items()},
            facts={int(audience): Facts.read(facts) for audience, facts in stored.get("facts", {}).items()},
            regions=stored.get("regions", {}),
        )


def figures_of(numbers: Mapping[tuple[int, int, int], int]) -> SheetFigures:
    """Figures from counters ((audience, metric, slot) -> n); people who are exempt are not expected."""
    return SheetFigures(counts={audience: _counts(numbers, audience) for audience in (STUDENT, STAFF)})


def _counts(numbers: Mapping[tuple[int, int, int], int], audience: int) -> Counts:
    n: dict[int, int] = {}
    for (whose, metric, _slot), number in numbers.items():
        if whose == audience:
            n[metric] = n.get(metric, 0) + number
    people, exempt = n.get(Metric.PEOPLE, 0), n.get(Metric.EXEMPT, 0)
    on_time, late = n.get(Metric.ON_TIME, 0), n.get(Metric.LATE, 0)
    expected = people - exempt
    return Counts(
        people=people,
        exempt=exempt,
        expected=expected,
        on_time=on_time,
        late=late,
        missing=expected - on_time - late,
        unwell=n.get(Metric.UNWELL, 0),
        fever=n.get(Metric.FEVER, 0),
        suspected=n.get(Metric.SUSPECTED, 0),
        confirmed=n.get(Metric.CONFIRMED, 0),
        isolated=n.get(Metric.ISOLATED, 0),
        contact=n.get(Metric.CONTACT, 0),
    )


def hours_of(numbers: Mapping[tuple[int, int, int], int]) -> list[int]:
    """Reports received in each hour of the day, on time and late together."""
    hours = [0] * 24
    for (_audience, metric, slot), n in numbers.items():
        if metric in (Metric.ON_TIME, Metric.LATE):
            hours[slot] += n
    return hours


def added(numbers: Iterable[Mapping[tuple[int, int, int], int]]) -> dict[tuple[int, int, int], int]:
    """Counters of several nodes together."""
    total: dict[tuple[int, int, int], int] = {}
    for one in numbers:
        for key, n in one.items():
            total[key] = total.get(key, 0) + n
    return total


# -- what must be stated ----------------------------------------------------------------------------------------------


class Fault(StrEnum):
    """Why a set of statements cannot be signed."""

    UNSTATED = "unstated"  # a category without a word: no data is not zero
    NEGATIVE = "negative"
    UNEXPLAINED = "unexplained"  # differs from the reports, and the note says nothing


def faults_of(statements: Mapping[str, int | None], figures: SheetFigures, note: str) -> dict[str, Fault]:
    """What stands against signing: a fault for each category, and for ``note``."""
    faults: dict[str, Fault] = {}
    for category in ZeroCategory.values:
        stated = statements.get(category)
        if stated is None:
            faults[category] = Fault.UNSTATED
        elif stated < 0:
            faults[category] = Fault.NEGATIVE
    if not faults and differing(statements, figures) and not note.strip():
        faults["note"] = Fault.UNEXPLAINED
    return faults


def differing(statements: Mapping[str, int | None], figures: SheetFigures) -> list[ZeroCategory]:
    """Categories in which the school states another number than its people's reports give."""
    return [c for c in ZeroCategory if statements.get(c) is not None and statements[c] != figures.of(c)]


# -- who may do what when ---------------------------------------------------------------------------------------------

SUBMIT, RETURN = "submit", "return"
MOVES: Mapping[tuple[SheetState | None, str], SheetState] = {
    (None, SUBMIT): SheetState.SUBMITTED,
    (SheetState.SUBMITTED, RETURN): SheetState.RETURNED,
    (SheetState.RETURNED, SUBMIT): SheetState.SUBMITTED,
}
"""(state, act) -> state; ``None`` is a sheet that nobody has signed yet.  What is not here is refused."""


def may_submit(state: SheetState | None) -> bool:
    return (state, SUBMIT) in MOVES


def may_return(state: SheetState | None) -> bool:
    return (state, RETURN) in MOVES


def diagram() -> list[str]:
    """The moves as lines of a Mermaid state diagram."""
    return [f"{before.value if before else '[*]'} --> {after.value} : {act}" for (before, act), after in MOVES.items()]


class Standing(StrEnum):
    """How a school stands with its sheet in the eyes of the province."""

    WAITING = "waiting"  # nothing signed, and the sheet is not due yet
    MISSING = "missing"  # nothing signed, and the sheet was due
    RETURNED = "returned"
    LATE = "late"
    ON_TIME = "on_time"


def is_late(due_at: datetime, signed_at: datetime) -> bool:
    """Late from the moment on at which sheets are due: 15:59:59.999999 is on time, 16:00:00 is late.

    The people's own deadline has no say here: before it a school cannot know who answered on time.
    """
    return signed_at >= due_at


def is_owed(due_at: datetime, now: datetime) -> bool:
    """Whether a sheet that nobody has signed is missing by now."""
    return now >= due_at


def standing_of(
    state: SheetState | None, first_submitted_at: datetime | None, due_at: datetime, now: datetime
) -> Standing:
    """Punctuality is decided by the first signature: a school sent back to correct a word is not late for it."""
    if state is None or first_submitted_at is None:
        return Standing.MISSING if is_owed(due_at, now) else Standing.WAITING
    if state == SheetState.RETURNED:
        return Standing.RETURNED
    return Standing.LATE if is_late(due_at, first_submitted_at) else Standing.ON_TIME


# -- the seal ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Signed:
    """Everything a signature covers."""

    school_id: int
    day: date
    round_id: int
    number: int
    figures: Mapping[str, Any]
    statements: Mapping[str, int]
    note: str
    late: bool
    signed_by: int
    signed_by_name: str
    signed_at: datetime


def canonical_sheet(sheet: Signed) -> bytes:
    """The one way to write a signed sheet down: UTF-8 JSON, keys sorted, the time in UTC with microseconds."""
    record = {
        "school": sheet.school_id,
        "day": sheet.day.isoformat(),
        "round": sheet.round_id,
        "version": sheet.number,
        "figures": sheet.figures,
        "statements": dict(sheet.statements),
        "note": sheet.note,
        "late": sheet.late,
        "signed_by": sheet.signed_by,
        "signed_by_name": sheet.signed_by_name,
        "signed_at": sheet.signed_at.astimezone(UTC).isoformat(timespec="microseconds"),
    }
    return json.dumps(record, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()


def digest_of(sheet: Signed) -> str:
    return hashlib.sha256(canonical_sheet(sheet)).hexdigest()
