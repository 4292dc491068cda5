"""Pages of the directory import: choose and upload, look, decide, see what came of it."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import content_disposition_header, urlencode
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from anxiao.base.clock import day_of, now
from anxiao.base.errors import NotYours, Refused
from anxiao.base.scope import Scope
from anxiao.directory.forms_import import UploadForm
from anxiao.directory.importing import plan
from anxiao.directory.importing.access import get_import, schools_for_import
from anxiao.directory.importing.commands import apply_import, discard_import, export_errors, preview_import
from anxiao.directory.importing.sheets import TEMPLATES, template_workbook
from anxiao.directory.importing.shown import (
    changes_anything,
    effects_of,
    shown_creations,
    shown_findings,
    shown_rows,
)
from anxiao.directory.models import DirectoryImport, School
from anxiao.directory.names import Audience, ImportState, RowVerdict

_XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
_KINDS = {"staff": Audience.STAFF, "student": Audience.STUDENT}


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def imports(request: HttpRequest) -> HttpResponse:
    """Templates to download, a file to upload, and the imports so far."""
    scope = _scope(request)
    schools = schools_for_import(scope)
    school = _school(request, schools)
    form = UploadForm(initial={"school": school.pk}, schools=schools)
    if request.method == "POST":
        form = UploadForm(request.POST, request.FILES, schools=schools)
        if form.is_valid():
            school = form.cleaned_data["school"]
            try:
                import_ = preview_import(
                    by=scope,
                    school=school,
                    kind=form.cleaned_data["kind"],
                    file=form.cleaned_data["file"],
                    filename=form.cleaned_data["file"].name,
                    now=now(),
                )
            except Refused as refused:
                form.add_error("file", str(refused))
            else:
                return redirect("directory:import", import_id=import_.pk)
    context = {
        "menu": "people",
        "trail": _trail((_("Import"), "")),
        "form": form,
        "school": school,
        "several": len(schools) > 1,
        "recent": plan.recent_imports(scope, school),
        "templates": [
            (kind, audience.label, TEMPLATES[audience], plan.categories_of(scope, school, audience))
            for kind, audience in _KINDS.items()
        ],
    }
    return render(request, "directory/console/import_start.html", context)


@login_required
@require_GET
def template(request: HttpRequest, kind: str) -> HttpResponse:
    """One of the two templates, with the school's current categories as drop-downs."""
    audience = _KINDS.get(kind)
    if audience is None:
        raise NotYours
    scope = _scope(request)
    school = _school(request, schools_for_import(scope))
    data = template_workbook(audience, school_name=school.name, categories=plan.categories_of(scope, school, audience))
    return _workbook(data, f"{TEMPLATES[audience].title}.xlsx")


@login_required
@require_GET
def show(request: HttpRequest, import_id: int) -> HttpResponse:
    """A preview that waits for a decision, or the result of one that was decided."""
    scope = _scope(request)
    import_ = get_import(scope, import_id)
    verdict = _verdict(request, import_)
    page = plan.page_of_rows(
        scope, import_, verdict, after=_whole(request.GET.get("after")), before=_whole(request.GET.get("before"))
    )
    waiting = import_.state == ImportState.PREVIEWED
    counts = import_.counts
    creations = plan.creations(scope, import_, day_of(now())) if waiting else []
    here = reverse("directory:import", args=[import_.pk])
    context = {
        "menu": "people",
        "trail": _trail((_("Import"), reverse("directory:imports")), (import_.filename, "")),
        "import": import_,
        "kind": Audience(import_.audience).label,
        "headers": TEMPLATES[Audience(import_.audience)],
        "waiting": waiting,
        "applied": import_.state == ImportState.APPLIED,
        "step": 2 if waiting else 3,
        "steps": [_("Choose a file"), _("Preview"), _("Result")],
        "verdict": verdict.value,
        "tabs": [(one.value, one.label, f"{here}?rows={one.value}#rows", counts[one.value]) for one in _ORDER],
        "numbers": [
            (one.label, counts[one.value], _TONES[one], f"{here}?rows={one.value}#rows", _meaning(one, waiting))
            for one in _ORDER
        ],
        "rows": shown_rows(import_, page.rows),
        "total": counts[verdict.value],
        "previous": _page(verdict, before=page.before),
        "next": _page(verdict, after=page.after),
        "creations": shown_creations(import_, creations),
        "findings": shown_findings(import_),
        "absent": counts.get("absent", 0),
        "effects": effects_of(import_),
        "useful": changes_anything(import_),
        "people": counts[RowVerdict.JOINS.value] + counts[RowVerdict.CHANGED.value],
        "rejected": counts[RowVerdict.REJECTED.value] if "forgotten" not in counts else 0,
        "forgotten": "forgotten" in counts,
    }
    return render(request, "directory/console/import_show.html", context)


@login_required
@require_POST
def apply(request: HttpRequest, import_id: int) -> HttpResponse:
    """Write the accepted rows; when that is refused, the page says why and everything is still there."""
    scope = _scope(request)
    import_ = get_import(scope, import_id)
    try:
        apply_import(by=scope, import_=import_, now=now())
    except Refused as refused:
        messages.error(request, str(refused))
    return redirect("directory:import", import_id=import_.pk)


@login_required
@require_POST
def discard(request: HttpRequest, import_id: int) -> HttpResponse:
    """Decide against the preview."""
    scope = _scope(request)
    import_ = get_import(scope, import_id)
    try:
        discard_import(by=scope, import_=import_, now=now())
    except Refused as refused:
        messages.error(request, str(refused))
        return redirect("directory:import", import_id=import_.pk)
    messages.success(request, _("The preview was discarded. The directory is as it was."))
    return redirect("directory:imports")


@login_required
@require_GET
def errors(request: HttpRequest, import_id: int) -> HttpResponse:
    """The rejected rows as a workbook to mend and upload again."""
    scope = _scope(request)
    import_ = get_import(scope, import_id)
    if not import_.counts[RowVerdict.REJECTED.value] or "forgotten" in import_.counts:
        raise NotYours
    data = export_errors(by=scope, import_=import_, now=now())
    return _workbook(data, f"{TEMPLATES[Audience(import_.audience)].title}-{_('to mend')}-{import_.pk}.xlsx")


_ORDER = (RowVerdict.REJECTED, RowVerdict.JOINS, RowVerdict.CHANGED, RowVerdict.UNCHANGED)
"""What needs somebody comes first."""
_TONES = {
    RowVerdict.JOINS: "good",
    RowVerdict.CHANGED: "late",
    RowVerdict.UNCHANGED: "exempt",
    RowVerdict.REJECTED: "missing",
}


def _meaning(verdict: RowVerdict, waiting: bool) -> str:
    match verdict:
        case RowVerdict.JOINS:
            return _("Rows whose number the directory does not know yet.")
        case RowVerdict.CHANGED:
            return _("Rows of known people in which at least one field differs from the directory.")
        case RowVerdict.UNCHANGED:
            return _("Rows that say exactly what the directory says.")
        case _:
            return _("Rows in which at least one cell is wrong. They are not imported; all others are.")


def _verdict(request: HttpRequest, import_: DirectoryImport) -> RowVerdict:
    """The rows to show: those asked for, or else the first kind that has any."""
    asked = request.GET.get("rows")
    if asked in RowVerdict.values:
        return RowVerdict(asked)
    return next((one for one in _ORDER if import_.counts[one.value]), RowVerdict.UNCHANGED)


def _school(request: HttpRequest, schools: list[School]) -> School:
    """The school asked for, or the only one; without any there is no such page."""
    asked = _whole(request.GET.get("school"))
    for school in schools:
        if asked in (None, school.pk):
            return school
    raise NotYours


def _scope(request: HttpRequest) -> Scope:
    scope: Scope = request.scope  # type: ignore[attr-defined]
    return scope


def _whole(text: str | None) -> int | None:
    # A row key has up to eighteen digits; more never leaves the range of a database bigint.
    return int(text) if text and text.isascii() and text.isdigit() and len(text) <= 18 else None


def _page(verdict: RowVerdict, **key: int | None) -> str:
    ((name, value),) = key.items()
    return "" if value is None else "?" + urlencode([("rows", verdict.value), (name, value)]) + "#rows"


def _trail(*more: tuple[str, str]) -> list[tuple[str, str]]:
    return [(_("People"), reverse("directory:people")), *more]


def _workbook(data: bytes, filename: str) -> HttpResponse:
    headers: dict[str, Any] = {
        "Content-Disposition": content_disposition_header(True, filename) or "attachment",
        "Cache-Control": "no-store",
        "X-Content-Type-Options": "nosniff",
    }
    return HttpResponse(data, content_type=_XLSX, headers=headers)
