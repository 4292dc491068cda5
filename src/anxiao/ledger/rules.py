"""The ledger row as a statement that every door can execute: Django's commands and the intake door alike."""

from __future__ import annotations

INSERT_ENTRIES = """
INSERT INTO ledger_entry (school_id, at, actor_id, actor, verb, object_type, object_id, outcome, facts)
SELECT * FROM unnest(%(schools)s::int[], %(ats)s::timestamptz[], %(actor_ids)s::int[], %(actors)s::text[],
                     %(verbs)s::text[], %(types)s::text[], %(ids)s::text[], %(outcomes)s::text[], %(facts)s::jsonb[])
ON CONFLICT DO NOTHING
"""
"""Set-based insert; every array has one element per entry, ``facts`` are JSON texts."""
