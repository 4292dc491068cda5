"""When colleges merge, whoever answered for a class goes on answering for it, and for nothing more."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from anxiao.accounts.commands.grants import give_counsellors_their_role, give_grant_to_person
from anxiao.accounts.models import User
from anxiao.accounts.queries import scope_of
from anxiao.base.clock import day_of
from anxiao.base.permissions import Role
from anxiao.directory.commands_roster import undo_change
from anxiao.directory.commands_tree import merge
from anxiao.directory.models import Organisation, Person
from tests.builders import MORNING, TODAY
from tests.cast import Cast

WEEK = timedelta(days=7)
LATER = MORNING + timedelta(hours=1)


@pytest.fixture
def served(cast: Cast) -> Cast:
    with cast.seen_by(cast.admin) as admin:
        give_counsellors_their_role(by=admin, now=MORNING, school=cast.anda_node)
        give_grant_to_person(
            by=admin,
            now=MORNING,
            person=cast.zhangsan,
            role=Role.COLLEGE_OFFICER,
            organisation=cast.literature,
            valid_from=TODAY,
        )
    return cast


def held(person: Person, when: datetime) -> set[tuple[str, int]]:
    scope = scope_of(User.objects.get(person=person), day_of(when))
    return {(grant.role.value, grant.node_id) for grant in scope.grants}


def new_class(cast: Cast) -> int:
    with cast.seen_by(cast.admin):
        return Organisation.objects.get(parent=cast.electronics, name="汉语1班").pk


def test_a_counsellor_goes_along_with_the_class_and_an_officer_of_the_college_does_not(served: Cast) -> None:
    with served.seen_by(served.admin) as admin:
        merge(by=admin, now=LATER, node=served.literature, into=served.electronics, on=TODAY, reason="院系调整")
    assert held(served.zhoushi, LATER) == {("counsellor", new_class(served))}
    assert (Role.COLLEGE_OFFICER.value, served.electronics.pk) not in held(served.zhangsan, LATER)


def test_a_merger_to_come_moves_roles_on_its_day(served: Cast) -> None:
    with served.seen_by(served.admin) as admin:
        merge(by=admin, now=LATER, node=served.literature, into=served.electronics, on=TODAY + WEEK, reason="调整")
    assert held(served.zhoushi, LATER) == {("counsellor", served.hanyu1.pk)}
    assert held(served.zhoushi, LATER + WEEK) == {("counsellor", new_class(served))}


def test_roles_come_back_with_a_merger_that_is_taken_back(served: Cast) -> None:
    with served.seen_by(served.admin) as admin:
        change = merge(
            by=admin, now=LATER, node=served.literature, into=served.electronics, on=TODAY, reason="院系调整"
        )
        undo_change(by=admin, now=LATER + timedelta(hours=1), change=change)
    assert held(served.zhoushi, LATER) == {("counsellor", served.hanyu1.pk)}
