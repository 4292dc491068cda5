"""How the figures of a day sheet become the lines of a table: labels, definitions, what differs from what."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.utils.translation import get_language, gettext_lazy
from django.utils.translation import gettext as _

from anxiao.directory.names import Audience
from anxiao.questionnaires.regions import ABROAD, PROVINCES
from anxiao.reporting.names import ZeroCategory
from anxiao.reporting.queries.sheets import ProvinceSheets, Sheet
from anxiao.reporting.rules_sheets import Counts, Facts, SheetFigures


@dataclass(frozen=True, slots=True)
class Named:
    """A number of the sheet: its field, its name and its definition."""

    field: str
    label: Any
    what: Any = ""


ANSWERED = (
    Named("people", gettext_lazy("People"), gettext_lazy("Belong to the school on this day, by the directory.")),
    Named("exempt", gettext_lazy("Exempt"), gettext_lazy("Excused for this day with a reason; nothing is expected.")),
    Named("expected", gettext_lazy("Expected"), gettext_lazy("People without those who are exempt.")),
    Named("on_time", gettext_lazy("On time"), gettext_lazy("First report received before the deadline.")),
    Named("late", gettext_lazy("Late"), gettext_lazy("First report received at the deadline or after it.")),
    Named("missing", gettext_lazy("Missing"), gettext_lazy("Expected, and nothing received yet.")),
)
HEALTH = (
    Named("unwell", gettext_lazy("Unwell"), gettext_lazy("The last report names a symptom or a fever.")),
    Named("fever", gettext_lazy("Fever"), gettext_lazy("Fever named as a symptom, or 37.3 °C and more.")),
    Named("suspected", gettext_lazy("Suspected cases")),
    Named("confirmed", gettext_lazy("Confirmed cases")),
    Named("isolated", gettext_lazy("In isolation"), gettext_lazy("At home, in a central place or in hospital.")),
    Named("contact", gettext_lazy("Contact within 14 days"), gettext_lazy("Met a suspicious person.")),
)
FACTS: tuple[tuple[Any, tuple[Named, ...]], ...] = (
    (
        gettext_lazy("Staying at school"),
        (Named("at_school", gettext_lazy("At school")), Named("not_at_school", gettext_lazy("Not at school"))),
    ),
    (
        gettext_lazy("Return plan"),
        (
            Named("plan_dated", gettext_lazy("Return date set")),
            Named("plan_undecided", gettext_lazy("Waiting for the school, no date yet")),
            Named("plan_not_this_term", gettext_lazy("Not returning this term")),
        ),
    ),
    (
        gettext_lazy("Travel within 14 days"),
        (
            Named("left_region", gettext_lazy("Left the current area")),
            Named("crossed_border", gettext_lazy("Crossed the border")),
        ),
    ),
    (
        gettext_lazy("Isolation"),
        (
            Named("isolated_home", gettext_lazy("At home")),
            Named("isolated_central", gettext_lazy("In a central place")),
            Named("isolated_hospital", gettext_lazy("In hospital")),
        ),
    ),
)
COMPARED = (*ANSWERED[2:], *HEALTH)
"""What is compared between versions, and between sheets and live figures."""


@dataclass(frozen=True, slots=True)
class Cell:
    """A number; ``differs`` from the column before it (or from what it is compared with)."""

    number: int | None
    differs: bool = False


@dataclass(frozen=True, slots=True)
class Line:
    label: Any
    what: Any
    cells: Sequence[Cell]


@dataclass(frozen=True, slots=True)
class Section:
    title: Any
    lines: Sequence[Line]


def audiences() -> list[str]:
    """Heads of the columns of a draft."""
    return [str(Audience.STUDENT.label), str(Audience.STAFF.label), _("Together")]


def draft(figures: SheetFigures) -> list[Section]:
    """The figures of one sheet: students, staff, together."""
    counts = (*(figures.counts.get(a, Counts()) for a in Audience), figures.total)
    facts = (*(figures.facts.get(a, Facts()) for a in Audience), figures.total_facts)
    sections = [
        Section(_("Who answered"), _lines(ANSWERED, counts)),
        Section(_("Today's self-check"), _lines(HEALTH, counts)),
    ]
    return sections + [Section(title, _lines(named, facts)) for title, named in FACTS]


def versions(sheet: Sheet, live: SheetFigures) -> list[Section]:
    """All versions and the live figures side by side; a cell that differs from the one before it is marked."""
    signed = [v.figures for v in sheet.versions]
    totals = [f.total for f in (*signed, live)]
    facts = [f.total_facts for f in (*signed, live)]
    stated = [
        Line(
            category.label,
            "",
            _marked([*(v.statements.get(category.value) for v in sheet.versions), live.of(category)]),
        )
        for category in ZeroCategory
    ]
    return [
        Section(_("Stated by the school"), stated),
        Section(_("Who answered"), _lines(ANSWERED, totals, _marked)),
        Section(_("Today's self-check"), _lines(HEALTH, totals, _marked)),
        *(Section(title, _lines(named, facts, _marked)) for title, named in FACTS),
    ]


def regions(figures: SheetFigures) -> list[tuple[str, int]]:
    """Where people are now, by province; the fullest first."""
    english = (get_language() or "").startswith("en")
    found = sorted(figures.regions.items(), key=lambda item: (-item[1], item[0]))
    return [(_region(code, english), n) for code, n in found]


def _region(code: str, english: bool) -> str:
    if code == ABROAD[:2]:
        return _("Outside China")
    names = PROVINCES.get(code)
    return names[1 if english else 0] if names else code


@dataclass(frozen=True, slots=True)
class Compared:
    """One number of the province: as stated, as signed, and live for the same schools and for all."""

    label: Any
    what: Any
    stated: int | None
    signed: int
    signed_live: int
    live: int

    @property
    def difference(self) -> int:
        return self.signed_live - self.signed


def totals(whole: ProvinceSheets) -> list[Compared]:
    """Totals of the sheets beside the live figures."""
    return [
        Compared(
            label=named.label,
            what=named.what,
            stated=whole.stated.get(named.field) if named.field in ZeroCategory.values else None,
            signed=getattr(whole.signed, named.field),
            signed_live=getattr(whole.signed_live, named.field),
            live=getattr(whole.live, named.field),
        )
        for named in COMPARED
    ]


def differences(whole: ProvinceSheets) -> list[tuple[Any, list[tuple[Any, int, int]]]]:
    """Schools whose live figures are no longer what they signed: row, [(label, signed, live)]."""
    found = []
    for row in whole.rows:
        if row.standing_version is None or not row.differs:
            continue
        signed = row.standing_version.figures.total
        changed = [
            (named.label, getattr(signed, named.field), getattr(row.live, named.field))
            for named in COMPARED
            if getattr(signed, named.field) != getattr(row.live, named.field)
        ]
        found.append((row, changed))
    return found


def _lines(
    named: Sequence[Named], columns: Sequence[Any], mark: Callable[[Sequence[int | None]], list[Cell]] | None = None
) -> list[Line]:
    make = mark or (lambda numbers: [Cell(n) for n in numbers])
    return [Line(one.label, one.what, make([getattr(column, one.field) for column in columns])) for one in named]


def _marked(numbers: Sequence[int | None]) -> list[Cell]:
    return [Cell(n, i > 0 and n != numbers[i - 1]) for i, n in enumerate(numbers)]


def stated(statements: Mapping[str, int]) -> list[tuple[Any, int]]:
    """A version's statements in their fixed order."""
    return [(category.label, statements[category.value]) for category in ZeroCategory]
