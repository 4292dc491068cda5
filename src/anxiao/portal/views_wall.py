"""The wall screen: one page; the figures that its stream brings, or that it fetches where there is no stream."""

from __future__ import annotations

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET

from anxiao.base.clock import day_of, now
from anxiao.base.scope import Scope
from anxiao.portal.queries.wall import Wall, wall_seen
from anxiao.portal.shown_wall import curve, payload
from anxiao.portal.streams.tickets import Watch, seal
from anxiao.reporting.commands.campaigns import ensure_rounds


@login_required
@require_GET
def wall(request: HttpRequest) -> HttpResponse:
    """The screen, with the figures of this moment already in it."""
    scope: Scope = request.scope  # type: ignore[attr-defined]
    shown = _wall(scope)
    return render(
        request,
        "portal/wall/wall.html",
        {
            "wall": shown,
            "now": payload(shown),
            "curve": curve(shown),
            "day": shown.day,
            "ticket": seal(scope.user_id, Watch("wall", shown.day)),
        },
    )


@never_cache
@require_GET
def data(request: HttpRequest) -> JsonResponse:
    """The figures of this moment.  A signed-out screen is told so instead of being sent the sign-in page."""
    scope: Scope = request.scope  # type: ignore[attr-defined]
    if not scope.is_known:
        return JsonResponse({"error": "signed out"}, status=401)
    shown = _wall(scope)
    return JsonResponse(payload(shown) | {"ticket": seal(scope.user_id, Watch("wall", shown.day))})


def _wall(scope: Scope) -> Wall:
    moment = now()
    ensure_rounds(day=day_of(moment))
    return wall_seen(scope, now=moment)
