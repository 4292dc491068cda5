"""Saying what happened: findings about sheets, and the error workbook that goes back to its sender."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from django.utils.translation import gettext as _

from anxiao.base.tables import SheetPlan, write_workbook
from anxiao.directory.importing.faults import describe, listed
from anxiao.directory.importing.sheets import (
    HELP_SHEET,
    ORIGIN_HEADER,
    PROBLEM_HEADER,
    TEMPLATES,
    Field,
    SheetProblem,
)
from anxiao.directory.models import ImportRow
from anxiao.directory.names import Audience


def say_finding(finding: Mapping[str, Any]) -> str:
    """A stored finding about a sheet as a sentence."""
    said = {
        "sheet": finding["sheet"],
        "row": finding["row"],
        "columns": listed(finding["columns"]),
    }
    match SheetProblem(finding["problem"]):
        case SheetProblem.NO_HEADER:
            return _("No header row of the template was found. Download the template and copy the rows into it.")
        case SheetProblem.MISSING_COLUMNS:
            return _("Sheet “%(sheet)s”, row %(row)s: these columns are missing: %(columns)s.") % said
        case SheetProblem.OTHER_KIND:
            return (
                _("Sheet “%(sheet)s” is the template of the other list (students or staff). Choose that list.") % said
            )
        case SheetProblem.DOUBLE_COLUMN:
            return _("Sheet “%(sheet)s”, row %(row)s: these columns stand there twice: %(columns)s.") % said
        case SheetProblem.UNKNOWN_COLUMNS:
            return (
                _("Sheet “%(sheet)s”: these columns are not part of the template and are not read: %(columns)s.") % said
            )
        case SheetProblem.NO_ROWS:
            return _("Sheet “%(sheet)s” has a header but no row beneath it.") % said
        case SheetProblem.IGNORED:
            return _("Sheet “%(sheet)s” is hidden or has no header of the template; it was not read.") % said


def say_faults(faults: Iterable[Mapping[str, Any]]) -> str:
    """All faults of a row in one cell."""
    return "\n".join(
        _("%(column)s: %(problem)s") % {"column": fault["header"], "problem": describe(fault["kind"], fault["params"])}
        for fault in faults
    )


def error_workbook(audience: Audience, rows: Iterable[ImportRow], categories: Sequence[str], school_name: str) -> bytes:
    """The rejected rows as they were typed, wrong cells coloured and commented, under the template's own header.

    Two columns follow at the right (what is wrong, and where the row stood); the import does not read them, so the
    workbook can be sent again as soon as the cells are mended.
    """
    template = TEMPLATES[audience]
    headers = template.headers
    lines: list[list[str]] = []
    marks: dict[tuple[int, int], str] = {}
    for number, row in enumerate(rows, start=1):
        origin = _("sheet %(sheet)s, row %(row)s") % {"sheet": row.sheet, "row": row.row}
        lines.append([*(str(row.raw.get(header, "")) for header in headers), say_faults(row.faults), origin])
        for fault in row.faults:
            if fault["header"] in headers:
                key = (number, headers.index(fault["header"]) + 1)
                words = describe(fault["kind"], fault["params"])
                marks[key] = f"{marks[key]}\n{words}" if key in marks else words
    order = [column for column, _header in template.columns]
    widths = [22.0 if column in (Field.SCHOOL, Field.COLLEGE) else 15.0 for column in order]
    return write_workbook(
        [
            SheetPlan(
                template.title,
                [*headers, PROBLEM_HEADER, ORIGIN_HEADER],
                lines,
                widths=[*widths, 60.0, 24.0],
                choices={
                    order.index(Field.SCHOOL) + 1: [school_name],
                    order.index(Field.SEX) + 1: ["男", "女"],
                    order.index(Field.CATEGORY) + 1: list(categories),
                },
                marks=marks,
            ),
            SheetPlan(
                HELP_SHEET,
                rows=[
                    (_("Mend the coloured cells; the comment on each says what is wrong."),),
                    (_("Then upload this workbook again. The last two columns are not read."),),
                ],
                widths=[80.0],
            ),
        ]
    )
