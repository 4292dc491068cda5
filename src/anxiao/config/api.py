"""The machine interface, version 1: the same queries as the pages, in JSON, for the session that is signed in.

Every answer is described in ``openapi.py``; a test holds the two together.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from functools import wraps
from typing import Any

from django.http import HttpRequest, JsonResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache

from anxiao import __version__
from anxiao.base.clock import SHANGHAI, day_of, now
from anxiao.base.errors import Invalid, NotYours, Refused
from anxiao.base.permissions import Permission
from anxiao.base.scope import Scope
from anxiao.config.openapi import DOCUMENT
from anxiao.directory.access import get_organisation
from anxiao.directory.models import Organisation
from anxiao.reporting.commands.campaigns import ensure_rounds
from anxiao.reporting.models import Round
from anxiao.reporting.queries.boards import Figures, today_board
from anxiao.reporting.queries.sheets import Row, province_sheets, round_on
from anxiao.reporting.rules_sheets import Counts

Json = dict[str, Any]
View = Callable[..., JsonResponse]


def door(*, open_to_all: bool = False) -> Callable[[Callable[..., Json]], View]:
    """A GET that answers in JSON whatever happens, errors in plain words included."""

    def decorate(view: Callable[..., Json]) -> View:
        @never_cache
        @wraps(view)
        def answer(request: HttpRequest, **kwargs: Any) -> JsonResponse:
            if request.method not in ("GET", "HEAD"):
                no = _error("method_not_allowed", _("This address only answers GET."), 405)
                no.headers["Allow"] = "GET, HEAD"
                return no
            scope: Scope = request.scope  # type: ignore[attr-defined]
            if not open_to_all and not scope.is_known:
                return _error("signed_out", _("Please sign in first."), 401)
            try:
                return _json(view(request, **kwargs))
            except NotYours:
                return _error("not_found", _("There is nothing here, or nothing for you."), 404)
            except Invalid as invalid:
                return _error("invalid", str(invalid), 400, {k: str(v) for k, v in invalid.fields.items()})
            except Refused as no_:
                return _error(no_.code, str(no_), 409)

        return answer

    return decorate


@door(open_to_all=True)
def root(request: HttpRequest) -> Json:
    """What this is, and where to go from here."""
    return {
        "name": "anxiao",
        "version": __version__,
        "links": {name: reverse(f"api:{name}") for name in ("openapi", "me", "sheets")}
        | {"node_today": "/api/v1/nodes/{id}/today", "intake": "/intake/v1/openapi.json", "health": reverse("healthz")},
    }


@door(open_to_all=True)
def document(request: HttpRequest) -> Json:
    """This interface, described by itself."""
    return DOCUMENT


@door()
def me(request: HttpRequest) -> Json:
    """Who is signed in, and what they may do where."""
    scope: Scope = request.scope  # type: ignore[attr-defined]
    return {
        "username": scope.username,
        "display_name": scope.display_name,
        "school_id": scope.school_id,
        "roles": [
            {
                "role": str(grant.role),
                "node": {
                    "id": grant.node_id,
                    "name": grant.node_name,
                    "kind": grant.node_kind,
                    "school_id": grant.school_id,
                },
                "place": grant.place_path,
                "permissions": sorted(str(p) for p in grant.permissions),
            }
            for grant in scope.grants
        ],
    }


@door()
def node_today(request: HttpRequest, node_id: int) -> Json:
    """The board of a node: its numbers, those of the nodes right beneath it, and the hour curve."""
    scope: Scope = request.scope  # type: ignore[attr-defined]
    node = get_organisation(scope, node_id, Permission.BOARD_VIEW)
    moment = now()
    round = _todays_round()
    if round is None:
        raise NotYours
    board = today_board(scope, node, round)
    return {
        "node": _node(node),
        "round": _round(round),
        "at": moment.astimezone(SHANGHAI).isoformat(timespec="seconds"),
        "total": _counts(board.total),
        "by_audience": {a.name.lower(): _counts(f) for a, f in board.by_audience.items()},
        "children": [{"node": _node(child.node), "figures": _counts(child.figures)} for child in board.children],
        "hours": list(board.hours),
    }


@door()
def sheets(request: HttpRequest) -> Json:
    """The day sheets of all schools within reach: state, signature, statements, beside the live figures."""
    scope: Scope = request.scope  # type: ignore[attr-defined]
    if not scope.paths_for(Permission.SHEET_VIEW):
        raise NotYours
    day, moment = _day(request), now()
    round = _todays_round() if day == day_of(moment) else round_on(day)
    if round is None:
        return {"day": day.isoformat(), "round": None, "counts": {}, "sheets": []}
    whole = province_sheets(scope, round=round, now=moment)
    return {
        "day": day.isoformat(),
        "round": _round(round),
        "counts": {str(standing): n for standing, n in whole.counts.items()},
        "sheets": [_sheet(row) for row in whole.rows],
    }


@door(open_to_all=True)
def absent(request: HttpRequest, rest: str) -> Json:
    """Any other address of this interface."""
    raise NotYours


def _sheet(row: Row) -> Json:
    current = row.sheet.current
    return {
        "school": {"id": row.school.id, "code": row.school.code, "name": row.school.name, "city": row.school.city},
        "standing": str(row.sheet.standing),
        "version": None
        if current is None
        else {
            "number": current.number,
            "late": current.late,
            "digest": current.digest,
            "intact": current.intact,
            "signed_by": current.signed_by_name,
            "signed_at": current.signed_at.astimezone(SHANGHAI).isoformat(),
            "statements": dict(current.statements),
            "figures": current.figures.stored(),
            "note": current.note,
            "return_reason": current.return_reason,
        },
        "live": _counts(row.live),
        "last_14_days": {"late": row.record.late, "missing": row.record.missing},
    }


COUNTED = ("people", "exempt", "expected", "on_time", "late", "missing")
HEALTH = ("unwell", "fever", "suspected", "confirmed", "isolated", "contact")


def _counts(counts: Figures | Counts) -> Json:
    return {name: getattr(counts, name) for name in (*COUNTED, *HEALTH)}


def _node(node: Organisation) -> Json:
    return {"id": node.pk, "name": node.label, "kind": str(node.kind), "school_id": node.school_id}


def _round(round: Round) -> Json:
    return {
        "id": round.pk,
        "day": round.day.isoformat(),
        "deadline_at": round.deadline_at.astimezone(SHANGHAI).isoformat(),
        "sheets_due_at": round.sheets_due_at.astimezone(SHANGHAI).isoformat(),
        "closes_at": round.closes_at.astimezone(SHANGHAI).isoformat(),
    }


def _todays_round() -> Round | None:
    today = day_of(now())
    ensure_rounds(day=today)
    return round_on(today)


def _day(request: HttpRequest) -> date:
    text = request.GET.get("day")
    if text is None:
        return day_of(now())
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise Invalid({"day": _("Please write the day as 2020-02-15.")}) from None


def _json(content: Json, status: int = 200) -> JsonResponse:
    return JsonResponse(content, status=status, json_dumps_params={"ensure_ascii": False})


def _error(code: str, message: str, status: int, fields: Json | None = None) -> JsonResponse:
    error: Json = {"code": code, "message": message}
    if fields:
        error["fields"] = fields
    return _json({"error": error}, status)
