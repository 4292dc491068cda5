"""The reader's side of the cage: limits first, then the file on standard input, one JSON line per row out.

Runs as `python -I`, without the parent's environment, and never imports Django: it holds no secret, no connection
and no right beyond reading the one open file.
"""

from __future__ import annotations

import json
import os
import resource
import sys
from typing import BinaryIO

from anxiao.base.tables.archive import OLE_MAGIC, ZIP_MAGIC
from anxiao.base.tables.model import Limits, Row, Sheet, TableProblem, UnreadableTable


def lock_in(limits: Limits) -> None:
    """Lower every limit for good: no more memory, processor time, files or core dumps than a table needs."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (16, 16))
    resource.setrlimit(resource.RLIMIT_CPU, (limits.cpu_seconds, limits.cpu_seconds + 1))
    resource.setrlimit(resource.RLIMIT_AS, (limits.memory_bytes, limits.memory_bytes))


class Output:
    """Writes lines in larger pieces and stops a file that holds more than the limit."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.pieces: list[str] = []
        self.pending = 0

    def emit(self, item: object) -> None:
        """One line for a sheet, a row, a list of merged blocks or the closing word."""
        if isinstance(item, Row):
            line: object = [item.number, [[cell.column, cell.text, cell.kind.value] for cell in item.cells.values()]]
        elif isinstance(item, Sheet):
            line = {"sheet": item.name, "hidden": item.hidden}
        elif isinstance(item, list):
            line = {"merged": item}
        else:
            line = item
        # Escaped, because a sheet may hold half a surrogate pair that no encoding accepts.
        text = json.dumps(line, separators=(",", ":"))
        self.pieces.append(text)
        self.pending += len(text) + 1
        self.limit -= len(text) + 1
        if self.limit < 0:
            raise UnreadableTable(TableProblem.TOO_MUCH_TEXT)
        if self.pending > 262_144:
            self.flush()

    def flush(self) -> None:
        """Hand everything collected to the parent."""
        if self.pieces:
            data = ("\n".join(self.pieces) + "\n").encode("ascii")
            self.pieces, self.pending = [], 0
            while data:
                data = data[os.write(1, data) :]


def read_any(file: BinaryIO, size: int, limits: Limits, output: Output) -> None:
    """Recognise the file by its first bytes, never by its name."""
    head = file.read(4096)
    file.seek(0)
    if head.startswith(ZIP_MAGIC):
        from anxiao.base.tables import xlsx

        xlsx.read(file, size, limits, output.emit)
    elif head.startswith(OLE_MAGIC):
        # Excel wraps a workbook with a password into the old container.
        data = file.read()
        locked = "EncryptedPackage".encode("utf-16-le") in data
        raise UnreadableTable(TableProblem.PASSWORD if locked else TableProblem.OLD_EXCEL)
    elif head.lstrip(b"\xef\xbb\xbf \r\n\t")[:1] == b"<":
        raise UnreadableTable(TableProblem.WEB_PAGE)
    elif b"\x00" in head and not head.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise UnreadableTable(TableProblem.NOT_A_TABLE)
    else:
        from anxiao.base.tables import delimited

        delimited.read(file, limits, output.emit)


def main() -> None:
    """Read standard input under the limits given as JSON in the first argument."""
    limits = Limits(**json.loads(sys.argv[1]))
    lock_in(limits)
    output = Output(limits.output_bytes)
    try:
        with os.fdopen(0, "rb", closefd=False) as file:
            read_any(file, os.fstat(0).st_size, limits, output)
        output.emit({"end": True})
    except UnreadableTable as refused:
        output.pieces = [json.dumps({"problem": refused.problem.value, "params": refused.params})]
    except (MemoryError, RecursionError):
        output.pieces = [json.dumps({"problem": TableProblem.BOMB.value, "params": {}})]
    output.flush()
