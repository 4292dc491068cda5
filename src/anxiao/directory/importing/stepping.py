"""One step of an import as the worker does it: watched, cancelled when asked, and whatever happens told in words.

A step that was cut off is begun again by the next worker: nothing of it is kept, and a step that is done is known by
the import's state.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import datetime

from django.db import DatabaseError, connection
from django.utils.translation import gettext as _

from anxiao.base.boxes import Unopened
from anxiao.base.clock import now
from anxiao.base.errors import Refused
from anxiao.base.locks import import_lock
from anxiao.base.scope import SHARED_SCHOOL, Scope
from anxiao.base.tenancy import school_context
from anxiao.directory.commands_search import fill_missing
from anxiao.directory.importing import vault, work
from anxiao.directory.importing.reading import NeedsMapping
from anxiao.directory.importing.watch import Cancelled, Watch, Watched
from anxiao.directory.models import DirectoryImport
from anxiao.directory.names import ImportState

logger = logging.getLogger("anxiao.import")

STATES = {"read": ImportState.READING, "apply": ImportState.APPLYING, "undo": ImportState.UNDOING}
_BACK = {"read": ImportState.FAILED, "apply": ImportState.PREVIEWED, "undo": ImportState.APPLIED}
_STOPPED = {"read": ImportState.CANCELLED, "apply": ImportState.PREVIEWED, "undo": ImportState.APPLIED}


def run_step(*, school_id: int, import_id: int, step: str, clock: Callable[[], datetime] = now) -> str:
    """Do one step of an import; returns the state in which it stands afterwards.

    Raises what the database said when it went away: then the step is to be tried again.
    """
    if not _begin(school_id, import_id, step, clock()):
        return _state(school_id, import_id)
    try:
        with Watched(school_id, import_id) as watch:
            try:
                with _within(school_id):
                    _work(school_id, import_id, step, clock(), watch)
            except DatabaseError:
                if not watch.asked_to_stop:
                    raise
                raise Cancelled from None
    except Cancelled:
        _end(school_id, import_id, step, _STOPPED[step])
    except NeedsMapping as asked:
        mapping = {"mapping": [question.as_json() for question in asked.questions]}
        _end(school_id, import_id, step, ImportState.MAPPING, summary=mapping)
    except Refused as refused:
        _end(school_id, import_id, step, _BACK[step], error=str(refused))
    except Unopened:
        told = _("The file cannot be opened any more: the installation has another key.")
        _end(school_id, import_id, step, _BACK[step], error=told)
    else:
        if step != "read":
            # in transactions of its own: the import stands already, and what is cut off here the housekeeper makes
            fill_missing(school_id=school_id)
    return _state(school_id, import_id)


def give_up(*, school_id: int, import_id: int, step: str) -> None:
    """After the last attempt: the import stands where it stood, with a sentence instead of a wheel that turns on."""
    told = _("Something went wrong on our side; nothing was changed. Try again, and tell the operators if it stays so.")
    _end(school_id, import_id, step, _BACK[step], error=told)


def _work(school_id: int, import_id: int, step: str, moment: datetime, watch: Watch) -> None:
    # a worker that was believed dead may still be at it: whoever comes second finds it done
    import_lock(import_id)
    import_ = DirectoryImport.objects.get(pk=import_id, school_id=school_id)
    if import_.state != STATES[step]:
        return
    if import_.cancel_asked:
        raise Cancelled
    if step == "read":
        by = Scope(user_id=import_.created_by, username=import_.created_name, origin="job")
        with vault.unsealed(import_) as path:
            work.read_file(import_, path, by=by, now=moment, watch=watch)
        return
    by = Scope(user_id=import_.decided_by or 0, username=import_.decided_name, origin="job")
    if step == "apply":
        work.apply_difference(import_, by=by, now=moment, watch=watch)
    else:
        work.undo_difference(import_, by=by, now=moment, watch=watch)


def _within(school_id: int) -> AbstractContextManager[None]:
    return school_context(f"{SHARED_SCHOOL},{school_id}")


def _begin(school_id: int, import_id: int, step: str, moment: datetime) -> bool:
    """Say that the step is at work; False when there is nothing to do any more."""
    started = {"phase": "waiting", "done": 0, "total": 0, "started_at": moment.isoformat()}
    with _within(school_id):
        found = DirectoryImport.objects.filter(pk=import_id, school_id=school_id, state=STATES[step])
        return found.update(progress=started) == 1


def _end(school_id: int, import_id: int, step: str, state: ImportState, *, error: str = "", **fields: object) -> None:
    if connection.needs_rollback or not connection.is_usable():
        connection.close()
    with _within(school_id):
        found = DirectoryImport.objects.filter(pk=import_id, school_id=school_id, state=STATES[step])
        found.update(state=state, error=error[:500], progress={}, cancel_asked=False, **fields)


def _state(school_id: int, import_id: int) -> str:
    with _within(school_id):
        found = DirectoryImport.objects.filter(pk=import_id, school_id=school_id)
        return str(found.values_list("state", flat=True).first())
