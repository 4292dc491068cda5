"""Who answers for what: deputies, handover, nodes for which nobody answers, and one's own roles."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods

from anxiao.accounts.access import get_account, get_grant, get_managed_school, require_recent_proof
from anxiao.accounts.commands.deputies import appoint_deputy
from anxiao.accounts.commands.handover import hand_over
from anxiao.accounts.forms_console import DaysForm, HandoverForm
from anxiao.accounts.models import User
from anxiao.accounts.queries import grants as roles
from anxiao.accounts.queries.gaps import Gap, gap_counts, gaps
from anxiao.accounts.queries.handover import Fate, handover_plan
from anxiao.accounts.queries.nodes import school_node
from anxiao.accounts.views_common import scope_of, settings_tabs, whole, words
from anxiao.base.clock import day_of, now
from anxiao.base.errors import Invalid, NotYours
from anxiao.base.permissions import Permission
from anxiao.directory.access import get_person


@require_GET
def gap_list(request: HttpRequest) -> HttpResponse:
    """Classes without a counsellor, colleges without an officer, buildings without a dorm manager."""
    scope = scope_of(request)
    school = get_managed_school(scope, Permission.GRANT_MANAGE)
    node = school_node(school.pk)
    today = day_of(now())
    counts = gap_counts(scope, today)
    asked = request.GET.get("kind", "")
    shown = Gap(asked) if asked in set(Gap) else next((gap for gap in Gap if counts[gap]), Gap.CLASS)
    page = gaps(scope, today, shown, after=whole(request.GET.get("after")) or 0)
    labels = _gap_labels()
    here = reverse("settings:gaps")
    add = reverse("settings:grant_add")
    missing = roles.counsellors_without_role(scope, node, today) if node and shown is Gap.CLASS else []
    named = {link.organisation_id: link.person.name for link in missing}

    def give(row_id: int) -> str:
        where: dict[str, Any] = {"role": shown.role.value, "organisation": row_id}
        if shown.is_place:
            where |= {"organisation": node.pk if node else "", "place": row_id}
        return f"{add}?{urlencode(where)}"

    return render(
        request,
        "accounts/console/gaps.html",
        {
            "menu": "settings",
            "tabs": settings_tabs(scope, sum(counts.values())),
            "kinds": [(gap.value, labels[gap], f"{here}?kind={gap.value}", counts[gap]) for gap in Gap],
            "shown": shown.value,
            "role": shown.role.value,
            "rows": [(row, give(row.id), named.get(row.id, "")) for row in page.rows],
            "next_url": f"?{urlencode({'kind': shown.value, 'after': page.after})}" if page.after else "",
            "givable": shown is not Gap.SCHOOL,
            "missing": missing,
            "missing_people": len({link.person_id for link in missing}),
        },
    )


@require_http_methods(["GET", "POST"])
def deputy(request: HttpRequest, grant_id: int) -> HttpResponse:
    """Find somebody by number, then say from when to when they stand in."""
    scope = scope_of(request)
    grant = get_grant(scope, grant_id)
    require_recent_proof(request)
    moment = now()
    number = words(request.POST.get("number") or request.GET.get("number"))
    person = roles.person_by_number(scope, grant.organisation.school_id, number) if number else None
    context: dict[str, Any] = {
        "menu": "settings",
        "grant": grant,
        "deputies": roles.standing_in(scope, grant, day_of(moment)),
        "number": number,
        "person": person,
        "searched": bool(number),
    }
    if person is None:
        return render(request, "accounts/console/deputy.html", context)
    get_person(scope, person.pk, day_of(moment), Permission.PEOPLE_VIEW)
    form = DaysForm(
        request.POST or None,
        has_account=roles.account_of(scope, person) is not None,
        initial={"valid_from": max(day_of(moment), grant.valid_from)},
    )
    if request.method == "POST" and form.is_valid():
        try:
            appoint_deputy(by=scope, now=moment, grant=grant, person=person, **form.granted)
        except Invalid as wrong:
            for field, message in wrong.fields.items():
                known = {"valid_to": "last_day"}.get(field, field)
                form.add_error(known if known in form.fields else None, str(message))
        else:
            messages.success(request, _("%(name)s stands in on these days.") % {"name": person.name})
            return redirect("settings:account", user_id=grant.user_id)
    status = 422 if form.is_bound and form.errors else 200
    return render(request, "accounts/console/deputy.html", context | {"form": form}, status=status)


@require_http_methods(["GET", "POST"])
def handover(request: HttpRequest, user_id: int) -> HttpResponse:
    """To whom and when; then what would move; then it moves."""
    scope = scope_of(request)
    moment = now()
    today = day_of(moment)
    user = get_account(scope, user_id, today)
    school = get_managed_school(scope, Permission.GRANT_MANAGE, user.home_school_id)
    require_recent_proof(request)
    data = request.POST if request.method == "POST" else request.GET if "number" in request.GET else None
    form = HandoverForm(data, initial={"on": today})
    context: dict[str, Any] = {"menu": "settings", "account": user, "form": form}
    if not form.is_bound or not form.is_valid():
        return _handover_page(request, context)
    on = form.cleaned_data["on"]
    person = roles.person_by_number(scope, school.pk, form.cleaned_data["number"])
    if person is None:
        form.add_error("number", _("Nobody in this school's directory has this number."))
        return _handover_page(request, context)
    get_person(scope, person.pk, today, Permission.PEOPLE_VIEW)
    try:
        if request.method == "POST":
            hand_over(by=scope, now=moment, user=user, to=person, on=on)
            messages.success(request, _("The roles go to %(name)s.") % {"name": person.name})
            return redirect("settings:grants")
        if on < today:
            raise Invalid({"on": _("A handover cannot lie in the past.")})
        if user.person_id == person.pk:
            raise Invalid({"number": _("This is the same person.")})
    except Invalid as wrong:
        for field, message in wrong.fields.items():
            form.add_error(field, str(message))
        return _handover_page(request, context)
    plan = handover_plan(scope, user, person, on)
    return _handover_page(
        request,
        context
        | {
            "to": person,
            "on": on,
            "plan": plan,
            "moving": sum(move.fate is not Fate.STAYS for move in plan.moves),
        },
    )


@require_GET
@login_required
def mine(request: HttpRequest) -> HttpResponse:
    """One's own roles: where, until when, who stands in, and for whom one stands in."""
    scope = scope_of(request)
    if not scope.grants:
        raise NotYours
    user = User.objects.get(pk=scope.user_id)
    today = day_of(now())
    return render(
        request,
        "accounts/console/mine.html",
        {"held": roles.grants_of(scope, user, today), "today": today},
    )


def _handover_page(request: HttpRequest, context: dict[str, Any]) -> HttpResponse:
    form = context["form"]
    status = 422 if form.is_bound and form.errors else 200
    return render(request, "accounts/console/handover.html", context, status=status)


def _gap_labels() -> dict[Gap, str]:
    return {
        Gap.CLASS: _("Classes without counsellor"),
        Gap.COLLEGE: _("Colleges without officer"),
        Gap.BUILDING: _("Buildings without dorm manager"),
        Gap.CLINIC: _("Clinics without doctor"),
        Gap.GATE: _("Gates without security"),
        Gap.SCHOOL: _("School without epidemic officer"),
    }
