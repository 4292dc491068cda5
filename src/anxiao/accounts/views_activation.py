"""The way in, as those see it who print codes: the funnel of their units, a class by name, slips, alarms."""

from __future__ import annotations

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST

from anxiao.accounts.access import get_activation_node, get_alarm
from anxiao.accounts.commands.activation import print_codes
from anxiao.accounts.commands.alarms import settle_alarm
from anxiao.accounts.commands.delivery import mark_delivered
from anxiao.accounts.names import Delivery, Stage
from anxiao.accounts.qr import data_uri
from anxiao.accounts.queries import activation as funnel
from anxiao.accounts.queries.alarms import LAST, alarms, open_alarms
from anxiao.accounts.queries.nodes import way_to
from anxiao.accounts.queries.onboarding import school_of
from anxiao.accounts.rules import grouped, number_hint
from anxiao.accounts.views_common import scope_of, whole
from anxiao.base.clock import day_of, now
from anxiao.base.errors import NotYours, Refused
from anxiao.base.permissions import Permission
from anxiao.base.scope import Scope
from anxiao.directory.models import Organisation


@require_GET
def activation(request: HttpRequest, node_id: int | None = None) -> HttpResponse:
    """How far people have come, from the caller's own nodes down to the people of a class."""
    scope = scope_of(request)
    if not scope.may(Permission.ACTIVATION_PRINT):
        raise NotYours
    moment = now()
    today = day_of(moment)
    if node_id is None:
        units = funnel.activation_units(scope, None, today, moment)
        if len(units) == 1:
            return redirect("settings:activation_node", node_id=units[0].id)
        return render(
            request,
            "accounts/console/activation.html",
            {"menu": "activation", "units": units, "alarms": open_alarms(scope, today), **_sums(units)},
        )
    node = get_activation_node(scope, node_id)
    units = funnel.activation_units(scope, node.pk, today, moment)
    people = funnel.activation_people(scope, node.pk, today, moment)
    own = _unit_of(node, people)
    standings = [(person, person.standing(moment)) for person in people]
    sums = _sums([*units, own])
    return render(
        request,
        "accounts/console/activation.html",
        {
            "menu": "activation",
            "node": node,
            "units": units,
            "people": standings,
            "open": sum(not p.activated for p in people),
            "held": sum(standing in Delivery.values for _person, standing in standings),
            "undelivered": sum(standing == Delivery.PRINTED for _person, standing in standings),
            "alarms": open_alarms(scope, today),
            "still": [
                (Stage.IMPORTED, sums["total"] - sums["delivered"]),
                (Stage.DELIVERED, sums["delivered"] - sums["activated"]),
                (Stage.ACTIVATED, sums["activated"] - sums["begun"]),
            ],
            "trail": _trail(scope, node),
            **sums,
        },
    )


@require_GET
def standing_still(request: HttpRequest, node_id: int, stage: str) -> HttpResponse:
    """Who beneath a node has come so far and no further, by name."""
    scope = scope_of(request)
    node = get_activation_node(scope, node_id)
    if stage not in Stage.values:
        raise Http404
    moment = now()
    page = funnel.standing_still(
        scope, node.school_id, node.path, Stage(stage), day_of(moment), after=whole(request.GET.get("after")) or 0
    )
    return render(
        request,
        "accounts/console/activation_still.html",
        {
            "menu": "activation",
            "node": node,
            "stage": Stage(stage),
            "tabs": [(s.value, s.label, reverse("settings:activation_still", args=[node.pk, s.value])) for s in Stage],
            "people": [(person, person.standing(moment)) for person in page.people],
            "next_url": f"?after={page.after}" if page.after else "",
            "trail": [*_trail(scope, node), (Stage(stage).label, "")],
        },
    )


@never_cache
@require_POST
def activation_print(request: HttpRequest, node_id: int) -> HttpResponse:
    """Make new codes and show the sheet, once: the codes are not kept, so the page cannot be shown again."""
    scope = scope_of(request)
    node = get_activation_node(scope, node_id)
    moment = now()
    chosen = _chosen(request)
    sheet = print_codes(by=scope, now=moment, node=node, person_ids=chosen)
    door = request.build_absolute_uri(reverse("accounts:activate"))
    return render(
        request,
        "accounts/console/activation_sheet.html",
        {
            "node": node,
            "sheet": sheet,
            "school": school_of(node.school_id),
            "door": door,
            "made_at": moment,
            "slips": [
                (s.name, number_hint(s.number), grouped(s.code), data_uri(f"{door}?c={s.code}")) for s in sheet.slips
            ],
        },
    )


@require_POST
def activation_deliver(request: HttpRequest, node_id: int) -> HttpResponse:
    """Mark codes as handed out, sent, or not yet handed out after all."""
    scope = scope_of(request)
    node = get_activation_node(scope, node_id)
    how = request.POST.get("how", "")
    if how not in Delivery.values:
        raise Refused(_("Please say what became of the slips."))
    marked = mark_delivered(by=scope, now=now(), node=node, how=Delivery(how), person_ids=_chosen(request))
    messages.success(request, ngettext("%(n)s code was marked.", "%(n)s codes were marked.", marked) % {"n": marked})
    return redirect("settings:activation_node", node_id=node.pk)


@require_GET
def alarm_list(request: HttpRequest) -> HttpResponse:
    """Codes tried by somebody else or too often."""
    scope = scope_of(request)
    if not scope.may(Permission.ACTIVATION_PRINT):
        raise NotYours
    settled = request.GET.get("show") == "settled"
    today = day_of(now())
    page = alarms(scope, today, settled=settled, before=whole(request.GET.get("before")) or LAST)
    here = reverse("settings:alarms")
    return render(
        request,
        "accounts/console/alarms.html",
        {
            "menu": "activation",
            "settled": settled,
            "page": page,
            "next_url": f"?{'show=settled&' if settled else ''}before={page.after}" if page.after else "",
            "tabs": [
                ("open", _("To look into"), here, open_alarms(scope, today)),
                ("settled", _("Settled"), f"{here}?show=settled"),
            ],
            "trail": [(_("Activation"), reverse("settings:activation")), (_("Alarms"), "")],
        },
    )


@require_POST
def alarm_settle(request: HttpRequest, alarm_id: int) -> HttpResponse:
    """Say that one has looked into it."""
    scope = scope_of(request)
    moment = now()
    alarm = get_alarm(scope, alarm_id, day_of(moment))
    settle_alarm(by=scope, now=moment, alarm=alarm)
    messages.success(request, _("Settled. Another try raises a new alarm."))
    return redirect("settings:alarms")


def _unit_of(node: Organisation, people: list[funnel.Candidate]) -> funnel.Unit:
    """Those directly in the node, as one line of the funnel."""
    return funnel.Unit(
        id=node.pk,
        name=node.label,
        kind=node.kind,
        people=len(people),
        printed=0,
        delivered=sum(p.activated or p.delivered for p in people),
        activated=sum(p.activated for p in people),
        begun=sum(p.begun for p in people),
    )


def _sums(units: list[funnel.Unit]) -> dict[str, int]:
    return {
        "total": sum(u.people for u in units),
        "delivered": sum(u.delivered for u in units),
        "activated": sum(u.activated for u in units),
        "begun": sum(u.begun for u in units),
    }


def _trail(scope: Scope, node: Organisation) -> list[tuple[str, str]]:
    way = way_to(scope, node, Permission.ACTIVATION_PRINT)
    return [
        (_("Activation"), reverse("settings:activation")),
        *((n.label, reverse("settings:activation_node", args=[n.pk])) for n in way),
    ]


def _chosen(request: HttpRequest) -> set[int] | None:
    """Whom the form means: the one whose button was pressed, else those who are ticked, else nobody in particular."""
    named = request.POST.getlist("only") or request.POST.getlist("person")
    if not named:
        return None
    chosen = {n for value in named if (n := whole(value)) is not None}
    if not chosen:  # named, but nobody who exists: printing for everybody would void the whole class's codes
        raise Refused(_("Nobody was chosen."))
    return chosen
