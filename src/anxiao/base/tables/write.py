"""Workbooks in which nothing ever comes alive.

Every value is written as text: a cell that begins with an equals sign stays the words that somebody typed. Columns
are formatted as text too, so that a number typed into the file later keeps its leading zeros.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

_ILLEGAL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
SHEET_ILLEGAL = re.compile(r"[\\/*?:\[\]]")
_LISTS = "_lists"


@dataclass(slots=True)
class SheetPlan:
    """One sheet to write.

    `choices` gives a column (counted from 1) its drop-down; `marks` gives a cell (row, column) of `rows`, counted
    from 1 below the header, its comment and colour.
    """

    name: str
    header: Sequence[str] = ()
    rows: Iterable[Sequence[str]] = ()
    widths: Sequence[float] = ()
    choices: Mapping[int, Sequence[str]] = field(default_factory=dict)
    marks: Mapping[tuple[int, int], str] = field(default_factory=dict)
    empty_rows: int = 0
    """How many empty rows below the data are formatted as text and carry the drop-downs."""
    comment_author: str = "Anxiao"
    bold_rows: frozenset[int] = frozenset()


def plain(value: object) -> str:
    """The value without the characters that XML cannot carry."""
    return _ILLEGAL.sub("", str(value))[:32_000]


def write_workbook(sheets: Sequence[SheetPlan]) -> bytes:
    """The bytes of an .xlsx file."""
    # openpyxl is slow to import, and the caged child imports this package too.
    from openpyxl import Workbook

    book = Workbook()
    book.remove(book.active)
    lists = None
    used = 0
    for plan in sheets:
        sheet = book.create_sheet(SHEET_ILLEGAL.sub(" ", plain(plan.name))[:31])
        last_row = _fill(sheet, plan)
        for column, values in sorted(plan.choices.items()):
            if not values:
                continue
            if lists is None:
                lists = book.create_sheet(_LISTS)
                lists.sheet_state = "veryHidden"
            used += 1
            for index, value in enumerate(values, start=1):
                _text(lists.cell(index, used), value)
            _drop_down(sheet, column, used, len(values), max(last_row + plan.empty_rows, 2))
    if lists is not None:
        book.move_sheet(lists, len(book.sheetnames))
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def _text(cell: Any, value: object) -> None:
    """Set a value as text whatever it looks like. Assigning first would let a leading = become a formula."""
    text = plain(value)
    cell.value = text or None
    if text:
        cell.data_type = "s"
    cell.number_format = "@"


def _fill(sheet: Any, plan: SheetPlan) -> int:
    from openpyxl.comments import Comment
    from openpyxl.styles import Alignment, Font, PatternFill
    from openpyxl.utils import get_column_letter

    head_fill = PatternFill("solid", fgColor="DCE9F7")
    wrong_fill = PatternFill("solid", fgColor="FFD6D1")
    bold = Font(bold=True)
    row = 0
    if plan.header:
        row = 1
        for column, value in enumerate(plan.header, start=1):
            cell = sheet.cell(1, column)
            _text(cell, value)
            cell.font, cell.fill = bold, head_fill
            cell.alignment = Alignment(vertical="center")
        sheet.freeze_panes = "A2"
        sheet.auto_filter.ref = f"A1:{get_column_letter(len(plan.header))}1" if plan.marks else None
    first = row
    for values in plan.rows:
        row += 1
        for column, value in enumerate(values, start=1):
            if value == "":
                continue
            _text(sheet.cell(row, column), value)
        if row - first in plan.bold_rows:
            for cell in sheet[row]:
                cell.font = bold
    for (marked, column), words in plan.marks.items():
        cell = sheet.cell(first + marked, column)
        cell.fill = wrong_fill
        comment = Comment(plain(words), plan.comment_author)
        comment.width, comment.height = 320, 40 + 22 * (1 + len(words) // 22)
        cell.comment = comment
    for column in range(1, max(len(plan.header), len(plan.widths)) + 1):
        dimension = sheet.column_dimensions[get_column_letter(column)]
        dimension.width = plan.widths[column - 1] if column <= len(plan.widths) else 16
        # The style of the column is what a cell gets that is typed later: text, so zeros stay.
        dimension.number_format = "@"
    return row


def _drop_down(sheet: Any, column: int, list_column: int, count: int, last_row: int) -> None:
    from openpyxl.utils import get_column_letter
    from openpyxl.worksheet.datavalidation import DataValidation

    source = get_column_letter(list_column)
    letter = get_column_letter(column)
    rule = DataValidation(
        type="list", formula1=f"'{_LISTS}'!${source}$1:${source}${count}", allow_blank=True, showErrorMessage=True
    )
    rule.add(f"{letter}2:{letter}{last_row}")
    sheet.add_data_validation(rule)
