"""One's own facts on the phone: correct what is one's own, ask for what others confirm, see who looked."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from anxiao.base.clock import day_of, now
from anxiao.base.errors import Invalid, NotYours, Refused
from anxiao.base.scope import Scope
from anxiao.directory.commands_profile import correct_own, propose, withdraw
from anxiao.directory.names_people import ProfileField
from anxiao.portal.forms_profile import CollegeForm, ContactForm, WishForm
from anxiao.portal.queries import phone
from anxiao.portal.queries.history import looks_at
from anxiao.portal.queries.profile import choices_for, colleges_for
from anxiao.portal.views_h5 import for_a_person, words_of


@require_http_methods(["GET", "POST"])
@for_a_person
def contact(request: HttpRequest) -> HttpResponse:
    """Phone and sex: corrected at once."""
    scope, moment = _scope(request), now()
    who = phone.me(scope, day_of(moment))
    form = ContactForm(request.POST or None, initial={"phone": who.phone, "sex": who.sex})
    if request.method == "POST" and form.is_valid():
        try:
            changed = correct_own(by=scope, now=moment, **form.cleaned_data)
        except Invalid as invalid:
            for name, text in invalid.fields.items():
                form.add_error(name, str(text))
        else:
            messages.success(request, _("Corrected.") if changed else _("Nothing was changed."))
            return redirect("portal:h5_me")
    return _page(request, "contact", who, {"form": form}, wrong=bool(form.errors))


@require_http_methods(["GET", "POST"])
@for_a_person
def wish(request: HttpRequest, field: str) -> HttpResponse:
    """Name, number, category, class: asked for, and confirmed by whoever answers for this person."""
    scope, moment = _scope(request), now()
    who = phone.me(scope, day_of(moment))
    if field not in ProfileField.values:
        raise NotYours
    wanted = ProfileField(field)
    college = request.GET.get("college", "")
    college_id = int(college) if college.isascii() and college.isdigit() and len(college) <= 9 else None
    colleges = colleges_for(who, wanted)
    if wanted is ProfileField.CLASS and college_id is None:
        college_id = next((pk for pk, _name, path in colleges if f"{who.node_path}.".startswith(f"{path}.")), None)
    form = WishForm(request.POST or None, field=wanted, choices=choices_for(who, wanted, college_id))
    refused = ""
    if request.method == "POST" and form.is_valid():
        try:
            propose(by=scope, now=moment, field=wanted, **form.cleaned_data)
        except Invalid as invalid:
            for name, text in invalid.fields.items():
                form.add_error(name, str(text))
        except Refused as no:
            refused = str(no.message)
        else:
            messages.success(request, _("Sent. Whoever answers for you confirms it; you see here what became of it."))
            return redirect("portal:h5_me")
    now_is = {
        ProfileField.NAME: who.name,
        ProfileField.NUMBER: who.number,
        ProfileField.CATEGORY: who.category,
        ProfileField.CLASS: who.trail[-1][1] if who.trail else "–",
    }[wanted]
    more = {
        "form": form,
        "field": wanted,
        "now_is": now_is,
        "colleges": CollegeForm(colleges=[(pk, name) for pk, name, _path in colleges], chosen=college_id)
        if colleges
        else None,
        "refused": refused,
    }
    return _page(request, "wish", who, more, wrong=bool(form.errors or refused))


@require_POST
def take_back(request: HttpRequest, proposal_id: int) -> HttpResponse:
    """Take one's own proposal back; an account of an office has none."""
    scope = _scope(request)
    if scope.is_known and scope.person_id is None:
        raise NotYours
    return _take_back(request, proposal_id)


@for_a_person
def _take_back(request: HttpRequest, proposal_id: int) -> HttpResponse:
    withdraw(by=_scope(request), now=now(), proposal_id=proposal_id)
    messages.success(request, _("Taken back."))
    return redirect("portal:h5_me")


@require_GET
@for_a_person
def looked(request: HttpRequest) -> HttpResponse:
    """Who opened this person's page, answers or phone number: the ledger, for the person it is about."""
    scope = _scope(request)
    who = phone.me(scope, day_of(now()))
    page = looks_at(scope, who.school_id, who.person_id, before=_whole(request.GET.get("before")))
    return _page(request, "looked", who, {"page": page})


def _page(
    request: HttpRequest, name: str, who: phone.Me, more: dict[str, object], *, wrong: bool = False
) -> HttpResponse:
    context = {"tab": "me", "me": who, "back_url": reverse("portal:h5_me"), "words": words_of(who), **more}
    return render(request, f"portal/h5/{name}.html", context, status=422 if wrong else 200)


def _whole(text: str | None) -> int | None:
    return int(text) if text and text.isascii() and text.isdigit() and len(text) <= 18 else None


def _scope(request: HttpRequest) -> Scope:
    scope: Scope = request.scope  # type: ignore[attr-defined]
    return scope
