"""Passes and tickets: read back as they were sealed, and nothing else is believed."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anxiao.base import passes, sealing, tickets
from anxiao.base.passes import Pass
from anxiao.base.tickets import Ticket
from tests.builders import MORNING

SECRET = "s" * 40
HELD = Pass(7, 8, 9, 3, MORNING + timedelta(days=30))
TICKET = Ticket(8, 9, date(2026, 3, 2), 5, 2, 1, int(MORNING.timestamp()))


@given(st.lists(st.integers(-(2**63), 2**63), min_size=1, max_size=8))
def test_numbers_come_back_as_they_were_sealed(numbers: list[int]) -> None:
    text = sealing.seal(SECRET, "x", numbers)
    assert sealing.unseal(SECRET, "x", text, len(numbers)) == numbers
    assert sealing.unseal(SECRET, "x", text, len(numbers) + 1) is None


@given(st.text(max_size=120))
def test_whatever_is_not_a_seal_is_nobody(text: str) -> None:
    assert passes.unseal(SECRET, text, MORNING) is None
    assert tickets.unseal(SECRET, text) is None


@pytest.mark.parametrize("sealed", [passes.seal(SECRET, HELD), tickets.seal(SECRET, TICKET)])
def test_one_changed_sign_anywhere_ends_it(sealed: str) -> None:
    for n, sign in enumerate(sealed):
        changed = sealed[:n] + ("1" if sign != "1" else "2") + sealed[n + 1 :]
        assert passes.unseal(SECRET, changed, MORNING) is None
        assert tickets.unseal(SECRET, changed) is None
    for damaged in (sealed[:-1], sealed + "=", " " + sealed, sealed + "\n", sealed.replace("~", ""), sealed * 9):
        assert passes.unseal(SECRET, damaged, MORNING) is None
        assert tickets.unseal(SECRET, damaged) is None


def test_a_ticket_is_no_pass_and_a_pass_is_no_ticket() -> None:
    numbers = (7, 8, 9, 3, int(HELD.expires_at.timestamp()))
    assert passes.unseal(SECRET, sealing.seal(SECRET, "ticket.1", numbers), MORNING) is None
    assert passes.unseal(SECRET, sealing.seal(SECRET, "pass.2", numbers), MORNING) == HELD
    assert tickets.unseal(SECRET, sealing.seal(SECRET, "pass.2", (8, 9, 739677, 5, 2, 1, 0))) is None


def test_another_deployments_secret_opens_nothing() -> None:
    assert passes.unseal("t" * 40, passes.seal(SECRET, HELD), MORNING) is None
    assert tickets.unseal("t" * 40, tickets.seal(SECRET, TICKET)) is None


def test_a_pass_ends_at_its_second() -> None:
    text = passes.seal(SECRET, HELD)
    assert passes.unseal(SECRET, text, HELD.expires_at - timedelta(seconds=1)) == HELD
    assert passes.unseal(SECRET, text, HELD.expires_at) is None
