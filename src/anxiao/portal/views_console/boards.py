"""Today: what needs action now, for a province, a school, a college, a class, a building."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import NoReverseMatch, reverse
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from anxiao.accounts.queries import open_alarms
from anxiao.base.clock import SHANGHAI, now
from anxiao.base.permissions import Permission
from anxiao.base.scope import SHARED_SCHOOL, Scope
from anxiao.directory.access import get_organisation
from anxiao.directory.crumbs import crumbs
from anxiao.directory.models import Organisation, Place
from anxiao.directory.names import Audience
from anxiao.portal.shown_boards import OWN, audience_key, node_key, place_key, row_keys
from anxiao.portal.streams.tickets import Watch, seal
from anxiao.portal.views_console.common import (
    Asked,
    address_of,
    are_together,
    asked,
    is_htmx,
    own_nodes,
    own_places,
    query_of,
    scope_of,
)
from anxiao.reporting.access import get_place
from anxiao.reporting.models import Round
from anxiao.reporting.queries.boards import (
    NOTHING,
    Board,
    DayRate,
    Figures,
    children_of,
    figures_of_nodes,
    hours_of,
    today_board,
    trail_of,
    trend_and_hours,
)
from anxiao.reporting.queries.people import Listing, names, where_node, where_nodes, where_place
from anxiao.reporting.queries.places import place_board
from anxiao.reporting.queries.sheets import sheet_counts
from anxiao.reporting.queries.way_in import way_in
from anxiao.ui.charts import Chart, Series, hour_curve

SORTS = ("name", "missing", "unwell", "rate")
FEW = 50


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the table beneath the big numbers."""

    label: str
    url: str
    figures: Figures
    missing_url: str = ""
    unwell_url: str = ""
    kind: str = ""
    key: str = ""
    """Under which a stream speaks of it (``shown_boards``)."""


@require_GET
@login_required
def today(request: HttpRequest) -> HttpResponse:
    """The caller's own board: their node's, or an overview where they answer for several."""
    scope, moment = scope_of(request), now()
    nodes, places = own_nodes(scope), own_places(scope)
    if not nodes and not places:
        if scope.person_id is not None and not scope.grants:
            return redirect("portal:h5")
        return render(request, "portal/console/nothing.html", {"menu": "today"})
    if len(nodes) == 1 and not places:
        return _node(request, scope, nodes[0], moment)
    if len(places) == 1 and not nodes:
        return redirect("portal:console_place", place_id=places[0].pk)
    return _mine(request, scope, nodes, moment)


@require_GET
@login_required
def node(request: HttpRequest, node_id: int) -> HttpResponse:
    """The board of one node."""
    scope = scope_of(request)
    return _node(request, scope, get_organisation(scope, node_id), now())


@require_GET
@login_required
def place(request: HttpRequest, place_id: int) -> HttpResponse:
    """The board of a building: who of its residents has reported, floor by floor."""
    scope, moment = scope_of(request), now()
    found = get_place(scope, place_id)
    school = Organisation.objects.filter(school_id=found.school_id, kind="school").first()
    of = asked(request, scope, school.path if school else "", moment)
    context = _frame(of) | {
        "place": found,
        "trail": [(found.parent.name, ""), (found.name, "")] if found.parent else [(found.name, "")],
        "heading": found.name,
        "as_of": moment.astimezone(SHANGHAI),
        "part_url": request.path + query_of(part="numbers", day=None if of.is_today else of.day),
    }
    if of.round is None:
        return render(request, "portal/console/place.html", context)
    board = place_board(scope, found, of.round)
    urls = _place_urls(found.pk, of)
    context |= {
        "total": board.total,
        "urls": urls,
        "rows": [_place_row(child.place, child.figures, of) for child in board.children],
        "column": _("Floor or room"),
        "health": False,
    }
    context |= _live(scope, of, context["rows"], Watch("place", of.day, of.round.pk, places=(found.pk,)))
    if is_part(request):
        return render(request, "portal/console/_numbers.html", context | {"part": True})
    page = names(scope, Listing.MISSING, where_place(scope, found), of.round, limit=FEW)
    return render(request, "portal/console/place.html", context | _names_card(scope, page, urls, of))


@require_GET
@login_required
def activation(request: HttpRequest, node_id: int) -> HttpResponse:
    """How far the people of the node and of its children have come on their way in."""
    scope, moment = scope_of(request), now()
    found = get_organisation(scope, node_id)
    children = children_of(scope, found)
    day = moment.astimezone(SHANGHAI).date()
    counts = way_in(scope, [found.pk, *(c.pk for c in children)], day)
    context = {
        "node": found,
        "whole": counts[found.pk],
        "rows": [(child, counts[child.pk]) for child in children if counts[child.pk].people],
        "print_url": reverse("settings:activation_node", args=[found.pk])
        if scope.may(Permission.ACTIVATION_PRINT, found.path)
        else "",
        "trail": crumbs(scope, trail_of(scope, found), (_("Activation"), "")),
        "menu": "today",
    }
    template = "portal/console/_activation.html" if is_htmx(request) else "portal/console/activation.html"
    return render(request, template, context)


def is_part(request: HttpRequest) -> bool:
    return request.GET.get("part") == "numbers"


def _node(request: HttpRequest, scope: Scope, found: Organisation, moment: datetime) -> HttpResponse:
    of = asked(request, scope, found.path, moment)
    sort = request.GET.get("sort", "name")
    own = reverse("portal:console_node", args=[found.pk])
    context = _frame(of) | {
        "node": found,
        "heading": found.label,
        "as_of": moment.astimezone(SHANGHAI),
        "part_url": own
        + query_of(
            part="numbers",
            day=None if of.is_today else of.day,
            sort=sort if sort in SORTS[1:] else None,
            campaign=request.GET.get("campaign") if len(of.rounds) > 1 else None,
        ),
    }
    if of.round is None:
        return render(
            request,
            "portal/console/board.html",
            context | {"trail": crumbs(scope, trail_of(scope, found), query=of.query), "no_round": True},
        )
    board = today_board(scope, found, of.round)
    urls = _node_urls(scope, found, of)
    context |= {
        "board": board,
        "total": board.total,
        "urls": urls,
        "rows": _rows(scope, board, of, sort),
        "quiet": [child.node for child in board.children if child.figures == NOTHING],
        "column": _column(board),
        "sorts": [
            (key, _sort_label(key), own + query_of(day=None if of.is_today else of.day, sort=key)) for key in SORTS
        ],
        "sort": sort if sort in SORTS else "name",
        "audiences": [(audience_key(a), Audience(a).label, f) for a, f in board.by_audience.items()],
        "health": True,
        "sheets": _sheets(scope, found, of.round, moment),
    }
    watch = Watch("node", of.day, of.round.pk, nodes=(found.pk,), sheets=context["sheets"] is not None)
    context |= _live(scope, of, context["rows"], watch)
    campaign = of.round.campaign
    if is_part(request):
        context["hours"] = _hours(board, of, moment, hours_of(scope, found, campaign, of.day - timedelta(days=1)))
        return render(request, "portal/console/_numbers.html", context | {"part": True})
    days, hours_before = trend_and_hours(scope, found, campaign, of.day)
    context |= {
        "trail": crumbs(scope, trail_of(scope, found), query=of.query),
        "hours": _hours(board, of, moment, hours_before),
        "trend": _trend(days),
        "code_alarms": open_alarms(scope, of.day) if of.is_today else 0,
        "activation_url": reverse("portal:console_activation", args=[found.pk]) if of.is_today else "",
        "may_exempt": found.school_id != SHARED_SCHOOL and scope.may(Permission.EXEMPT, found.path),
        "import_url": _maybe("directory:imports", "directory:import")
        if scope.may(Permission.DIRECTORY_IMPORT, found.path)
        else "",
    }
    if not board.children and urls["missing"]:
        page = names(scope, Listing.MISSING, where_node(scope, found), of.round, limit=FEW)
        context |= _names_card(scope, page, urls, of, node=found)
    return render(request, "portal/console/board.html", context)


def _mine(request: HttpRequest, scope: Scope, nodes: Sequence[Organisation], moment: datetime) -> HttpResponse:
    """Several nodes together: the classes of a counsellor, or whatever else one answers for."""
    places = own_places(scope)
    first = nodes[0].path if nodes else next(g.node_path for g in scope.grants if g.place_path)
    of = asked(request, scope, first, moment)
    context = _frame(of) | {
        "heading": _("All that I look after"),
        "as_of": moment.astimezone(SHANGHAI),
        "part_url": request.path + query_of(part="numbers", day=None if of.is_today else of.day),
    }
    if of.round is None:
        return render(request, "portal/console/mine.html", context | {"no_round": True})
    counted = [n for n in nodes if n.school_id != SHARED_SCHOOL]
    found = figures_of_nodes(scope, counted, of.round)
    together = bool(nodes) and are_together(nodes)
    urls = _mine_urls(scope, nodes, of) if together else dict.fromkeys(KINDS, "")
    rows = [_row(scope, n, found[n.pk], of, with_parent=True) for n in counted]
    # a building is counted from the residents themselves; nobody looks after more than a few
    rows += [_place_row(p, place_board(scope, p, of.round).total, of) for p in places]
    context |= {
        # a resident of one's building may sit in one's class as well: classes and buildings are never added up
        "total": sum(found.values(), NOTHING) if counted else sum((row.figures for row in rows), NOTHING),
        "no_sum": bool(counted and places),
        "urls": urls,
        "rows": rows,
        "above": [n for n in nodes if n.school_id == SHARED_SCHOOL],
        "column": _("Class or unit"),
        "health": bool(counted),
    }
    ids = tuple(n.pk for n in counted), tuple(p.pk for p in places)
    context |= _live(scope, of, rows, Watch("mine", of.day, of.round.pk, *ids))
    if is_part(request):
        return render(request, "portal/console/_numbers.html", context | {"part": True})
    if of.is_today:
        context["code_alarms"] = open_alarms(scope, of.day)
    if together and urls["missing"]:
        where = where_nodes(scope, nodes)
        context |= _names_card(scope, names(scope, Listing.MISSING, where, of.round, limit=FEW), urls, of)
    return render(request, "portal/console/mine.html", context)


def _live(scope: Scope, of: Asked, rows: Sequence[Row], watch: Watch) -> dict[str, str]:
    """What the page needs to be told by a stream what changes; a board of another day does not change."""
    if not of.is_today or not (watch.nodes or watch.places):
        return {}
    return {"ticket": seal(scope.user_id, watch), "row_keys": row_keys([row.key for row in rows])}


KINDS = ("missing", "late", "on_time", "exempt", "unwell", "fever", "suspected", "confirmed", "isolated", "remind")


def _node_urls(scope: Scope, found: Organisation, of: Asked) -> dict[str, str]:
    """Where the big numbers lead: to names within a school, to the table of schools above it."""
    urls = dict.fromkeys(KINDS, "")
    if found.school_id == SHARED_SCHOOL:
        base = reverse("portal:console_node", args=[found.pk])
        day = None if of.is_today else of.day
        urls["missing"] = base + query_of(day=day, sort="missing") + "#children"
        urls["unwell"] = base + query_of(day=day, sort="unwell") + "#children"
        return urls
    for kind in KINDS[:-1]:
        if scope.may(Listing(kind).permission, found.path):
            urls[kind] = reverse("portal:console_node_list", args=[found.pk, kind]) + of.query
    if of.is_today and scope.may(Permission.REMIND, found.path):
        urls["remind"] = reverse("portal:console_remind", args=[found.pk])
    return urls


def _mine_urls(scope: Scope, nodes: Sequence[Organisation], of: Asked) -> dict[str, str]:
    urls = dict.fromkeys(KINDS, "")
    for kind in KINDS[:-1]:
        if all(scope.may(Listing(kind).permission, n.path) for n in nodes):
            urls[kind] = reverse("portal:console_mine_list", args=[kind]) + of.query
    if of.is_today and all(scope.may(Permission.REMIND, n.path) for n in nodes):
        urls["remind"] = reverse("portal:console_remind_mine")
    return urls


def _place_urls(place_id: int, of: Asked) -> dict[str, str]:
    urls = dict.fromkeys(KINDS, "")
    for kind in ("missing", "late", "on_time", "exempt"):
        urls[kind] = reverse("portal:console_place_list", args=[place_id, kind]) + of.query
    if of.is_today:
        urls["remind"] = reverse("portal:console_remind_place", args=[place_id])
    return urls


def _frame(of: Asked) -> dict[str, Any]:
    return {
        "menu": "today",
        "day": of.day,
        "of": of,
        "live": of.is_today,
        "round": of.round,
        "campaign_title": campaign_title(of.round) if of.round else "",
        "campaigns": [
            (
                str(r.campaign_id),
                campaign_title(r),
                query_of(campaign=r.campaign_id, day=None if of.is_today else of.day),
            )
            for r in of.rounds
        ]
        if len(of.rounds) > 1
        else [],
        "campaign_key": str(of.round.campaign_id) if of.round else "",
    }


def campaign_title(round: Round) -> str:
    campaign = round.campaign
    return campaign.title if (get_language() or "zh").startswith("zh") else campaign.title_en or campaign.title


def remind_words(round: Round) -> dict[str, Any]:
    """What the dialog before a reminder says will happen, and for which round."""
    return {
        "remind_effects": [
            _("Who reports in the meantime is not reminded."),
            _("Nobody is reminded twice within an hour."),
        ],
        "remind_fields": [("round", round.pk)],
    }


def _names_card(
    scope: Scope, page: Any, urls: dict[str, str], of: Asked, node: Organisation | None = None
) -> dict[str, Any]:
    assert of.round is not None
    return remind_words(of.round) | {
        "names": page,
        "may_reveal": bool(
            scope.may(Permission.PHONE_REVEAL, node.path) if node else scope.may(Permission.PHONE_REVEAL)
        ),
        "may_proxy": of.is_today and scope.may(Permission.REPORT_PROXY),
        "may_remind": bool(urls["remind"]),
    }


def _rows(scope: Scope, board: Board, of: Asked, sort: str) -> list[Row]:
    rows = [_row(scope, child.node, child.figures, of) for child in board.children if child.figures != NOTHING]
    if sort == "missing":
        rows.sort(key=lambda r: -r.figures.missing)
    elif sort == "unwell":
        rows.sort(key=lambda r: (-r.figures.unwell, -r.figures.fever))
    elif sort == "rate":
        rows.sort(key=lambda r: r.figures.reported / r.figures.expected if r.figures.expected > 0 else 1.0)
    if board.own is not None:
        rows.append(Row(_("Held by this unit itself"), "", board.own, kind="own", key=OWN))
    return rows


def _row(scope: Scope, node: Organisation, found: Figures, of: Asked, *, with_parent: bool = False) -> Row:
    missing = unwell = ""
    if node.school_id != SHARED_SCHOOL:
        if scope.may(Permission.PEOPLE_VIEW, node.path):
            missing = address_of("portal:console_node_list", node.pk, "missing") + of.query
        if scope.may(Permission.HEALTH_VIEW, node.path):
            unwell = address_of("portal:console_node_list", node.pk, "unwell") + of.query
    label = f"{node.parent.name} · {node.label}" if with_parent and node.parent is not None else node.label
    url = address_of("portal:console_node", node.pk) + of.query
    return Row(label, url, found, missing, unwell, kind=node.kind, key=node_key(node.pk))


def _place_row(found: Place, figures: Figures, of: Asked) -> Row:
    return Row(
        found.name,
        reverse("portal:console_place", args=[found.pk]) + of.query,
        figures,
        missing_url=reverse("portal:console_place_list", args=[found.pk, "missing"]) + of.query,
        kind="place",
        key=place_key(found.pk),
    )


def _column(board: Board) -> str:
    kinds = {child.node.kind for child in board.children}
    if kinds == {"school"}:
        return _("School")
    if kinds == {"class"}:
        return _("Class")
    return _("College or unit") if board.node.kind == "school" else _("Class or unit")


def _sort_label(key: str) -> str:
    return {
        "name": _("by name"),
        "missing": _("most missing first"),
        "unwell": _("most unwell first"),
        "rate": _("lowest share first"),
    }[key]


def _sheets(scope: Scope, found: Organisation, round: Round, moment: datetime) -> dict[str, Any] | None:
    """Late and missing day sheets, for those above the schools."""
    if found.school_id != SHARED_SCHOOL or not scope.may(Permission.SHEET_VIEW, found.path):
        return None
    counts = {str(standing): n for standing, n in sheet_counts(scope, round=round, now=moment).items()}
    absent = sum(counts.get(key, 0) for key in ("waiting", "missing", "returned"))
    owed = moment >= round.sheets_due_at
    return {"missing": absent, "owed": owed, "late": counts.get("late", 0), "url": _maybe("reporting:province")}


def _hours(board: Board, of: Asked, moment: datetime, before: Sequence[int]) -> Chart:
    """The hour curve; hours that have not begun are gaps, not zeros."""
    assert of.round is not None
    begun = moment.astimezone(SHANGHAI).hour if of.is_today else 23
    deadline = of.round.deadline_at.astimezone(SHANGHAI)
    earlier = {_("The day before"): list(before)} if any(before) else {}
    return hour_curve(
        "hours",
        _("Reports per hour"),
        [n if hour <= begun else None for hour, n in enumerate(board.hours)],
        earlier,
        today_name=_("Today") if of.is_today else of.day.isoformat(),
        deadline=deadline.hour,
        deadline_label=_("Deadline %(time)s") % {"time": f"{deadline:%H:%M}"},
    )


def _trend(days: Sequence[DayRate]) -> Chart | None:
    if len(days) < 2:
        return None
    return Chart(
        key="trend",
        title=_("The last 14 days"),
        labels=[f"{d.day:%m-%d}" for d in days],
        series=[
            Series(_("Have reported"), [d.rate for d in days], tone="brand"),
            Series(_("On time"), [d.on_time_rate for d in days], tone="good", dashed=True),
        ],
        unit="%",
        axis=_("Day"),
    )


def _maybe(*url_names: str) -> str:
    """The address of the first page that exists in this installation."""
    for name in url_names:
        try:
            return reverse(name)
        except NoReverseMatch:
            continue
    return ""
