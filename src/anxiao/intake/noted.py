"""Security events: what was tried at the door and not kept, in the ledger, before the caller hears of it.

How many one account can leave is bounded by ``limits``: every request costs one of its few knocks.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from anxiao.base.passes import Pass
from anxiao.intake import statements
from anxiao.intake.database import Pool, rows, transaction
from anxiao.ledger.rules import INSERT_ENTRIES, Entry, entry_arrays


async def note(pool: Pool, held: Pass, now: datetime, verb: str, facts: Mapping[str, Any]) -> None:
    """Write one row: the holder of the pass tried something that was not kept."""
    async with transaction(pool, held.school_id) as connection:
        found = await rows(connection, statements.ACTOR, {"user": held.user_id})
        actor = found[0]["username"] if found else ""
        entry = Entry(held.school_id, now, held.user_id, actor, verb, "person", str(held.person_id), facts, "denied")
        await connection.execute(INSERT_ENTRIES.encode(), entry_arrays([entry]))
