"""How far a long step of an import is, in words: counts, time left, and what it waits for."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext, gettext_noop, ngettext
from django.utils.translation import gettext as _

from anxiao.directory.importing.shown_import import size_of
from anxiao.directory.models import DirectoryImport
from anxiao.directory.names import ImportState

PATIENCE = timedelta(seconds=30)
"""After this long without a beginning somebody should look whether the worker runs at all."""


_PHASES: dict[str, str] = {
    "waiting": gettext_noop("About to begin; the imports of one school are done one after the other"),
    "reading": gettext_noop("Reading and checking the file"),
    "comparing": gettext_noop("Comparing with the directory"),
    "people": gettext_noop("Writing people"),
    "memberships": gettext_noop("Writing who belongs to which class and unit"),
    "counsellors": gettext_noop("Linking counsellors to their classes"),
    "ledger": gettext_noop("Writing the ledger"),
    "counting": gettext_noop("Counting who has to report"),
}
_STEPS = {
    ImportState.APPLYING: ("comparing", "people", "memberships", "counsellors", "ledger", "counting"),
    ImportState.UNDOING: ("comparing", "memberships", "counting"),
}
"""Steps that are one statement each, so that nobody can say how far such a statement is."""


@dataclass(frozen=True, slots=True)
class ShownProgress:
    """A bar (``done`` of ``total``, both 0 before anything is known), its label, counts and time in words."""

    done: int
    total: int
    label: str
    counts: str
    time: str
    stuck: bool = False


def shown_progress(import_: DirectoryImport, now: datetime) -> ShownProgress:
    """The step at work at this moment."""
    told, state = import_.progress, ImportState(import_.state)
    phase, began = str(told.get("phase") or ""), _moment(told.get("started_at"))
    since = import_.decided_at if import_.decided_at and state in _STEPS else import_.created_at
    if began is None or phase not in _PHASES:
        label = _("Waits to be read") if state is ImportState.READING else gettext(_PHASES["waiting"])
        return ShownProgress(0, 0, label, "", "", stuck=began is None and now - since > PATIENCE)
    label = gettext(_PHASES[phase])
    done, total = int(told.get("done") or 0), int(told.get("total") or 0)
    if state is ImportState.READING and total:
        if phase == "comparing":
            rows = ngettext("%(number)s row", "%(number)s rows", total) % {"number": f"{total:,}"}
            return ShownProgress(0, 0, label, rows, running(now - since))
        counts = _("%(done)s of %(total)s") % {"done": size_of(done), "total": size_of(total)}
        return ShownProgress(min(done, total), total, label, counts, time_left(done, total, now - began))
    steps = _STEPS.get(state, ())
    if phase not in steps:
        return ShownProgress(0, 0, label, "", "")
    step = steps.index(phase) + 1
    counts = _("step %(step)s of %(steps)s") % {"step": step, "steps": len(steps)}
    return ShownProgress(step - 1, len(steps), label, counts, running(now - since))


def _moment(said: object) -> datetime | None:
    return parse_datetime(said) if isinstance(said, str) else None


def running(elapsed: timedelta) -> str:
    """How long something has been at work, where nobody can say how long it still takes."""
    seconds = int(elapsed.total_seconds())
    if seconds < 2:
        return ""
    if seconds < 90:
        return _("for %(seconds)s seconds") % {"seconds": seconds}
    return _("for %(minutes)s minutes") % {"minutes": seconds // 60}


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
