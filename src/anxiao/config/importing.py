"""``anxiao import-directory``: the same reading, judging and applying as in the console, told in lines."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from django.db import transaction

from anxiao.base import clock
from anxiao.base.scope import SHARED_SCHOOL, system_scope
from anxiao.base.tenancy import school_context
from anxiao.config.environment import NotReady
from anxiao.directory.importing import commands, plan, report
from anxiao.directory.models import Organisation, School
from anxiao.directory.names import Audience, OrganisationKind, RowVerdict

ORIGIN = "command-line"
SHOWN = 20


@dataclass(frozen=True, slots=True)
class Outcome:
    """What to print, and how many rows were not taken over."""

    lines: list[str]
    rejected: int


def run(file: Path, *, kind: str, school_code: str | None, dry_run: bool, errors: Path | None) -> Outcome:
    """Import a file into a school. Judging and applying are one transaction: an import is in or it is not."""
    school = _school(school_code)
    by = system_scope(ORIGIN)
    audience = Audience[kind.upper()]
    now = clock.now()
    with school_context(f"{SHARED_SCHOOL},{school.pk}"):
        import_ = commands.preview_import(by=by, school=school, kind=audience, file=file, filename=file.name, now=now)
        if not dry_run:
            import_ = commands.apply_import(by=by, import_=import_, now=now)
        rejected = list(plan.rejected_rows(by, import_))
        lines = [f"{school.name} ({school.code}), {file.name}"]
        lines += [report.say_finding(finding) for finding in import_.counts.get("findings", [])]
        lines += [f"  {verdict.label}: {import_.counts.get(verdict.value, 0)}" for verdict in RowVerdict]
        for row in rejected[:SHOWN]:
            said = report.say_faults(row.faults).replace("\n", "; ")
            lines.append(f"  {row.sheet} {row.row}: {said}")
        if len(rejected) > SHOWN:
            lines.append(f"  ... {len(rejected) - SHOWN} more; --errors FILE writes them all into a workbook")
        if errors is not None and rejected:
            categories = plan.categories_of(by, school, audience)
            errors.write_bytes(report.error_workbook(audience, rejected, categories, school.name))
            lines.append(f"  rejected rows: {errors}")
        if dry_run:
            # The preview is thrown away with everything it wrote.
            transaction.set_rollback(True)
            lines.append("Dry run: nothing was changed.")
    return Outcome(lines, len(rejected))


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
