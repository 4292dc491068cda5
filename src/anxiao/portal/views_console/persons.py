"""One person seen from the console: their reports, filling in for them, correcting, reminding."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from anxiao.base.clock import SHANGHAI, day_of, now
from anxiao.base.errors import Invalid, NotYours, Refused
from anxiao.base.permissions import Permission
from anxiao.base.scope import Scope
from anxiao.directory.access import get_person, may_reach
from anxiao.directory.access_profile import is_same_look
from anxiao.directory.commands_profile import look_at
from anxiao.directory.crumbs import crumbs
from anxiao.directory.models import Person
from anxiao.directory.queries import PersonFile, person_file
from anxiao.portal.forms_console import answers_of
from anxiao.portal.forms_h5 import answers_from_post, page_of
from anxiao.portal.views_console.boards import campaign_title
from anxiao.portal.views_console.common import asked, is_htmx, must_be_at_hand, scope_of, whole
from anxiao.questionnaires.queries import compiled
from anxiao.questionnaires.rules import carry_over, flags_of, summary
from anxiao.reporting.access import get_round
from anxiao.reporting.commands.reminders import remind_person
from anxiao.reporting.commands.reports import correct_report, submit_report
from anxiao.reporting.commands.viewing import open_answers
from anxiao.reporting.models import Round
from anxiao.reporting.queries.exemptions import exemptions_of
from anxiao.reporting.queries.reports import Kept, last_report, person_days, versions_of

MOST_REASON = 300


@dataclass(frozen=True, slots=True)
class Said:
    """One version of a report in words; ``changed`` are the questions whose answer differs from the version before."""

    kept: Kept
    lines: Sequence[tuple[str, str, str]]
    changed: frozenset[str]
    ill: bool


@never_cache
@require_GET
@login_required
def person_reports(request: HttpRequest, person_id: int) -> HttpResponse:
    """The last fourteen days of a person: came or not, when, by whose hand; no answers.

    Opening them is written down, unless the person's page fetches them, which has just been written down itself.
    """
    scope, moment = scope_of(request), now()
    day = day_of(moment)
    person = get_person(scope, person_id, day)
    if not is_same_look(scope, person, request.GET.get("look", ""), moment):
        look_at(by=scope, now=moment, person=person)
    days = person_days(scope, person, day, moment)
    exemptions = [e for e in exemptions_of(scope, person, day) if e.exemption.cancelled_at is None][:3]
    context: dict[str, Any] = {
        "menu": "people",
        "person": person,
        "days": [(d, campaign_title(d.round)) for d in days],
        "several": len({d.round.campaign_id for d in days}) > 1,
        "exemptions": exemptions,
        # why ("in hospital") is for those who grant exemptions, and for oneself
        "may_exempt": bool(exemptions)
        and (scope.person_id == person.pk or may_reach(scope, person, day, Permission.EXEMPT)),
        "may_health": may_reach(scope, person, day, Permission.HEALTH_VIEW),
        "moment": moment,
    }
    if is_htmx(request):
        return render(request, "portal/console/_person_reports.html", context)
    file = person_file(scope, person, day)
    trail = crumbs(scope, file.trail, (person.name, reverse("directory:person", args=[person.pk])), (_("Reports"), ""))
    return render(request, "portal/console/person_reports.html", context | {"trail": trail})


@never_cache
@require_GET
@login_required
def answers(request: HttpRequest, person_id: int, round_id: int) -> HttpResponse:
    """What somebody answered in one round, all versions; opening it is written in the ledger."""
    scope, moment = scope_of(request), now()
    day = day_of(moment)
    person = get_person(scope, person_id, day, Permission.HEALTH_VIEW)
    round_ = get_round(scope, round_id, person)
    must_be_at_hand(scope, round_.day)
    open_answers(by=scope, now=moment, person=person, round=round_)
    versions = versions_of(scope, person, [round_]).get(round_.pk, [])
    file = person_file(scope, person, day)
    context = {
        "menu": "people",
        "day": round_.day,
        "person": person,
        "file": file,
        "round": round_,
        "title": campaign_title(round_),
        "versions": _in_words(round_, versions),
        "trail": _person_trail(scope, file, person, _("Answers")),
        "may_correct": bool(versions) and may_reach(scope, person, day, Permission.REPORT_CORRECT),
    }
    return render(request, "portal/console/answers.html", context)


@require_http_methods(["GET", "POST"])
@login_required
def proxy(request: HttpRequest, person_id: int) -> HttpResponse:
    """Fill in today's report for somebody who cannot (代填); both sides see by whose hand it is."""
    scope, moment = scope_of(request), now()
    day = day_of(moment)
    person = get_person(scope, person_id, day, Permission.REPORT_PROXY)
    file = person_file(scope, person, day)
    if person.pk == scope.person_id:
        return redirect("portal:h5")
    of = asked(request, scope, file.node.path if file.node else "", moment)
    rounds = [r for r in of.rounds if person.audience in r.campaign.audiences]
    wanted = whole(request.POST.get("round") or request.GET.get("round"))
    round_ = next((r for r in rounds if r.pk == wanted), rounds[0] if rounds else None)
    trail = _person_trail(scope, file, person, _("Fill in for this person"))
    frame = {"menu": "people", "person": person, "file": file, "trail": trail, "round": round_}
    if round_ is None:
        return render(
            request, "portal/console/report_form.html", frame | {"closed": _("Nothing is asked of this person today.")}
        )
    standing = versions_of(scope, person, [round_]).get(round_.pk, [])
    if standing and request.method == "GET":
        return render(
            request,
            "portal/console/report_form.html",
            frame
            | {
                "standing": standing[-1],
                "correct_url": reverse("portal:console_correct", args=[person.pk, round_.pk])
                if may_reach(scope, person, day, Permission.REPORT_CORRECT)
                else "",
            },
        )
    # which questions come again tells what was not as usual last time, and that is health
    before = (
        last_report(scope, person.school_id, person.pk, round_)
        if may_reach(scope, person, day, Permission.HEALTH_VIEW)
        else None
    )
    form = compiled(round_.version)
    carried = carry_over(form, before, before["answers"] or {}, round_.day) if before else {}
    return _form(request, scope, person, round_, frame, carried=carried, moment=moment)


@require_http_methods(["GET", "POST"])
@login_required
def correct(request: HttpRequest, person_id: int, round_id: int) -> HttpResponse:
    """Correct somebody's report with a reason; the first version stays beside it."""
    scope, moment = scope_of(request), now()
    day = day_of(moment)
    person = get_person(scope, person_id, day, Permission.REPORT_CORRECT)
    round_ = get_round(scope, round_id, person)
    versions = versions_of(scope, person, [round_]).get(round_.pk, [])
    if not versions:
        raise NotYours
    file = person_file(scope, person, day)
    frame = {
        "menu": "people",
        "day": round_.day,
        "person": person,
        "file": file,
        "round": round_,
        "trail": _person_trail(scope, file, person, _("Correct the report")),
        "correction": True,
        "versions": _in_words(round_, versions),
    }
    response = _form(request, scope, person, round_, frame, moment=moment, current=versions[-1].row)
    if response.status_code != 302:
        # the form shows what was answered, also when it comes back with what is wrong: that is looking at it
        open_answers(by=scope, now=moment, person=person, round=round_)
    return response


@require_POST
@login_required
def remind_one(request: HttpRequest, person_id: int) -> HttpResponse:
    """Remind one person, if they are still missing."""
    scope, moment = scope_of(request), now()
    person = get_person(scope, person_id, day_of(moment), Permission.REMIND)
    round_ = get_round(scope, whole(request.POST.get("round")) or 0, person)
    done = remind_person(by=scope, person=person, round=round_, now=moment)
    said = (
        _("Reminded at %(time)s") % {"time": f"{moment.astimezone(SHANGHAI):%H:%M}"}
        if done
        else _("Not reminded: has reported, or was reminded within the last hour.")
    )
    if is_htmx(request):
        return render(request, "portal/console/_reminded.html", {"said": said, "done": done})
    messages.info(request, said)
    return redirect("directory:person", person_id=person.pk)


def _form(
    request: HttpRequest,
    scope: Scope,
    person: Person,
    round_: Round,
    frame: Mapping[str, Any],
    *,
    moment: datetime,
    carried: Mapping[str, Any] | None = None,
    current: Mapping[str, Any] | None = None,
) -> HttpResponse:
    """The questionnaire on a PC; whatever was typed comes back with what is wrong beside it."""
    form = compiled(round_.version)
    known = carried or {}
    given = answers_of(form, current) if current is not None else None
    reason = request.POST.get("reason", "").strip()[:MOST_REASON]
    key = request.POST.get("key") or str(uuid.uuid4())
    errors: dict[str, str] = {}
    refused = ""
    if request.method == "POST":
        given = answers_from_post(form, request.POST)
        try:
            _send(scope, person, round_, {**known, **given}, key, reason, moment, correction=current is not None)
        except Invalid as invalid:
            errors = {name: str(text) for name, text in invalid.fields.items()}
        except Refused as no:
            refused = str(no.message)
        else:
            messages.success(
                request,
                _("The correction is kept; the first report stays visible.")
                if current is not None
                else _("The report for %(name)s is in. It is marked as filled in by you.") % {"name": person.name},
            )
            return redirect("directory:person", person_id=person.pk)
    page = page_of(form, get_language() or "zh-hans", round_.day, carried=known, given=given, errors=errors)
    context = {
        **frame,
        "page": page,
        "form_key": key,
        "reason": reason,
        "reason_error": errors.get("reason", ""),
        "refused": refused,
        "order": list(form.questions),
        "title": campaign_title(round_),
    }
    status = 422 if errors else 409 if refused else 200
    return render(request, "portal/console/report_form.html", context, status=status)


def _send(
    scope: Scope,
    person: Person,
    round_: Round,
    given: Mapping[str, Any],
    key: str,
    reason: str,
    moment: datetime,
    *,
    correction: bool,
) -> None:
    try:
        form_key = uuid.UUID(key)
    except ValueError:
        raise Refused(_("This form was changed on its way. Please reload the page.")) from None
    if not reason:
        problem = (
            _("Please say why this is corrected.") if correction else _("Please say why you fill in for this person.")
        )
        raise Invalid({"reason": problem})
    common: dict[str, Any] = {
        "by": scope,
        "round": round_,
        "school_id": person.school_id,
        "person_id": person.pk,
        "answers": given,
        "key": form_key,
        "reason": reason,
        "now": moment,
    }
    if correction:
        correct_report(**common)
    else:
        submit_report(**common)


def _in_words(round_: Round, versions: Sequence[Kept]) -> list[Said]:
    """Versions, newest first, each in words with what it changed."""
    form = compiled(round_.version)
    language = get_language() or "zh-hans"
    said: list[Said] = []
    before: dict[str, str] = {}
    for kept in versions:
        lines = summary(form, kept.row, kept.row["answers"] or {}, language)
        now_said = {key: answer for key, _label, answer in lines}
        changed = frozenset(k for k, answer in now_said.items() if not kept.first and before.get(k) != answer)
        said.append(Said(kept, lines, changed, flags_of(form, kept.row).needs_help))
        before = now_said
    return list(reversed(said))


def _person_trail(scope: Scope, file: PersonFile, person: Person, here: str) -> list[tuple[str, str]]:
    return crumbs(scope, file.trail, (person.name, reverse("directory:person", args=[person.pk])), (here, ""))
