"""The left side of the console: a list of tasks that rooms add to, so that `ui` need not know any room.

A room calls `register` in its `apps.py`:

    from anxiao.ui import menu
    menu.register("people", _("People"), "directory:people", permission=Permission.PEOPLE_VIEW)

The nine tasks that everybody knows have their icon and order here; another key brings its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.urls import NoReverseMatch, reverse

if TYPE_CHECKING:
    from django.utils.functional import _StrPromise

# key: (icon, order). Tens leave room between two tasks.
KNOWN: Mapping[str, tuple[str, int]] = {
    "today": ("pulse", 10),
    "people": ("users", 20),
    "campaigns": ("clipboard", 30),
    "notices": ("megaphone", 40),
    "warnings": ("alert", 50),
    "campus": ("home", 60),
    "statistics": ("chart", 70),
    "exchange": ("exchange", 80),
    "settings": ("settings", 90),
}


PHONE_KNOWN: Mapping[str, tuple[str, int]] = {
    "today": ("check-circle", 10),
    "history": ("clock", 20),
    "notices": ("bell", 30),
    "me": ("user", 90),
}


@dataclass(frozen=True, slots=True)
class Item:
    """One task of the console."""

    key: str
    label: str | _StrPromise
    url_name: str
    icon: str
    permission: str | None
    order: int
    badge: Callable[[Any], int] | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """One task as shown to one person on one page."""

    key: str
    label: str | _StrPromise
    url: str
    icon: str
    current: bool
    badge: str = ""


_items: dict[str, Item] = {}
_phone_items: dict[str, Item] = {}


def register(
    key: str,
    label: str | _StrPromise,
    url_name: str,
    icon: str | None = None,
    permission: str | None = None,
    order: int | None = None,
    badge: Callable[[Any], int] | None = None,
) -> None:
    """Add a task; the same key again replaces it. `permission=None` is for everybody.

    `badge` tells from the scope how much waits there; it is asked on every page, so it costs one small statement.
    """
    known_icon, known_order = KNOWN.get(key, ("list", 100))
    _items[key] = Item(
        key=key,
        label=label,
        url_name=url_name,
        icon=icon or known_icon,
        permission=permission,
        order=known_order if order is None else order,
        badge=badge,
    )


def register_phone(
    key: str, label: str | _StrPromise, url_name: str, icon: str | None = None, order: int | None = None
) -> None:
    """Add a place to the bar at the foot of the phone (four at most fit a thumb)."""
    known_icon, known_order = PHONE_KNOWN.get(key, ("list", 50))
    _phone_items[key] = Item(
        key=key,
        label=label,
        url_name=url_name,
        icon=icon or known_icon,
        permission=None,
        order=known_order if order is None else order,
    )


def items() -> tuple[Item, ...]:
    """All registered tasks in their order, for whoever looks."""
    return tuple(sorted(_items.values(), key=lambda item: (item.order, item.key)))


def entries(scope: Any, path: str, current_key: str = "") -> tuple[Entry, ...]:
    """The tasks this scope may use and that have a page, with the one marked that `path` belongs to."""
    allowed = (i for i in items() if i.permission is None or (scope is not None and scope.may(i.permission)))
    return _resolve(allowed, path, current_key, scope)


def phone_entries(path: str, current_key: str = "") -> tuple[Entry, ...]:
    """The places of the phone's foot bar."""
    ordered = sorted(_phone_items.values(), key=lambda item: (item.order, item.key))
    return _resolve(ordered, path, current_key)


def _resolve(candidates: Iterable[Item], path: str, current_key: str, scope: Any = None) -> tuple[Entry, ...]:
    """Give each item its address; the longest address that begins `path` is the current one.

    Longest, so that /console/people/import/ marks People and not Today at /console/.
    """
    found: list[tuple[Item, str]] = []
    for item in candidates:
        try:
            found.append((item, reverse(item.url_name)))
        except NoReverseMatch:
            continue  # a room that is not installed here
    if not current_key:
        matching = [(len(url), item.key) for item, url in found if path.startswith(url)]
        current_key = max(matching)[1] if matching else ""
    return tuple(
        Entry(
            key=item.key,
            label=item.label,
            url=url,
            icon=item.icon,
            current=item.key == current_key,
            badge=_number(item.badge(scope)) if item.badge and scope is not None else "",
        )
        for item, url in found
    )


def _number(count: int) -> str:
    """Nothing for nothing; a number on a menu needs two digits."""
    return "99+" if count > 99 else str(count) if count else ""
