"""Who is asking, and what they sent: the shape of a request, before anything is judged."""

from __future__ import annotations

import time
from datetime import datetime
from typing import Any, NamedTuple, TypeGuard
from urllib.parse import parse_qs
from uuid import UUID

from anxiao.base import clock
from anxiao.base.marking import gettext_noop as _
from anxiao.base.passes import COOKIE, Pass, unseal
from anxiao.intake import strict
from anxiao.intake.door import Door
from anxiao.intake.http import Denied, Request

_KEYS = frozenset({"ticket", "round", "form_version", "key", "answers", "unchanged", "captured_at"})
_CORRECTION_KEYS = _KEYS | {"reason"}
_LONGEST_REASON = 300
_LONGEST_TICKET = 400


class Submission(NamedTuple):
    """A request to keep a report, its shape checked and its answers not yet judged."""

    ticket: str
    round_id: int
    form_version: int
    key: UUID
    answers: Any
    unchanged: bool
    captured_at: datetime | None
    reason: str | None


def holder(door: Door, request: Request) -> Pass:
    """Who holds the phone; ``Denied`` when nobody does, when the pass has ended, or when they come too often."""
    held = unseal(door.secret, request.cookie(COOKIE), clock.now()) if door.secret else None
    if held is None:
        raise Denied(401, "signed_out", _("Please sign in again."))
    door.standing.check(held)
    if not door.limits.allows(held.user_id, time.monotonic()):
        raise Denied(429, "too_often", _("The platform is busy. Please try again in a moment."))
    return held


def must_be_from_our_own_page(request: Request) -> None:
    """A foreign page can send neither this type nor this header without being asked for permission (CORS)."""
    if request.header(b"content-type").partition(";")[0].strip().lower() != "application/json":
        raise Denied(415, "not_json", _("The request could not be read."))
    if request.headers.get(b"x-anxiao") != b"1":
        raise Denied(403, "foreign", _("The request could not be read."))


def must_be_of_their_own_page(request: Request, held: Pass) -> None:
    """A page may outlive its session: a report that waited on a shared phone is never kept for whoever came next."""
    named = request.header(b"x-anxiao-person")
    if named and named != str(held.person_id):
        raise Denied(401, "signed_out", _("Please sign in again."))


def query(request: Request, name: str) -> str:
    """A parameter of the address, cut to a sensible length, or ``""``."""
    return parse_qs(request.query[:500].decode("latin-1")).get(name, [""])[0][:64]


def number(request: Request, name: str) -> int:
    """A parameter that must be an id."""
    text = query(request, name)
    if not text.isdecimal() or not _is_id(int(text)):
        raise Denied(404, "not_found", _("That does not exist here."))
    return int(text)


def submission(body: dict[str, Any], *, correction: bool) -> Submission:
    """The body as a submission; ``Unreadable`` when a field is missing, foreign or of another kind."""
    if body.keys() - (_CORRECTION_KEYS if correction else _KEYS):
        raise strict.Unreadable("The request could not be read.")
    try:
        key = UUID(body["key"]) if isinstance(body.get("key"), str) and len(body["key"]) == 36 else None
    except ValueError:
        key = None
    round_id, version = body.get("round"), body.get("form_version")
    unchanged = body.get("unchanged", False)
    if key is None or not _is_id(round_id) or not _is_id(version) or not isinstance(unchanged, bool):
        raise strict.Unreadable("The request could not be read.")
    ticket = body.get("ticket")
    return Submission(
        ticket if isinstance(ticket, str) and len(ticket) <= _LONGEST_TICKET else "",
        round_id,
        version,
        key,
        body.get("answers"),
        unchanged,
        _captured(body.get("captured_at")),
        _reason(body) if correction else None,
    )


def _is_id(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and 0 < value < 2**31


def _reason(body: dict[str, Any]) -> str:
    reason = body.get("reason")
    text = reason.strip() if isinstance(reason, str) else ""
    if not text or len(text) > _LONGEST_REASON or not text.replace("\n", "").isprintable():
        message = _("Please say why this is corrected.")
        raise Denied(422, "invalid", message, problems=[{"field": "reason", "code": "required", "message": message}])
    return text


def _captured(value: object) -> datetime | None:
    if not isinstance(value, str) or len(value) > 40:
        return None
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        return None
    return moment if moment.tzinfo is not None else None
