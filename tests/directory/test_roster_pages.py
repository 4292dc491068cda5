"""Pages of the roster: what is entered is entered, what is refused is said, what was typed stays."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, time, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from anxiao.base.clock import moment_at
from anxiao.base.permissions import Role
from anxiao.base.tenancy import school_context
from anxiao.directory import views, views_roster, views_tree
from anxiao.directory.commands_exchange import receive_guest
from anxiao.directory.commands_roster import come_back, take_leave, transfer
from anxiao.directory.models import Membership, Organisation, Person
from anxiao.directory.models_roster import RosterChange
from anxiao.reporting import views_known, views_sheets
from anxiao.reporting.commands.counting import recount
from anxiao.reporting.commands.sheets import submit_sheet
from anxiao.reporting.names import ZeroCategory
from tests.builders import TODAY, add_account, add_person, report, round_of, scope_for
from tests.cast import Cast, assemble

NOON = moment_at(TODAY, time(12))
HOUR = timedelta(hours=1)
SignIn = Callable[..., Client]


@pytest.fixture(scope="module")
def stage(module_database: object) -> Cast:
    """One stage for all: each test speaks of people of its own."""
    return assemble()


@pytest.fixture
def cast(stage: Cast, monkeypatch: pytest.MonkeyPatch, settings: Any) -> Cast:
    settings.ANXIAO_DEMO = True
    clock(monkeypatch, NOON)
    return stage


def clock(monkeypatch: pytest.MonkeyPatch, moment: datetime) -> None:
    for module in (views, views_roster, views_tree, views_known, views_sheets):
        monkeypatch.setattr(module, "now", lambda: moment)


@pytest.fixture
def sign_in(cast: Cast) -> SignIn:
    def as_(role: Role, node: Organisation) -> Client:
        with school_context("*"):
            user = add_account(f"{role}-{node.pk}-{id(node)}-{id(as_)}", role=role, node=node)
        client = Client(headers={"accept-language": "en"})
        client.force_login(user)
        return client

    return as_


@pytest.fixture
def admin(cast: Cast, sign_in: SignIn) -> Client:
    return sign_in(Role.SCHOOL_ADMIN, cast.anda_node)


def newcomer(cast: Cast, node: Organisation) -> Person:
    with school_context(cast.admin.db_scope):
        person = add_person(node, "新同学")
        recount(school_id=cast.anda.pk)
        return person


def place_of(cast: Cast, person: Person) -> list[int]:
    with school_context(cast.admin.db_scope):
        rows = Membership.objects.filter(person=person, superseded_at=None).order_by("valid_from")
        return [row.organisation_id for row in rows]


def words(response: Any) -> str:
    return " ".join(response.content.decode().split())


def test_a_transfer_is_entered_from_the_persons_record(cast: Cast, admin: Client) -> None:
    person = newcomer(cast, cast.tongxin1)
    record = admin.get(reverse("directory:person", args=[person.pk]))
    places = reverse("directory:person_roster", args=[person.pk])
    assert places in words(record)
    form = reverse("directory:person_change", args=[person.pk, "transfer"])
    assert form in words(admin.get(places))
    page = words(admin.get(form))
    assert '<optgroup label="文学院">' in page and "18级 通信2班" in page and "机械1班" not in page
    sent = admin.post(form, {"to": cast.hanyu1.pk, "on": TODAY.isoformat(), "reason": "转专业"}, follow=True)
    assert sent.redirect_chain == [(places, 302)]
    assert "19级 汉语1班" in words(sent) and "转专业" in words(sent)
    assert place_of(cast, person) == [cast.tongxin1.pk, cast.hanyu1.pk]


def test_what_was_typed_stays_when_something_is_wrong(cast: Cast, admin: Client) -> None:
    person = newcomer(cast, cast.tongxin1)
    form = reverse("directory:person_change", args=[person.pk, "leave"])
    answer = admin.post(form, {"on": TODAY.isoformat(), "until": TODAY.isoformat(), "reason": "休学一年"})
    assert answer.status_code == 400
    assert "lies before the first day of absence" in words(answer) and 'value="休学一年"' in words(answer)
    assert place_of(cast, person) == [cast.tongxin1.pk]


def test_a_class_of_another_school_is_no_choice(cast: Cast, admin: Client) -> None:
    person = newcomer(cast, cast.tongxin1)
    form = reverse("directory:person_change", args=[person.pk, "transfer"])
    answer = admin.post(form, {"to": cast.jixie1.pk, "on": TODAY.isoformat(), "reason": "转学"})
    assert answer.status_code == 400
    assert place_of(cast, person) == [cast.tongxin1.pk]


def test_who_is_away_is_found_again_and_returns(cast: Cast, admin: Client) -> None:
    person = newcomer(cast, cast.tongxin1)
    with school_context(cast.admin.db_scope):
        take_leave(by=cast.admin, now=NOON, person=person, on=TODAY, reason="因病休学")
    listed = admin.get(reverse("directory:roster") + "?show=away")
    assert person.name in words(listed)
    places = reverse("directory:person_roster", args=[person.pk])
    page = words(admin.get(places))
    assert "Leave from studies since 2026-03-02" in page and "Nothing is expected until a return" in page
    form = reverse("directory:person_change", args=[person.pk, "return"])
    assert form in page and reverse("directory:person_change", args=[person.pk, "leave"]) not in page
    admin.post(form, {"to": cast.tongxin2.pk, "on": TODAY.isoformat(), "reason": "复学"})
    assert place_of(cast, person)[-1] == cast.tongxin2.pk


def test_a_change_is_taken_back_after_a_look(cast: Cast, admin: Client) -> None:
    person = newcomer(cast, cast.tongxin1)
    with school_context(cast.admin.db_scope):
        change = transfer(by=cast.admin, now=NOON, person=person, to=cast.hanyu1, on=TODAY, reason="转专业")
    url = reverse("directory:undo_change", args=[change.pk])
    assert url in words(admin.get(reverse("directory:person_roster", args=[person.pk])))
    assert "转专业" in words(admin.get(url))
    assert place_of(cast, person) == [cast.tongxin1.pk, cast.hanyu1.pk]
    page = words(admin.post(url, follow=True))
    assert "taken back by" in page and "2 lines that were believed once" not in page
    assert place_of(cast, person) == [cast.tongxin1.pk]
    assert admin.post(url).status_code == 409


def test_a_refused_undo_says_why(cast: Cast, admin: Client) -> None:
    person = newcomer(cast, cast.tongxin1)
    with school_context(cast.admin.db_scope):
        change = take_leave(by=cast.admin, now=NOON, person=person, on=TODAY, reason="休学")
        come_back(by=cast.admin, now=NOON + HOUR, person=person, to=cast.tongxin2, on=TODAY, reason="复学")
    answer = admin.post(reverse("directory:undo_change", args=[change.pk]))
    assert answer.status_code == 409
    assert "Take the later change back first" in words(answer)


def test_reasons_are_read_only_by_those_who_manage_the_roster(cast: Cast, sign_in: SignIn) -> None:
    person = newcomer(cast, cast.tongxin1)
    with school_context(cast.admin.db_scope):
        transfer(by=cast.admin, now=NOON, person=person, to=cast.tongxin2, on=TODAY, reason="因病转班")
    places = reverse("directory:person_roster", args=[person.pk])
    counsellor = sign_in(Role.COUNSELLOR, cast.tongxin2)
    page = counsellor.get(places)
    assert page.status_code == 200 and "因病转班" not in words(page)
    assert "因病转班" in words(sign_in(Role.COLLEGE_OFFICER, cast.electronics).get(places))
    stranger = sign_in(Role.SCHOOL_ADMIN, cast.gongda_node)
    assert stranger.get(places).status_code == 404


def test_a_merger_says_how_many_it_concerns_before_it_is_entered(cast: Cast, admin: Client) -> None:
    with school_context(cast.admin.db_scope):
        new = Organisation.objects.create(
            school_id=cast.anda.pk, kind="college", parent=cast.anda_node, path="1", name="书院", created_at=NOON
        )
        Organisation.objects.filter(pk=new.pk).update(path=f"{cast.anda_node.path}.{new.pk}")
        klass = Organisation.objects.create(
            school_id=cast.anda.pk, kind="class", parent=new, path="1", name="书1班", grade="20级", created_at=NOON
        )
        Organisation.objects.filter(pk=klass.pk).update(path=f"{cast.anda_node.path}.{new.pk}.{klass.pk}")
    with school_context(cast.admin.db_scope):
        person = newcomer_in(klass.pk)
        recount(school_id=cast.anda.pk)
    tree = words(admin.get(reverse("directory:tree")))
    form = reverse("directory:node_change", args=[new.pk, "merge"])
    assert form in tree
    page = words(admin.get(form))
    assert "1 people are concerned" in page and "1 classes go over" in page
    admin.post(form, {"into": cast.literature.pk, "on": TODAY.isoformat(), "reason": "院系调整"})
    with school_context(cast.admin.db_scope):
        moved = Organisation.objects.get(pk=place_of_now(person))
        assert (moved.name, moved.parent_id) == ("书1班", cast.literature.pk)
        change = RosterChange.objects.filter(kind="merger").get()
    assert "院系调整" in words(admin.get(reverse("directory:roster")))
    admin.post(reverse("directory:undo_change", args=[change.pk]))
    with school_context(cast.admin.db_scope):
        assert place_of_now(person) == klass.pk


def newcomer_in(node_id: int) -> Person:
    return add_person(Organisation.objects.get(pk=node_id), "书生")


def place_of_now(person: Person) -> int:
    return Membership.objects.valid_on(TODAY).get(person=person).organisation_id


def test_a_class_is_renamed_from_the_tree(cast: Cast, admin: Client) -> None:
    form = reverse("directory:node_change", args=[cast.hanyu1.pk, "rename"])
    assert form in words(admin.get(reverse("directory:tree") + f"?node={cast.literature.pk}"))
    taken = {"name": "汉语1班", "grade": "19级", "on": TODAY.isoformat(), "reason": "更名"}
    assert admin.post(form, taken).status_code == 400
    admin.post(form, {**taken, "name": "中文1班"})
    with school_context(cast.admin.db_scope):
        assert Organisation.objects.get(pk=cast.hanyu1.pk).name == "中文1班"


def test_a_signed_sheet_says_when_its_roster_has_changed(
    cast: Cast, sign_in: SignIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock(monkeypatch, NOON + 4 * HOUR)  # after whatever the other tests entered
    person = newcomer(cast, cast.tongxin1)
    with school_context(cast.officer.db_scope):
        report(person, at=NOON + HOUR)
        sheet = submit_sheet(
            by=cast.officer,
            now=NOON + 2 * HOUR,
            round=round_of(),
            school_id=cast.anda.pk,
            statements=dict.fromkeys(ZeroCategory.values, 0),
            note="",
        )
    officer = sign_in(Role.EPIDEMIC_OFFICER, cast.anda_node)
    url = reverse("reporting:sheet", args=[cast.anda.pk]) + f"?day={TODAY}"
    expected = sum(c["expected"] for c in sheet.figures["counts"].values())
    page = words(officer.get(url))
    assert "The roster has changed since" not in page
    assert "as valid on 2026-03-02, as known at 2026-03-02 14:00:00" in page
    with school_context(cast.admin.db_scope):
        take_leave(by=cast.admin, now=NOON + 3 * HOUR, person=person, on=TODAY - timedelta(days=3), reason="休学")
    page = words(officer.get(url))
    assert f"The roster has changed since: expected then {expected}, today {expected - 1}" in page
    assert "0 more expected, 1 no longer" in page
    # what was signed is what is recomputed as known at that moment
    known = reverse("reporting:known", args=[cast.anda_node.pk])
    then = words(officer.get(known, {"day": TODAY, "at_day": TODAY, "at_time": "14:00:00.000000"}))
    assert f'data-label="Expected then">{expected}<' in then
    assert f'data-label="Expected, known now">{expected - 1}<' in then


def test_a_look_back_costs_a_fixed_number_of_statements(
    cast: Cast, admin: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock(monkeypatch, NOON + 5 * HOUR)
    url = reverse("reporting:known", args=[cast.literature.pk]) + f"?day={TODAY}"
    counts = []
    for node in (cast.literature, cast.anda_node):
        with CaptureQueriesContext(connection) as queries:
            answer = admin.get(reverse("reporting:known", args=[node.pk]) + f"?day={TODAY}")
        assert answer.status_code == 200
        counts.append(len(queries))
    assert counts[0] == counts[1] <= 16, counts
    assert "ax-state" not in words(admin.get(url)).partition("<tbody>")[2]


def test_the_province_sees_who_is_expected_twice(cast: Cast, sign_in: SignIn) -> None:
    person = newcomer(cast, cast.tongxin1)
    host = scope_for(Role.SCHOOL_ADMIN, cast.gongda_node)
    with school_context(host.db_scope):
        guest = add_person(cast.jixie1, person.name, number="X0001")
        recount(school_id=cast.gongda.pk)
        receive_guest(
            by=host,
            now=NOON,
            person=guest,
            home=cast.anda,
            home_number=person.number,
            on=TODAY,
            until=None,
            reason="交流",
        )
    province = sign_in(Role.PROVINCE_OFFICER, cast.province)
    page = words(province.get(reverse("reporting:province") + f"?day={TODAY}"))
    assert "1 student is expected by two schools" in page
    admin = sign_in(Role.SCHOOL_ADMIN, cast.anda_node)
    form = reverse("directory:person_change", args=[person.pk, "sent"])
    sent = admin.post(form, {"school": cast.gongda.pk, "on": TODAY.isoformat(), "reason": "交流"}, follow=True)
    assert "Exchange with 合肥工业大学" in words(sent)
    page = words(province.get(reverse("reporting:province") + f"?day={TODAY}"))
    assert "expected by two schools" not in page
