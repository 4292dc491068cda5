"""Rewriting memberships: what was known stays, what is wanted stands, and the same wish twice changes nothing."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta

import pytest
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext

from anxiao.base.tenancy import school_context
from anxiao.directory import storage
from anxiao.directory.models import Membership, Person
from anxiao.directory.storage import Rewritten, Wanted
from tests.builders import MORNING, TODAY, add_person
from tests.cast import Cast, assemble

WEEK = timedelta(days=7)
SINCE = TODAY - timedelta(days=30)


@pytest.fixture(scope="module")
def stage(module_database: object) -> Cast:
    return assemble()


@pytest.fixture
def cast(stage: Cast) -> Iterator[Cast]:
    """The cast, in the transaction in which a caller would rewrite; it is rolled back."""
    with school_context(f"0,{stage.anda.pk}"):
        yield stage
        transaction.set_rollback(True)


def rewritten(school_id: int, *rows: Wanted, hours: int = 1, planned: bool = False) -> Rewritten:
    with transaction.atomic(), connection.cursor() as cursor:
        storage.begin(cursor)
        storage.want(cursor, rows)
        if planned:
            storage.keep_what_is_planned(cursor, school_id)
        return storage.rewrite(cursor, school_id=school_id, now=MORNING + timedelta(hours=hours))


def line(person: Person) -> list[tuple[int, date, date | None]]:
    rows = Membership.objects.filter(person=person, superseded_at=None).order_by("valid_from")
    return [(m.organisation_id, m.valid_from, m.valid_to) for m in rows]


def believed(person: Person) -> list[tuple[int, date, date | None]]:
    rows = Membership.objects.filter(person=person).exclude(superseded_at=None).order_by("pk")
    return [(m.organisation_id, m.valid_from, m.valid_to) for m in rows]


def test_a_move_splits_the_row_that_stood_and_keeps_it_as_believed_once(cast: Cast) -> None:
    outcome = rewritten(cast.anda.pk, Wanted(cast.wangwu.pk, cast.tongxin2.pk, TODAY))
    assert line(cast.wangwu) == [(cast.tongxin1.pk, SINCE, TODAY), (cast.tongxin2.pk, TODAY, None)]
    assert believed(cast.wangwu) == [(cast.tongxin1.pk, SINCE, None)]
    assert outcome == Rewritten(1, 2, TODAY, MORNING + timedelta(hours=1))


def test_a_wish_with_an_end_leaves_what_comes_after(cast: Cast) -> None:
    rewritten(cast.anda.pk, Wanted(cast.wangwu.pk, cast.tongxin2.pk, TODAY, TODAY + WEEK))
    assert line(cast.wangwu) == [
        (cast.tongxin1.pk, SINCE, TODAY),
        (cast.tongxin2.pk, TODAY, TODAY + WEEK),
        (cast.tongxin1.pk, TODAY + WEEK, None),
    ]


def test_nowhere_makes_a_gap(cast: Cast) -> None:
    rewritten(cast.anda.pk, Wanted(cast.wangwu.pk, None, TODAY, TODAY + WEEK))
    assert line(cast.wangwu) == [(cast.tongxin1.pk, SINCE, TODAY), (cast.tongxin1.pk, TODAY + WEEK, None)]


def test_the_same_wish_twice_changes_nothing(cast: Cast) -> None:
    wish = Wanted(cast.wangwu.pk, cast.tongxin2.pk, TODAY)
    rewritten(cast.anda.pk, wish)
    stood = list(Membership.objects.order_by("pk").values())
    assert not rewritten(cast.anda.pk, wish, hours=2).changed
    assert list(Membership.objects.order_by("pk").values()) == stood


def test_neighbouring_days_of_one_node_become_one_row(cast: Cast) -> None:
    rewritten(cast.anda.pk, Wanted(cast.wangwu.pk, None, TODAY))
    rewritten(cast.anda.pk, Wanted(cast.wangwu.pk, cast.tongxin1.pk, TODAY), hours=2)
    assert line(cast.wangwu) == [(cast.tongxin1.pk, SINCE, None)]


def test_a_planned_move_still_happens_where_the_caller_keeps_it(cast: Cast) -> None:
    rewritten(cast.anda.pk, Wanted(cast.wangwu.pk, cast.hanyu1.pk, TODAY + WEEK))
    rewritten(cast.anda.pk, Wanted(cast.wangwu.pk, cast.tongxin2.pk, TODAY), hours=2, planned=True)
    assert line(cast.wangwu) == [
        (cast.tongxin1.pk, SINCE, TODAY),
        (cast.tongxin2.pk, TODAY, TODAY + WEEK),
        (cast.hanyu1.pk, TODAY + WEEK, None),
    ]


def test_somebody_who_was_nowhere_begins(cast: Cast) -> None:
    newcomer = Person.objects.create(
        school_id=cast.anda.pk,
        number="P20260001",
        name="新生",
        sex="F",
        phone="13900001111",
        audience=1,
        category=cast.wangwu.category,
        created_at=MORNING,
        changed_at=MORNING,
    )
    outcome = rewritten(cast.anda.pk, Wanted(newcomer.pk, cast.tongxin1.pk, TODAY))
    assert outcome == Rewritten(0, 1, TODAY, MORNING + timedelta(hours=1))
    assert line(newcomer) == [(cast.tongxin1.pk, TODAY, None)]


def test_a_clock_that_went_back_does_not_change_what_was_known_before(cast: Cast) -> None:
    rewritten(cast.anda.pk, Wanted(cast.wangwu.pk, None, TODAY), hours=3)
    outcome = rewritten(cast.anda.pk, Wanted(cast.wangwu.pk, cast.tongxin2.pk, TODAY), hours=2)
    assert outcome.moment > MORNING + timedelta(hours=3)
    for row in Membership.objects.filter(person=cast.wangwu).exclude(superseded_at=None):
        assert row.superseded_at is not None and row.superseded_at > row.known_from


def test_two_overlapping_wishes_of_one_person_are_refused(cast: Cast) -> None:
    with pytest.raises(IntegrityError):
        rewritten(
            cast.anda.pk,
            Wanted(cast.wangwu.pk, cast.tongxin2.pk, TODAY),
            Wanted(cast.wangwu.pk, cast.hanyu1.pk, TODAY + WEEK),
        )


@pytest.mark.parametrize("stranger", ["person", "node"])
def test_people_and_nodes_of_another_school_are_refused(cast: Cast, stranger: str) -> None:
    wish = (
        Wanted(cast.wuyi.pk, cast.tongxin1.pk, TODAY)
        if stranger == "person"
        else Wanted(cast.wangwu.pk, cast.jixie1.pk, TODAY)
    )
    with pytest.raises(storage.StrangersWanted):
        rewritten(cast.anda.pk, wish)


def undo(school_id: int, ids: tuple[list[int], list[int]], hours: int) -> list[int]:
    """Undo a rewriting; the people who depend on it, when it was not undone."""
    with connection.cursor() as cursor:
        storage.begin_undo(cursor)
        for begun in (False, True):
            cursor.execute("INSERT INTO roster_undo SELECT unnest(%s::int[]), %s", [ids[begun], begun])
        if found := storage.depending(cursor, school_id):
            return found
        storage.want_back(cursor, school_id)
        storage.rewrite(cursor, school_id=school_id, now=MORNING + timedelta(hours=hours))
    return []


def test_an_undo_brings_back_what_stood(cast: Cast) -> None:
    before = line(cast.wangwu)
    rewritten(cast.anda.pk, Wanted(cast.wangwu.pk, cast.tongxin2.pk, TODAY))
    with connection.cursor() as cursor:
        ids = storage.rewritten_ids(cursor)
    assert undo(cast.anda.pk, ids, 2) == []
    assert line(cast.wangwu) == before


def test_an_undo_of_somebodys_beginning_leaves_them_nowhere(cast: Cast) -> None:
    person = add_person(cast.tongxin1, "甲", since=TODAY + WEEK)
    rewritten(cast.anda.pk, Wanted(person.pk, cast.tongxin2.pk, TODAY, TODAY + WEEK))
    with connection.cursor() as cursor:
        ids = storage.rewritten_ids(cursor)
    assert undo(cast.anda.pk, ids, 2) == []
    assert line(person) == [(cast.tongxin1.pk, TODAY + WEEK, None)]


def test_an_undo_tells_who_was_changed_again(cast: Cast) -> None:
    rewritten(cast.anda.pk, Wanted(cast.wangwu.pk, None, TODAY))
    with connection.cursor() as cursor:
        ids = storage.rewritten_ids(cursor)
    rewritten(cast.anda.pk, Wanted(cast.wangwu.pk, cast.tongxin2.pk, TODAY + WEEK), hours=2)
    assert undo(cast.anda.pk, ids, 3) == [cast.wangwu.pk]


def test_many_people_take_as_many_statements_as_one(cast: Cast) -> None:
    with CaptureQueriesContext(connection) as one:
        rewritten(cast.anda.pk, Wanted(cast.wangwu.pk, cast.tongxin2.pk, TODAY))
    people = [cast.wangwu, cast.zhaoliu, cast.qianqi, cast.sunba, cast.lijiu]
    with CaptureQueriesContext(connection) as many:
        rewritten(cast.anda.pk, *(Wanted(p.pk, cast.hanyu1.pk, TODAY) for p in people), hours=2)
    assert len(one) == len(many) == 12
