"""What the page of one import shows, whatever the import is at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.translation import gettext as _

from anxiao.base.clock import day_of, now
from anxiao.base.errors import NotYours
from anxiao.base.scope import Scope
from anxiao.directory.forms_import import Column, MappingForm
from anxiao.directory.importing import pages, plan
from anxiao.directory.importing.shown import (
    changes_anything,
    effects_of,
    people_touched,
    same_rows,
    shown_creations,
    shown_findings,
    shown_rows,
    shown_surprises,
    template_of,
)
from anxiao.directory.importing.shown_import import (
    ORDER,
    facts_of,
    heading_of,
    number_of,
    steps_of,
    tiles,
    undo_effects,
)
from anxiao.directory.importing.shown_progress import shown_progress
from anxiao.directory.importing.templates import Field
from anxiao.directory.models import DirectoryImport, School
from anxiao.directory.names import ImportState, ImportTemplate, RowVerdict


@dataclass(frozen=True, slots=True)
class AskedSheet:
    """One sheet whose header is not clear: its question, and what is known of it."""

    name: str
    row: int
    form: MappingForm
    missing: list[str]
    known: list[str]


def _by_letter(known: tuple[str, list[str]]) -> tuple[int, str]:
    letter = known[1][0]
    return len(letter), letter


def mapping_sheets(import_: DirectoryImport, data: Any = None) -> list[AskedSheet]:
    """The questions about unknown columns; ``data`` what was answered."""
    template = template_of(import_)
    sheets = []
    for number, asked in enumerate(import_.summary.get("mapping", ())):
        missing = {value: template.header_of(Field(value)) for value in asked["missing"]}
        needed = [value for value in missing if Field(value) not in template.optional]
        columns = [
            Column(one["key"], one["header"], one["column"], one["guess"], tuple(one["samples"]))
            for one in asked["unknown"]
        ]
        form = MappingForm(data, prefix=f"s{number}", columns=columns, choices=missing, needed=needed)
        known = [
            f"{template.header_of(Field(field))} ({letter})"
            for field, (letter, _header) in sorted(asked["known"].items(), key=_by_letter)
        ]
        sheets.append(
            AskedSheet(asked["sheet"], asked["header_row"], form, [missing[value] for value in needed], known)
        )
    return sheets


def _frame(import_: DirectoryImport, heading: str) -> dict[str, Any]:
    steps, step = steps_of(import_)
    return {
        "menu": "people",
        "trail": trail((_("Import"), reverse("directory:imports")), (import_.filename, "")),
        "import": import_,
        "school": School.objects.get(pk=import_.school_id),
        "heading": heading,
        "steps": steps,
        "step": step,
    }


def at_work(import_: DirectoryImport) -> dict[str, Any]:
    """What the bar of progress shows."""
    return {
        "import": import_,
        "progress": shown_progress(import_, now()),
        "asked_to_stop": import_.cancel_asked,
        "may_stop": import_.state != ImportState.UNDOING,
    }


def wait(request: HttpRequest, import_: DirectoryImport) -> HttpResponse:
    """A step is at work."""
    context = _frame(import_, heading_of(import_)) | at_work(import_)
    return render(request, "directory/console/import_wait.html", context)


def mapping(request: HttpRequest, import_: DirectoryImport) -> HttpResponse:
    """Some columns have to be named."""
    sheets = mapping_sheets(import_, request.POST if request.method == "POST" else None)
    context = _frame(import_, "") | {
        "sheets": sheets,
        "forms": [sheet.form for sheet in sheets],
        "answerable": any(sheet.form.columns for sheet in sheets),
    }
    wrong = any(sheet.form.errors for sheet in sheets)
    return render(request, "directory/console/import_mapping.html", context, status=400 if wrong else 200)


def preview(
    request: HttpRequest, import_: DirectoryImport, *, typed: str = "", confirm_error: str = ""
) -> HttpResponse:
    """The difference, waiting for a decision; ``typed`` and its error when the words of confirmation were wrong."""
    scope = scope_of(request)
    leaving = pages.leaving(scope, import_)
    leavers_url = f"?{urlencode({'rows': RowVerdict.LEAVES.value})}#rows"
    surprises = shown_surprises(plan.surprises(scope, import_), leaving.chosen)
    context = _frame(import_, _("Look at the import")) | {
        "waiting": True,
        "findings": shown_findings(import_),
        "numbers": tiles(import_, leaving.chosen),
        "leaving": leaving,
        "leavers_url": leavers_url,
        "surprises": surprises,
        "words": plan.confirmation_words(scope, import_) if surprises else "",
        "typed": typed,
        "confirm_error": confirm_error,
        "effects": effects_of(import_, leaving.chosen),
        "people": people_touched(import_, leaving.chosen),
        "useful": changes_anything(import_, leaving.chosen),
        "creations": shown_creations(import_, plan.creations(scope, import_, day_of(now()))),
        "rejected": rejected_of(import_),
        **_rows(request, import_),
    }
    return render(request, "directory/console/import_preview.html", context, status=400 if confirm_error else 200)


def result(request: HttpRequest, import_: DirectoryImport) -> HttpResponse:
    """What came of it, and the way back while there is one."""
    scope = scope_of(request)
    leaving = pages.leaving(scope, import_)
    done = import_.state in (ImportState.APPLIED, ImportState.UNDONE)
    context = _frame(import_, heading_of(import_)) | {
        "waiting": False,
        "findings": shown_findings(import_),
        "numbers": tiles(import_, leaving.chosen) if done else [],
        "leaving": leaving,
        "facts": facts_of(import_),
        "useful": changes_anything(import_, leaving.chosen) if done else False,
        "creations": shown_creations(import_, []) if done else [],
        "rejected": rejected_of(import_),
        "original": import_.file_size > 0 and "forgotten" not in import_.counts,
        **(_rows(request, import_) if done else {}),
    }
    return render(request, "directory/console/import_result.html", context)


def undo(request: HttpRequest, import_: DirectoryImport) -> HttpResponse:
    """What taking an import back would do, or what was built on it since."""
    scope = scope_of(request)
    context = _frame(import_, _("Take the import back")) | {
        "reasons": plan.obstacles(scope, import_, day_of(now())),
        "forgotten": "forgotten" in import_.counts,
        "title": _("Take “%(file)s” back?") % {"file": import_.filename},
        "effects": undo_effects(import_, pages.leaving(scope, import_).chosen),
    }
    return render(request, "directory/console/import_undo.html", context)


def _rows(request: HttpRequest, import_: DirectoryImport) -> dict[str, Any]:
    """One page of the rows of one kind, with the tabs of all kinds."""
    scope = scope_of(request)
    verdict = _verdict(request, import_)
    after = whole(request.GET.get("after"))
    here = reverse("directory:import", args=[import_.pk])
    if verdict is RowVerdict.UNCHANGED:
        same = pages.page_of_unchanged(scope, import_, day_of(now()), after=after or 0)
        rows, previous, following = (
            same_rows(same.rows),
            page_address(verdict, after=same.before),
            page_address(verdict, after=same.after),
        )
    else:
        page = plan.page_of_rows(scope, import_, verdict, after=after, before=whole(request.GET.get("before")))
        rows = shown_rows(import_, page.rows)
        previous, following = page_address(verdict, before=page.before), page_address(verdict, after=page.after)
    offered = [one for one in ORDER if number_of(import_, one) or one in (verdict, RowVerdict.REJECTED)]
    return {
        "verdict": verdict.value,
        "tabs": [(one.value, one.label, f"{here}?rows={one.value}#rows", number_of(import_, one)) for one in offered],
        "rows": rows,
        "total": number_of(import_, verdict),
        "where": _("Room on campus") if import_.template == ImportTemplate.DORMITORY else _("Class or unit"),
        "previous": previous,
        "next": following,
        "here": after or "",
        "forgotten": "forgotten" in import_.counts,
    }


def rejected_of(import_: DirectoryImport) -> int:
    """How many rejected rows can be had as a workbook."""
    return 0 if "forgotten" in import_.counts else number_of(import_, RowVerdict.REJECTED)


def _verdict(request: HttpRequest, import_: DirectoryImport) -> RowVerdict:
    """The rows to show: those asked for, or else the first kind that has any."""
    asked = request.GET.get("rows")
    if asked in RowVerdict.values:
        return RowVerdict(asked)
    return next((one for one in ORDER if number_of(import_, one)), RowVerdict.UNCHANGED)


def chosen_school(request: HttpRequest, schools: list[School]) -> School:
    """The school asked for, or the only one; without any there is no such page."""
    asked = whole(request.GET.get("school"))
    for school in schools:
        if asked in (None, school.pk):
            return school
    raise NotYours


def scope_of(request: HttpRequest) -> Scope:
    """Who asks."""
    scope: Scope = request.scope  # type: ignore[attr-defined]
    return scope


def whole(text: str | None) -> int | None:
    """A number from an address or a form; None for everything else."""
    # A row key has up to eighteen digits; more never leaves the range of a database bigint.
    return int(text) if text and text.isascii() and text.isdigit() and len(text) <= 18 else None


def page_address(verdict: RowVerdict, place: str = "rows", **key: int | None) -> str:
    """The address of a page of rows, from here; empty where there is no such page."""
    ((name, value),) = key.items()
    if value is None:
        return "" if place == "rows" else f"?{urlencode({'rows': verdict.value})}#{place}"
    return "?" + urlencode([("rows", verdict.value), (name, value)]) + f"#{place}"


def trail(*more: tuple[str, str]) -> list[tuple[str, str]]:
    """The breadcrumb from the people down to here."""
    return [(_("People"), reverse("directory:people")), *more]
