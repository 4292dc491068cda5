"""An account that knocks too often waits; nobody waits for their neighbours."""

from anxiao.intake.limits import BURST, PER_SECOND, Limits
from tests.intake.conftest import Door


def test_a_burst_is_served_and_then_a_pause_is_needed() -> None:
    limits = Limits()
    assert [limits.allows(1, 0.0) for _ in range(BURST + 1)] == [True] * BURST + [False]
    assert limits.allows(2, 0.0)
    assert limits.allows(1, 1 / PER_SECOND)
    assert not limits.allows(1, 1 / PER_SECOND)


def test_a_phone_that_tries_again_every_fifteen_seconds_is_never_refused() -> None:
    limits = Limits()
    assert all(limits.allows(1, 15.0 * n) for n in range(1000))


def test_the_door_says_when_it_was_too_often(door: Door) -> None:
    answers = [door.today(door.cast.wangwu).status_code for _ in range(BURST + 3)]
    assert answers[0] == 200
    assert answers[-1] == 429
    assert door.today(door.cast.zhaoliu).status_code == 200
