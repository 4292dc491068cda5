"""The schools of the register on their way onto the platform, for the province."""

from __future__ import annotations

from collections import Counter
from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from anxiao.accounts.queries.onboarding import count_by_state
from anxiao.base.clock import SHANGHAI, day_of, now
from anxiao.base.errors import NotYours
from anxiao.base.permissions import Permission
from anxiao.base.scope import Scope
from anxiao.directory.names import OnboardingState
from anxiao.portal.queries.schools import SchoolLine, Step, narrowed, schools_on_their_way
from anxiao.portal.shown_schools import TONES, lack_words, schools_workbook, step_words
from anxiao.portal.views_console.common import scope_of

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


@require_GET
@login_required
def school_list(request: HttpRequest) -> HttpResponse:
    """All schools with how far they have come and what is missing; filtered by step, city and words."""
    scope = _those_who_bring_schools_in(request)
    moment = now()
    lines = schools_on_their_way(scope, day_of(moment))
    asked = _asked(request)
    shown = narrowed(lines, **asked)
    steps, lacks = step_words(), lack_words()
    counts = Counter(line.step for line in lines)
    applications = reverse("settings:onboarding")
    standing = count_by_state(scope)
    return render(
        request,
        "portal/console/schools.html",
        {
            "menu": "schools",
            "tabs": [
                *(
                    (s.value, s.label, f"{applications}?state={s.value}", standing.get(s.value, 0))
                    for s in OnboardingState
                ),
                ("all", _("All schools"), request.path, len(lines)),
            ],
            "rows": [
                (line, TONES[line.step], steps[line.step], [lacks[lack] for lack in line.lacks]) for line in shown
            ],
            "tiles": [(steps[step], counts[step], f"{request.path}?step={step}", step) for step in Step],
            "steps": [(step.value, steps[step]) for step in Step],
            "cities": sorted({line.city for line in lines}),
            "asked": asked,
            "export_url": reverse("portal:console_schools_export") + _query(request),
            "people": sum(line.people.people for line in shown),
            "activated": sum(line.people.activated for line in shown),
            "as_of": moment.astimezone(SHANGHAI),
        },
    )


@require_GET
@login_required
def school_list_export(request: HttpRequest) -> HttpResponse:
    """The same list as a workbook."""
    scope = _those_who_bring_schools_in(request)
    moment = now()
    lines: list[SchoolLine] = narrowed(schools_on_their_way(scope, day_of(moment)), **_asked(request))
    answer = HttpResponse(schools_workbook(lines, moment), content_type=XLSX)
    name = f"schools-{moment.astimezone(SHANGHAI):%Y%m%d-%H%M}.xlsx"
    answer["Content-Disposition"] = f'attachment; filename="{name}"'
    return answer


def _those_who_bring_schools_in(request: HttpRequest) -> Scope:
    scope = scope_of(request)
    if not scope.may(Permission.ONBOARDING_APPROVE):
        raise NotYours
    return scope


def _asked(request: HttpRequest) -> dict[str, Any]:
    step = request.GET.get("step", "")
    return {
        "step": Step(step) if step in set(Step) else None,
        "city": request.GET.get("city", "")[:30],
        "words": request.GET.get("q", "").replace("\x00", "").strip()[:60],
        "lacking": request.GET.get("lacking") == "1",
    }


def _query(request: HttpRequest) -> str:
    kept = {key: request.GET[key] for key in ("step", "city", "q", "lacking") if request.GET.get(key)}
    return f"?{urlencode(kept)}" if kept else ""
