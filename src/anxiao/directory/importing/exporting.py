"""The error workbook on its way to a browser: pages of rows are fetched while the file is being sent."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from django.db import transaction
from django.utils import translation

from anxiao.base.scope import Scope
from anxiao.base.tenancy import school_context
from anxiao.directory.importing import plan
from anxiao.directory.importing.access import check_may_import
from anxiao.directory.importing.report import stream_errors
from anxiao.directory.importing.templates import BY_KIND, Kind
from anxiao.directory.models import DirectoryImport, ImportRow, School
from anxiao.directory.names import Audience, ImportTemplate, RowVerdict
from anxiao.ledger.commands import record

_AT_ONCE = 1_000


def export_errors(*, by: Scope, import_: DirectoryImport, now: datetime) -> Iterator[bytes]:
    """The rejected rows as a workbook to mend and send again, in pieces, however many there are.

    It carries names and phones, so the ledger says who took it. The pieces come in the language of now, and are taken
    outside of the caller's transaction: each page of rows has one of its own, so that a slow line holds none open.
    Should rows be forgotten meanwhile, the file breaks off instead of looking whole.
    """
    school = School.objects.get(pk=import_.school_id)
    check_may_import(by, school)
    rows = int(import_.counts[RowVerdict.REJECTED.value])
    audience = ImportTemplate(import_.template).audience
    categories = [] if audience is None else plan.categories_of(by, school, Audience(audience))
    with transaction.atomic():
        record(
            by=by,
            now=now,
            verb="import.errors_exported",
            object_type="directory_import",
            object_id=import_.pk,
            school_id=school.pk,
            facts={"rows": rows},
        )
    template = BY_KIND[Kind(import_.template)]
    pieces = stream_errors(template, _rejected(by, import_, rows), categories, school.name)
    return _in_language(translation.get_language(), pieces)


def _rejected(by: Scope, import_: DirectoryImport, expected: int) -> Iterator[ImportRow]:
    last = found = 0
    while True:
        with school_context(by.db_scope):
            page = list(
                ImportRow.objects.filter(
                    school_id=import_.school_id, source=import_, verdict=RowVerdict.REJECTED, pk__gt=last
                ).order_by("pk")[:_AT_ONCE]
            )
        yield from page
        found += len(page)
        if len(page) < _AT_ONCE:
            break
        last = page[-1].pk
    if found != expected:
        raise RuntimeError(f"import {import_.pk}: {found} rejected rows instead of {expected}")


def _in_language(language: str | None, pieces: Iterator[bytes]) -> Iterator[bytes]:
    # Between two pieces the thread may serve somebody who reads another language.
    while True:
        with translation.override(language):
            piece = next(pieces, None)
        if piece is None:
            return
        yield piece
