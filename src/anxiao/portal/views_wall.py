"""The wall screen: one page, and the figures it fetches every two seconds."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET

from anxiao.base.clock import SHANGHAI, day_of, now
from anxiao.base.errors import NotYours
from anxiao.base.scope import Scope
from anxiao.portal.queries.wall import Wall, province_wall, school_wall, watched_school
from anxiao.reporting.access_sheets import answers_for_province, get_school_node
from anxiao.reporting.commands.campaigns import ensure_rounds
from anxiao.reporting.queries.sheets import round_on
from anxiao.reporting.rules_sheets import Standing
from anxiao.ui.charts import hour_curve
from anxiao.ui.templatetags.ui import figure, percent


@login_required
@require_GET
def wall(request: HttpRequest) -> HttpResponse:
    """The screen, with the figures of this moment already in it."""
    scope: Scope = request.scope  # type: ignore[attr-defined]
    shown = _wall(scope)
    return render(
        request,
        "portal/wall/wall.html",
        {"wall": shown, "now": _payload(shown), "curve": _curve(shown), "day": shown.day},
    )


@never_cache
@require_GET
def data(request: HttpRequest) -> JsonResponse:
    """The figures of this moment.  A signed-out screen is told so instead of being sent the sign-in page."""
    scope: Scope = request.scope  # type: ignore[attr-defined]
    if not scope.is_known:
        return JsonResponse({"error": "signed out"}, status=401)
    return JsonResponse(_payload(_wall(scope)))


def _wall(scope: Scope) -> Wall:
    moment = now()
    day = day_of(moment)
    above = answers_for_province(scope)
    school = None if above else watched_school(scope)
    if school is None and not above:
        raise NotYours
    title = _("The province") if school is None else school.name
    if above:
        title = next((g.node_name for g in scope.grants if g.school_id == 0 and g.node_name), title)
    ensure_rounds(day=day)
    round = round_on(day)
    if round is None:
        return Wall(title=title, day=day, at=moment, above=above)
    if school is None:
        return province_wall(scope, title=title, round=round, now=moment)
    return school_wall(scope, school=school, node=get_school_node(scope, school.id), round=round, now=moment)


def _payload(wall: Wall) -> dict[str, Any]:
    """Words and numbers as they are shown, so that page and script cannot format them differently."""
    total, sheets = wall.total, wall.sheets
    signed = sheets.get(Standing.ON_TIME, 0) + sheets.get(Standing.LATE, 0)
    return {
        "day": wall.day.isoformat(),
        "at": f"{wall.at.astimezone(SHANGHAI):%H:%M:%S}",
        "texts": {
            "share": percent(total.reported, total.expected),
            "reported": figure(total.reported),
            "expected": figure(total.expected),
            "on_time": figure(total.on_time),
            "late": figure(total.late),
            "missing": figure(total.missing),
            "unwell": figure(total.unwell),
            "fever": figure(total.fever),
            "suspected": figure(total.suspected),
            "confirmed": figure(total.confirmed),
            "isolated": figure(total.isolated),
            "signed": figure(signed),
            "schools": figure(sum(sheets.values())),
            "sheets_late": figure(sheets.get(Standing.LATE, 0)),
            "sheets_returned": figure(sheets.get(Standing.RETURNED, 0)),
            "sheets_open": figure(sheets.get(Standing.MISSING, 0) + sheets.get(Standing.WAITING, 0)),
            "sheet": _sheet_words(wall),
            "ticker": _ticker_words(wall),
        },
        "progress": {"value": total.reported, "max": max(total.expected, 1)},
        "groups": [
            {
                "name": group.name,
                "share": percent(group.counts.reported, group.counts.expected),
                "value": group.counts.reported,
                "max": max(group.counts.expected, 1),
                "missing": figure(group.counts.missing),
            }
            for group in wall.groups
        ],
        "ticker": [f"{name} {figure(n)}" if n else name for name, n in wall.waiting],
        "curve": _curve(wall).spec,
    }


def _sheet_words(wall: Wall) -> str:
    """The state of a school's own sheet."""
    words = {
        Standing.ON_TIME: _("Signed on time"),
        Standing.LATE: _("Signed late"),
        Standing.RETURNED: _("Returned"),
        Standing.MISSING: _("Missing"),
        Standing.WAITING: _("Not signed yet"),
    }
    return next((words[standing] for standing, n in wall.sheets.items() if n), "–")


def _ticker_words(wall: Wall) -> str:
    if wall.round is None:
        return _("Nobody is asked today.")
    if not wall.above:
        return _("People missing") if wall.waiting else _("Everybody has reported.")
    if not wall.waiting:
        return _("All schools have signed their day sheet.")
    return _("Day sheet missing") if wall.sheets_owed else _("Day sheet not signed yet")


def _curve(wall: Wall) -> Any:
    hour = wall.at.astimezone(SHANGHAI).hour
    # an hour that has not come is unknown, not zero
    today = [n if i <= hour else None for i, n in enumerate(wall.hours or [0] * 24)]
    return hour_curve(
        "hours",
        _("Reports by hour"),
        today,
        {_("Yesterday"): list(wall.hours_before)} if wall.hours_before else {},
        today_name=_("Today"),
        deadline=wall.round.deadline_at.astimezone(SHANGHAI).hour if wall.round else 14,
        deadline_label=_("Deadline"),
    )
