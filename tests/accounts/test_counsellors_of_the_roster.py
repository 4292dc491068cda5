"""The directory names counsellors; what a role was given for ends when the directory names somebody else."""

from __future__ import annotations

from datetime import datetime, timedelta

import psycopg
import pytest

from anxiao.accounts.commands.grants import give_counsellors_their_role, give_grant_to_person
from anxiao.accounts.models import Grant, User
from anxiao.accounts.queries import scope_of
from anxiao.base.clock import day_of
from anxiao.base.permissions import Permission, Role
from anxiao.directory.commands_roster import transfer
from anxiao.directory.importing.commands import apply_at_once, preview_import
from anxiao.directory.importing.templates import STUDENTS
from anxiao.directory.models import ClassCounsellor, Person
from anxiao.directory.names import Audience
from anxiao.ledger.models import Entry
from tests.builders import MORNING, TODAY
from tests.cast import Cast
from tests.conftest import Database
from tests.directory.import_sheets import sheet_of

NOON = MORNING + timedelta(hours=4)
NEXT_WEEK = MORNING + timedelta(days=7)


@pytest.fixture
def served(cast: Cast) -> Cast:
    """Every counsellor of 安徽大学 has the role that goes with the class."""
    with cast.seen_by(cast.admin) as admin:
        give_counsellors_their_role(by=admin, now=MORNING, school=cast.anda_node)
    return cast


def name_counsellor(cast: Cast, counsellor: Person, *, now: datetime) -> None:
    """A sheet in which nothing is new but the counsellor of 通信1班."""
    pupil = cast.wangwu
    row = [
        *("安徽大学", "电子信息工程学院", pupil.number, pupil.name, "女" if pupil.sex == "F" else "男", pupil.phone),
        *("研究生", "18级", "通信1班", counsellor.name, counsellor.number, counsellor.phone),
    ]
    with cast.seen_by(cast.admin) as admin:
        staged = preview_import(
            by=admin,
            school=cast.anda,
            kind=Audience.STUDENT,
            file=sheet_of(STUDENTS, [row]),
            filename="学生.xlsx",
            now=now,
        )
        applied = apply_at_once(by=admin, import_=staged, now=now)
    counts = applied.counts
    assert (counts["joins"], counts["changed"], counts["unchanged"], counts["rejected"]) == (0, 0, 1, 0)


def classes_of(person: Person, when: datetime) -> set[str]:
    """Names of the classes whose people's health somebody may see on the day of ``when``."""
    scope = scope_of(User.objects.get(person=person), day_of(when))
    return {grant.node_name for grant in scope.grants if Permission.HEALTH_VIEW in grant.permissions}


def test_an_import_that_names_another_counsellor_ends_the_role_of_the_former_on_that_class_alone(served: Cast) -> None:
    assert classes_of(served.zhangsan, MORNING) == {"通信1班", "通信2班"}
    name_counsellor(served, served.zhoushi, now=NEXT_WEEK)
    assert classes_of(served.zhangsan, NEXT_WEEK) == {"通信2班"}
    assert classes_of(served.zhoushi, NEXT_WEEK) == {"汉语1班"}, "a role is given by a person, never by a file"
    with served.seen_by(served.admin) as admin:
        assert give_counsellors_their_role(by=admin, now=NEXT_WEEK, school=served.anda_node) == 1
    assert classes_of(served.zhoushi, NEXT_WEEK) == {"汉语1班", "通信1班"}


def test_the_ledger_says_that_the_roster_ended_it(served: Cast) -> None:
    name_counsellor(served, served.zhoushi, now=NEXT_WEEK)
    with served.seen_by(served.admin):
        grant = Grant.objects.get(user__person=served.zhangsan, organisation=served.tongxin1)
        entry = Entry.objects.get(verb="grant.ended")
    assert grant.valid_to == day_of(NEXT_WEEK), "it stays on record"
    assert (entry.actor, entry.object_id, entry.school_id) == ("roster", str(grant.pk), served.anda.pk)
    assert entry.facts == {"account": grant.user_id, "role": "counsellor", "organisation": served.tongxin1.pk}


def test_a_counsellor_named_and_taken_back_on_one_day_does_not_keep_the_role(served: Cast) -> None:
    name_counsellor(served, served.zhoushi, now=MORNING)
    with served.seen_by(served.admin) as admin:
        give_counsellors_their_role(by=admin, now=MORNING, school=served.anda_node)
    assert classes_of(served.zhoushi, MORNING) == {"汉语1班", "通信1班"}
    name_counsellor(served, served.zhangsan, now=NOON)
    assert classes_of(served.zhoushi, NOON) == {"汉语1班"}
    with served.seen_by(served.admin):
        standing = ClassCounsellor.objects.get(organisation=served.tongxin1, valid_to=None)
    assert standing.person_id == served.zhangsan.pk


def test_a_deputy_whom_the_directory_never_named_keeps_the_role(served: Cast) -> None:
    with served.seen_by(served.admin) as admin:
        give_grant_to_person(
            by=admin,
            now=MORNING,
            person=served.zhoushi,
            role=Role.COUNSELLOR,
            organisation=served.tongxin2,
            valid_from=TODAY,
        )
        transfer(by=admin, now=NOON, person=served.wangwu, to=served.tongxin2, on=TODAY, reason="转班")
    assert classes_of(served.zhoushi, NOON) == {"汉语1班", "通信2班"}


def test_a_former_counsellor_who_is_made_a_deputy_later_keeps_that(served: Cast) -> None:
    name_counsellor(served, served.zhoushi, now=NEXT_WEEK)
    later = NEXT_WEEK + timedelta(days=1)
    with served.seen_by(served.admin) as admin:
        give_grant_to_person(
            by=admin,
            now=later,
            person=served.zhangsan,
            role=Role.COUNSELLOR,
            organisation=served.tongxin1,
            valid_from=day_of(later),
        )
        transfer(by=admin, now=later, person=served.qianqi, to=served.tongxin2, on=day_of(later), reason="转班")
    assert classes_of(served.zhangsan, later) == {"通信1班", "通信2班"}


def test_other_schools_and_other_roles_are_left_alone(served: Cast) -> None:
    with served.seen_by(served.admin) as admin:
        give_grant_to_person(
            by=admin,
            now=MORNING,
            person=served.zhangsan,
            role=Role.CLASS_HEAD,
            organisation=served.tongxin1,
            valid_from=TODAY,
        )
    name_counsellor(served, served.zhoushi, now=NEXT_WEEK)
    standing = Grant.objects.valid_on(day_of(NEXT_WEEK)).filter(organisation=served.tongxin1)
    assert [grant.role for grant in standing] == [Role.CLASS_HEAD]


def test_where_the_ledger_is_broken_the_import_changes_nothing(served: Cast, database: Database) -> None:
    with psycopg.connect(database.superuser_url, autocommit=True) as connection:
        # the rows of the import itself are still taken: only the one about the role fails
        connection.execute("ALTER TABLE ledger_entry ADD CHECK (verb <> 'grant.ended') NOT VALID")
    with pytest.raises(Exception, match="ledger_entry"):
        name_counsellor(served, served.zhoushi, now=NEXT_WEEK)
    assert classes_of(served.zhangsan, NEXT_WEEK) == {"通信1班", "通信2班"}
    with served.seen_by(served.admin):
        assert ClassCounsellor.objects.get(organisation=served.tongxin1).person == served.zhangsan
