"""How long a ticket is good for."""

from __future__ import annotations

from datetime import timedelta

from anxiao.base.tickets import LIFETIME, seal, unseal
from tests.base.test_sealing import MORNING, SECRET, TICKET


def test_a_ticket_says_everything_it_is_good_for() -> None:
    text = seal(SECRET, TICKET)
    assert unseal(SECRET, text) == TICKET
    assert text.isascii() and len(text) < 120
    assert not set(text) & set(' ;,"\\'), "fit for a header and a cookie"


def test_a_ticket_is_fresh_for_a_quarter_of_an_hour() -> None:
    assert timedelta(minutes=15) == LIFETIME
    assert TICKET.is_fresh(MORNING)
    assert TICKET.is_fresh(MORNING + LIFETIME - timedelta(seconds=1))
    assert not TICKET.is_fresh(MORNING + LIFETIME)


def test_a_clock_that_was_set_back_ends_no_ticket() -> None:
    assert TICKET._replace(issued_at=TICKET.issued_at + 3).is_fresh(MORNING)
