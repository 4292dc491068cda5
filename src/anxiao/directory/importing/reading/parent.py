"""The reader seen from outside: lines, progress, and at the end a summary or a refusal in words."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import IO, Any, BinaryIO, Self

from django.utils.translation import gettext as _

from anxiao.base.errors import Refused
from anxiao.base.tables import UnreadableTable
from anxiao.base.tables.cage import Caged, open_source
from anxiao.base.tables.model import Limits, TableProblem
from anxiao.directory.importing.findings import BLOCKING, SheetProblem, say_finding
from anxiao.directory.importing.reading.contract import (
    Expectation,
    MappingQuestion,
    NeedsMapping,
    Progress,
    ReadSheet,
    Summary,
    UnknownHeader,
    columns,
)

MEGABYTE = 1024 * 1024
LIMITS = Limits(
    file_bytes=300 * MEGABYTE,
    inflated_bytes=1_600 * MEGABYTE,
    rows=1_200_000,
    output_bytes=2_000 * MEGABYTE,
    memory_bytes=400 * MEGABYTE,
    wall_seconds=600.0,
)
"""A province's largest list: 1,000,000 rows of twelve columns, and not much more."""
_ENTRY = "anxiao.directory.importing.reading.child"
_SECONDS = 15
_SECONDS_PER_MEGABYTE = 3


def told_as(told: Expectation) -> dict[str, Any]:
    """The expectation as the child is told it."""
    return {
        "kind": told.kind.value,
        "school_name": told.school_name,
        "today": told.today.isoformat(),
        "categories": list(told.categories),
        "other_categories": sorted(told.other_categories),
        "mapping": dict(told.mapping),
    }


class Reading:
    """One file being read. Close it, or use it as a context; closing early stops the reader."""

    def __init__(self, source: Path | BinaryIO | bytes, expectation: Expectation, limits: Limits | None) -> None:
        self.source, self.expectation = source, expectation
        self.limits = limits
        self.columns = columns(expectation.kind)
        self.summary: Summary | None = None
        self._file: IO[bytes] | None = None
        self._child: Caged | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stop reading; harmless at the end."""
        if self._child is not None:
            self._child.close()
        if self._file is not None:
            self._file.close()

    @property
    def progress(self) -> Progress:
        """How far the child is."""
        return Progress(*self._child.progress) if self._child else Progress()

    @property
    def used(self) -> tuple[float, int]:
        """(seconds of processor, largest resident bytes) of the child, once it has ended."""
        return (self._child.cpu_seconds, self._child.memory_bytes) if self._child else (0.0, 0)

    def lines(self) -> Iterator[bytes]:
        """Pieces of COPY text; a piece may end within a line. Raises `Refused` or `NeedsMapping`."""
        try:
            yield from self._lines()
        except UnreadableTable as refused:
            raise Refused(refused.message, code=refused.problem.value) from refused

    def _lines(self) -> Iterator[bytes]:
        file = self._file = open_source(self.source, self.limits or LIMITS)
        size = os.fstat(file.fileno()).st_size
        digest = _digest_of(file)
        limits = self.limits or _limits_for(size)
        child = self._child = Caged(file, _ENTRY, told_as(self.expectation), limits)
        yield from child.pieces()
        try:
            self._conclude(child, size, digest)
        except (KeyError, TypeError, ValueError, IndexError) as error:
            # The child is not trusted: what it says at the end has a shape, or it has not ended well.
            raise UnreadableTable(TableProblem.READER_DIED) from error

    def _conclude(self, child: Caged, size: int, digest: str) -> None:
        said: dict[str, Any] = {}
        for word in child.words:
            said.update(word)
        if "questions" in said:
            raise NeedsMapping(tuple(_question(one) for one in said["questions"]))
        sheets = tuple(_sheet(one) for one in said["sheets"])
        findings = tuple(
            {
                "sheet": str(one["sheet"]),
                "problem": SheetProblem(str(one["problem"])).value,
                "row": int(one["row"]),
                "columns": [str(column) for column in one["columns"]],
            }
            for one in said["findings"]
        )
        rows = sum(sheet.rows for sheet in sheets)
        if not rows:
            words = [say_finding(finding) for finding in findings if finding["problem"] in BLOCKING]
            raise Refused(" ".join(words) or _("The file has no row with a person."), code="no_rows")
        self.summary = Summary(
            sheets,
            findings,
            rows,
            sum(sheet.rejected for sheet in sheets),
            digest,
            size,
            child.cpu_seconds,
            child.memory_bytes,
        )


def _digest_of(file: IO[bytes]) -> str:
    digest = hashlib.sha256()
    while piece := file.read(MEGABYTE):
        digest.update(piece)
    file.seek(0)
    return digest.hexdigest()


def _limits_for(size: int) -> Limits:
    """More time for more bytes: a small file that computes for minutes is no roster."""
    return replace(LIMITS, cpu_seconds=_SECONDS + _SECONDS_PER_MEGABYTE * (size // MEGABYTE + 1))


def _places(value: Mapping[str, Any]) -> dict[str, tuple[str, str]]:
    return {str(name): (str(letter), str(header)) for name, (letter, header) in value.items()}


def _sheet(value: Mapping[str, Any]) -> ReadSheet:
    return ReadSheet(
        str(value["sheet"]),
        int(value["header_row"]),
        _places(value["columns"]),
        int(value["rows"]),
        int(value["rejected"]),
    )


def _question(value: Mapping[str, Any]) -> MappingQuestion:
    return MappingQuestion(
        str(value["sheet"]),
        int(value["header_row"]),
        tuple(str(of) for of in value["missing"]),
        _places(value["known"]),
        tuple(
            UnknownHeader(
                str(one["key"]),
                str(one["header"]),
                str(one["column"]),
                str(one["guess"]),
                tuple(str(sample) for sample in one["samples"]),
            )
            for one in value["unknown"]
        ),
    )


def read(source: Path | BinaryIO | bytes, expectation: Expectation, limits: Limits | None = None) -> Reading:
    """Begin to read a file. Nothing happens before the first line is asked for."""
    return Reading(source, expectation, limits)
