"""The ledger row as a statement that every door can execute: Django's commands and the intake door alike."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

INSERT_ENTRIES = """
INSERT INTO ledger_entry (school_id, at, actor_id, actor, verb, object_type, object_id, outcome, facts)
SELECT * FROM unnest(%(schools)s::int[], %(ats)s::timestamptz[], %(actor_ids)s::int[], %(actors)s::text[],
                     %(verbs)s::text[], %(types)s::text[], %(ids)s::text[], %(outcomes)s::text[], %(facts)s::jsonb[])
ON CONFLICT DO NOTHING
"""
"""Set-based insert; every array has one element per entry, ``facts`` are JSON texts."""


class Entry(NamedTuple):
    """One row on its way into the ledger."""

    school_id: int
    at: datetime
    actor_id: int
    actor: str
    verb: str
    object_type: str
    object_id: str
    facts: Mapping[str, Any]
    outcome: str = "done"


def entry_arrays(entries: Sequence[Entry], dumps: Callable[[Any], str] = json.dumps) -> dict[str, list[Any]]:
    """Parameters of ``INSERT_ENTRIES``; ``dumps`` writes the facts down."""
    return {
        "schools": [entry.school_id for entry in entries],
        "ats": [entry.at for entry in entries],
        "actor_ids": [entry.actor_id for entry in entries],
        "actors": [entry.actor for entry in entries],
        "verbs": [entry.verb for entry in entries],
        "types": [entry.object_type for entry in entries],
        "ids": [entry.object_id for entry in entries],
        "outcomes": [entry.outcome for entry in entries],
        "facts": [dumps(entry.facts) for entry in entries],
    }
