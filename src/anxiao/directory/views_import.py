"""Pages of the directory import: choose and upload, follow, name columns, look, decide, see what came of it."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from anxiao.base.clock import now
from anxiao.base.errors import Refused
from anxiao.base.scope import Scope
from anxiao.directory import views_import_faces as faces
from anxiao.directory.forms_import import UploadForm
from anxiao.directory.importing import pages, plan
from anxiao.directory.importing.access import get_import, schools_for_import
from anxiao.directory.importing.choosing import choose_leavers
from anxiao.directory.importing.commands import (
    LARGEST_UPLOAD,
    apply_import,
    cancel_import,
    choose_mapping,
    discard_import,
    read_again,
    undo_import,
    upload_import,
)
from anxiao.directory.importing.reading.parent import LIMITS
from anxiao.directory.importing.shown_import import columns_of_history
from anxiao.directory.importing.templates import BY_KIND, Kind
from anxiao.directory.models import School
from anxiao.directory.names import AT_WORK, Audience, ImportState, ImportTemplate, RowVerdict
from anxiao.directory.views_import_faces import chosen_school, page_address, scope_of, trail, whole


@never_cache
@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def imports(request: HttpRequest) -> HttpResponse:
    """Templates to download, a file to upload, what is under way, and the imports so far."""
    scope = scope_of(request)
    schools = schools_for_import(scope)
    school = chosen_school(request, schools)
    told: dict[str, Any] = {
        "schools": schools,
        "kinds": pages.OFFERED,
        "largest": LARGEST_UPLOAD,
        "rows": LIMITS.rows,
    }
    form = UploadForm(initial={"school": school.pk, "full_list": "changes"}, **told)
    if request.method == "POST":
        form = UploadForm(request.POST, request.FILES, **told)
        if form.is_valid():
            school = form.cleaned_data["school"]
            try:
                import_ = upload_import(
                    by=scope,
                    school=school,
                    kind=form.cleaned_data["kind"],
                    file=form.cleaned_data["file"],
                    filename=form.cleaned_data["file"].name,
                    full_list=form.cleaned_data["full_list"],
                    now=now(),
                )
            except Refused as refused:
                form.add_error("file", str(refused))
            else:
                return redirect("directory:import", import_id=import_.pk)
    history = pages.history(
        scope, school, before=whole(request.GET.get("before")), after=whole(request.GET.get("after"))
    )
    columns, lines = columns_of_history(history.imports)
    context = {
        "menu": "people",
        "trail": trail((_("Import"), "")),
        "form": form,
        "school": school,
        "several": len(schools) > 1,
        "unfinished": pages.unfinished(scope, school),
        "history": history,
        "columns": columns,
        "lines": lines,
        "newer": _older_or_newer(school, after=history.newer),
        "older": _older_or_newer(school, before=history.older),
        "templates": [
            (kind.value, kind.label, BY_KIND[Kind(kind.value)], _categories(scope, school, kind))
            for kind in told["kinds"]
        ],
    }
    return render(request, "directory/console/import_start.html", context)


@never_cache
@login_required
@require_GET
def show(request: HttpRequest, import_id: int) -> HttpResponse:
    """Whatever an import is at: being read, a question, a preview that waits for a decision, or its result."""
    import_ = get_import(scope_of(request), import_id)
    state = ImportState(import_.state)
    if state in AT_WORK:
        return faces.wait(request, import_)
    if state is ImportState.MAPPING:
        return faces.mapping(request, import_)
    if state is ImportState.PREVIEWED:
        return faces.preview(request, import_)
    return faces.result(request, import_)


@never_cache
@login_required
@require_GET
def progress(request: HttpRequest, import_id: int) -> HttpResponse:
    """How far a step is: the same element again while it is at work, then the way to the next page."""
    import_ = get_import(scope_of(request), import_id)
    if ImportState(import_.state) not in AT_WORK:
        return redirect("directory:import", import_id=import_.pk)
    return render(request, "directory/console/parts/import_job.html", faces.at_work(import_))


@never_cache
@login_required
@require_POST
def mapping(request: HttpRequest, import_id: int) -> HttpResponse:
    """Say what the unknown columns are."""
    scope = scope_of(request)
    import_ = get_import(scope, import_id)
    if import_.state != ImportState.MAPPING:
        return redirect("directory:import", import_id=import_.pk)
    sheets = faces.mapping_sheets(import_, request.POST)
    if any(sheet.form.errors for sheet in sheets):
        return faces.mapping(request, import_)
    said: dict[str, str] = {}
    for sheet in sheets:
        said |= sheet.form.mapping
    try:
        choose_mapping(by=scope, import_=import_, mapping=said, now=now())
    except Refused as refused:
        messages.error(request, str(refused))
    return redirect("directory:import", import_id=import_.pk)


@never_cache
@login_required
@require_POST
def leavers(request: HttpRequest, import_id: int) -> HttpResponse:
    """Choose who of the people not in the file leaves: those ticked on this page, nobody, or all of them."""
    scope = scope_of(request)
    import_ = get_import(scope, import_id)
    choice = request.POST.get("choice", "page")
    shown = chosen = None
    if choice == "page":
        shown = [key for key in map(whole, request.POST.getlist("shown")) if key is not None]
        chosen = [key for key in map(whole, request.POST.getlist("row")) if key is not None]
    try:
        choose_leavers(
            by=scope, import_=import_, shown=shown, chosen=choice == "all" if chosen is None else chosen, now=now()
        )
    except Refused as refused:
        messages.error(request, str(refused))
    after = whole(request.POST.get("page"))
    return redirect(
        reverse("directory:import", args=[import_.pk])
        + page_address(RowVerdict.LEAVES, "rows" if shown else "decide", after=after)
    )


@never_cache
@login_required
@require_POST
def apply(request: HttpRequest, import_id: int) -> HttpResponse:
    """Write the difference; when that is refused, the page says why and everything is still there."""
    scope = scope_of(request)
    import_ = get_import(scope, import_id)
    leaving = pages.leaving(scope, import_)
    if whole(request.POST.get("leaving", "0")) != leaving.chosen:
        messages.error(request, _("Somebody has changed who leaves since this page was opened. Look again."))
        return redirect("directory:import", import_id=import_.pk)
    who: Any = "none"
    if leaving.chosen:
        who = "all" if leaving.chosen == leaving.total else pages.chosen_leavers(scope, import_)
    typed = request.POST.get("confirmation", "").replace("\x00", "").strip()[:100]
    try:
        apply_import(by=scope, import_=import_, leavers=who, confirmation=typed, now=now())
    except Refused as refused:
        if refused.code == "unconfirmed":
            return faces.preview(request, import_, typed=typed, confirm_error=str(refused))
        messages.error(request, str(refused))
    return redirect("directory:import", import_id=import_.pk)


@never_cache
@login_required
@require_POST
def cancel(request: HttpRequest, import_id: int) -> HttpResponse:
    """Ask the step at work to stop."""
    return _act(request, import_id, cancel_import)


@never_cache
@login_required
@require_POST
def again(request: HttpRequest, import_id: int) -> HttpResponse:
    """Read the kept file once more, against the directory as it is now."""
    return _act(request, import_id, read_again)


@never_cache
@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def undo(request: HttpRequest, import_id: int) -> HttpResponse:
    """Take an applied import back: first what that would do, or why it is not possible any more."""
    if request.method == "POST":
        return _act(request, import_id, undo_import)
    import_ = get_import(scope_of(request), import_id)
    if import_.state != ImportState.APPLIED:
        return redirect("directory:import", import_id=import_.pk)
    return faces.undo(request, import_)


@never_cache
@login_required
@require_POST
def discard(request: HttpRequest, import_id: int) -> HttpResponse:
    """Decide against a file."""
    scope = scope_of(request)
    import_ = get_import(scope, import_id)
    try:
        discard_import(by=scope, import_=import_, now=now())
    except Refused as refused:
        messages.error(request, str(refused))
        return redirect("directory:import", import_id=import_.pk)
    messages.success(request, _("The preview was discarded. The directory is as it was."))
    return redirect(reverse("directory:imports") + f"?school={import_.school_id}")


def _act(request: HttpRequest, import_id: int, command: Any) -> HttpResponse:
    scope = scope_of(request)
    import_ = get_import(scope, import_id)
    try:
        command(by=scope, import_=import_, now=now())
    except Refused as refused:
        messages.error(request, str(refused))
    return redirect("directory:import", import_id=import_.pk)


def _categories(scope: Scope, school: School, kind: ImportTemplate) -> list[str]:
    return [] if kind.audience is None else plan.categories_of(scope, school, Audience(kind.audience))


def _older_or_newer(school: School, **key: int | None) -> str:
    ((name, value),) = key.items()
    return "" if value is None else "?" + urlencode([("school", school.pk), (name, value)]) + "#history"
