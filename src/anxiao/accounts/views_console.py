"""Settings in the console: who holds which role, who gets a code, which schools come in, which categories there are."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods

from anxiao.accounts.access import (
    get_account,
    get_application,
    get_grant,
    get_managed_school,
    require_recent_proof,
)
from anxiao.accounts.commands.grants import end_grant, give_counsellors_their_role, give_grant_to_person
from anxiao.accounts.commands.onboarding import approve_application, decline_application
from anxiao.accounts.commands.recovery import renew_first_password, reset_second_factor
from anxiao.accounts.commands.sessions import end_all_sessions
from anxiao.accounts.forms_console import CategoryForm, GrantForm
from anxiao.accounts.queries import grants as roles
from anxiao.accounts.queries import has_second_factor
from anxiao.accounts.queries import onboarding as schools
from anxiao.accounts.queries.categories import categories_of
from anxiao.accounts.queries.nodes import school_node
from anxiao.accounts.rules import ROLE_NODES
from anxiao.base.clock import day_of, now
from anxiao.base.errors import Invalid, NotYours, StepUpNeeded
from anxiao.base.permissions import Permission
from anxiao.base.scope import Scope
from anxiao.directory.access import get_person
from anxiao.directory.commands import add_category
from anxiao.directory.names import OnboardingState

_DRAFT = "anxiao_grant_draft"


# -- roles ------------------------------------------------------------------------------------------------------------


@require_GET
def grants(request: HttpRequest) -> HttpResponse:
    """Who holds which role, as far as the caller manages roles."""
    scope = _scope(request)
    school = get_managed_school(scope, Permission.GRANT_MANAGE)
    node = school_node(school.pk)
    today = day_of(now())
    role, words = request.GET.get("role", ""), request.GET.get("q", "").replace("\x00", "").strip()[:60]
    page = roles.managed_grants(
        scope, today, role=role if role in set(ROLE_NODES) else "", words=words, before=_int(request.GET.get("before"))
    )
    missing = roles.counsellors_without_role(scope, node, today) if node else []
    return render(
        request,
        "accounts/console/grants.html",
        {
            "menu": "settings",
            "tabs": _tabs(scope),
            "page": page,
            "next_url": f"?{urlencode([('role', role), ('q', words), ('before', page.after)])}" if page.after else "",
            "role": role,
            "words": words,
            "roles": list(ROLE_NODES),
            "today": today,
            "givable": {str(r) for r in ROLE_NODES},
            "missing": missing,
            "missing_people": len({link.person_id for link in missing}),
        },
    )


@require_http_methods(["GET", "POST"])
def grant_add(request: HttpRequest) -> HttpResponse:
    """Find somebody by number, then give a role.  Asks for a fresh proof before anything is typed."""
    scope = _scope(request)
    school = get_managed_school(scope, Permission.GRANT_MANAGE)
    try:
        require_recent_proof(request)
    except StepUpNeeded:
        if request.method == "POST":
            # the proof has run out while the form was filled in: what was typed comes back after the new one
            request.session[_DRAFT] = request.POST.dict()
        raise
    moment = now()
    draft = request.session.pop(_DRAFT, {})
    typed = request.POST.get("number") or request.GET.get("number") or draft.get("number", "")
    number = typed.replace("\x00", "").strip()[:60]
    person = roles.person_by_number(scope, school.pk, number) if number else None
    context: dict[str, Any] = {"menu": "settings", "number": number, "person": person, "searched": bool(number)}
    if person is None:
        return render(request, "accounts/console/grant_add.html", context)
    get_person(scope, person.pk, day_of(moment), Permission.PEOPLE_VIEW)
    account = roles.account_of(scope, person)
    nodes = roles.nodes_of_school(scope, school.pk, Permission.GRANT_MANAGE)
    places = roles.buildings_of_school(scope, school.pk)
    form = GrantForm(
        request.POST or None,
        nodes=nodes,
        places=places,
        has_account=account is not None,
        initial={"valid_from": day_of(moment)} | draft,
    )
    if request.method == "POST" and form.is_valid():
        try:
            give_grant_to_person(
                by=scope,
                now=moment,
                person=person,
                username=form.cleaned_data.get("username", ""),
                organisation=next(n for n in nodes if n.pk == form.cleaned_data["organisation"]),
                place=next((p for p in places if p.pk == form.cleaned_data["place"]), None),
                **form.granted,
            )
        except Invalid as wrong:
            for field, message in wrong.fields.items():
                form.add_error({"valid_to": "last_day"}.get(field, field), str(message))
        else:
            messages.success(request, _("The role was given to %(name)s.") % {"name": person.name})
            return redirect("settings:grants")
    status = 422 if form.is_bound and form.errors else 200
    return render(
        request, "accounts/console/grant_add.html", context | {"form": form, "account": account}, status=status
    )


@require_http_methods(["GET", "POST"])
def grant_end(request: HttpRequest, grant_id: int) -> HttpResponse:
    """Say what will end, and end it."""
    scope = _scope(request)
    grant = get_grant(scope, grant_id)
    require_recent_proof(request)
    if request.method == "POST":
        end_grant(by=scope, now=now(), grant=grant)
        messages.success(request, _("The role of %(name)s has ended.") % {"name": grant.user.display_name})
        return redirect("settings:grants")
    return render(request, "accounts/console/grant_end.html", {"menu": "settings", "grant": grant})


@require_http_methods(["GET", "POST"])
def counsellors(request: HttpRequest) -> HttpResponse:
    """Give every counsellor of the directory the role on their classes, after saying to how many."""
    scope = _scope(request)
    node = school_node(get_managed_school(scope, Permission.GRANT_MANAGE).pk)
    if node is None:
        raise NotYours
    require_recent_proof(request)
    if request.method == "POST":
        given = give_counsellors_their_role(by=scope, now=now(), school=node)
        messages.success(
            request,
            ngettext("%(n)s role was given.", "%(n)s roles were given.", given) % {"n": given},
        )
        return redirect("settings:grants")
    missing = roles.counsellors_without_role(scope, node, day_of(now()))
    return render(
        request,
        "accounts/console/counsellors.html",
        {"menu": "settings", "missing": missing, "people": len({link.person_id for link in missing})},
    )


@require_http_methods(["GET", "POST"])
def account(request: HttpRequest, user_id: int) -> HttpResponse:
    """An account with roles: end its sessions, or take off a second factor whose phone is lost."""
    scope = _scope(request)
    moment = now()
    user = get_account(scope, user_id, day_of(moment))
    if request.method == "POST":
        require_recent_proof(request)
        if request.POST.get("act") == "sessions":
            end_all_sessions(by=scope, now=moment, user=user)
            messages.success(request, _("%(name)s is signed out everywhere.") % {"name": user.display_name})
        elif request.POST.get("act") == "second-factor":
            reset_second_factor(by=scope, now=moment, user=user)
            messages.success(
                request, _("%(name)s sets up the second step anew at the next sign-in.") % {"name": user.display_name}
            )
        return redirect("settings:account", user_id=user.pk)
    return render(
        request,
        "accounts/console/account.html",
        {
            "menu": "settings" if scope.may(Permission.GRANT_MANAGE) else "schools",
            "account": user,
            "held": roles.grants_of(scope, user, day_of(moment)),
            "protected": has_second_factor(user),
        },
    )


# -- schools ----------------------------------------------------------------------------------------------------------


@require_GET
def onboarding(request: HttpRequest) -> HttpResponse:
    """Applications by state, and the register of all schools."""
    scope = _scope(request)
    if not scope.may(Permission.ONBOARDING_APPROVE):
        raise NotYours
    shown = request.GET.get("state", OnboardingState.WAITING)
    counts = schools.count_by_state(scope)
    register = schools.register_of_schools()
    here = reverse("settings:onboarding")
    return render(
        request,
        "accounts/console/onboarding.html",
        {
            "menu": "schools",
            "shown": shown,
            "tabs": [
                *((s.value, s.label, f"{here}?state={s.value}", counts.get(s.value, 0)) for s in OnboardingState),
                ("register", _("All schools"), f"{here}?state=register", len(register.schools)),
            ],
            "applications": schools.applications(scope, OnboardingState(shown)) if shown in OnboardingState else [],
            "register": register,
        },
    )


@never_cache
@require_http_methods(["GET", "POST"])
def onboarding_decide(request: HttpRequest, application_id: int) -> HttpResponse:
    """One application: approve it (shows the first passwords, once) or decline it with a reason."""
    scope = _scope(request)
    application = get_application(scope, application_id)
    school = schools.school_of(application.school_id)
    founders = roles.founding_accounts(scope, school.pk, day_of(now()))
    context: dict[str, Any] = {
        "menu": "schools",
        "application": application,
        "school": school,
        "founders": founders if application.state == OnboardingState.APPROVED else [],
    }
    decision = request.POST.get("decision", "")
    if decision == "approve":
        require_recent_proof(request)
        made = approve_application(by=scope, now=now(), application=application)
        return _credentials(request, context | {"credentials": made, "opened": True})
    if decision == "password":
        require_recent_proof(request)
        user = next((g.user for g in founders if str(g.user_id) == request.POST.get("account")), None)
        if user is None:
            raise NotYours
        renewed = renew_first_password(by=scope, now=now(), user=user)
        return _credentials(request, context | {"credentials": [renewed]})
    if decision == "decline":
        reason = request.POST.get("reason", "").replace("\x00", "")[:300]
        try:
            decline_application(by=scope, now=now(), application=application, reason=reason)
        except Invalid as wrong:
            context |= {"reason": reason, "reason_error": wrong.fields.get("reason")}
            return render(request, "accounts/console/onboarding_decide.html", context, status=422)
        messages.success(request, _("The application of %(school)s was declined.") % {"school": school.name})
        return redirect("settings:onboarding")
    return render(request, "accounts/console/onboarding_decide.html", context)


def _credentials(request: HttpRequest, context: dict[str, Any]) -> HttpResponse:
    """First passwords to print: shown in the answer to the act, and nowhere again."""
    door = request.build_absolute_uri("/")
    return render(request, "accounts/console/onboarding_sheet.html", context | {"door": door})


# -- categories -------------------------------------------------------------------------------------------------------


@require_http_methods(["GET", "POST"])
def categories(request: HttpRequest) -> HttpResponse:
    """The kinds of staff and students of the school, and a form for another one."""
    scope = _scope(request)
    school = get_managed_school(scope, Permission.CATEGORY_MANAGE)
    form = CategoryForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            category = add_category(by=scope, now=now(), school_id=school.pk, **form.cleaned_data)
        except Invalid as wrong:
            for field, message in wrong.fields.items():
                form.add_error(field, str(message))
        else:
            messages.success(
                request,
                _("%(name)s was added. Please download the template again: it carries the new list.")
                % {"name": category.name},
            )
            return redirect("settings:categories")
    status = 422 if form.is_bound and form.errors else 200
    return render(
        request,
        "accounts/console/categories.html",
        {
            "menu": "settings",
            "tabs": _tabs(scope),
            "school": school,
            "categories": [(a.label, lines) for a, lines in categories_of(scope, school.pk).items()],
            "form": form,
        },
        status=status,
    )


def _tabs(scope: Scope) -> list[tuple[str, str, str]]:
    found = []
    if scope.may(Permission.GRANT_MANAGE):
        found.append(("grants", _("Roles"), reverse("settings:grants")))
    if scope.may(Permission.CATEGORY_MANAGE):
        found.append(("categories", _("Categories"), reverse("settings:categories")))
    return found


def _int(text: str | None) -> int | None:
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 10 else None


def _scope(request: HttpRequest) -> Scope:
    scope: Scope = request.scope  # type: ignore[attr-defined]
    return scope
