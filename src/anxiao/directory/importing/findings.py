"""Remarks about a sheet as a whole: blocking ones leave it unread, the others are only said.

The caged child imports this module and never says anything: Django comes in only with the first sentence.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class SheetProblem(StrEnum):
    """What there is to say about a sheet."""

    NO_HEADER = "no_header"
    MISSING_COLUMNS = "missing_columns"
    OTHER_KIND = "other_kind"
    OTHER_TEMPLATE = "other_template"
    DOUBLE_COLUMN = "double_column"
    UNKNOWN_COLUMNS = "unknown_columns"
    NO_ROWS = "no_rows"
    IGNORED = "ignored"
    READ_AS = "read_as"
    HIDDEN_ROWS = "hidden_rows"
    HIDDEN_COLUMNS = "hidden_columns"


BLOCKING = frozenset(
    {
        SheetProblem.NO_HEADER,
        SheetProblem.MISSING_COLUMNS,
        SheetProblem.OTHER_KIND,
        SheetProblem.OTHER_TEMPLATE,
        SheetProblem.DOUBLE_COLUMN,
        SheetProblem.NO_ROWS,
    }
)


@dataclass(frozen=True, slots=True)
class SheetFinding:
    """One remark. `row` is the header's row, for hidden rows their number; `columns` are headers, or first rows."""

    sheet: str
    problem: SheetProblem
    row: int = 0
    columns: tuple[str, ...] = ()

    def as_json(self) -> dict[str, object]:
        """For storage with the import."""
        return {"sheet": self.sheet, "problem": self.problem.value, "row": self.row, "columns": list(self.columns)}


def say_finding(finding: Mapping[str, Any]) -> str:
    """A stored finding about a sheet as a sentence."""
    from django.utils.translation import gettext as _

    from anxiao.directory.importing.faults import listed

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
        case SheetProblem.OTHER_TEMPLATE:
            return _("Sheet “%(sheet)s” is another template: %(columns)s. Choose that one.") % said
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
        case SheetProblem.READ_AS:
            return _("Sheet “%(sheet)s”: these columns carry other names and were read as: %(columns)s.") % said
        case SheetProblem.HIDDEN_ROWS:
            return (
                _(
                    "Sheet “%(sheet)s” has %(row)s hidden or filtered rows (first: %(columns)s). They were read like"
                    " all others; delete those that do not belong here and send the file again."
                )
                % said
            )
        case SheetProblem.HIDDEN_COLUMNS:
            return _("Sheet “%(sheet)s”: these columns are hidden and were read like all others: %(columns)s.") % said
