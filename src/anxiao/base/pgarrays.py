"""Array literals of PostgreSQL, written by hand: four times as fast as adapting lists, and the peak feels it.

Only for values whose text needs no escaping (numbers, dates, moments, UUIDs, booleans) and, apart, for texts.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any


def plain(values: Iterable[Any]) -> str:
    """``{1,NULL,true}``: numbers, dates, moments, UUIDs and booleans. The statement casts: ``%(ids)s::int[]``."""
    return "{" + ",".join(["NULL" if v is None else str(v) for v in values]) + "}"


def texts(values: Iterable[str | None]) -> str:
    """Texts of any content, quoted."""
    return "{" + ",".join(["NULL" if v is None else _quoted(v) for v in values]) + "}"


def _quoted(value: str) -> str:
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
