"""What a request costs the database, in statements: a number that only grows on purpose."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import psycopg
import pytest

from tests.builders import answers
from tests.cast import Cast
from tests.intake.phones import Phone, asked, crowd, opened, submission, ticket_of

COSTS = {
    # scope, holder, rounds, own, exempt; scope and what "no change" would copy
    "today": 7,
    # scope, holder, rounds, own
    "today, reported": 4,
    # scope, roster, rounds, facts, report, counters, ledger
    "report": 7,
    # seven people at once
    "seven reports": 7,
    # beside the report: the record that is copied
    "report, no change": 8,
    # scope and name of the actor; scope, roster, lock, rounds, facts, standing, retire, report, counters (as they
    # move), ledger
    "correction": 12,
    # scope, roster, rounds, facts, report, standing; the trace: scope, name, entry
    "the same key again": 9,
}
"""At most. The listener's own look every second is not among them."""


@pytest.mark.usefixtures("morning")
def test_what_requests_cost(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    (held, calm), others = crowd(cast.tongxin1, 2), crowd(cast.tongxin1, 7)
    round = asked()
    sent: list[str] = []
    execute = psycopg.AsyncCursor.execute

    async def counted(self: Any, query: Any, *args: Any, **more: Any) -> Any:
        text = query.decode() if isinstance(query, bytes) else str(query)
        if "full_page_writes" not in text:
            sent.append(text)
        return await execute(self, query, *args, **more)

    def body(who: Any, **more: Any) -> dict[str, Any]:
        one = submission(who, round)
        return {
            "ticket": one.ticket,
            "round": one.round_id,
            "form_version": one.form_version,
            "key": str(one.key),
            "answers": one.answers,
            **more,
        }

    async def story(door: Any) -> dict[str, int]:
        found: dict[str, int] = {}

        async def cost(name: str, status: int, call: Callable[[], Awaitable[Any]]) -> None:
            sent.clear()
            assert (await call()).status == status, name
            found[name] = len(sent)

        phone, other = Phone(held), Phone(calm)
        await phone.today()  # compiles the form
        monkeypatch.setattr(psycopg.AsyncCursor, "execute", counted)
        mine = body(held)
        await cost("today", 200, phone.today)
        await cost("report", 201, lambda: phone.report(mine))
        await cost("today, reported", 200, phone.today)
        await cost("the same key again", 200, lambda: phone.report(mine))
        change = body(
            held, ticket=ticket_of(held, round, version=2), reason="填错了", answers=answers(symptoms=["cold"])
        )
        await cost("correction", 201, lambda: phone.report(change, "/corrections"))
        await cost("report, no change", 201, lambda: other.report(body(calm, unchanged=True)))

        async def seven() -> Any:
            async with door.pool.connection(), door.pool.connection():
                return (await asyncio.gather(*(Phone(one).report(body(one)) for one in others)))[0]

        await cost("seven reports", 201, seven)
        monkeypatch.setattr(psycopg.AsyncCursor, "execute", execute)
        return found

    found = opened(story)
    assert found.keys() == COSTS.keys()
    assert found == COSTS
