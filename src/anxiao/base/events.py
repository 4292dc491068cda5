"""The bell rope: a room says that something happened; who listens stands in ``config/wiring.py``.

Handlers run at once, inside the publisher's transaction: what they write commits or vanishes with the news.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

Handler = Callable[..., None]

_wiring: dict[str, tuple[Handler, ...]] = {}


def wire(table: Mapping[str, Sequence[Handler]]) -> None:
    """Replace the whole table of listeners (called once, from the roof)."""
    _wiring.clear()
    _wiring.update({name: tuple(handlers) for name, handlers in table.items()})


def wired_names() -> frozenset[str]:
    return frozenset(_wiring)


def publish(name: str, **facts: Any) -> None:
    """Tell everybody who listens to ``name``.  An event that nobody wired, not even as ``[]``, is a mistake."""
    try:
        handlers = _wiring[name]
    except KeyError:
        raise LookupError(f"event {name!r} is not in config/wiring.py") from None
    for handler in handlers:
        handler(**facts)
