"""Tables from and to spreadsheet files.

Reading happens in a caged child process (`cage`), because a file sent by a stranger may be built to exhaust or
crash its reader. Writing (`write`) makes workbooks in which nothing is ever a formula.
"""

from anxiao.base.tables.cage import read_workbook
from anxiao.base.tables.model import Cell, CellKind, Limits, Row, Sheet, TableProblem, UnreadableTable, Workbook
from anxiao.base.tables.write import SheetPlan, write_workbook

__all__ = [
    "Cell",
    "CellKind",
    "Limits",
    "Row",
    "Sheet",
    "SheetPlan",
    "TableProblem",
    "UnreadableTable",
    "Workbook",
    "read_workbook",
    "write_workbook",
]
