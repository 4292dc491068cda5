"""Who answers for what: places of the grid, deputies between two days, handover in one act, and nobody forgotten."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from anxiao.accounts.commands.deputies import appoint_deputy
from anxiao.accounts.commands.grants import end_grant, give_grant
from anxiao.accounts.commands.handover import hand_over
from anxiao.accounts.models import Grant, User
from anxiao.accounts.queries import scope_of
from anxiao.accounts.queries.gaps import Gap, gap_counts, gaps
from anxiao.accounts.queries.grants import counsellors_without_role, grants_of
from anxiao.accounts.queries.handover import Fate, handover_plan
from anxiao.base.clock import day_of, now
from anxiao.base.errors import Invalid, NotYours, Refused
from anxiao.base.permissions import Permission, Role
from anxiao.base.tenancy import school_context
from anxiao.directory.commands import add_place
from anxiao.directory.models import ClassCounsellor, Person
from anxiao.directory.names import PlaceKind
from anxiao.ledger.models import Entry
from tests.builders import HOUSE, MORNING, TODAY, add_account
from tests.cast import Cast

TOMORROW, IN_A_WEEK, IN_TWO = (TODAY + timedelta(days=n) for n in (1, 7, 14))


@pytest.fixture
def zhang(cast: Cast) -> User:
    """The counsellor of two classes."""
    account = add_account("zhang.san", person=cast.zhangsan, role=Role.COUNSELLOR, node=cast.tongxin1)
    grant(account, Role.COUNSELLOR, cast.tongxin2)
    return account


def grant(user: User, role: Role, node, *, until: date | None = None, since: date = TODAY) -> Grant:
    return Grant.objects.create(
        user=user, role=role, organisation=node, valid_from=since, valid_to=until, given_by=0, given_at=MORNING
    )


def stand_in(cast: Cast, of: Grant, person: Person, first: date = TOMORROW, end: date = IN_A_WEEK) -> Grant:
    with cast.seen_by(cast.admin) as admin:
        return appoint_deputy(by=admin, now=MORNING, grant=of, person=person, valid_from=first, valid_to=end)


def may_see(user: User, node, day: date) -> bool:
    return scope_of(user, day).may(Permission.HEALTH_VIEW, node.path)


# -- deputies ---------------------------------------------------------------------------------------------------------


def test_a_deputy_holds_the_role_between_two_days_and_no_longer(cast: Cast, zhang: User) -> None:
    stand_in(cast, zhang.grants.get(organisation=cast.tongxin1), cast.zhoushi)
    deputy = User.objects.get(person=cast.zhoushi)
    last = IN_A_WEEK - timedelta(days=1)
    seen = {day: may_see(deputy, cast.tongxin1, day) for day in (TODAY, TOMORROW, last, IN_A_WEEK)}
    assert seen == {TODAY: False, TOMORROW: True, last: True, IN_A_WEEK: False}
    assert may_see(zhang, cast.tongxin1, TOMORROW), "the role stays with its holder"
    assert not may_see(deputy, cast.tongxin2, TOMORROW)


def test_both_are_told(cast: Cast, zhang: User) -> None:
    stand_in(cast, zhang.grants.get(organisation=cast.tongxin1), cast.zhoushi)
    deputy = User.objects.get(person=cast.zhoushi)
    with cast.seen_by(cast.admin) as admin:
        first, _other = grants_of(admin, zhang, TODAY)
        (theirs,) = grants_of(admin, deputy, TODAY)
    assert [d.user.display_name for d in first.standing_in] == ["周十"]
    assert theirs.deputy_for is not None
    assert theirs.deputy_for.user == zhang


def test_a_deputy_who_cannot_be_one_is_refused_with_the_reason(cast: Cast, zhang: User) -> None:
    role = grant(zhang, Role.COUNSELLOR, cast.hanyu1, since=TOMORROW, until=IN_A_WEEK)
    stand_in(cast, role, cast.zhoushi)
    for person, first, end, field in (
        (cast.zhangsan, TOMORROW, IN_A_WEEK, "number"),
        (cast.lijiu, TODAY, IN_A_WEEK, "valid_from"),
        (cast.lijiu, TOMORROW, IN_TWO, "valid_to"),
        (cast.zhoushi, TOMORROW, IN_A_WEEK, "valid_from"),
    ):
        with pytest.raises(Invalid) as refused:
            stand_in(cast, role, person, first, end)
        assert list(refused.value.fields) == [field]


def test_a_deputy_has_no_deputy_and_a_counsellor_appoints_none(cast: Cast, zhang: User) -> None:
    role = zhang.grants.get(organisation=cast.tongxin1)
    deputy = stand_in(cast, role, cast.zhoushi)
    with pytest.raises(Refused):
        stand_in(cast, deputy, cast.zhangsan)
    with cast.seen_by(cast.counsellor) as counsellor, pytest.raises(NotYours):
        appoint_deputy(
            by=counsellor, now=MORNING, grant=role, person=cast.zhoushi, valid_from=IN_A_WEEK, valid_to=IN_TWO
        )


# -- places -----------------------------------------------------------------------------------------------------------


def cell(cast: Cast, kind: PlaceKind, name: str):
    return add_place(by=HOUSE, now=MORNING, kind=kind, name=name, parent=None, school_id=cast.anda.pk)


def test_a_clinic_says_whom_to_ask_and_takes_nothing_from_what_the_doctor_sees(cast: Cast) -> None:
    doctor = add_account("doctor", person=cast.zhoushi)
    with cast.seen_by(cast.admin) as admin:
        clinic, building = cell(cast, PlaceKind.CLINIC, "校医院"), cell(cast, PlaceKind.BUILDING, "1号楼")
        more = {"by": admin, "now": MORNING, "user": doctor, "organisation": cast.anda_node, "valid_from": TODAY}
        with pytest.raises(Invalid):
            give_grant(role=Role.SCHOOL_DOCTOR, place=building, **more)
        with pytest.raises(Invalid):
            give_grant(role=Role.SECURITY, place=clinic, **more)
        assert give_grant(role=Role.SCHOOL_DOCTOR, place=clinic, **more).place == clinic
        assert gap_counts(admin, TODAY)[Gap.CLINIC] == 0
    assert may_see(doctor, cast.tongxin1, TODAY)


def test_a_building_still_bounds_its_dorm_manager(cast: Cast) -> None:
    manager = add_account("dorm", person=cast.zhoushi)
    with cast.seen_by(cast.admin) as admin:
        building = cell(cast, PlaceKind.BUILDING, "1号楼")
        give_grant(
            by=admin,
            now=MORNING,
            user=manager,
            role=Role.DORM_MANAGER,
            organisation=cast.anda_node,
            place=building,
            valid_from=TODAY,
        )
    scope = scope_of(manager, TODAY)
    assert not scope.may(Permission.PEOPLE_VIEW, cast.tongxin1.path)
    assert scope.place_paths_for(Permission.PEOPLE_VIEW) == (building.path,)


# -- handover ---------------------------------------------------------------------------------------------------------


def test_one_act_moves_everything_to_another_on_a_day(cast: Cast, zhang: User) -> None:
    ends = grant(zhang, Role.COLLEGE_OFFICER, cast.electronics, until=IN_TWO)
    later = grant(zhang, Role.CLASS_HEAD, cast.hanyu1, since=IN_TWO)
    with cast.seen_by(cast.admin) as admin:
        plan = handover_plan(admin, zhang, cast.zhoushi, IN_A_WEEK)
        assert [m.fate for m in plan.moves] == [Fate.MOVES] * 4
        assert len(plan.classes) == 2
        assert not User.objects.filter(person=cast.zhoushi).exists(), "a preview changes nothing"
        hand_over(by=admin, now=MORNING, user=zhang, to=cast.zhoushi, on=IN_A_WEEK)
    successor = User.objects.get(person=cast.zhoushi)
    eve = IN_A_WEEK - timedelta(days=1)
    for node in (cast.tongxin1, cast.tongxin2, cast.electronics):
        assert (may_see(zhang, node, eve), may_see(successor, node, eve)) == (True, False)
        assert (may_see(zhang, node, IN_A_WEEK), may_see(successor, node, IN_A_WEEK)) == (False, True)
    assert not may_see(successor, cast.literature, IN_A_WEEK)
    moved = {(g.role, g.organisation_id): (g.valid_from, g.valid_to) for g in successor.grants.all()}
    assert moved["college_officer", ends.organisation_id] == (IN_A_WEEK, IN_TWO)
    assert moved["class_head", later.organisation_id] == (IN_TWO, None)
    assert not Grant.objects.valid_on(IN_TWO).filter(user=zhang).exists()
    with school_context("*"):
        links = ClassCounsellor.objects.filter(organisation=cast.tongxin1).order_by("valid_from")
        assert [(link.person_id, link.valid_to) for link in links] == [
            (cast.zhangsan.pk, IN_A_WEEK),
            (cast.zhoushi.pk, None),
        ]
        assert counsellors_without_role(cast.admin, cast.anda_node, IN_A_WEEK)[0].organisation_id == cast.hanyu1.pk
        entry = Entry.objects.get(verb="grant.handed_over")
    assert (entry.facts["roles"], entry.facts["classes"]) == (4, 2)


def test_deputies_go_on_for_the_successor(cast: Cast, zhang: User) -> None:
    deputy = stand_in(cast, zhang.grants.get(organisation=cast.tongxin1), cast.zhoushi, TODAY, IN_TWO)
    with cast.seen_by(cast.admin) as admin:
        helper = Person.objects.get(pk=cast.lijiu.pk)
        hand_over(by=admin, now=MORNING, user=zhang, to=helper, on=TOMORROW)
    deputy.refresh_from_db()
    assert deputy.deputy_for is not None
    assert deputy.deputy_for.user.person_id == cast.lijiu.pk


def test_what_the_successor_holds_already_only_ends(cast: Cast, zhang: User) -> None:
    other = add_account("zhou.shi", person=cast.zhoushi, role=Role.COUNSELLOR, node=cast.tongxin1)
    with cast.seen_by(cast.admin) as admin:
        plan = hand_over(by=admin, now=MORNING, user=zhang, to=cast.zhoushi, on=TODAY)
    assert [m.fate for m in plan.moves] == [Fate.HELD, Fate.MOVES]
    assert other.grants.count() == 2
    assert not may_see(zhang, cast.tongxin1, TODAY)


def test_nobody_hands_over_what_they_could_not_give(cast: Cast, zhang: User) -> None:
    officer = add_account("officer", person=cast.sunba, role=Role.EPIDEMIC_OFFICER, node=cast.anda_node)
    with cast.seen_by(cast.admin) as admin:
        with pytest.raises(Refused):
            hand_over(by=admin, now=MORNING, user=officer, to=cast.lijiu, on=TODAY)
        with pytest.raises(Invalid):
            hand_over(by=admin, now=MORNING, user=zhang, to=cast.zhoushi, on=TODAY - timedelta(days=1))
        with pytest.raises(NotYours):
            hand_over(by=admin, now=MORNING, user=zhang, to=cast.wuyi, on=TODAY)
    with cast.seen_by(cast.college_officer) as college, pytest.raises(NotYours):
        hand_over(by=college, now=MORNING, user=zhang, to=cast.zhoushi, on=TODAY)


# -- revocation -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", ["end", "handover"])
def test_a_role_that_is_taken_is_gone_with_the_next_request(cast: Cast, zhang: User, way: str) -> None:
    desk = Client()
    desk.post("/accounts/login/", {"login": "zhang.san", "password": "correct horse 2026"})
    page = f"/console/settings/activation/{cast.tongxin1.pk}/"
    assert desk.get(page).status_code == 200
    zhang.refresh_from_db()
    serial = zhang.pass_serial
    with cast.seen_by(cast.admin) as admin:
        if way == "end":
            end_grant(
                by=admin, now=now(), grant=zhang.grants.select_related("organisation").get(organisation=cast.tongxin1)
            )
        else:
            hand_over(by=admin, now=now(), user=zhang, to=cast.zhoushi, on=day_of(now()))
    assert desk.get(page).status_code == 404
    zhang.refresh_from_db()
    assert zhang.pass_serial > serial


# -- gaps -------------------------------------------------------------------------------------------------------------


def test_every_node_without_a_responsible_person_is_found_in_two_statements(cast: Cast, zhang: User) -> None:
    with cast.seen_by(cast.admin) as admin:
        cell(cast, PlaceKind.BUILDING, "1号楼")
        with CaptureQueriesContext(connection) as sent:
            counts = gap_counts(admin, TODAY)
            classes = gaps(admin, TODAY, Gap.CLASS)
        assert len(sent) == 2
        assert counts == {
            Gap.CLASS: 1,
            Gap.COLLEGE: 2,
            Gap.BUILDING: 1,
            Gap.CLINIC: 0,
            Gap.GATE: 0,
            Gap.SCHOOL: 1,
        }
        assert [(row.name, row.above) for row in classes.rows] == [("19级 汉语1班", "文学院")]
        assert [row.name for row in gaps(admin, TODAY, Gap.BUILDING).rows] == ["1号楼"]
        assert gaps(admin, TODAY, Gap.CLASS, after=classes.rows[0].id).rows == ()
    with cast.seen_by(cast.outsider) as outsider:
        assert sum(gap_counts(outsider, TODAY).values()) == 0, "an epidemic officer manages no roles"


def test_a_deputy_fills_a_gap_and_a_disabled_account_does_not(cast: Cast, zhang: User) -> None:
    def lacking() -> int:
        with cast.seen_by(cast.admin) as admin:
            return gap_counts(admin, TODAY)[Gap.CLASS]

    role = zhang.grants.get(organisation=cast.tongxin1)
    stand_in(cast, role, cast.zhoushi, TODAY, IN_A_WEEK)
    User.objects.filter(pk=zhang.pk).update(is_active=False)
    assert lacking() == 2, "the class of the deputy is looked after, the other one is not"


def test_the_list_of_gaps_leads_to_the_form_with_role_and_node_filled_in(cast: Cast) -> None:
    add_account("admin", role=Role.SCHOOL_ADMIN, node=cast.anda_node)
    desk = Client()
    desk.post("/accounts/login/", {"login": "admin", "password": "correct horse 2026"})
    page = desk.get("/console/settings/roles/gaps/?kind=class").content.decode()
    link = f"/console/settings/roles/add/?role=counsellor&amp;organisation={cast.hanyu1.pk}"
    assert link in page
    asked = desk.get(link.replace("&amp;", "&"))
    desk.post(asked.headers["Location"], {"password": "correct horse 2026"})
    form = desk.get(link.replace("&amp;", "&") + "&number=00002").content.decode()
    assert f'<option value="{cast.hanyu1.pk}" selected>' in form
    assert '<option value="counsellor" selected>' in form


def test_deputy_and_handover_by_hand(cast: Cast, zhang: User) -> None:
    add_account("admin", role=Role.SCHOOL_ADMIN, node=cast.anda_node)
    desk = Client()
    desk.post("/accounts/login/", {"login": "admin", "password": "correct horse 2026"})
    role = zhang.grants.get(organisation=cast.tongxin1)
    deputy = f"/console/settings/roles/{role.pk}/deputy/"
    desk.post(desk.get(deputy).headers["Location"], {"password": "correct horse 2026"})
    today = day_of(now())
    typed = {"number": "00002", "valid_from": today, "last_day": today + timedelta(days=3)}
    assert desk.post(deputy, typed | {"last_day": "1999-01-01"}).status_code == 422
    done = desk.post(deputy, typed)
    assert "周十" in desk.get(done.headers["Location"]).content.decode()
    other = User.objects.get(person=cast.zhoushi)
    assert "张三" in desk.get(f"/console/settings/accounts/{other.pk}/").content.decode()
    handover = f"/console/settings/accounts/{zhang.pk}/handover/"
    preview = desk.get(handover, {"number": "P20180001", "on": today}).content.decode()
    assert "18级 通信2班" in preview
    assert zhang.grants.filter(valid_to=None).count() == 2
    assert desk.get(handover, {"number": "nobody", "on": today}).status_code == 422
    desk.post(handover, {"number": "P20180001", "on": today})
    assert zhang.grants.filter(valid_to=None).count() == 0
