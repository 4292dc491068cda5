"""Whatever happens in whatever order: the numbers of a board, the names behind them and the truth say the same."""

from __future__ import annotations

import random
from datetime import date, time, timedelta
from uuid import uuid4

import pytest

from anxiao.base.clock import moment_at
from anxiao.base.errors import Refused
from anxiao.directory.commands_roster import transfer
from anxiao.directory.models import Organisation, Person
from anxiao.reporting.commands.counting import differences
from anxiao.reporting.commands.exemptions import cancel_exemption, exempt
from anxiao.reporting.commands.reports import correct_report
from anxiao.reporting.models import Exemption
from anxiao.reporting.names import ExemptionReason
from anxiao.reporting.queries.boards import counted_in, today_board, trend
from anxiao.reporting.queries.people import Listing, names, where_node
from anxiao.statistics.commands import squash
from tests.builders import HOUSE, TODAY, add_people, answers, counted, report, round_of
from tests.cast import Cast, assemble

ACTS = 120
HOURS = (time(8, 10), time(13, 59), time(14), time(22, 5))


@pytest.mark.parametrize("seed", [1, 2])
def test_numbers_names_and_truth_agree_after_any_story(database: object, seed: int) -> None:
    cast = assemble()
    with cast.seen_by(cast.admin):
        crowd = add_people(cast.tongxin1, 8) + add_people(cast.hanyu1, 8)
        counted(cast.anda.pk)
    chance = random.Random(seed)
    for _ in range(ACTS):
        with cast.seen_by(cast.admin):
            _act(cast, chance, crowd)
        if chance.random() < 0.1:
            squash()
    with cast.seen_by(cast.officer) as scope:
        round_ = round_of()
        assert differences(school_id=cast.anda.pk) == []
        for node in (cast.anda_node, cast.electronics, cast.literature, cast.tongxin1, cast.tongxin2, cast.hanyu1):
            total = today_board(scope, node, round_).total
            assert counted_in(scope, [node], round_) == total
            where = where_node(scope, node)
            for kind in Listing:
                listed = names(scope, kind, where, round_, limit=100).rows
                assert len(listed) == getattr(total, str(kind)), (node, kind)
            last = trend(scope, node, cast.campaign, TODAY)[-1]
            assert (last.day, last.figures.expected, last.figures.reported) == (TODAY, total.expected, total.reported)


def _act(cast: Cast, chance: random.Random, crowd: list[Person]) -> None:
    person = chance.choice(crowd)
    at = moment_at(TODAY, chance.choice(HOURS))
    ill = {"symptoms": ["fever"], "temperature": 38.5} if chance.random() < 0.3 else {}
    grave = {"isolation": "home"} if chance.random() < 0.1 else {}
    kind = chance.random()
    try:
        if kind < 0.5:
            report(person, at=at, **ill, **grave)
        elif kind < 0.65:
            correct_report(
                by=cast.officer,
                round=round_of(),
                school_id=person.school_id,
                person_id=person.pk,
                answers=answers(**ill, **grave),
                key=uuid4(),
                reason="核实",
                now=at,
            )
        elif kind < 0.8:
            first = TODAY + timedelta(days=chance.randint(-2, 1))
            _excuse(cast, person, first, first + timedelta(days=chance.randint(0, 2)))
        elif kind < 0.88:
            granted = Exemption.objects.filter(school_id=person.school_id, cancelled_at=None).first()
            if granted is not None:
                cancel_exemption(by=cast.admin, now=at, exemption=granted)
        else:
            _move(person, chance.choice([cast.tongxin1, cast.tongxin2, cast.hanyu1]))
    except Refused:
        pass  # a story may try what the rules refuse; that must move no counter


def _excuse(cast: Cast, person: Person, first: date, last: date) -> None:
    exempt(
        by=cast.admin,
        now=moment_at(TODAY, HOURS[0]),
        person=person,
        reason=ExemptionReason.LEAVE,
        first_day=first,
        last_day=last,
    )


def _move(person: Person, to: Organisation) -> None:
    transfer(by=HOUSE, now=moment_at(TODAY, HOURS[0]), person=person, to=to, on=TODAY, reason="转班")
