"""Tables from and to spreadsheet files.

Reading happens row by row in a caged child process (`cage`, `child`), because a file sent by a stranger may be built to
exhaust or crash its reader. Writing (`write`, `stream`) makes workbooks in which nothing is ever a formula.
"""

from anxiao.base.tables.model import CellKind, Limits, TableProblem, UnreadableTable
from anxiao.base.tables.write import SheetPlan, write_workbook

__all__ = [
    "CellKind",
    "Limits",
    "SheetPlan",
    "TableProblem",
    "UnreadableTable",
    "write_workbook",
]
