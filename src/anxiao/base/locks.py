"""Advisory locks.  One number space for the whole house, so that two rooms never take each other's lock by accident."""

from __future__ import annotations

from django.db import connection

ROSTER = 41_001
"""Class of the per-school roster lock: reports hold it shared, changes of roster or exemptions hold it alone."""

SQUASH = 41_002

REMINDERS = 41_010
"""Class of the per-school lock under which reminders are sent: two people who press at once remind nobody twice."""

SHARED_ROSTER_LOCK = "SELECT pg_advisory_xact_lock_shared(%s, %s)"
EXCLUSIVE_ROSTER_LOCK = "SELECT pg_advisory_xact_lock(%s, %s)"


def school_roster_lock(school_id: int, *, shared: bool = False) -> None:
    """Hold the roster of a school still until the transaction ends.

    Why: a report counts for the class its person is in *now*.  Without the lock a report could be counted in the old
    class after a transfer had already moved that person's counts, and the board would be off by one for ever.
    """
    with connection.cursor() as cursor:
        cursor.execute(SHARED_ROSTER_LOCK if shared else EXCLUSIVE_ROSTER_LOCK, [ROSTER, school_id])


IMPORT = 41_020
"""Class of the lock under which one import is worked on: a job that was believed dead may still be alive."""


def import_lock(import_id: int) -> None:
    """Be the only one who works on an import until the transaction ends."""
    with connection.cursor() as cursor:
        cursor.execute(EXCLUSIVE_ROSTER_LOCK, [IMPORT, import_id])
