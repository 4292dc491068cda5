"""Files of the import: templates to fill in, rejected rows to mend, and the uploaded file itself."""

from __future__ import annotations

from collections.abc import Iterable

from allauth.account.internal.flows.reauthentication import did_recently_reauthenticate
from django.contrib.auth.decorators import login_required
from django.http import FileResponse, HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.http import content_disposition_header
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods

from anxiao.base.clock import now
from anxiao.base.errors import NotYours, StepUpNeeded
from anxiao.directory.importing import plan
from anxiao.directory.importing.access import get_import, schools_for_import
from anxiao.directory.importing.blank import template_workbook
from anxiao.directory.importing.commands import download_original
from anxiao.directory.importing.exporting import export_errors
from anxiao.directory.importing.shown import template_of
from anxiao.directory.importing.shown_import import facts_of
from anxiao.directory.importing.templates import BY_KIND, Kind
from anxiao.directory.models import School
from anxiao.directory.names import Audience, ImportTemplate
from anxiao.directory.views_import_faces import chosen_school, rejected_of, scope_of, trail

_XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
_ANY = "application/octet-stream"
"""Whatever was uploaded is given back to be stored, never to be shown by the browser."""
_OLD_NAMES = {"student": ImportTemplate.STUDENTS}
"""Addresses that people have kept since there were two templates."""


@login_required
@require_GET
def template(request: HttpRequest, kind: str) -> HttpResponseBase:
    """One of the templates, with the school's current categories as drop-downs."""
    wanted = _OLD_NAMES.get(kind, kind)
    if wanted not in set(Kind):
        raise NotYours
    scope = scope_of(request)
    school = chosen_school(request, schools_for_import(scope))
    audience = ImportTemplate(wanted).audience
    categories = [] if audience is None else plan.categories_of(scope, school, Audience(audience))
    data = template_workbook(Kind(wanted), school_name=school.name, categories=categories)
    return _workbook(data, f"{BY_KIND[Kind(wanted)].title}.xlsx")


@never_cache
@login_required
@require_GET
def errors(request: HttpRequest, import_id: int) -> HttpResponseBase:
    """The rejected rows as a workbook to mend and upload again, sent while it is made."""
    scope = scope_of(request)
    import_ = get_import(scope, import_id)
    if not rejected_of(import_):
        raise NotYours
    pieces = export_errors(by=scope, import_=import_, now=now())
    return _workbook(pieces, f"{template_of(import_).title}-{_('to mend')}-{import_.pk}.xlsx")


@never_cache
@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def original(request: HttpRequest, import_id: int) -> HttpResponseBase:
    """The file as it was uploaded, after a fresh proof of who asks: a page that says what it is, then the file."""
    scope = scope_of(request)
    import_ = get_import(scope, import_id)
    if not import_.file_size or "forgotten" in import_.counts:
        raise NotYours
    if not did_recently_reauthenticate(request):
        raise StepUpNeeded
    if request.method == "POST":
        file = download_original(by=scope, import_=import_, now=now())
        answer = FileResponse(file, as_attachment=True, filename=import_.filename, content_type=_ANY)
        return _closed_off(answer)
    context = {
        "menu": "people",
        "trail": trail(
            (_("Import"), reverse("directory:imports")),
            (import_.filename, reverse("directory:import", args=[import_.pk])),
            (_("The file as it was uploaded"), ""),
        ),
        "import": import_,
        "school": School.objects.get(pk=import_.school_id),
        "facts": facts_of(import_),
    }
    return render(request, "directory/console/import_original.html", context)


def _closed_off(answer: HttpResponseBase) -> HttpResponseBase:
    answer.headers["Cache-Control"] = "no-store"
    answer.headers["X-Content-Type-Options"] = "nosniff"
    return answer


def _workbook(pieces: bytes | Iterable[bytes], filename: str) -> HttpResponseBase:
    made = HttpResponse if isinstance(pieces, bytes) else StreamingHttpResponse
    answer = made(pieces, content_type=_XLSX)
    answer.headers["Content-Disposition"] = content_disposition_header(True, filename) or "attachment"
    return _closed_off(answer)
