"""The way in, counted: imported, code delivered, activated, first report; exact at every step, cheap at any size."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from threading import Thread
from time import sleep

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from anxiao.accounts.commands.activation import activate, print_codes, try_code
from anxiao.accounts.commands.delivery import mark_delivered
from anxiao.accounts.models import Activation, User
from anxiao.accounts.names import Delivery, Stage
from anxiao.accounts.queries.activation import activation_people, activation_units, standing_still
from anxiao.base.errors import NotYours, Refused
from anxiao.base.locks import school_roster_lock
from anxiao.base.permissions import Role
from anxiao.base.tenancy import school_context
from anxiao.directory.commands_roster import transfer
from anxiao.directory.models import Person
from anxiao.ledger.models import Entry
from anxiao.reporting.commands.counting import differences
from anxiao.reporting.queries.way_in import WayIn, way_in
from anxiao.statistics.commands import squash
from tests.builders import HOUSE, MORNING, TODAY, add_account, add_people, report
from tests.cast import Cast

PASSWORD = "九龙路 111 good horse"


def funnel(cast: Cast) -> dict[str, tuple[int, int, int, int]]:
    """The counters of class, college, school and province; held against the truth and against the page's own count."""
    nodes = {"class": cast.tongxin1, "college": cast.electronics, "school": cast.anda_node, "province": cast.province}
    with school_context("*"):
        for school in (cast.anda, cast.gongda):
            assert differences(school_id=school.pk) == []
        found = way_in(cast.province_officer, [n.pk for n in nodes.values()], TODAY)
        (unit,) = (
            u for u in activation_units(cast.admin, cast.electronics.pk, TODAY, MORNING) if u.name[-3:] == "信1班"
        )
    counted = found[cast.tongxin1.pk]
    assert counted == WayIn(unit.people, unit.delivered, unit.activated, unit.begun)
    return {
        name: (f.people, f.delivered, f.activated, f.begun) for name, f in ((n, found[o.pk]) for n, o in nodes.items())
    }


def codes_for(cast: Cast, *people: Person) -> list[str]:
    with cast.seen_by(cast.counsellor) as counsellor:
        sheet = print_codes(by=counsellor, now=MORNING, node=cast.tongxin1, person_ids=[p.pk for p in people])
    return [slip.code for slip in sheet.slips]


def hand_out(cast: Cast, *people: Person, how: Delivery = Delivery.HANDED) -> int:
    with cast.seen_by(cast.counsellor) as counsellor:
        return mark_delivered(
            by=counsellor, now=MORNING, node=cast.tongxin1, how=how, person_ids=[p.pk for p in people] or None
        )


def take_possession(cast: Cast, person: Person, code: str) -> None:
    with school_context(f"0,{cast.anda.pk}"):
        fits = try_code(now=MORNING, school_id=cast.anda.pk, code=code, number=person.number, name=person.name)
        activate(now=MORNING, school_id=cast.anda.pk, code_id=fits.code_id, password=PASSWORD)


def test_everybody_is_counted_at_the_step_they_have_come_to(cast: Cast) -> None:
    assert funnel(cast)["class"] == (3, 0, 0, 0)
    (code, *_) = codes_for(cast, cast.wangwu, cast.zhaoliu)
    assert funnel(cast)["class"] == (3, 0, 0, 0), "a printed code still lies on the counsellor's desk"
    assert hand_out(cast) == 2
    assert funnel(cast)["class"] == (3, 2, 0, 0)
    take_possession(cast, cast.wangwu, code)
    assert funnel(cast)["class"] == (3, 2, 1, 0)
    with school_context(f"0,{cast.anda.pk}"):
        report(cast.wangwu)
    assert funnel(cast) == {
        "class": (3, 2, 1, 1),
        "college": (5, 2, 1, 1),
        "school": (7, 2, 1, 1),
        "province": (9, 2, 1, 1),
    }
    squash()
    assert funnel(cast)["province"] == (9, 2, 1, 1), "folding changes no number"


def test_a_new_code_is_to_be_delivered_anew(cast: Cast) -> None:
    codes_for(cast, cast.wangwu)
    hand_out(cast, cast.wangwu, how=Delivery.SENT)
    assert funnel(cast)["class"] == (3, 1, 0, 0)
    codes_for(cast, cast.wangwu)
    assert funnel(cast)["class"] == (3, 0, 0, 0)


def test_a_mark_made_by_mistake_is_taken_back(cast: Cast) -> None:
    codes_for(cast, cast.wangwu)
    hand_out(cast)
    hand_out(cast, how=Delivery.PRINTED)
    assert funnel(cast)["class"] == (3, 0, 0, 0)
    with pytest.raises(Refused):
        hand_out(cast, how=Delivery.PRINTED)


def test_an_account_that_is_disabled_or_prepared_by_somebody_else_is_not_activated(cast: Cast) -> None:
    account = add_account("wang.wu", person=cast.wangwu)
    assert funnel(cast)["class"] == (3, 1, 1, 0)
    for changes in ({"is_active": False}, {"is_active": True, "must_change_password": True}):
        User.objects.filter(pk=account.pk).update(**changes)
        assert funnel(cast)["class"] == (3, 0, 0, 0), changes
    User.objects.filter(pk=account.pk).update(must_change_password=False)
    assert funnel(cast)["class"] == (3, 1, 1, 0)
    User.objects.filter(pk=account.pk).update(person=cast.lijiu)
    assert funnel(cast)["class"] == (3, 0, 0, 0)
    assert funnel(cast)["school"] == (7, 1, 1, 0)


def test_a_report_by_another_hand_is_nobodys_first(cast: Cast) -> None:
    add_account("wang.wu", person=cast.wangwu)
    with cast.seen_by(cast.counsellor) as counsellor:
        from uuid import uuid4

        from anxiao.reporting.commands.reports import submit_report
        from tests.builders import answers, round_of

        submit_report(
            by=counsellor,
            round=round_of(),
            school_id=cast.anda.pk,
            person_id=cast.wangwu.pk,
            answers=answers(),
            key=uuid4(),
            now=MORNING,
            reason="手机坏了",
        )
    assert funnel(cast)["class"] == (3, 1, 1, 0)


def test_who_changes_class_takes_every_step_along(cast: Cast) -> None:
    add_account("wang.wu", person=cast.wangwu)
    with school_context(f"0,{cast.anda.pk}"):
        report(cast.wangwu)
        transfer(by=HOUSE, now=MORNING, person=cast.wangwu, to=cast.hanyu1, on=TODAY, reason="转专业")
    assert funnel(cast)["class"] == (2, 0, 0, 0)
    assert funnel(cast)["school"] == (7, 1, 1, 1)
    # and whoever leaves on a later day is counted until then
    with school_context("*"):
        transfer(
            by=HOUSE, now=MORNING, person=cast.zhaoliu, to=cast.hanyu1, on=TODAY + timedelta(days=3), reason="转专业"
        )
    add_account("zhao.liu", person=cast.zhaoliu)
    assert funnel(cast)["class"] == (2, 1, 1, 0)
    with school_context("*"):
        later = way_in(cast.admin, [cast.tongxin1.pk, cast.hanyu1.pk], TODAY + timedelta(days=3))
    assert (later[cast.tongxin1.pk].activated, later[cast.hanyu1.pk].activated) == (0, 2)


def test_many_accounts_at_once_are_counted_like_one(cast: Cast) -> None:
    people = [cast.wangwu, cast.zhaoliu, cast.lijiu]
    User.objects.bulk_create(
        [
            User(
                username=f"u{p.pk}",
                display_name=p.name,
                person=p,
                home_school_id=p.school_id,
                date_joined=MORNING,
                password="pbkdf2$x",
            )
            for p in people
        ]
    )
    assert funnel(cast)["class"] == (3, 2, 2, 0)
    assert funnel(cast)["school"] == (7, 3, 3, 0)
    assert Activation.objects.count() == 0, "outside a scope nobody sees it"


def test_the_numbers_of_a_whole_province_are_one_statement(cast: Cast) -> None:
    with school_context("*"), statements(2):
        way_in(cast.province_officer, [cast.province.pk, cast.anda_node.pk, cast.gongda_node.pk], TODAY)
        activation_units(cast.admin, cast.anda_node.pk, TODAY, MORNING)


@contextmanager
def statements(at_most: int) -> Iterator[None]:
    with CaptureQueriesContext(connection) as sent:
        yield
    assert len(sent) <= at_most, [q["sql"] for q in sent]


def test_who_stands_still_is_told_by_name_to_those_who_may_see_them(cast: Cast) -> None:
    codes_for(cast, cast.zhaoliu)
    hand_out(cast)
    add_account("sun.ba", person=cast.sunba)
    path = cast.electronics.path
    with cast.seen_by(cast.college_officer) as officer:
        still = {
            stage: [p.name for p in standing_still(officer, cast.anda.pk, path, stage, TODAY).people] for stage in Stage
        }
        first = standing_still(officer, cast.anda.pk, path, Stage.IMPORTED, TODAY).people[0]
        rest = standing_still(officer, cast.anda.pk, path, Stage.IMPORTED, TODAY, after=first.id)
    assert still == {Stage.IMPORTED: ["张三", "王五", "钱七"], Stage.DELIVERED: ["赵六"], Stage.ACTIVATED: ["孙八"]}
    assert [p.name for p in rest.people] == ["王五", "钱七"]


def test_a_class_shows_what_became_of_every_code(cast: Cast) -> None:
    codes_for(cast, cast.wangwu, cast.zhaoliu)
    hand_out(cast, cast.wangwu)
    with cast.seen_by(cast.counsellor) as counsellor:
        people = activation_people(counsellor, cast.tongxin1.pk, TODAY, MORNING)
    assert {p.name: p.standing(MORNING) for p in people} == {"王五": "handed", "赵六": "printed", "钱七": "none"}
    assert {p.name: p.standing(MORNING + timedelta(days=7)) for p in people}["王五"] == "expired"


def test_only_who_prints_codes_of_a_class_marks_them_and_the_ledger_says_who(cast: Cast) -> None:
    codes_for(cast, cast.wangwu)
    with cast.seen_by(cast.other_counsellor) as other, pytest.raises(NotYours):
        mark_delivered(by=other, now=MORNING, node=cast.tongxin1, how=Delivery.HANDED)
    with pytest.raises(Refused):
        hand_out(cast, cast.lijiu)  # not of this class
    hand_out(cast)
    with school_context("*"):
        entry = Entry.objects.get(verb="activation.delivered")
    assert (entry.facts["count"], entry.facts["how"]) == (1, "handed")


def test_who_activates_while_the_roster_moves_is_counted_where_they_belong_afterwards(cast: Cast) -> None:
    """Without the roster's lock the account would be counted in the class that is just being left, for ever."""

    def join() -> None:
        try:
            add_account("wang.wu", person=cast.wangwu)
        finally:
            connection.close()

    joining = Thread(target=join)
    with school_context("*"):
        school_roster_lock(cast.anda.pk)
        joining.start()
        assert waits(), "the account must wait for the roster"
        transfer(by=HOUSE, now=MORNING, person=cast.wangwu, to=cast.hanyu1, on=TODAY, reason="转专业")
    joining.join(20)
    assert funnel(cast)["class"] == (2, 0, 0, 0)
    assert funnel(cast)["school"] == (7, 1, 1, 0)


def waits() -> bool:
    """Whether somebody waits for an advisory lock, within ten seconds."""
    for _turn in range(200):
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted")
            if cursor.fetchone()[0]:
                return True
        sleep(0.05)
    return False


def test_the_page_of_a_class_costs_the_same_whoever_is_in_it(cast: Cast) -> None:
    add_account("admin", role=Role.SCHOOL_ADMIN, node=cast.anda_node)
    desk = Client()
    desk.post("/accounts/login/", {"login": "admin", "password": "correct horse 2026"})

    def costs(page: str) -> int:
        with CaptureQueriesContext(connection) as sent:
            assert desk.get(f"/console/settings/activation/{page}").status_code == 200
        return len(sent)

    pages = [f"{cast.tongxin1.pk}/", f"{cast.anda_node.pk}/", f"{cast.anda_node.pk}/imported/", "alarms/"]
    before = [costs(page) for page in pages]
    with school_context("*"):
        add_people(cast.tongxin1, 20)
    codes_for(cast, cast.wangwu, cast.zhaoliu)
    assert [costs(page) for page in pages] == before
    assert max(before) <= 13
