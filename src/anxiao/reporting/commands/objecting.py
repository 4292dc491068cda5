"""What reporting says when somebody wants to take people back."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.db import connection
from django.utils.translation import ngettext

from anxiao.base.clock import day_of

_REPORTED = """
SELECT count(DISTINCT person_id) FROM report WHERE school_id = %s AND day >= %s AND person_id = ANY (%s)
"""
_EXEMPT = "SELECT count(DISTINCT person_id) FROM exemption WHERE school_id = %s AND person_id = ANY (%s)"


def object_to_undo(
    *, school_id: int, people: Sequence[int], since: datetime, objections: list[tuple[str, int]], **_: Any
) -> None:
    """Listens to ``import.undo_asked``: people who have reported, or need not report, are not taken back."""
    if not people:
        return
    with connection.cursor() as cursor:
        cursor.execute(_REPORTED, [school_id, day_of(since), list(people)])
        (reported,) = cursor.fetchone()
        cursor.execute(_EXEMPT, [school_id, list(people)])
        (exempt,) = cursor.fetchone()
    objections += [
        (
            ngettext("%(n)s of the people has reported.", "%(n)s of the people have reported.", reported),
            reported,
        ),
        (
            ngettext("%(n)s of the people is exempt.", "%(n)s of the people are exempt.", exempt),
            exempt,
        ),
    ]
