"""Writing to the ledger.  Called by every command, inside its transaction: no row here, nothing there."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any

from django.core.serializers.json import DjangoJSONEncoder
from django.db import DEFAULT_DB_ALIAS, connections

from anxiao.base.scope import Scope
from anxiao.ledger.names import Outcome
from anxiao.ledger.rules import INSERT_ENTRIES, Entry, entry_arrays

_DUMPS = partial(json.dumps, cls=DjangoJSONEncoder, ensure_ascii=False)


@dataclass(frozen=True, slots=True)
class Line:
    """One entry to be written.  ``facts`` never holds names, phone numbers or answers: only ids, counts and reasons."""

    verb: str
    object_type: str
    object_id: object
    school_id: int
    facts: Mapping[str, Any] = field(default_factory=dict)
    outcome: Outcome = Outcome.DONE


def record(
    *,
    by: Scope,
    now: datetime,
    verb: str,
    object_type: str,
    object_id: object,
    school_id: int,
    facts: Mapping[str, Any] | None = None,
    outcome: Outcome = Outcome.DONE,
    using: str = DEFAULT_DB_ALIAS,
) -> None:
    """Write one act.  ``school_id`` is 0 for acts above the schools."""
    record_many(
        by=by, now=now, lines=[Line(verb, object_type, object_id, school_id, facts or {}, outcome)], using=using
    )


def record_many(*, by: Scope, now: datetime, lines: Iterable[Line], using: str = DEFAULT_DB_ALIAS) -> int:
    """Write many acts of one actor in one statement; returns how many.  Must run inside the act's transaction."""
    actor = by.username or "nobody"
    entries = [
        Entry(
            line.school_id,
            now,
            by.user_id,
            actor,
            line.verb,
            line.object_type,
            str(line.object_id),
            line.facts,
            str(line.outcome),
        )
        for line in lines
    ]
    if not entries:
        return 0
    connection = connections[using]
    if not connection.in_atomic_block:
        raise RuntimeError("a ledger row belongs into the transaction of its act")
    with connection.cursor() as cursor:
        cursor.execute(INSERT_ENTRIES, entry_arrays(entries, _DUMPS))
    return len(entries)


_FROM_ROWS = """
INSERT INTO ledger_entry (school_id, at, actor_id, actor, verb, object_type, object_id, outcome, facts)
SELECT %(entry_school)s, %(entry_at)s, %(entry_actor_id)s, %(entry_actor)s, q.verb, q.object_type, q.object_id::text,
       'done', q.facts
FROM ({rows}) q
"""


def record_rows(
    *, by: Scope, now: datetime, school_id: int, rows: str, params: Mapping[str, Any], using: str = DEFAULT_DB_ALIAS
) -> int:
    """Write one entry for every row of a SELECT, without a row of it ever leaving the database; returns how many.

    ``rows`` yields ``verb``, ``object_type``, ``object_id`` and ``facts`` (jsonb: ids, counts, reasons, never values).
    """
    connection = connections[using]
    if not connection.in_atomic_block:
        raise RuntimeError("a ledger row belongs into the transaction of its act")
    told: dict[str, Any] = {
        "entry_school": school_id,
        "entry_at": now,
        "entry_actor_id": by.user_id,
        "entry_actor": by.username or "nobody",
    }
    with connection.cursor() as cursor:
        cursor.execute(_FROM_ROWS.format(rows=rows), {**params, **told})
        return int(cursor.rowcount)
