"""The reader seen from outside: lines, progress, and at the end a summary or a refusal in words."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from anxiao.base.errors import Refused
from anxiao.base.tables import UnreadableTable, read_workbook
from anxiao.base.tables.model import Limits
from anxiao.directory.importing.findings import BLOCKING, say_finding
from anxiao.directory.importing.judging import Facts, judge
from anxiao.directory.importing.reading.contract import Expectation, Progress, ReadSheet, Summary, columns
from anxiao.directory.importing.reading.lines import copied, copied_json
from anxiao.directory.importing.templates import BY_KIND, Kind
from anxiao.directory.names import Audience


class Reading:
    """One file being read. Close it, or use it as a context; closing early stops the reader."""

    def __init__(self, source: Path | BinaryIO | bytes, expectation: Expectation, limits: Limits) -> None:
        self.source, self.expectation, self.limits = source, expectation, limits
        self.columns = columns(expectation.kind)
        self.progress = Progress()
        self.summary: Summary | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stop reading; harmless at the end."""

    def lines(self) -> Iterator[bytes]:
        """Pieces of COPY text; a piece may end within a line."""
        try:
            book = read_workbook(self.source, self.limits)
        except UnreadableTable as refused:
            raise Refused(refused.message, code=refused.problem.value) from refused
        told = self.expectation
        template = BY_KIND[told.kind]
        audience = Audience.STUDENT if told.kind is Kind.STUDENTS else Audience.STAFF
        judgement = judge(book, Facts(audience, told.school_name, told.today, told.categories, told.other_categories))
        if not judgement.rows:
            words = [say_finding(f.as_json()) for f in judgement.findings if f.problem in BLOCKING]
            raise Refused(" ".join(words), code="no_rows")
        sheets: dict[str, list[int]] = {}
        for row in judgement.rows:
            counts = sheets.setdefault(row.sheet, [0, 0])
            counts[0] += 1
            counts[1] += row.rejected
            values = [row.values.get(of.value) for of in template.values]
            said = row.faults or row.notes
            line = [
                copied(row.sheet),
                str(row.row),
                "rejected" if row.rejected else "accepted",
                *("\\N" if value is None else copied(value) for value in values),
                "t",
                copied_json(row.raw if said else None),
                copied_json([fault.as_json() for fault in row.faults]),
                copied_json([note.as_json() for note in row.notes]),
            ]
            yield ("\t".join(line) + "\n").encode()
        data = self.source if isinstance(self.source, bytes) else b""
        self.summary = Summary(
            tuple(ReadSheet(name, 0, {}, *counts) for name, counts in sheets.items()),
            tuple(finding.as_json() for finding in judgement.findings),
            len(judgement.rows),
            sum(row.rejected for row in judgement.rows),
            hashlib.sha256(data).hexdigest(),
            len(data),
            0.0,
            0,
        )


def read(source: Path | BinaryIO | bytes, expectation: Expectation, limits: Limits | None = None) -> Reading:
    """Begin to read a file. Nothing happens before the first line is asked for."""
    return Reading(source, expectation, limits or Limits())
