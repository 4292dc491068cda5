"""Whatever happens to the roster, in whatever order: one place at a time, and what was known stays known.

A story is a sequence of imports, transfers, leaves, returns, graduations, undos and corrections, on days past and
future.  Beside the database a naive replay keeps, for each moment, what everybody knew of every day; at the end every
question about the past is put to both.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Callable
from datetime import date, datetime, timedelta

import pytest
from django.db import connection, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from anxiao.base.errors import Refused
from anxiao.base.tenancy import school_context
from anxiao.directory import storage
from anxiao.directory.commands_roster import come_back, graduate, take_leave, transfer, undo_change
from anxiao.directory.models import Membership, Organisation, Person
from anxiao.directory.models_roster import RosterChange
from anxiao.directory.queries_roster import places_as_known
from anxiao.directory.storage import Wanted
from anxiao.reporting.commands.counting import differences, recount
from tests.builders import HOUSE, MORNING, TODAY
from tests.cast import Cast, assemble

DAYS = [TODAY + timedelta(days=n) for n in range(-6, 7)]
HORIZON = DAYS[-1] + timedelta(days=6)
Places = dict[date, int | None]
"""Where somebody belongs on each day from the first of ``DAYS`` to the horizon."""


@pytest.fixture(scope="module")
def stage(module_database: object) -> Cast:
    return assemble()


class Story:
    """The roster of a school and, beside it, what a bookkeeper with a calendar would know of it."""

    def __init__(self, cast: Cast, dice: random.Random) -> None:
        self.cast, self.dice = cast, dice
        self.people = [cast.wangwu, cast.zhaoliu, cast.sunba, cast.lijiu]
        self.classes = [cast.tongxin1, cast.tongxin2, cast.hanyu1]
        self.now = MORNING
        self.calendar = [DAYS[0] + timedelta(days=n) for n in range((HORIZON - DAYS[0]).days + 1)]
        start = {m.person_id: m.organisation_id for m in Membership.objects.filter(superseded_at=None)}
        self.known: dict[int, list[tuple[datetime, Places]]] = {
            p.pk: [(MORNING, dict.fromkeys(self.calendar, start[p.pk]))] for p in self.people
        }
        self.decided: dict[int, tuple[Places, Places]] = {}

    def step(self) -> None:
        # a clock stands still now and then, and once in a while it goes back
        self.now += timedelta(minutes=self.dice.choice([5, 5, 5, 0, -3]))
        moves = [self.imported, self.moved, self.moved, self.away, self.back, self.gone, self.undone, self.undone]
        self.dice.choice(moves)()

    def imported(self) -> None:
        """A file moves several people at once; what is planned for later still happens."""
        wanted = [
            Wanted(p.pk, self.dice.choice([*(c.pk for c in self.classes), None]), self.dice.choice(DAYS))
            for p in self.dice.sample(self.people, self.dice.randint(1, 4))
        ]
        with connection.cursor() as cursor:
            storage.begin(cursor)
            storage.want(cursor, wanted)
            storage.keep_what_is_planned(cursor, self.cast.anda.pk)
            outcome = storage.rewrite(cursor, school_id=self.cast.anda.pk, now=self.now)
        if outcome.changed:
            recount(school_id=self.cast.anda.pk, since=DAYS[0])
        for w in wanted:
            now_known = self._until_next_change(self.latest(w.person_id), w.since, w.organisation_id)
            self.learn(outcome.moment, w.person_id, now_known)

    def moved(self) -> None:
        person, to, on = self.somebody(), self.dice.choice(self.classes), self.dice.choice(DAYS)
        self.decide(
            lambda: transfer(by=HOUSE, now=self.now, person=person, to=to, on=on, reason="转班"),
            lambda places: self._until_next_change(places, on, to.pk),
            person,
        )

    def away(self) -> None:
        person, on = self.somebody(), self.dice.choice(DAYS)
        until = self.dice.choice([None, on + timedelta(days=self.dice.randint(1, 4))])
        self.decide(
            lambda: take_leave(by=HOUSE, now=self.now, person=person, on=on, until=until, reason="休学"),
            lambda places: {d: None if on <= d and (until is None or d < until) else n for d, n in places.items()},
            person,
        )

    def back(self) -> None:
        person, to, on = self.somebody(), self.dice.choice(self.classes), self.dice.choice(DAYS)

        def replay(places: Places) -> Places:
            later = [d for d in places if d > on and places[d] is not None]
            ends = bool(later) and max(later) < self.calendar[-1]
            return {d: to.pk if d >= on and not (ends and d > max(later)) else n for d, n in places.items()}

        self.decide(
            lambda: come_back(by=HOUSE, now=self.now, person=person, to=to, on=on, reason="复学"), replay, person
        )

    def gone(self) -> None:
        person, on = self.somebody(), self.dice.choice(DAYS)
        self.decide(
            lambda: graduate(by=HOUSE, now=self.now, person=person, on=on, reason="退学"),
            lambda places: {d: None if d >= on else n for d, n in places.items()},
            person,
        )

    def undone(self) -> None:
        change = RosterChange.objects.filter(undone_at=None).order_by("-id").first()
        if change is None:
            return
        assert change.person_id is not None
        try:
            with transaction.atomic():
                undone = undo_change(by=HOUSE, now=self.now, change=change)
        except Refused:
            return
        assert undone.undone_at is not None
        before, after = self.decided[change.pk]
        places = {d: before[d] if before[d] != after[d] else n for d, n in self.latest(change.person_id).items()}
        self.learn(undone.undone_at, change.person_id, places)

    def somebody(self) -> Person:
        return self.dice.choice(self.people)

    def latest(self, person: int) -> Places:
        return self.known[person][-1][1]

    def decide(self, command: Callable[[], RosterChange], replay: Callable[[Places], Places], person: Person) -> None:
        try:
            with transaction.atomic():
                change = command()
        except Refused:
            return
        before = self.latest(person.pk)
        after = replay(before)
        self.decided[change.pk] = before, after
        self.learn(change.made_at, person.pk, after)

    def learn(self, moment: datetime, person: int, places: Places) -> None:
        if self.latest(person) == places:
            return
        assert moment > self.known[person][-1][0] or len(self.known[person]) == 1, "what is known only grows"
        self.known[person].append((moment, places))

    def as_known(self, person: int, moment: datetime) -> Places:
        return [places for known, places in self.known[person] if known <= moment][-1]

    def _until_next_change(self, places: Places, on: date, node: int | None) -> Places:
        """From ``on`` on, but only until what holds on that day was to change anyway."""
        found, held = dict(places), places[on]
        for day in (d for d in self.calendar if d >= on):
            if places[day] != held:
                break
            found[day] = node
        return found


def check_rows(school_id: int) -> None:
    """Valid spans and recorded spans last, and at no moment did anybody have two places on one day."""
    rows: dict[int, list[Membership]] = defaultdict(list)
    for row in Membership.objects.filter(school_id=school_id):
        rows[row.person_id].append(row)
        assert row.valid_to is None or row.valid_to > row.valid_from
        assert row.superseded_at is None or row.superseded_at > row.known_from
    for lines in rows.values():
        for i, one in enumerate(lines):
            for other in lines[i + 1 :]:
                days = _overlap(one.valid_from, one.valid_to, other.valid_from, other.valid_to)
                known = _overlap(one.known_from, one.superseded_at, other.known_from, other.superseded_at)
                assert not (days and known), (one.pk, other.pk)


def _overlap(a, a_end, b, b_end):  # type: ignore[no-untyped-def]
    return (b_end is None or a < b_end) and (a_end is None or b < a_end)


@settings(max_examples=8, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 10**6), length=st.integers(3, 12))
def test_any_story_keeps_the_roster_whole_and_the_past_as_it_was_known(stage: Cast, seed: int, length: int) -> None:
    with school_context(f"0,{stage.anda.pk}"):
        story = Story(stage, random.Random(seed))
        for _ in range(length):
            story.step()
            check_rows(stage.anda.pk)
        for moment in sorted({known for lines in story.known.values() for known, _ in lines}):
            for day in story.calendar[::2]:
                found = places_as_known(HOUSE, school_id=stage.anda.pk, day=day, known=moment)
                for person in story.people:
                    assert found.get(person.pk) == story.as_known(person.pk, moment)[day], (person.name, day, moment)
        assert differences(school_id=stage.anda.pk) == []
        transaction.set_rollback(True)


def test_a_story_really_happens(stage: Cast) -> None:
    """Guards the test above against commands that refuse everything."""
    with school_context(f"0,{stage.anda.pk}"):
        story = Story(stage, random.Random(7))
        for _ in range(30):
            story.step()
        assert RosterChange.objects.count() > 5
        assert RosterChange.objects.exclude(undone_at=None).count() > 1
        assert Organisation.objects.filter(closed_on=None).count() > 3
        transaction.set_rollback(True)
