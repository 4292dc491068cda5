"""What the console's pages share: the day and the round that a page speaks of, and the caller's own nodes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cache
from urllib.parse import urlencode

from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext as _

from anxiao.base.clock import day_of
from anxiao.base.errors import Refused
from anxiao.base.permissions import Permission
from anxiao.base.scope import SHARED_SCHOOL, Scope
from anxiao.directory.models import Organisation, Place
from anxiao.reporting.commands.campaigns import ensure_rounds
from anxiao.reporting.models import Round
from anxiao.reporting.queries.months import is_set_aside
from anxiao.reporting.queries.rounds import rounds_of

_SOME_ID = 987_654_321


@cache
def _around_id(name: str, more: tuple[str, ...]) -> tuple[str, str]:
    before, _id, after = reverse(name, args=[_SOME_ID, *more]).partition(str(_SOME_ID))
    return before, after


def address_of(name: str, pk: int, *more: str) -> str:
    """``reverse`` for tables of a hundred rows: the address is looked up once and the id put into it."""
    before, after = _around_id(name, more)
    return f"{before}{pk}{after}"


@dataclass(frozen=True, slots=True)
class Asked:
    """Of which day and round a page speaks; ``round`` is None on a day on which nothing was asked."""

    day: date
    today: date
    round: Round | None
    rounds: Sequence[Round]

    @property
    def is_today(self) -> bool:
        return self.day == self.today

    @property
    def query(self) -> str:
        """What links carry along so that the next page speaks of the same day and campaign."""
        kept: dict[str, object] = {} if self.is_today else {"day": self.day.isoformat()}
        if self.round is not None and self.round is not self.rounds[0]:
            kept["campaign"] = self.round.campaign_id
        return f"?{urlencode(kept)}" if kept else ""

    def with_day(self, day: date) -> str:
        kept: dict[str, object] = {"day": day.isoformat()}
        if self.round is not None and self.round is not self.rounds[0]:
            kept["campaign"] = self.round.campaign_id
        return f"?{urlencode(kept)}"

    @property
    def previous(self) -> str:
        return self.with_day(self.day - timedelta(days=1))

    @property
    def next(self) -> str:
        return "" if self.day >= self.today else self.with_day(self.day + timedelta(days=1))


def asked(request: HttpRequest, scope: Scope, path: str, now: datetime) -> Asked:
    """The day and round of a page from ``?day=`` and ``?campaign=``; nonsense and days to come mean today."""
    today = day_of(now)
    day = _day(request.GET.get("day"), today)
    rounds = rounds_of(scope, path, day)
    if not rounds and day == today:
        # nobody has asked for today's round yet: it comes into being now
        ensure_rounds(day=day)
        rounds = rounds_of(scope, path, day)
    wanted = whole(request.GET.get("campaign"))
    chosen = next((r for r in rounds if r.campaign_id == wanted), rounds[0] if rounds else None)
    return Asked(day, today, chosen, rounds)


def must_be_at_hand(scope: Scope, day: date) -> None:
    """Refuse a page that would look as if nobody had reported, because the reports of that month are set aside."""
    if is_set_aside(scope, day):
        raise Refused(
            _(
                "The reports of this month have been set aside by the operator. The figures stay; names and answers "
                "are not at hand. Whoever runs the platform can take the month back."
            )
        )


def scope_of(request: HttpRequest) -> Scope:
    scope: Scope = request.scope  # type: ignore[attr-defined]
    return scope


def own_nodes(scope: Scope, permission: Permission = Permission.BOARD_VIEW) -> list[Organisation]:
    """The outermost nodes on which the caller holds ``permission``; one statement."""
    paths = scope.paths_for(permission)
    ids = {g.node_id for g in scope.grants if g.node_path in paths and g.place_path is None}
    return list(Organisation.objects.filter(pk__in=ids).select_related("parent").order_by("school_id", "path"))


def own_places(scope: Scope, permission: Permission = Permission.BOARD_VIEW) -> list[Place]:
    """The buildings that the caller looks after; at most one statement."""
    ids = [int(path.rpartition(".")[2]) for path in scope.place_paths_for(permission)]
    return list(Place.objects.filter(pk__in=ids).select_related("parent").order_by("path")) if ids else []


def are_together(nodes: Sequence[Organisation]) -> bool:
    """Whether several nodes make one list of names: all in one school."""
    return len({n.school_id for n in nodes}) == 1 and nodes[0].school_id != SHARED_SCHOOL


def whole(text: str | None) -> int | None:
    # at most nine digits, so that no number leaves the range of a database integer
    return int(text) if text and text.isascii() and text.isdigit() and len(text) <= 9 else None


def query_of(**values: object) -> str:
    kept = {key: value for key, value in values.items() if value not in (None, "")}
    return f"?{urlencode(kept)}" if kept else ""


def is_htmx(request: HttpRequest) -> bool:
    return request.headers.get("HX-Request") == "true"


def _day(text: str | None, today: date) -> date:
    try:
        day = date.fromisoformat(text or "")
    except ValueError:
        return today
    return day if date(2020, 1, 1) <= day <= today else today
