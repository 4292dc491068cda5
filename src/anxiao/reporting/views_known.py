"""Looking back: the expected people of a day as they were known at a moment, beside what is known now."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from anxiao.base.clock import SHANGHAI, day_of, moment_at, now
from anxiao.base.permissions import Permission
from anxiao.base.scope import Scope
from anxiao.directory.access import get_organisation
from anxiao.directory.crumbs import crumbs
from anxiao.directory.models import Organisation
from anxiao.directory.queries_roster import names_as_known
from anxiao.reporting.models import Round
from anxiao.reporting.queries.boards import NOTHING, Figures, children_of, figures_of_nodes, trail_of
from anxiao.reporting.queries.expected import figures_as_known
from anxiao.reporting.queries.rounds import rounds_of


@dataclass(frozen=True, slots=True)
class Row:
    """A node as it was known, and as it is known now."""

    name: str
    url_id: int
    then: Figures
    now: Figures

    @property
    def differs(self) -> bool:
        return (self.then.expected, self.then.reported) != (self.now.expected, self.now.reported)


@require_GET
@login_required
def known(request: HttpRequest, node_id: int) -> HttpResponse:
    """People, expected and reported of a node and of what lies beneath it, as they were known at a moment."""
    scope: Scope = request.scope  # type: ignore[attr-defined]
    node = get_organisation(scope, node_id, Permission.BOARD_VIEW)
    moment = now()
    day, at = _asked(request, moment)
    rounds = rounds_of(scope, node.path, day)
    context = {
        "menu": "today",
        "node": node,
        "day": day,
        "at": at.astimezone(SHANGHAI),
        "at_day": at.astimezone(SHANGHAI).strftime("%Y-%m-%d"),
        "at_time": at.astimezone(SHANGHAI).strftime("%H:%M"),
        "latest": day_of(moment).isoformat(),
        "round": rounds[0] if rounds else None,
        "trail": crumbs(scope, trail_of(scope, node), (_("Looking back"), ""), query=f"?day={day}"),
    }
    if rounds:
        context["rows"] = _rows(scope, node, rounds[0], at)
    return render(request, "reporting/console/known.html", context)


def _rows(scope: Scope, node: Organisation, round: Round, at: datetime) -> Sequence[Row]:
    """The node first, then its children that counted anybody then or count somebody now."""
    nodes = [node, *children_of(scope, node)]
    then, today = figures_as_known(scope, nodes, round, at), figures_of_nodes(scope, nodes, round)
    names = names_as_known(scope, nodes=[n.pk for n in nodes], day=round.day, known=at)
    rows = [Row(names.get(n.pk, n.label), n.pk, then.get(n.pk, NOTHING), today.get(n.pk, NOTHING)) for n in nodes]
    return [row for i, row in enumerate(rows) if not i or row.then.people or row.now.people]


def _asked(request: HttpRequest, moment: datetime) -> tuple[date, datetime]:
    """The day, and the moment up to which things were known: now, when none is given or when it has not come yet."""
    today = day_of(moment)
    day = min(_day(request.GET.get("day"), today), today)
    at_day = _day(request.GET.get("at_day"), today)
    try:
        at_time = time.fromisoformat(request.GET.get("at_time", "")).replace(tzinfo=None)
    except ValueError:
        return day, moment
    return day, min(moment_at(at_day, at_time), moment)


def _day(text: str | None, otherwise: date) -> date:
    try:
        return max(date(2020, 1, 1), min(date.fromisoformat(text or ""), otherwise))
    except ValueError:
        return otherwise
