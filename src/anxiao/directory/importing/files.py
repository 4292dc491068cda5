"""Importing from the command line: one call that reads, shows and applies, and says everything as lines of text."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from django.db import transaction
from django.utils.translation import gettext as _

from anxiao.base import clock
from anxiao.base.errors import Refused
from anxiao.base.scope import Scope, system_scope
from anxiao.base.tables import Workbook
from anxiao.base.tenancy import school_context
from anxiao.directory.importing import plan
from anxiao.directory.importing.commands import apply_import, open_book, preview_book
from anxiao.directory.importing.faults import describe
from anxiao.directory.importing.report import error_workbook, say_finding
from anxiao.directory.importing.sheets import Field, find
from anxiao.directory.importing.text import fold
from anxiao.directory.models import DirectoryImport, School
from anxiao.directory.names import Audience, ImportState, RowVerdict

_SHOWN_FAULTS = 200


@dataclass(frozen=True, slots=True)
class ImportOutcome:
    """What an import came to: `lines` to print, the counts by verdict, and the rejected rows as a workbook."""

    school: School
    import_id: int | None
    applied: bool
    counts: dict[str, int]
    lines: list[str]
    error_workbook: bytes | None

    @property
    def rejected(self) -> int:
        return self.counts[RowVerdict.REJECTED]


def import_file(
    path: Path,
    kind: Audience,
    school_code: str | None = None,
    dry_run: bool = False,
    *,
    by: Scope | None = None,
    now: datetime | None = None,
) -> ImportOutcome:
    """Import a file outside of any transaction. With `dry_run` everything is computed and nothing is kept."""
    by = by or system_scope("cli")
    now = now or clock.now()
    book = open_book(path)
    school = _school(book, kind, school_code)
    with school_context(f"0,{school.pk}"):
        import_ = preview_book(by=by, school=school, kind=kind, book=book, filename=path.name, now=now)
        if not dry_run:
            import_ = apply_import(by=by, import_=import_, now=now)
        lines = list(_lines(by, import_, school))
        workbook = None
        if import_.counts[RowVerdict.REJECTED]:
            workbook = error_workbook(
                kind, plan.rejected_rows(by, import_), plan.categories_of(by, school, kind), school.name
            )
        if dry_run:
            transaction.set_rollback(True)
    return ImportOutcome(
        school=school,
        import_id=None if dry_run else import_.pk,
        applied=import_.state == ImportState.APPLIED,
        counts={verdict.value: import_.counts[verdict.value] for verdict in RowVerdict},
        lines=lines,
        error_workbook=workbook,
    )


def _school(book: Workbook, kind: Audience, code: str | None) -> School:
    """The school asked for, or the one that the file names in every row."""
    if code is not None:
        school = School.objects.filter(code=code).first()
        if school is None:
            raise Refused(_("There is no school with the code %(code)s.") % {"code": code}, code="no_school")
        return school
    places, _findings = find(book, kind)
    named = {
        fold(cell.text)
        for place in places
        for row in place.body
        if (cell := row.cells.get(place.columns[Field.SCHOOL])) is not None
    }
    known = [school for school in School.objects.all() if fold(school.name) in named]
    if len(known) != 1:
        raise Refused(
            _("The file does not settle which school it is for. Give the ten-digit code of the school."),
            code="no_school",
        )
    return known[0]


def _lines(by: Scope, import_: DirectoryImport, school: School) -> list[str]:
    counts, makes = import_.counts, import_.counts["makes"]
    lines = [f"{school.name} · {Audience(import_.audience).label} · {import_.filename}"]
    lines += [say_finding(finding) for finding in counts["findings"]]
    lines.append(
        _("New %(new)s, changed %(changed)s, unchanged %(unchanged)s, rejected %(rejected)s.")
        % {verdict.value: counts[verdict.value] for verdict in RowVerdict}
    )
    lines.append(
        _("Colleges %(college)s, departments %(department)s, classes %(class)s, counsellor links %(counsellor)s.")
        % {name: makes.get(name, 0) for name in ("college", "department", "class", "counsellor")}
    )
    said = 0
    for row in plan.rejected_rows(by, import_):
        for fault in row.faults:
            said += 1
            if said <= _SHOWN_FAULTS:
                lines.append(
                    _("%(sheet)s %(column)s%(row)s %(header)s “%(value)s”: %(problem)s")
                    % {
                        "sheet": row.sheet,
                        "column": fault["column"],
                        "row": row.row,
                        "header": fault["header"],
                        "value": fault["value"],
                        "problem": describe(fault["kind"], fault["params"]),
                    }
                )
    if said > _SHOWN_FAULTS:
        lines.append(_("... and %(more)s more.") % {"more": said - _SHOWN_FAULTS})
    if import_.state != ImportState.APPLIED:
        lines.append(_("Nothing was changed."))
    return lines
