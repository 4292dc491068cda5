"""Names behind the big numbers, and reminding the missing among them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import get_language, ngettext
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST

from anxiao.base.clock import now
from anxiao.base.errors import NotYours, Refused
from anxiao.base.permissions import Permission
from anxiao.base.scope import Scope
from anxiao.directory.access import get_organisation
from anxiao.directory.crumbs import crumbs
from anxiao.directory.models import Organisation
from anxiao.directory.names import Audience
from anxiao.directory.queries import filter_nodes
from anxiao.portal.views_console.boards import remind_words
from anxiao.portal.views_console.common import (
    Asked,
    are_together,
    asked,
    must_be_at_hand,
    own_nodes,
    query_of,
    scope_of,
    whole,
)
from anxiao.questionnaires.names import Concept
from anxiao.questionnaires.queries import compiled
from anxiao.questionnaires.rules import summary
from anxiao.reporting.access import get_place
from anxiao.reporting.commands.reminders import remind_missing, remind_missing_of, remind_residents
from anxiao.reporting.commands.viewing import open_health_list
from anxiao.reporting.models import Round
from anxiao.reporting.names import ExemptionReason
from anxiao.reporting.queries.boards import counted_in, trail_of
from anxiao.reporting.queries.people import (
    HEALTH,
    Listing,
    Name,
    Names,
    Where,
    count_names,
    names,
    where_node,
    where_nodes,
    where_place,
)

SIGNS = (Concept.SYMPTOMS, Concept.TEMPERATURE)
GRAVE = (Concept.ISOLATION, Concept.DIAGNOSIS, Concept.CONTACT)


@dataclass(frozen=True, slots=True)
class Line:
    """One person as listed, with the health of their report in words."""

    who: Name
    signs: str = ""
    more: str = ""
    told: bool = False  # why somebody is exempt ("in hospital") is for those who grant exemptions

    @property
    def until(self) -> date | None:
        """The last day of an exemption, included."""
        return self.who.exempt_until - timedelta(days=1) if self.who.exempt_until else None

    @property
    def reason(self) -> str:
        return str(ExemptionReason(self.who.exempt_reason).label) if self.told and self.who.exempt_reason else ""


@dataclass(frozen=True, slots=True)
class ListPlace:
    """Where a list stands: what it is of, how it is reached again, who may be in it."""

    heading: str
    trail: Sequence[tuple[str, str]]
    back: str
    url: Callable[[str], str]
    object_type: str
    object_id: object
    remind_url: str
    nodes: Sequence[Organisation] = ()
    node: Organisation | None = None
    counted: Sequence[Organisation] = ()


@never_cache
@require_GET
@login_required
def node_list(request: HttpRequest, node_id: int, kind: str) -> HttpResponse:
    """Names of one node."""
    scope, moment = scope_of(request), now()
    listing = _listing(kind)
    found = get_organisation(scope, node_id)
    of = asked(request, scope, found.path, moment)
    chosen = _narrowed(request, scope, found, listing)
    where = where_node(scope, chosen or found, listing.permission)
    may_remind = of.is_today and scope.may(Permission.REMIND, (chosen or found).path)
    place = ListPlace(
        heading=found.label,
        trail=crumbs(scope, trail_of(scope, found), (_label(listing, of, moment), ""), query=of.query),
        back=reverse("portal:console_node", args=[found.pk]) + of.query,
        url=lambda other: reverse("portal:console_node_list", args=[found.pk, other]),
        object_type="organisation",
        object_id=(chosen or found).pk,
        remind_url=reverse("portal:console_remind", args=[(chosen or found).pk]) if may_remind else "",
        nodes=[n for n in filter_nodes(scope, listing.permission) if n.pk != found.pk and _beneath(n, found)],
        node=chosen,
        counted=[chosen or found],
    )
    permitted = [k for k in TABS if scope.may(k.permission, found.path)]
    return _list(request, scope, listing, where, of, place, permitted, moment)


@never_cache
@require_GET
@login_required
def mine_list(request: HttpRequest, kind: str) -> HttpResponse:
    """Names of all nodes that one looks after, in one list."""
    scope, moment = scope_of(request), now()
    listing = _listing(kind)
    nodes = _together(scope)
    of = asked(request, scope, nodes[0].path, moment)
    chosen = next((n for n in nodes if n.pk == whole(request.GET.get("of"))), None)
    where = where_nodes(scope, [chosen] if chosen else nodes, listing.permission)
    reminds = [chosen] if chosen else nodes
    may_remind = of.is_today and all(scope.may(Permission.REMIND, n.path) for n in reminds)
    remind = reverse("portal:console_remind", args=[chosen.pk]) if chosen else reverse("portal:console_remind_mine")
    place = ListPlace(
        heading=_("All that I look after"),
        trail=[(_("All that I look after"), reverse("portal:console") + of.query), (_label(listing, of, moment), "")],
        back=reverse("portal:console") + of.query,
        url=lambda other: reverse("portal:console_mine_list", args=[other]),
        object_type="organisation",
        object_id=" ".join(str(n.pk) for n in nodes)[:60],
        remind_url=remind if may_remind else "",
        nodes=nodes,
        node=chosen,
        counted=reminds,
    )
    permitted = [k for k in TABS if all(scope.may(k.permission, n.path) for n in nodes)]
    return _list(request, scope, listing, where, of, place, permitted, moment)


@never_cache
@require_GET
@login_required
def place_list(request: HttpRequest, place_id: int, kind: str) -> HttpResponse:
    """Names of the residents of a building."""
    scope, moment = scope_of(request), now()
    listing = _listing(kind)
    found = get_place(scope, place_id, listing.permission)
    school = Organisation.objects.filter(school_id=found.school_id, kind="school").first()
    of = asked(request, scope, school.path if school else "", moment)
    where = where_place(scope, found, listing.permission)
    may_remind = of.is_today and _holds_place(scope, place_id, Permission.REMIND)
    place = ListPlace(
        heading=found.name,
        trail=[
            (found.name, reverse("portal:console_place", args=[found.pk]) + of.query),
            (_label(listing, of, moment), ""),
        ],
        back=reverse("portal:console_place", args=[found.pk]) + of.query,
        url=lambda other: reverse("portal:console_place_list", args=[found.pk, other]),
        object_type="place",
        object_id=found.pk,
        remind_url=reverse("portal:console_remind_place", args=[found.pk]) if may_remind else "",
    )
    permitted = [k for k in TABS if k not in HEALTH or _holds_place(scope, place_id, k.permission)]
    return _list(request, scope, listing, where, of, place, permitted, moment)


@require_POST
@login_required
def remind_node(request: HttpRequest, node_id: int) -> HttpResponse:
    """Remind everybody of a node who is missing now."""
    scope, moment = scope_of(request), now()
    found = get_organisation(scope, node_id, Permission.REMIND)
    round_ = _open_round(request, scope, found.path, moment)
    _say(request, remind_missing(by=scope, node=found, round=round_, now=moment))
    return redirect("portal:console_node_list", node_id=found.pk, kind="missing")


@require_POST
@login_required
def remind_mine(request: HttpRequest) -> HttpResponse:
    """Remind the missing of all one's nodes."""
    scope, moment = scope_of(request), now()
    nodes = _together(scope)
    round_ = _open_round(request, scope, nodes[0].path, moment)
    _say(request, remind_missing_of(by=scope, nodes=nodes, round=round_, now=moment))
    return redirect("portal:console_mine_list", kind="missing")


@require_POST
@login_required
def remind_place(request: HttpRequest, place_id: int) -> HttpResponse:
    """Remind the missing among the residents of a building."""
    scope, moment = scope_of(request), now()
    found = get_place(scope, place_id, Permission.REMIND)
    school = Organisation.objects.filter(school_id=found.school_id, kind="school").first()
    round_ = _open_round(request, scope, school.path if school else "", moment)
    _say(request, remind_residents(by=scope, place=found, round=round_, now=moment))
    return redirect("portal:console_place_list", place_id=found.pk, kind="missing")


TABS = (Listing.MISSING, Listing.UNWELL, Listing.LATE, Listing.EXEMPT, Listing.ON_TIME)


def _list(
    request: HttpRequest,
    scope: Scope,
    listing: Listing,
    where: Where,
    of: Asked,
    place: ListPlace,
    permitted: Sequence[Listing],
    moment: datetime,
) -> HttpResponse:
    if not of.is_today:
        must_be_at_hand(scope, of.day)
    audience = _audience(request)
    kept = {
        "day": None if of.is_today else of.day,
        "campaign": of.round.campaign_id if of.round and of.round is not of.rounds[0] else None,
        "of": place.node.pk if place.node else None,
        "audience": audience,
    }
    context: dict[str, Any] = {
        "menu": "today",
        "day": of.day,
        "of": of,
        "listing": str(listing),
        "heading": _label(listing, of, moment),
        "lead": place.heading,
        "what": _meaning(listing),
        "trail": place.trail,
        "back_url": place.back,
        "nodes": place.nodes,
        "node": place.node,
        "audience": audience,
        "audiences": Audience.choices,
        "filtered": bool(place.node or audience),
        "all_url": place.url(str(listing)) + query_of(day=kept["day"], campaign=kept["campaign"]),
        "states": [(str(k), _label(k, of, moment), place.url(str(k)) + query_of(**kept)) for k in HEALTH]
        if listing in HEALTH
        else [],
        "is_health": listing in HEALTH,
    }
    if of.round is None:
        return render(request, "portal/console/list.html", context | {"no_round": True})
    page = names(
        scope,
        listing,
        where,
        of.round,
        audience=audience,
        after=whole(request.GET.get("after")),
        before=whole(request.GET.get("before")),
    )
    if place.counted:
        count = getattr(counted_in(scope, place.counted, of.round, audience), str(listing))
    else:
        # a building: no counter knows who lives where, and few live in one
        count = count_names(scope, listing, where, of.round, audience=audience)
    if listing in HEALTH and page.rows:
        open_health_list(
            by=scope,
            now=moment,
            kind=str(listing),
            object_type=place.object_type,
            object_id=place.object_id,
            school_id=where.school_id,
            round=of.round,
            people=len(page.rows),
        )
    here = place.url(str(listing))
    told = listing is Listing.EXEMPT and _may_exempt(scope, place)
    context |= {
        "round": of.round,
        "lines": _in_words(page, of.round) if listing in HEALTH else [Line(row, told=told) for row in page.rows],
        "count": count,
        "tabs": [(str(k), _label(k, of, moment), place.url(str(k)) + query_of(**kept)) for k in permitted],
        "tab": "unwell" if listing in HEALTH else str(listing),
        "previous": here + query_of(**kept, before=page.before) if page.before else "",
        "next": here + query_of(**kept, after=page.after) if page.after else "",
        "remind_url": place.remind_url if listing is Listing.MISSING and count and audience is None else "",
        **remind_words(of.round),
        "remind_one": of.is_today and listing is Listing.MISSING and bool(place.remind_url),
        "may_reveal": scope.may(Permission.PHONE_REVEAL),
        "may_proxy": of.is_today and listing is Listing.MISSING and scope.may(Permission.REPORT_PROXY),
        "show_room": any(row.room for row in page.rows),
    }
    return render(request, "portal/console/list.html", context)


def _in_words(page: Names, round: Round) -> list[Line]:
    """Symptoms and temperature as the form says them, then what else is grave."""
    form = compiled(round.version)
    language = get_language() or "zh-hans"
    concepts = {question.key: question.concept for question in form.questions.values()}
    lines = []
    for row in page.rows:
        said = summary(form, row.health, row.health["answers"] or {}, language)
        signs = [answer for key, _label, answer in said if concepts[key] in SIGNS]
        quiet = {"isolation": not row.health["isolation"], "diagnosis": not row.health["diagnosis"]}
        more = [
            f"{label}: {answer}"
            for key, label, answer in said
            if (concepts[key] in GRAVE or key == "symptom_description")
            and not quiet.get(key, False)
            and not (concepts[key] is Concept.CONTACT and not row.health["contact"])
        ]
        lines.append(Line(row, " · ".join(signs), " · ".join(more)))
    return lines


def _label(listing: Listing, of: Asked, moment: datetime) -> str:
    if listing is Listing.MISSING and of.round is not None and of.is_today and moment < of.round.deadline_at:
        # before the deadline nobody has missed anything
        return _("Not yet reported")
    return {
        Listing.MISSING: _("Missing"),
        Listing.LATE: _("Late"),
        Listing.ON_TIME: _("On time"),
        Listing.EXEMPT: _("Exempt"),
        Listing.UNWELL: _("Unwell"),
        Listing.FEVER: _("Fever"),
        Listing.SUSPECTED: _("Suspected"),
        Listing.CONFIRMED: _("Confirmed"),
        Listing.ISOLATED: _("Isolated"),
    }[listing]


def _meaning(listing: Listing) -> str:
    return {
        Listing.MISSING: _("Expected to report this round, not exempt, and nothing received yet."),
        Listing.LATE: _("The first report arrived at the deadline or after it."),
        Listing.ON_TIME: _("The first report arrived before the deadline."),
        Listing.EXEMPT: _("Not expected to report on this day, for a recorded reason."),
        Listing.UNWELL: _("The latest report of the day names at least one symptom, or 37.3 °C and more."),
        Listing.FEVER: _("The latest report of the day names fever, or 37.3 °C and more."),
        Listing.SUSPECTED: _("The latest report of the day says that a doctor suspects the disease."),
        Listing.CONFIRMED: _("The latest report of the day says that the disease is confirmed."),
        Listing.ISOLATED: _("The latest report of the day says isolated at home, centrally or in hospital."),
    }[listing]


def _listing(kind: str) -> Listing:
    try:
        return Listing(kind)
    except ValueError:
        raise Http404 from None


def _audience(request: HttpRequest) -> int | None:
    number = whole(request.GET.get("audience"))
    return number if number in Audience.values else None


def _narrowed(request: HttpRequest, scope: Scope, found: Organisation, listing: Listing) -> Organisation | None:
    number = whole(request.GET.get("of"))
    if number is None or number == found.pk:
        return None
    chosen = get_organisation(scope, number, listing.permission)
    if not _beneath(chosen, found):
        raise NotYours
    return chosen


def _beneath(node: Organisation, above: Organisation) -> bool:
    return str(node.path).startswith(f"{above.path}.")


def _together(scope: Scope) -> list[Organisation]:
    nodes = own_nodes(scope)
    if not nodes or not are_together(nodes):
        raise NotYours
    return nodes


def _holds_place(scope: Scope, place_id: int, permission: Permission) -> bool:
    try:
        get_place(scope, place_id, permission)
    except NotYours:
        return False
    return True


def _may_exempt(scope: Scope, place: ListPlace) -> bool:
    if place.counted:
        return all(scope.may(Permission.EXEMPT, node.path) for node in place.counted)
    return _holds_place(scope, int(str(place.object_id)), Permission.EXEMPT)


def _open_round(request: HttpRequest, scope: Scope, path: str, moment: datetime) -> Round:
    of = asked(request, scope, path, moment)
    wanted = whole(request.POST.get("round"))
    found = next((r for r in of.rounds if r.pk == wanted), None)
    if found is None:
        # the page was drawn yesterday, or for a campaign that has ended
        raise Refused(_("This round takes no reports now, so nobody was reminded."))
    return found


def _say(request: HttpRequest, count: int) -> None:
    if count:
        text = ngettext("%(count)d person was reminded.", "%(count)d people were reminded.", count) % {"count": count}
        messages.success(request, text)
    else:
        messages.info(request, _("Nobody was reminded: everybody has reported, or was reminded within the last hour."))
