"""Who may give which role to whom, and how soon it counts."""

from __future__ import annotations

from datetime import timedelta

import psycopg
import pytest
from django.test import Client

from anxiao.accounts.access import get_grant
from anxiao.accounts.commands.accounts import provision_account
from anxiao.accounts.commands.grants import (
    end_grant,
    give_counsellors_their_role,
    give_founding_grant,
    give_grant,
    give_grant_to_person,
)
from anxiao.accounts.models import Grant, User
from anxiao.accounts.queries import scope_of
from anxiao.accounts.queries.grants import managed_grants
from anxiao.base.clock import now
from anxiao.base.errors import Invalid, NotYours
from anxiao.base.permissions import ROLE_PERMISSIONS, Permission, Role
from anxiao.base.scope import Scope
from anxiao.directory.commands import add_place
from anxiao.directory.models import Organisation, Person
from anxiao.directory.names import PlaceKind
from anxiao.ledger.models import Entry
from tests.builders import HOUSE, MORNING, TODAY, add_account
from tests.cast import Cast
from tests.conftest import Database

TOMORROW = TODAY + timedelta(days=1)


def give(by: Scope, person: Person, role: Role, node: Organisation, **more) -> Grant:
    facts = {"valid_from": TODAY} | more
    return give_grant_to_person(by=by, now=MORNING, person=person, role=role, organisation=node, **facts)


def test_the_schools_administrator_gives_a_role_and_the_ledger_knows(cast: Cast) -> None:
    with cast.seen_by(cast.admin) as admin:
        grant = give(admin, cast.zhangsan, Role.COUNSELLOR, cast.tongxin1)
        entry = Entry.objects.get(verb="grant.given")
        assert (entry.object_id, entry.facts["role"]) == (str(grant.pk), "counsellor")
        user = User.objects.get(person=cast.zhangsan)
    assert user.username == "4134010357:00001"
    assert not user.has_usable_password(), "it is taken over by an activation code"
    scope = scope_of(user, TODAY)
    assert scope.may(Permission.REPORT_PROXY, cast.tongxin1.path)
    assert not scope.may(Permission.REPORT_PROXY, cast.tongxin2.path)


def test_a_person_can_hold_several_roles(cast: Cast) -> None:
    with cast.seen_by(cast.admin) as admin:
        give(admin, cast.zhangsan, Role.COUNSELLOR, cast.tongxin1)
        give(admin, cast.zhangsan, Role.COLLEGE_OFFICER, cast.electronics)
        user = User.objects.get(person=cast.zhangsan)
    assert scope_of(user, TODAY).roles == (Role.COUNSELLOR, Role.COLLEGE_OFFICER)


@pytest.mark.parametrize("role", [Role.SCHOOL_ADMIN, Role.EPIDEMIC_OFFICER, Role.PROVINCE_OFFICER, Role.OPERATOR])
def test_a_school_cannot_give_the_roles_that_come_from_above(cast: Cast, role: Role) -> None:
    with cast.seen_by(cast.admin) as admin, pytest.raises(Invalid):
        give(admin, cast.zhangsan, role, cast.anda_node)


def test_nobody_gives_more_than_they_hold(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    less = ROLE_PERMISSIONS[Role.SCHOOL_ADMIN] - {Permission.HEALTH_VIEW}
    monkeypatch.setitem(ROLE_PERMISSIONS, Role.SCHOOL_ADMIN, less)
    with cast.seen_by(cast.admin) as admin:
        with pytest.raises(Invalid):
            give(admin, cast.zhangsan, Role.SCHOOL_DOCTOR, cast.anda_node)
        assert give(admin, cast.zhangsan, Role.SECURITY, cast.anda_node)


@pytest.mark.parametrize("who", ["officer", "college_officer", "counsellor", "province_officer", "outsider"])
def test_only_whoever_manages_roles_gives_them(cast: Cast, who: str) -> None:
    with cast.seen_by(getattr(cast, who)) as caller, pytest.raises(NotYours):
        give(caller, cast.zhangsan, Role.COUNSELLOR, cast.tongxin1)


def test_not_on_a_node_and_not_to_a_person_of_another_school(cast: Cast) -> None:
    with cast.seen_by(cast.admin) as admin:
        with pytest.raises(NotYours):
            give(admin, cast.zhangsan, Role.COUNSELLOR, cast.jixie1)
        with pytest.raises(NotYours):
            give(admin, cast.zhenger, Role.COUNSELLOR, cast.tongxin1)
    foreign = add_account("zheng.er", person=cast.zhenger)
    with cast.seen_by(cast.admin) as admin, pytest.raises(NotYours):
        give_grant(
            by=admin, now=MORNING, user=foreign, role=Role.COUNSELLOR, organisation=cast.tongxin1, valid_from=TODAY
        )


def test_a_role_belongs_to_its_kind_of_node_and_the_same_one_is_not_given_twice(cast: Cast) -> None:
    with cast.seen_by(cast.admin) as admin:
        with pytest.raises(Invalid) as kind:
            give(admin, cast.zhangsan, Role.COUNSELLOR, cast.anda_node)
        assert "organisation" in kind.value.fields
        give(admin, cast.zhangsan, Role.COUNSELLOR, cast.tongxin1)
        with pytest.raises(Invalid):
            give(admin, cast.zhangsan, Role.COUNSELLOR, cast.tongxin1)
        with pytest.raises(Invalid) as past:
            give(admin, cast.zhangsan, Role.COUNSELLOR, cast.tongxin2, valid_from=TODAY - timedelta(days=1))
        assert "valid_from" in past.value.fields


def test_a_dorm_manager_is_given_a_building_of_the_own_school(cast: Cast) -> None:
    with cast.seen_by(cast.admin) as admin:
        building = add_place(
            by=HOUSE, now=MORNING, kind=PlaceKind.BUILDING, name="1号楼", parent=None, school_id=cast.anda.pk
        )
        with pytest.raises(Invalid) as none:
            give(admin, cast.zhoushi, Role.DORM_MANAGER, cast.anda_node)
        assert "place" in none.value.fields
        give(admin, cast.zhoushi, Role.DORM_MANAGER, cast.anda_node, place=building)
        user = User.objects.get(person=cast.zhoushi)
    scope = scope_of(user, TODAY)
    assert scope.place_paths_for(Permission.PEOPLE_VIEW) == (building.path,)
    assert scope.paths_for(Permission.PEOPLE_VIEW) == ()


def test_a_role_begins_and_ends_on_its_days(cast: Cast) -> None:
    with cast.seen_by(cast.admin) as admin:
        give(
            admin,
            cast.zhangsan,
            Role.COUNSELLOR,
            cast.tongxin1,
            valid_from=TOMORROW,
            valid_to=TOMORROW + timedelta(days=1),
        )
        user = User.objects.get(person=cast.zhangsan)
    held = [bool(scope_of(user, TODAY + timedelta(days=n)).grants) for n in range(3)]
    assert held == [False, True, False]


def test_an_ended_role_is_gone_at_the_very_next_request(cast: Cast) -> None:
    user = add_account("counsellor", person=cast.zhangsan, role=Role.COUNSELLOR, node=cast.tongxin1)
    desk = Client()
    desk.post("/accounts/login/", {"login": "counsellor", "password": "correct horse 2026"})
    page = f"/console/settings/activation/{cast.tongxin1.pk}/"
    assert desk.get(page).status_code == 200
    with cast.seen_by(cast.admin) as admin:
        end_grant(by=admin, now=now(), grant=get_grant(admin, user.grants.get().pk))
    assert desk.get(page).status_code == 404
    with cast.seen_by(cast.admin):
        assert Entry.objects.filter(verb="grant.ended").count() == 1
    assert Grant.objects.filter(user=user).count() == 1, "it stays on record"


def test_nobody_ends_a_role_they_could_not_give(cast: Cast) -> None:
    officer = add_account("officer", role=Role.EPIDEMIC_OFFICER, node=cast.anda_node)
    other = add_account("zheng.er", person=cast.zhenger, role=Role.COUNSELLOR, node=cast.jixie1)
    with cast.seen_by(cast.admin) as admin:
        for user in (officer, other):
            with pytest.raises(NotYours):
                get_grant(admin, user.grants.get().pk)


def test_the_founding_roles_come_from_the_province_alone(cast: Cast) -> None:
    user = add_account("officer-2")
    facts = {"now": MORNING, "user": user, "role": Role.EPIDEMIC_OFFICER, "organisation": cast.anda_node}
    with cast.seen_by(cast.admin) as admin, pytest.raises(NotYours):
        give_founding_grant(by=admin, **facts)
    with cast.seen_by(cast.province_officer) as province:
        assert give_founding_grant(by=province, **facts)


def test_all_counsellors_of_the_directory_get_their_classes_in_one_go(cast: Cast) -> None:
    with cast.seen_by(cast.admin) as admin:
        assert give_counsellors_their_role(by=admin, now=MORNING, school=cast.anda_node) == 3
        assert give_counsellors_their_role(by=admin, now=MORNING, school=cast.anda_node) == 0
        page = managed_grants(admin, TODAY)
    assert {(g.user.display_name, g.organisation.name) for g in page.grants} == {
        ("张三", "通信1班"),
        ("张三", "通信2班"),
        ("周十", "汉语1班"),
    }


def test_a_chosen_user_name_is_checked_and_taken_once(cast: Cast) -> None:
    with cast.seen_by(cast.admin) as admin:
        for name in ("x", "张三", "a:b", "9lives"):
            with pytest.raises(Invalid):
                provision_account(by=admin, now=MORNING, person=cast.zhangsan, username=name)
        assert (
            provision_account(by=admin, now=MORNING, person=cast.zhangsan, username="Zhang.San").username == "zhang.san"
        )
        with pytest.raises(Invalid):
            provision_account(by=admin, now=MORNING, person=cast.zhoushi, username="zhang.san")


def test_where_the_ledger_is_broken_no_role_is_given(cast: Cast, database: Database) -> None:
    with psycopg.connect(database.superuser_url, autocommit=True) as connection:
        connection.execute("ALTER TABLE ledger_entry RENAME TO ledger_gone")
    with pytest.raises(Exception, match="ledger_entry"), cast.seen_by(cast.admin) as admin:
        give(admin, cast.zhangsan, Role.COUNSELLOR, cast.tongxin1)
    assert not Grant.objects.exists()
    assert not User.objects.exists()


def test_giving_a_role_in_the_console_asks_for_the_password_again_and_loses_nothing_typed(cast: Cast) -> None:
    add_account("school", role=Role.SCHOOL_ADMIN, node=cast.anda_node)
    desk = Client()
    desk.post("/accounts/login/", {"login": "school", "password": "correct horse 2026"})
    typed = {
        "number": "00001",
        "role": "counsellor",
        "organisation": cast.tongxin1.pk,
        "valid_from": "2999-01-01",
        "username": "zhang.san",
    }
    answer = desk.post("/console/settings/roles/add/", typed, headers={"referer": "/console/settings/roles/add/"})
    assert answer.headers["Location"].startswith("/accounts/reauthenticate/?next=")
    assert not Grant.objects.filter(role=Role.COUNSELLOR).exists()
    answer = desk.post(answer.headers["Location"], {"password": "correct horse 2026"})
    assert answer.status_code == 302
    page = desk.get("/console/settings/roles/add/").content.decode()
    assert "2999-01-01" in page
    assert "zhang.san" in page
    assert desk.post("/console/settings/roles/add/", typed).headers["Location"] == "/console/settings/roles/"
    assert Grant.objects.filter(role=Role.COUNSELLOR, user__username="zhang.san").exists()
    assert "张三" in desk.get("/console/settings/roles/").content.decode()
