"""How far a long step of an import is, in words: counts, time left, and what it waits for."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext, gettext_noop, ngettext
from django.utils.translation import gettext as _

from anxiao.directory.models import DirectoryImport
from anxiao.directory.names import ImportState

PATIENCE = timedelta(seconds=30)
"""After this long without a beginning somebody should look whether the worker runs at all."""
_MEGABYTE = 1024 * 1024


@dataclass(frozen=True, slots=True)
class ShownProgress:
    """A bar (``done`` of ``total``, both 0 before anything is known), its label, counts and time left in words."""

    done: int
    total: int
    label: str
    counts: str
    left: str
    stuck: bool


def shown_progress(import_: DirectoryImport, now: datetime) -> ShownProgress:
    """The step at work at this moment."""
    told = import_.progress
    done, total = int(told.get("done") or 0), int(told.get("total") or 0)
    started = parse_datetime(told["started_at"]) if told.get("started_at") else None
    state = ImportState(import_.state)
    if started is None:
        since = import_.decided_at or import_.created_at
        return ShownProgress(0, 0, _waiting(state), "", "", stuck=now - since > PATIENCE)
    return ShownProgress(
        min(done, total),
        total,
        _label(state, str(told.get("phase", ""))),
        _counts(told, done, total),
        time_left(done, total, now - started),
        stuck=False,
    )


def _waiting(state: ImportState) -> str:
    if state is ImportState.READING:
        return _("Waits to be read")
    return _("Waits for its turn: one import of a school is written after the other")


_PHASES: dict[str, str] = {
    "reading": gettext_noop("Reading and checking the file"),
    "comparing": gettext_noop("Comparing with the directory"),
    "waiting": gettext_noop("Waits for its turn: one import of a school is written after the other"),
    "people": gettext_noop("Writing people"),
    "memberships": gettext_noop("Writing who belongs to which class and unit"),
    "counsellors": gettext_noop("Linking counsellors to their classes"),
    "ledger": gettext_noop("Writing the ledger"),
    "counting": gettext_noop("Counting who has to report"),
}


def _label(state: ImportState, phase: str) -> str:
    words = gettext(_PHASES.get(phase, "")) if phase in _PHASES else ""
    return words or _waiting(state)


def _counts(told: dict[str, object], done: int, total: int) -> str:
    rows = told.get("rows")
    if isinstance(rows, int) and rows:
        return ngettext("%(number)s row", "%(number)s rows", rows) % {"number": f"{rows:,}"}
    return ""


def time_left(done: int, total: int, elapsed: timedelta) -> str:
    """About how long it still takes, once there is enough to judge by; never a false precision."""
    seconds = elapsed.total_seconds()
    if not total or done >= total or done * 50 < total or seconds < 2:
        return ""
    left = seconds * (total - done) / done
    if left < 10:
        return _("a few seconds left")
    if left < 90:
        return _("about %(seconds)s seconds left") % {"seconds": -(-int(left) // 10) * 10}
    minutes = -(-int(left) // 60)
    return _("about %(minutes)s minutes left") % {"minutes": minutes}
