"""What a page may listen to.  The view that rendered the page has checked that its reader may see it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Literal

from django.core import signing
from django.utils.translation import get_language

Face = Literal["node", "mine", "place", "wall"]

LIFETIME = timedelta(hours=12)
_SALT = "anxiao.streams.1"


@dataclass(frozen=True, slots=True)
class Watch:
    """The figures of one page: those of ``nodes`` and of the rows beneath them, of ``places``, or of a wall.

    ``round_id`` is 0 for a wall, which finds the round of its day itself.
    """

    face: Face
    day: date
    round_id: int = 0
    nodes: tuple[int, ...] = ()
    places: tuple[int, ...] = ()
    sheets: bool = False


@dataclass(frozen=True, slots=True)
class Ticket:
    """Who may listen to what, and in which language it is told."""

    user_id: int
    language: str
    watch: Watch


def seal(user_id: int, watch: Watch) -> str:
    """A ticket in the language of this moment, as text for an address."""
    told = [user_id, get_language() or "zh-hans", watch.face, watch.day.isoformat(), watch.round_id]
    return signing.dumps([*told, watch.nodes, watch.places, watch.sheets], salt=_SALT, compress=True)


def unseal(text: str) -> Ticket | None:
    """The ticket, or None when it is forged, damaged or old."""
    try:
        told: list[Any] = signing.loads(text, salt=_SALT, max_age=LIFETIME)
    except signing.BadSignature:
        return None
    user_id, language, face, day, round_id, nodes, places, sheets = told
    return Ticket(
        user_id, language, Watch(face, date.fromisoformat(day), round_id, tuple(nodes), tuple(places), sheets)
    )
