"""The phone's pages. Complete without JavaScript; with it the form talks to the intake door instead."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from functools import wraps
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.translation import get_language, override
from django.utils.translation import gettext as _
from django.views.decorators.gzip import gzip_page
from django.views.decorators.http import conditional_page, require_GET, require_http_methods

from anxiao.accounts.middleware import greets_strangers
from anxiao.base import tickets
from anxiao.base.clock import SHANGHAI, day_of, now
from anxiao.base.errors import Invalid, Refused
from anxiao.base.scope import Scope
from anxiao.directory.names import Sex
from anxiao.directory.queries_profile import proposals_of
from anxiao.portal.forms_h5 import answers_from_post, page_of
from anxiao.portal.queries import phone
from anxiao.questionnaires.names import Concept
from anxiao.questionnaires.queries import compiled as compiled_form
from anxiao.questionnaires.rules import carry_over, flags_of, summary
from anxiao.reporting.commands.campaigns import ensure_rounds
from anxiao.reporting.commands.reading import mark_reminders_read
from anxiao.reporting.commands.reports import correct_report, submit_report
from anxiao.reporting.queries.reports import last_report

View = Callable[..., HttpResponse]

#: A report whose two times lie further apart than this waited on the phone.
_WAITED = timedelta(minutes=1)


def for_a_person(view: View) -> View:
    """Sign in first; an account of an office, which reports for nobody, is led to the console.

    Compressed here, because a phone on a slow network must not depend on a proxy in front. The pages may show answers:
    no browser stores them, unless a view says that it holds none (``_may_be_kept``).
    """

    @gzip_page
    @wraps(view)
    def checked(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        scope = _scope(request)
        if not scope.is_known:
            return redirect(f"{reverse('accounts:sign_in')}?{urlencode({'next': request.get_full_path()})}")
        if scope.person_id is None:
            return render(request, "portal/h5/office.html", {"tab": "today"})
        response = view(request, *args, **kwargs)
        response.headers.setdefault("Cache-Control", "no-store")
        return response

    return checked


def _may_be_kept(response: HttpResponse, who: phone.Me) -> HttpResponse:
    """Let the phone keep this page for a moment without a network, under the person it belongs to."""
    response.headers["Cache-Control"] = "private, no-cache"
    response.headers["X-Anxiao-Person"] = str(who.person_id)
    return response


@greets_strangers
@require_GET
@for_a_person
def today(request: HttpRequest) -> HttpResponse:
    """Have I reported today?"""
    moment = now()
    day = day_of(moment)
    who = phone.me(_scope(request), day)
    # A round comes into being with the first look at its day, and this is the commonest first look.
    ensure_rounds(day=day)
    standings = phone.my_rounds(_scope(request), who, day, moment)
    reminders = [r for r in phone.my_reminders(_scope(request), who, day) if r.read_at is None]
    open_rounds = {s.round.pk for s in standings if s.state in ("due", "overdue")}
    page = render(
        request,
        "portal/h5/today.html",
        {
            "tab": "today",
            "me": who,
            "day": day,
            "standings": standings,
            "reminders": [r for r in reminders if r.round_id in open_rounds],
            "words": words_of(who) | {"day": day.isoformat()},
        },
    )
    return _may_be_kept(page, who)


@require_http_methods(["GET", "POST"])
@for_a_person
def report(request: HttpRequest, round_id: int) -> HttpResponse:
    """The form of a round, and its plain HTML sending."""
    moment = now()
    who = phone.me(_scope(request), day_of(moment))
    standing = phone.my_round(_scope(request), who, round_id, moment)
    if standing.current is not None:
        return redirect("portal:h5_receipt", round_id=round_id)
    if standing.state in ("missed", "waiting"):
        raise Refused(
            _("This round has closed; a report can no longer be added.")
            if standing.state == "missed"
            else _("This round is not open yet.")
        )
    return _form(
        request, who, standing, last_report(_scope(request), who.school_id, who.person_id, standing.round), "reports"
    )


@require_http_methods(["GET", "POST"])
@for_a_person
def correct(request: HttpRequest, round_id: int) -> HttpResponse:
    """The same form once more, with the reason; what was sent first stays visible."""
    moment = now()
    who = phone.me(_scope(request), day_of(moment))
    standing = phone.my_round(_scope(request), who, round_id, moment)
    if standing.current is None:
        return redirect("portal:h5_report", round_id=round_id)
    return _form(request, who, standing, standing.current.row, "corrections")


def _form(
    request: HttpRequest, who: phone.Me, standing: phone.Standing, before: Mapping[str, Any] | None, door: str
) -> HttpResponse:
    form = compiled_form(standing.round.version)
    carried = carry_over(form, before, before["answers"] or {}, standing.round.day) if before else {}
    given: dict[str, Any] | None = None
    errors: dict[str, str] = {}
    key = request.POST.get("key") or str(uuid.uuid4())
    reason = request.POST.get("reason", "")
    if request.method == "POST":
        given = answers_from_post(form, request.POST)
        try:
            _send(request, who, standing, {**carried, **given}, key, reason, correction=door == "corrections")
            return redirect("portal:h5_receipt", round_id=standing.round.pk)
        except Invalid as invalid:
            errors = {name: str(text) for name, text in invalid.fields.items()}
    language = get_language() or "zh-hans"
    page = page_of(form, language, standing.round.day, carried=carried, given=given, errors=errors)
    shown = render(
        request,
        "portal/h5/form.html",
        {
            "tab": "today",
            "back_url": reverse("portal:h5"),
            "standing": standing,
            "page": page,
            "form_key": key,
            "reason": reason,
            "reason_error": errors.get("reason", ""),
            "correction": door == "corrections",
            "unchanged": bool(carried),
            "words": words_of(who)
            | {
                "day": standing.round.day.isoformat(),
                "round": standing.round.pk,
                "n": len(standing.versions),
                "slot": f"{standing.round.pk}.{len(standing.versions)}",
                "version": standing.round.version_id,
                "etag": form.etag(language),
                "ticket": _ticket(who, standing, now()),
                "deadline_at": _moment(standing.round.deadline_at),
                "closes_at": _moment(standing.round.closes_at),
                "order": list(form.questions),
                "temperature": next((q.key for q in form.questions.values() if q.concept is Concept.TEMPERATURE), ""),
                "door": f"/intake/v1/{door}",
                "receipt": reverse("portal:h5_receipt", args=[standing.round.pk]),
                "required": _("Please answer this."),
                "not_sent": _("Please look at the marked places."),
                "sending": _("Sending…"),
                "form_moved": _(
                    "The form has changed since. What it still asks is filled in as before; please look it over."
                ),
            },
        },
        status=422 if errors else 200,
    )
    # Neither what was just typed nor what a correction corrects stays in the browser.
    return _may_be_kept(shown, who) if door == "reports" and request.method == "GET" else shown


def _ticket(who: phone.Me, standing: phone.Standing, moment: datetime) -> str:
    """Leave to hand in what this page is about; the intake door gives a new one when it has run out."""
    return tickets.seal(
        settings.SECRET_KEY,
        tickets.Ticket(
            person_id=who.person_id,
            school_id=who.school_id,
            day=standing.round.day,
            round_id=standing.round.pk,
            form_version=standing.round.version_id,
            version=len(standing.versions) + 1,
            issued_at=int(moment.timestamp()),
        ),
    )


def _moment(moment: datetime) -> str:
    return moment.astimezone(SHANGHAI).isoformat(timespec="seconds")


def _send(
    request: HttpRequest,
    who: phone.Me,
    standing: phone.Standing,
    answers: Mapping[str, Any],
    key: str,
    reason: str,
    *,
    correction: bool,
) -> None:
    try:
        form_key = uuid.UUID(key)
    except ValueError:
        raise Refused(_("This form was changed on its way. Please reload the page.")) from None
    common: dict[str, Any] = {
        "by": _scope(request),
        "round": standing.round,
        "school_id": who.school_id,
        "person_id": who.person_id,
        "answers": answers,
        "key": form_key,
        "now": now(),
    }
    if correction:
        correct_report(**common, reason=reason)
    else:
        submit_report(**common)


@require_GET
@for_a_person
def receipt(request: HttpRequest, round_id: int) -> HttpResponse:
    """The proof that a report arrived; help first when its answers ask for it."""
    moment = now()
    day = day_of(moment)
    who = phone.me(_scope(request), day)
    standing = phone.my_round(_scope(request), who, round_id, moment)
    if standing.current is None:
        return redirect("portal:h5_report", round_id=round_id)
    form = compiled_form(standing.round.version)
    language = get_language() or "zh-hans"
    flags = flags_of(form, standing.current.row)
    noted = standing.current.row["captured_at"]
    waited = noted is not None and standing.current.row["received_at"] - noted > _WAITED
    return render(
        request,
        "portal/h5/receipt.html",
        {
            "tab": "today" if standing.round.day == day else "history",
            "back_url": reverse("portal:h5" if standing.round.day == day else "portal:h5_history"),
            "me": who,
            "standing": standing,
            "needs_help": flags.needs_help and standing.round.day == day,
            "flags": flags,
            "noted_at": noted if waited else None,
            "helpers": phone.my_helpers(_scope(request), who, day) if flags.needs_help else [],
            "answers": [
                (kept, summary(form, kept.row, kept.row["answers"] or {}, language))
                for kept in reversed(standing.versions)
            ],
            "words": words_of(who) | {"arrived": [str(kept.row["key"]) for kept in standing.versions]},
        },
    )


@require_GET
@for_a_person
def history(request: HttpRequest) -> HttpResponse:
    """The last fourteen days."""
    moment = now()
    day = day_of(moment)
    who = phone.me(_scope(request), day)
    standings = phone.my_history(_scope(request), who, day, moment)
    return render(request, "portal/h5/history.html", {"tab": "history", "standings": standings, "words": words_of(who)})


@require_GET
@for_a_person
def notices(request: HttpRequest) -> HttpResponse:
    """Words for this person: reminders, newest first."""
    moment = now()
    day = day_of(moment)
    who = phone.me(_scope(request), day)
    standings = phone.my_rounds(_scope(request), who, day, moment)
    reminders = phone.my_reminders(_scope(request), who, day)
    mark_reminders_read(by=_scope(request), now=moment)
    return render(
        request,
        "portal/h5/notices.html",
        {
            "tab": "notices",
            "reminders": reminders,
            "open_rounds": {s.round.pk for s in standings if s.state in ("due", "overdue")},
            "words": words_of(who),
        },
    )


@require_GET
@for_a_person
def profile(request: HttpRequest) -> HttpResponse:
    """Who the platform thinks I am, and the way out."""
    who = phone.me(_scope(request), day_of(now()))
    asked = proposals_of(_scope(request), who.person_id, limit=8)
    context = {
        "tab": "me",
        "me": who,
        "sex": dict(Sex.choices).get(who.sex, ""),
        "asked": asked,
        "words": words_of(who),
    }
    return render(request, "portal/h5/me.html", context)


@require_GET
@for_a_person
def help_page(request: HttpRequest) -> HttpResponse:
    """Whom to call, at any time, without having to be ill on paper first."""
    day = day_of(now())
    who = phone.me(_scope(request), day)
    return render(
        request,
        "portal/h5/help.html",
        {
            "tab": "today",
            "back_url": reverse("portal:h5"),
            "helpers": phone.my_helpers(_scope(request), who, day),
            "words": words_of(who),
        },
    )


@conditional_page
@require_GET
def worker(request: HttpRequest) -> HttpResponse:
    """The service worker, from under /h5/, because a worker may answer only for pages beneath its own address.

    Browsers ask for it with every visit, so it is short, and 304 while nothing has changed.
    """
    script = render(
        request,
        "portal/h5/worker.js",
        {"words": {language: _words_without_network(language) for language, _name in settings.LANGUAGES}},
        content_type="text/javascript; charset=utf-8",
    )
    script.headers["Cache-Control"] = "no-cache"
    return script


def _words_without_network(language: str) -> dict[str, str]:
    with override(language):
        return {
            "title": _("No network"),
            "text": _(
                "This page needs the network. Your report can be filled in without it, if this phone has opened the "
                "form of today before."
            ),
            "back": _("Today"),
        }


def words_of(who: phone.Me) -> dict[str, Any]:
    """What the scripts need to know and say; never an answer anybody gave."""
    return {
        "person": who.person_id,
        "home": reverse("portal:h5"),
        "login": f"{reverse('accounts:sign_in')}?{urlencode({'next': reverse('portal:h5')})}",
        "help_page": reverse("portal:h5_help"),
        "waiting_title": _("Not yet received"),
        "ended_title": _("Not delivered"),
        "waiting_offline": _(
            "Your report is kept on this phone, encrypted. It will be sent as soon as there is a network."
        ),
        "waiting_busy": _("Your report is kept on this phone, encrypted. The platform is busy; we keep trying."),
        "waiting_login": _("Your report is kept on this phone, encrypted. Please sign in again, then it will be sent."),
        "passing_offline": _(
            "This browser keeps nothing safely. Leave this page open until there is a network; if it is closed, what "
            "you entered is lost."
        ),
        "passing_busy": _(
            "The platform is busy; we keep trying. This browser keeps nothing safely: leave this page open until then."
        ),
        "passing_login": _(
            "Please sign in again in another window, then come back to this page. This browser keeps nothing safely."
        ),
        "noted": _("You noted it at {at}."),
        "late": _(
            "{at} has passed. It will be marked late by the moment at which it is received; the time at which you "
            "noted it stands beside it."
        ),
        "over": _(
            "By this phone's clock the round has closed. Whether it can still be delivered shows with the network."
        ),
        "closed": _(
            "It could not be delivered before the round closed at {at}. What you noted at {noted} stays on this phone "
            "until you discard it. Please tell your counsellor."
        ),
        "other": _(
            "Another report for this round had been received before, at {at}, number {number}. What you typed here was "
            "not sent."
        ),
        "other_unnamed": _("Another report for this round had been received before. What you typed here was not sent."),
        "edited": _(
            "An earlier version of this report had been received at {at}, number {number}. What you changed after it "
            "was not sent; please correct the report."
        ),
        "changed": _("The form has changed. Please fill it in again; what it still asks is kept."),
        "refused": _("The platform did not take this report:"),
        "kept": _("No network, or a very slow one. You see this page as it was at {at}."),
        "kept_stale": _(
            "No network. The last page on this phone is of {at}; what is due today shows with the network."
        ),
        "leave_sure": _(
            "A report on this phone has not been received yet. Signing out deletes it. Sign out all the same?"
        ),
        "discard_sure": _("Delete what you noted from this phone?"),
        "sign_in": _("Sign in"),
        "try_now": _("Try now"),
        "fill_again": _("Fill in again"),
        "see_receipt": _("See the receipt"),
        "discard": _("Discard"),
        "help": _("Whom to call"),
    }


def _scope(request: HttpRequest) -> Scope:
    scope: Scope = request.scope  # type: ignore[attr-defined]
    return scope
