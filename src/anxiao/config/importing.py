"""``anxiao import-directory``: the same reading, comparing and applying as in the console, told in lines.

One file is one import of one school and one transaction.  A folder is many: their names say the school and the list, as
in ``4134010357-staff.csv``.  Schools are worked on side by side, the files of one school in their order.
"""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from django.db import connections, transaction

from anxiao.base import clock
from anxiao.base.errors import Refused
from anxiao.base.scope import SHARED_SCHOOL, system_scope
from anxiao.base.tenancy import school_context
from anxiao.config.environment import NotReady
from anxiao.directory.importing import commands, keys, plan, report
from anxiao.directory.importing.findings import say_finding
from anxiao.directory.importing.templates import BY_KIND, Kind
from anxiao.directory.models import DirectoryImport, Organisation, School, SyncKey
from anxiao.directory.names import ImportTemplate, OrganisationKind, RowVerdict

ORIGIN = "command-line"
SHOWN = 20
REJECTED, REFUSED = 1, 3
"""How the command ends when rows stayed out, and when a whole file did."""

_SUFFIXES = (".xlsx", ".xls", ".csv", ".txt")
_ORDER = (ImportTemplate.STAFF, ImportTemplate.STUDENTS, ImportTemplate.DORMITORY)
"""Staff first: counsellors must be on the list before their classes come, people before their beds."""
_WORDS = {
    "staff": ImportTemplate.STAFF,
    "student": ImportTemplate.STUDENTS,
    "students": ImportTemplate.STUDENTS,
    "dormitory": ImportTemplate.DORMITORY,
}


@dataclass(frozen=True, slots=True)
class Wishes:
    """What is wanted of every file."""

    full_list: bool = False
    leavers: str = "none"
    confirmation: str = ""
    dry_run: bool = False
    errors: Path | None = None


@dataclass(frozen=True, slots=True)
class Job:
    """One file, and what it is."""

    file: Path
    school: School
    template: ImportTemplate


@dataclass(slots=True)
class Outcome:
    """What to print about one file."""

    lines: list[str] = field(default_factory=list)
    rejected: int = 0
    refused: bool = False


def run(
    paths: Sequence[Path],
    *,
    kind: str | None,
    school_code: str | None,
    wishes: Wishes,
    side_by_side: int,
    say: Callable[[str], None],
) -> int:
    """Import files and folders; prints as it goes and returns the exit status: 0, `REJECTED` or `REFUSED`."""
    jobs = list(_jobs(_files(paths), kind, school_code))
    if not jobs:
        raise NotReady("There is no workbook and no CSV file in it.")
    if wishes.errors is not None and len(jobs) > 1:
        raise NotReady("--errors writes one workbook: import one file, or take the rejected rows from the console.")
    schools: dict[int, list[Job]] = {}
    for job in sorted(jobs, key=lambda one: (one.school.code, _ORDER.index(one.template), one.file)):
        schools.setdefault(job.school.pk, []).append(job)
    rejected = refused = 0
    alone = len(jobs) == 1
    # a connection that stays: each new one would learn the tables of the house anew
    with ThreadPoolExecutor(max_workers=side_by_side) as pool:
        try:
            for outcomes in pool.map(lambda own: [_one(job, wishes, alone=alone) for job in own], schools.values()):
                for outcome in outcomes:
                    for line in outcome.lines:
                        say(line)
                    rejected += outcome.rejected
                    refused += outcome.refused
        finally:
            meeting = threading.Barrier(side_by_side)
            list(pool.map(lambda _: _leave(meeting), range(side_by_side)))
    if len(jobs) > 1:
        say(f"{len(jobs)} files of {len(schools)} schools: {rejected} rows rejected, {refused} files refused.")
    return REFUSED if refused else REJECTED if rejected else 0


def keys_of(school_code: str, *, name: str, end: int) -> list[str]:
    """Make a key, or end one; lines to print: the new key, or all keys of the school."""
    school, by, now = _school(school_code), system_scope(ORIGIN), clock.now()
    with school_context(f"{SHARED_SCHOOL},{school.pk}"):
        if name:
            return [f"Key for {name}, shown only now: {keys.make_key(by=by, school=school, name=name, now=now)}"]
        lines = []
        for key in SyncKey.objects.filter(school_id=school.pk):
            if key.pk == end:
                keys.end_key(by=by, key=key, now=now)
            state = f"ended {key.ended_at:%Y-%m-%d}" if key.ended_at else "open"
            used = f"used {key.used_at:%Y-%m-%d}" if key.used_at else "never used"
            lines.append(f"{key.pk:>5}  {key.name}: {state}, {used}")
    return lines


def cores() -> int:
    """How many schools are worked on at a time where nobody says otherwise."""
    return min(4, os.cpu_count() or 1)


def _leave(meeting: threading.Barrier) -> None:
    """Every thread meets the others here once, so that each closes its own connections."""
    meeting.wait()
    connections.close_all()


def _one(job: Job, wishes: Wishes, *, alone: bool) -> Outcome:
    """A file's import in a transaction of its own: it is in or it is not."""
    by, now = system_scope(ORIGIN), clock.now()
    outcome = Outcome([f"{job.school.name} ({job.school.code}), {job.file.name}"])
    try:
        with school_context(f"{SHARED_SCHOOL},{job.school.pk}"):
            import_ = commands.preview_import(
                by=by,
                school=job.school,
                kind=job.template,
                file=job.file,
                filename=job.file.name,
                full_list=wishes.full_list,
                now=now,
            )
            if not wishes.dry_run:
                import_ = commands.apply_at_once(
                    by=by,
                    import_=import_,
                    leavers="all" if wishes.leavers == "all" else "none",
                    confirmation=wishes.confirmation,
                    now=now,
                )
            _tell(outcome, job, import_, wishes)
            if wishes.dry_run:
                # The preview is thrown away with everything it wrote.
                transaction.set_rollback(True)
                outcome.lines.append("Dry run: nothing was changed.")
    except Refused as refused:
        if alone:
            raise
        outcome.lines.append(f"  {refused}")
        outcome.refused = True
    return outcome


def _tell(outcome: Outcome, job: Job, import_: DirectoryImport, wishes: Wishes) -> None:
    counts = import_.counts
    outcome.rejected = counts[RowVerdict.REJECTED.value]
    outcome.lines += [say_finding(finding) for finding in counts.get("findings", [])]
    outcome.lines += [f"  {verdict.label}: {counts[verdict.value]}" for verdict in RowVerdict if counts[verdict.value]]
    if counts.get("absent") and not wishes.full_list:
        outcome.lines.append(f"  on the list, not in the file: {counts['absent']} (they stay)")
    if not outcome.rejected:
        return
    by = system_scope(ORIGIN)
    for row in plan.rejected_rows(by, import_)[:SHOWN]:
        said = report.say_faults(row.faults).replace("\n", "; ")
        outcome.lines.append(f"  {row.sheet} {row.row}: {said}")
    if outcome.rejected > SHOWN:
        outcome.lines.append(f"  ... {outcome.rejected - SHOWN} more; --errors FILE writes them all into a workbook")
    if wishes.errors is not None:
        audience = job.template.audience
        categories = plan.categories_of(by, job.school, audience) if audience else []
        template = BY_KIND[Kind(job.template.value)]
        with wishes.errors.open("wb") as out:
            rows = plan.rejected_rows(by, import_).iterator(chunk_size=1_000)
            for piece in report.stream_errors(template, rows, categories, job.school.name):
                out.write(piece)
        outcome.lines.append(f"  rejected rows: {wishes.errors}")


def _files(paths: Sequence[Path]) -> Iterator[Path]:
    for path in paths:
        if path.is_dir():
            yield from sorted(one for one in path.iterdir() if one.suffix.lower() in _SUFFIXES and one.is_file())
        elif path.is_file():
            yield path
        else:
            raise NotReady(f"There is no file {path}.")


def _jobs(files: Iterable[Path], kind: str | None, school_code: str | None) -> Iterator[Job]:
    known: dict[str | None, School] = {}
    for file in files:
        word = kind or next((part for part in reversed(re.split(r"[-_. ]", file.stem.lower())) if part in _WORDS), None)
        if word is None:
            raise NotReady(
                f"{file.name} does not say which list it is: name it CODE-staff or CODE-students, or use --kind."
            )
        code = school_code
        if code is None and (found := re.search(r"(?<!\d)\d{10}(?!\d)", file.stem)):
            code = found.group()
        if code not in known:
            known[code] = _school(code)
        yield Job(file, known[code], _WORDS[word])


def _school(code: str | None) -> School:
    if code is not None:
        school = School.objects.filter(code=code).first()
        if school is None:
            raise NotReady(f"No school has the code {code}.")
        return school
    with school_context("*"):
        ids = Organisation.objects.filter(kind=OrganisationKind.SCHOOL).values_list("school_id", flat=True)
        schools = list(School.objects.filter(pk__in=list(ids)).order_by("code")[:5])
    if len(schools) == 1:
        return schools[0]
    if not schools:
        raise NotReady("No school is in use yet: approve its application in the console first.")
    names = ", ".join(f"{school.code} {school.name}" for school in schools)
    raise NotReady(f"Name the school, because several are in use: --school CODE ({names} ...)")
