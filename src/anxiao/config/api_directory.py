"""The directory for a school's own software: send the whole list or changes, read what came of each row, apply.

Signed in by a key (``Authorization: Bearer``, see ``directory.importing.keys``), which is good for one school.  The
steps are those of the console: a surprise is not confirmed by a program unless it sends the school's name.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from functools import wraps
from typing import Any, BinaryIO, cast

from django.http import HttpRequest, JsonResponse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt

from anxiao.accounts.middleware import sets_own_context
from anxiao.base.clock import SHANGHAI, now
from anxiao.base.errors import Invalid, NotYours, Refused
from anxiao.base.scope import SHARED_SCHOOL, Scope
from anxiao.base.tenancy import school_context
from anxiao.directory.importing import commands, faults, keys, plan
from anxiao.directory.importing.access import get_import
from anxiao.directory.importing.templates import BY_KIND, Kind
from anxiao.directory.models import DirectoryImport, ImportRow, School
from anxiao.directory.names import ImportTemplate, RowVerdict

Json = dict[str, Any]
MOST_JSON = 5 * 1024 * 1024
PAGE = 500
KINDS = ("students", "staff")
SENT_IN = ("text/csv", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", "application/json")


def door(method: str) -> Callable[[Callable[..., tuple[Json, int]]], Callable[..., JsonResponse]]:
    """An address for one method, for whoever has a key, inside the context of the key's school."""

    def decorate(view: Callable[..., tuple[Json, int]]) -> Callable[..., JsonResponse]:
        @csrf_exempt  # a key is no cookie: nobody's browser sends it by itself
        @sets_own_context
        @never_cache
        @wraps(view)
        def answer(request: HttpRequest, **kwargs: Any) -> JsonResponse:
            if request.method != method:
                no = _error("method_not_allowed", _("This address does not answer this method."), 405)
                no.headers["Allow"] = method
                return no
            text = request.headers.get("Authorization", "").removeprefix("Bearer ").strip()
            school_id = keys.school_of_key(text)
            if school_id is None:
                return _error("no_key", _("Please send a key: Authorization: Bearer ..."), 401)
            try:
                with school_context(f"{SHARED_SCHOOL},{school_id}"):
                    try:
                        scope = keys.scope_of_key(text, now())
                    except NotYours:
                        return _error("no_key", _("This key opens nothing."), 401)
                    content, status = view(request, scope, **kwargs)
                return JsonResponse(content, status=status, json_dumps_params={"ensure_ascii": False})
            except NotYours:
                return _error("not_found", _("There is nothing here, or nothing for you."), 404)
            except Invalid as invalid:
                return _error(
                    "invalid", str(invalid), 400, {name: str(words) for name, words in invalid.fields.items()}
                )
            except Refused as refused:
                return _error(refused.code, str(refused), 409)

        return cast(Callable[..., JsonResponse], answer)

    return decorate


@door("POST")
def upload(request: HttpRequest, scope: Scope) -> tuple[Json, int]:
    """Take a file, or rows in JSON, and hand them to the worker."""
    kind = request.GET.get("kind", "")
    if kind not in KINDS:
        raise Invalid({"kind": _("Please say which list it is: students or staff.")})
    sort = request.content_type
    if sort not in SENT_IN:
        raise Invalid({"Content-Type": _("Please send CSV, a workbook, or JSON.")})
    template = ImportTemplate(kind)
    import_ = commands.upload_import(
        by=scope,
        school=School.objects.get(pk=scope.school_id or 0),
        kind=template,
        file=_from_json(request, template) if sort == "application/json" else cast(BinaryIO, request),
        filename=f"{kind}.{'xlsx' if sort == SENT_IN[1] else 'csv'}",
        full_list=request.GET.get("list") == "full",
        now=now(),
    )
    return _told(scope, import_), 202


@door("GET")
def show(request: HttpRequest, scope: Scope, import_id: int) -> tuple[Json, int]:
    """How far an import is, and what it would do or has done."""
    return _told(scope, get_import(scope, import_id)), 200


@door("GET")
def rows(request: HttpRequest, scope: Scope, import_id: int) -> tuple[Json, int]:
    """What came of each row that is not already in the directory as it stands, page by page behind a cursor."""
    import_ = get_import(scope, import_id)
    wanted = request.GET.get("verdict", "")
    after = request.GET.get("after", "0")
    if wanted and wanted not in RowVerdict.values:
        raise Invalid({"verdict": _("There is no such verdict.")})
    if not (after.isascii() and after.isdigit() and len(after) <= 18):
        raise Invalid({"after": _("Please send the cursor as it came.")})
    found = ImportRow.objects.filter(school_id=import_.school_id, source=import_, pk__gt=int(after)).order_by("pk")
    if wanted:
        found = found.filter(verdict=wanted)
    page = list(found[: PAGE + 1])
    return {
        "rows": [_row(row) for row in page[:PAGE]],
        "next": str(page[PAGE - 1].pk) if len(page) > PAGE else None,
    }, 200


@door("POST")
def apply(request: HttpRequest, scope: Scope, import_id: int) -> tuple[Json, int]:
    """Decide for a preview; the worker writes it."""
    import_ = get_import(scope, import_id)
    said = _json_of(request, most=10_000) if request.content_type == "application/json" else {}
    if not isinstance(said, dict) or said.get("leavers", "none") not in ("none", "all"):
        raise Invalid({"leavers": _("Please say none or all.")})
    import_ = commands.apply_import(
        by=scope,
        import_=import_,
        leavers="all" if said.get("leavers") == "all" else "none",
        confirmation=str(said.get("confirmation", "")),
        now=now(),
    )
    return _told(scope, import_), 202


def _told(scope: Scope, import_: DirectoryImport) -> Json:
    counts = plan.numbers_of(import_)
    return {
        "id": import_.pk,
        "kind": import_.template,
        "list": "full" if import_.full_list else "changes",
        "state": import_.state,
        "digest": import_.file_digest,
        "created_at": import_.created_at.astimezone(SHANGHAI).isoformat(timespec="seconds"),
        "applied_at": import_.applied_at.astimezone(SHANGHAI).isoformat(timespec="seconds")
        if import_.applied_at
        else None,
        "progress": {"done": import_.progress.get("done", 0), "total": import_.progress.get("total", 0)},
        "counts": counts,
        "surprises": [
            {"kind": one.kind, "count": one.count, "of": one.of, "names": list(one.names)}
            for one in plan.surprises(scope, import_)
        ],
        "error": import_.error or None,
    }


def _row(row: ImportRow) -> Json:
    return {
        "sheet": row.sheet or None,
        "row": row.row or None,
        "number": row.values.get("number"),
        "verdict": row.verdict,
        "changes": sorted(row.changes),
        "faults": [
            {
                "code": fault["kind"],
                "column": fault["column"],
                "header": fault["header"],
                "message": faults.describe(fault["kind"], fault["params"]),
            }
            for fault in row.faults
        ],
    }


def _from_json(request: HttpRequest, template: ImportTemplate) -> BinaryIO:
    """Rows in JSON as the CSV of the template: they take the same way as a file from there on."""
    said = _json_of(request, most=MOST_JSON)
    given = said.get("rows") if isinstance(said, dict) else None
    if not isinstance(given, list) or not all(isinstance(row, dict) for row in given):
        raise Invalid({"rows": _("Please send an object with a list of rows.")})
    sheet = BY_KIND[Kind(template.value)]
    names = {field.value: header for field, header in sheet.columns}
    strange = sorted({str(name) for row in given for name in row} - set(names))
    if strange:
        raise Invalid({name[:60]: _("There is no such field.") for name in strange[:20]})
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerow(names.values())
    for row in given:
        writer.writerow(str(row.get(name) or "") for name in names)
    return io.BytesIO(out.getvalue().encode())


def _json_of(request: HttpRequest, *, most: int) -> Any:
    text = request.read(most + 1)
    if len(text) > most:
        raise Refused(_("This is too much JSON at once; send it as CSV."), code="too_large")
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise Invalid({"body": _("This is no JSON.")}) from None


def _error(code: str, message: str, status: int, fields: Json | None = None) -> JsonResponse:
    error: Json = {"code": code, "message": message}
    if fields:
        error["fields"] = fields
    return JsonResponse({"error": error}, status=status, json_dumps_params={"ensure_ascii": False})
