"""The notice's two templates, and finding them again in a workbook that people have worked on."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, field

from django.utils.translation import gettext as _

from anxiao.base.tables.model import Row, Sheet, Workbook, column_letter
from anxiao.base.tables.write import SheetPlan, write_workbook
from anxiao.directory.importing.findings import SheetFinding, SheetProblem
from anxiao.directory.importing.templates import HELP_SHEET, OURS, STAFF, STUDENTS, Field, Template
from anxiao.directory.names import Audience

TEMPLATES: dict[Audience, Template] = {Audience.STAFF: STAFF, Audience.STUDENT: STUDENTS}

_HEADER_ROWS = 20
_DECORATION = re.compile(r"[\s*:：]|\((?:必填|选填|可选)\)")


@dataclass(slots=True)
class FoundSheet:
    """A sheet whose header row has been recognised: where each field stands and the rows below."""

    sheet: Sheet
    header_row: int
    columns: dict[Field, int] = field(default_factory=dict)

    def letter(self, wanted: Field) -> str:
        """The letter at the top of the field's column."""
        return column_letter(self.columns[wanted])

    @property
    def body(self) -> Iterable[Row]:
        """The rows below the header."""
        return (row for row in self.sheet.rows if row.number > self.header_row)

    def in_merged_block(self, row: int, column: int) -> bool:
        """Whether the cell is covered by a merged block (its value stands only in the block's first cell)."""
        return any(r1 <= row <= r2 and c1 <= column <= c2 for r1, c1, r2, c2 in self.sheet.merged)


def bare(header: str) -> str:
    """A header without the decoration people add: spaces, asterisks, （必填）."""
    return _DECORATION.sub("", unicodedata.normalize("NFKC", header))


def _names(row: Row) -> dict[int, str]:
    return {column: bare(cell.text) for column, cell in row.cells.items() if cell.text.strip()}


def _best_header(sheet: Sheet, template: Template) -> tuple[Row, int] | None:
    """The row among the first ones with most of the template's names: titles may stand above it."""
    wanted = set(template.headers)
    best: tuple[Row, int] | None = None
    for row in sheet.rows[:_HEADER_ROWS]:
        hits = len(wanted & set(_names(row).values()))
        if hits > (best[1] if best else 0):
            best = (row, hits)
    return best


def find(book: Workbook, audience: Audience) -> tuple[list[FoundSheet], list[SheetFinding]]:
    """All sheets of the kind in the workbook, and everything that has to be said about the sheets."""
    template = TEMPLATES[audience]
    other = TEMPLATES[Audience.STAFF if audience is Audience.STUDENT else Audience.STUDENT]
    found: list[FoundSheet] = []
    findings: list[SheetFinding] = []
    for sheet in book.sheets:
        if sheet.hidden or not sheet.rows or sheet.name.strip() == HELP_SHEET:
            if sheet.rows and sheet.hidden and not sheet.name.startswith("_"):
                findings.append(SheetFinding(sheet.name, SheetProblem.IGNORED))
            continue
        best = _best_header(sheet, template)
        rival = _best_header(sheet, other)
        if rival and rival[1] > (best[1] if best else 0) and rival[1] >= 3:
            findings.append(SheetFinding(sheet.name, SheetProblem.OTHER_KIND, rival[0].number))
            continue
        if best is None or best[1] < 3:
            findings.append(SheetFinding(sheet.name, SheetProblem.NO_HEADER))
            continue
        finding = _columns(sheet, best[0], template, found)
        findings.extend(finding)
    if found:
        # A cover sheet beside a good one is not an error, only something to mention.
        findings = [
            SheetFinding(f.sheet, SheetProblem.IGNORED) if f.problem is SheetProblem.NO_HEADER else f for f in findings
        ]
    elif not findings:
        findings.append(SheetFinding("", SheetProblem.NO_HEADER))
    return found, findings


def _columns(sheet: Sheet, header: Row, template: Template, found: list[FoundSheet]) -> list[SheetFinding]:
    names = _names(header)
    values = list(names.values())
    missing = tuple(
        header_name
        for column, header_name in template.columns
        if header_name not in values and column not in template.optional
    )
    if missing:
        return [SheetFinding(sheet.name, SheetProblem.MISSING_COLUMNS, header.number, missing)]
    double = tuple(name for name in template.headers if values.count(name) > 1)
    if double:
        return [SheetFinding(sheet.name, SheetProblem.DOUBLE_COLUMN, header.number, double)]
    by_name = {name: column for column, name in names.items()}
    place = FoundSheet(
        sheet, header.number, {column: by_name[name] for column, name in template.columns if name in by_name}
    )
    if not any(True for _row in place.body):
        return [SheetFinding(sheet.name, SheetProblem.NO_ROWS, header.number)]
    found.append(place)
    unknown = tuple(
        header.cells[column].text.strip()
        for column, name in names.items()
        if name not in template.headers and name not in OURS
    )
    return [SheetFinding(sheet.name, SheetProblem.UNKNOWN_COLUMNS, header.number, unknown)] if unknown else []


def template_workbook(audience: Audience, *, school_name: str, categories: Iterable[str]) -> bytes:
    """The template for download: the notice's header, drop-downs with the school's current lists, and the help."""
    template = TEMPLATES[audience]
    order = [column for column, _header in template.columns]
    choices = {
        order.index(Field.SCHOOL) + 1: [school_name],
        order.index(Field.SEX) + 1: ["男", "女"],
        order.index(Field.CATEGORY) + 1: list(categories),
    }
    widths = [22 if column in (Field.SCHOOL, Field.COLLEGE) else 15 for column in order]
    guide: list[tuple[str, ...]] = [template.headers, template.sample, ()]
    guide += [(header, _explain(column, audience)) for column, header in template.columns]
    return write_workbook(
        [
            SheetPlan(template.title, template.headers, widths=widths, choices=choices, empty_rows=20_000),
            SheetPlan(HELP_SHEET, rows=guide, widths=widths, bold_rows=frozenset({1})),
        ]
    )


def _explain(column: Field, audience: Audience) -> str:
    match column:
        case Field.SCHOOL:
            return _("The full name of your own school, the same in every row.")
        case Field.COLLEGE:
            return _(
                "The college or department. A name that does not exist yet is created; you see it before it happens."
            )
        case Field.NUMBER:
            return _("Unique in the whole school. Leading zeros count: keep the cells formatted as text.")
        case Field.NAME:
            return _("The name as on the identity document.")
        case Field.SEX:
            return _("男 or 女.")
        case Field.PHONE | Field.COUNSELLOR_PHONE:
            return _(
                "A mobile number. A mainland number stands alone; any other carries its country code,"
                " such as +852-91234567."
            )
        case Field.CATEGORY if audience is Audience.STAFF:
            return _(
                "One of the list. Guards, cleaners and other people who work on the site count as 内地教职工."
                " New categories are added in the console, never here; then download this template again."
            )
        case Field.CATEGORY:
            return _(
                "One of the list."
                " New categories are added in the console, never here; then download this template again."
            )
        case Field.GRADE:
            return _("The year of admission, such as 18级.")
        case Field.CLASS:
            return _("The class within its college and grade, such as 通信1班.")
        case Field.COUNSELLOR_NAME:
            return _("The counsellor's name, exactly as in the staff sheet.")
        case Field.COUNSELLOR_NUMBER:
            return _("The counsellor's staff number. Import the staff sheet first. One class has one counsellor.")
