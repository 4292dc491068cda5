"""The plan of the house as the guards read it: rooms and floors from `.importlinter`, the only list."""

from __future__ import annotations

import configparser
import re
from collections.abc import Collection, Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "src" / "anxiao"


def floors() -> list[list[str]]:
    """Rooms by floor, the roof first.  Planned rooms stand on their floor already."""
    parser = configparser.ConfigParser()
    parser.read(ROOT / ".importlinter", encoding="utf-8")
    lines = parser["importlinter:contract:floors"]["layers"].strip().splitlines()
    return [[re.sub(r"[()\s]", "", room) for room in line.split("|")] for line in lines]


def height(room: str) -> int:
    """How high a room lies: 0 is the cellar."""
    for level, rooms in enumerate(reversed(floors())):
        if room in rooms:
            return level
    raise LookupError(f"room {room!r} has no floor in .importlinter")


def rooms() -> list[str]:
    """Rooms that exist."""
    return sorted(p.parent.name for p in PACKAGE.glob("*/__init__.py"))


def settle(found: Collection[str], exceptions: Mapping[str, str], rule: str) -> None:
    """Hold findings against the list of exceptions: a new finding fails, and so does an exception nobody needs."""
    broken = sorted(set(found) - set(exceptions))
    stale = sorted(set(exceptions) - set(found))
    assert not broken, f"{rule}\n  broken by: " + "\n             ".join(broken)
    assert not stale, f"{rule}\n  exceptions nobody needs any more: {', '.join(stale)}"
    assert all(len(reason) > 10 for reason in exceptions.values()), "every exception needs a reason"
