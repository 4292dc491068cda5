"""Roles in the console: who holds which, giving and ending them, the account behind them."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_GET, require_http_methods

from anxiao.accounts.access import get_account, get_grant, get_managed_school, require_recent_proof
from anxiao.accounts.commands.grants import end_grant, give_counsellors_their_role, give_grant_to_person
from anxiao.accounts.commands.recovery import reset_second_factor
from anxiao.accounts.commands.sessions import end_all_sessions
from anxiao.accounts.forms_console import GrantForm
from anxiao.accounts.queries import grants as roles
from anxiao.accounts.queries import has_second_factor
from anxiao.accounts.queries.nodes import school_node
from anxiao.accounts.rules import ROLE_NODES
from anxiao.accounts.views_common import scope_of, settings_tabs, whole, words
from anxiao.base.clock import day_of, now
from anxiao.base.errors import Invalid, NotYours, StepUpNeeded
from anxiao.base.permissions import Permission
from anxiao.directory.access import get_person

_DRAFT = "anxiao_grant_draft"


@require_GET
def grants(request: HttpRequest) -> HttpResponse:
    """Who holds which role, as far as the caller manages roles."""
    scope = scope_of(request)
    school = get_managed_school(scope, Permission.GRANT_MANAGE)
    node = school_node(school.pk)
    today = day_of(now())
    role, typed = request.GET.get("role", ""), words(request.GET.get("q"))
    page = roles.managed_grants(
        scope, today, role=role if role in set(ROLE_NODES) else "", words=typed, before=whole(request.GET.get("before"))
    )
    missing = roles.counsellors_without_role(scope, node, today) if node else []
    return render(
        request,
        "accounts/console/grants.html",
        {
            "menu": "settings",
            "tabs": settings_tabs(scope),
            "page": page,
            "next_url": f"?{urlencode([('role', role), ('q', typed), ('before', page.after)])}" if page.after else "",
            "role": role,
            "words": typed,
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
    scope = scope_of(request)
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
    number = words(typed)
    person = roles.person_by_number(scope, school.pk, number) if number else None
    wanted = {key: request.GET[key] for key in ("role", "organisation", "place") if request.GET.get(key)}
    context: dict[str, Any] = {
        "menu": "settings",
        "number": number,
        "person": person,
        "searched": bool(number),
        "wanted": wanted,
    }
    if person is None:
        return render(request, "accounts/console/grant_add.html", context)
    get_person(scope, person.pk, day_of(moment), Permission.PEOPLE_VIEW)
    account = roles.account_of(scope, person)
    nodes = roles.nodes_of_school(scope, school.pk, Permission.GRANT_MANAGE)
    places = roles.cells_of_school(scope, school.pk)
    form = GrantForm(
        request.POST or None,
        nodes=nodes,
        places=places,
        has_account=account is not None,
        initial={"valid_from": day_of(moment)} | wanted | draft,
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
    scope = scope_of(request)
    grant = get_grant(scope, grant_id)
    require_recent_proof(request)
    if request.method == "POST":
        end_grant(by=scope, now=now(), grant=grant)
        messages.success(request, _("The role of %(name)s has ended.") % {"name": grant.user.display_name})
        return redirect("settings:grants")
    deputies = roles.standing_in(scope, grant, day_of(now()))
    return render(
        request, "accounts/console/grant_end.html", {"menu": "settings", "grant": grant, "deputies": deputies}
    )


@require_http_methods(["GET", "POST"])
def counsellors(request: HttpRequest) -> HttpResponse:
    """Give every counsellor of the directory the role on their classes, after saying to how many."""
    scope = scope_of(request)
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
    scope = scope_of(request)
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
            "may_hand_over": scope.may(Permission.GRANT_MANAGE),
            "today": day_of(moment),
            "held": roles.grants_of(scope, user, day_of(moment)),
            "protected": has_second_factor(user),
        },
    )
