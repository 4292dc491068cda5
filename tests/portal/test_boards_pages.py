"""The console's pages: who may open them, what they cost, what they do."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from anxiao.accounts.models import User
from anxiao.base.clock import day_of, now
from anxiao.base.permissions import Role
from anxiao.directory.commands import add_place, settle_in
from anxiao.directory.models import Place
from anxiao.directory.names import PlaceKind
from anxiao.ledger.models import Entry
from anxiao.reporting.commands.exemptions import exempt
from anxiao.reporting.commands.partitions import ensure_partitions
from anxiao.reporting.models import Exemption, Reminder, Report
from anxiao.reporting.names import ExemptionReason
from tests.builders import HOUSE, MORNING, add_account, answers, report, round_of
from tests.cast import Cast, assemble

BACKEND = "anxiao.accounts.backends.AccountBackend"


@pytest.fixture
def cast(database: object) -> Cast:
    cast = assemble()
    ensure_partitions(day=day_of(now()))
    return cast


@pytest.fixture
def enter(cast: Cast) -> Callable[..., Client]:
    """A browser in which somebody with a role is signed in."""

    def signed_in(
        name: str, role: Role | None, node: object = None, person: object = None, place: object = None
    ) -> Client:
        with cast.seen_by(cast.province_officer):
            user: User = add_account(name, role=role, node=node, person=person)  # type: ignore[arg-type]
            if place is not None:
                user.grants.update(place=place)
        client = Client()
        client.force_login(user, backend=BACKEND)
        return client

    return signed_in


def today() -> int:
    return round_of(day_of(now())).pk


def plain(client: Client, url: str, status: int = 200) -> str:
    response = client.get(url)
    assert response.status_code == status, (url, response.status_code, response.content[:600])
    return response.content.decode()


def test_every_level_opens_on_what_needs_action(cast: Cast, enter: Callable[..., Client]) -> None:
    with cast.seen_by(cast.admin):
        report(cast.wangwu, at=now(), symptoms=["cold"], temperature=36.9)
    for name, role, node, expected in (
        ("province", Role.PROVINCE_OFFICER, cast.province, 9),
        ("school", Role.EPIDEMIC_OFFICER, cast.anda_node, 7),
        ("college", Role.COLLEGE_OFFICER, cast.electronics, 5),
        ("counsellor", Role.COUNSELLOR, cast.tongxin1, 3),
        ("guard", Role.SECURITY, cast.anda_node, 7),
    ):
        client = enter(name, role, node)
        page = plain(client, reverse("portal:console"))
        assert f'data-missing="{expected - 1}"' in page
        part = plain(client, reverse("portal:console_node", args=[node.pk]) + "?part=numbers")
        assert f'data-missing="{expected - 1}"' in part
        assert "<html" not in part
        assert 'hx-swap-oob="true"' in part


def test_a_class_board_names_the_missing(cast: Cast, enter: Callable[..., Client]) -> None:
    page = plain(enter("c", Role.COUNSELLOR, cast.tongxin1), reverse("portal:console"))
    assert all(name in page for name in ("王五", "赵六", "钱七"))
    assert cast.wangwu.phone not in page


@pytest.mark.parametrize(
    ("who", "most"),
    [
        ("province", 14),
        ("school", 13),
        ("counsellor", 18),
        ("missing", 13),
        ("unwell", 16),
        ("people", 9),
        ("person", 14),
    ],
)
def test_a_page_costs_a_fixed_number_of_statements(
    cast: Cast, enter: Callable[..., Client], who: str, most: int
) -> None:
    with cast.seen_by(cast.admin):
        for person in (cast.wangwu, cast.zhaoliu):
            report(person, at=now(), symptoms=["cold"], temperature=36.9)
    officer = (Role.EPIDEMIC_OFFICER, cast.anda_node)
    role, node, url = {
        "province": (Role.PROVINCE_OFFICER, cast.province, reverse("portal:console")),
        "school": (*officer, reverse("portal:console")),
        "counsellor": (Role.COUNSELLOR, cast.tongxin1, reverse("portal:console")),
        "missing": (*officer, reverse("portal:console_node_list", args=[cast.anda_node.pk, "missing"])),
        "unwell": (*officer, reverse("portal:console_node_list", args=[cast.anda_node.pk, "unwell"])),
        "people": (*officer, reverse("directory:people")),
        "person": (*officer, reverse("directory:person", args=[cast.wangwu.pk])),
    }[who]
    client = enter(who, role, node)
    plain(client, url)  # today's round comes into being, forms are compiled
    with CaptureQueriesContext(connection) as queries:
        plain(client, url)
    assert len(queries) == most, "\n".join(q["sql"][:160] for q in queries)


def test_the_other_colleges_counsellor_finds_nothing_anywhere(cast: Cast, enter: Callable[..., Client]) -> None:
    with cast.seen_by(cast.admin):
        report(cast.wangwu, at=now(), symptoms=["cold"], temperature=36.9)
    node, person, round_id = cast.tongxin1.pk, cast.wangwu.pk, today()
    addresses = [
        reverse("portal:console_node", args=[node]),
        reverse("portal:console_node", args=[cast.electronics.pk]),
        reverse("portal:console_node", args=[cast.anda_node.pk]),
        reverse("portal:console_node", args=[cast.province.pk]),
        reverse("portal:console_activation", args=[node]),
        reverse("portal:console_exemptions", args=[node]),
        *(reverse("portal:console_node_list", args=[node, kind]) for kind in ("missing", "unwell", "late", "exempt")),
        reverse("portal:console_person_reports", args=[person]),
        reverse("portal:console_answers", args=[person, round_id]),
        reverse("portal:console_proxy", args=[person]),
        reverse("portal:console_correct", args=[person, round_id]),
        reverse("portal:console_exempt", args=[person]),
        reverse("directory:person", args=[person]),
        reverse("directory:people") + f"?node={node}",
    ]
    acts = [
        reverse("portal:console_remind", args=[node]),
        reverse("portal:console_remind_one", args=[person]),
        reverse("portal:console_proxy", args=[person]),
        reverse("portal:console_correct", args=[person, round_id]),
        reverse("portal:console_exempt", args=[person]),
        reverse("directory:phone", args=[person]),
    ]
    for client in (
        enter("other", Role.COUNSELLOR, cast.hanyu1, cast.zhoushi),
        enter("outsider", Role.EPIDEMIC_OFFICER, cast.gongda_node),
        enter("student", None, person=cast.sunba),
    ):
        for url in addresses:
            plain(client, url, 404)
        for url in acts:
            assert client.post(url, {"round": round_id, "reason": "x"}).status_code == 404, url
        found = client.get(reverse("directory:people"), {"q": "王五"})
        assert found.status_code in (200, 404)
        assert f"/people/{person}/" not in found.content.decode()


def test_visitors_are_asked_to_sign_in(cast: Cast) -> None:
    for url in (reverse("portal:console"), reverse("directory:people"), reverse("directory:person", args=[1])):
        response = Client().get(url)
        assert response.status_code == 302
        assert reverse("account_login") in response["Location"]


def test_remind_all_says_how_many_and_reminds_the_missing(cast: Cast, enter: Callable[..., Client]) -> None:
    with cast.seen_by(cast.admin):
        report(cast.wangwu, at=now())
    client = enter("c", Role.COUNSELLOR, cast.tongxin1)
    url = reverse("portal:console_node_list", args=[cast.tongxin1.pk, "missing"])
    page = plain(client, url)
    assert re.search(r'data-dialog="remind"', page)
    response = client.post(reverse("portal:console_remind", args=[cast.tongxin1.pk]), {"round": today()}, follow=True)
    assert response.status_code == 200
    with cast.seen_by(cast.admin):
        assert set(Reminder.objects.values_list("person_id", flat=True)) == {cast.zhaoliu.pk, cast.qianqi.pk}
    one = client.post(
        reverse("portal:console_remind_one", args=[cast.zhaoliu.pk]), {"round": today()}, headers={"HX-Request": "true"}
    )
    assert one.status_code == 200
    with cast.seen_by(cast.admin):
        assert Reminder.objects.count() == 2


def test_the_unwell_are_listed_in_words_and_the_ledger_knows_who_looked(
    cast: Cast, enter: Callable[..., Client]
) -> None:
    with cast.seen_by(cast.admin):
        report(cast.wangwu, at=now(), symptoms=["fever", "dry_cough"], temperature=38.4)
    client = enter("c", Role.COUNSELLOR, cast.tongxin1)
    page = plain(client, reverse("portal:console_node_list", args=[cast.tongxin1.pk, "unwell"]))
    assert "发热、干咳" in page
    assert "38.4" in page
    plain(client, reverse("portal:console_answers", args=[cast.wangwu.pk, today()]))
    with cast.seen_by(cast.admin):
        verbs = set(Entry.objects.filter(actor="c").values_list("verb", flat=True))
    assert {"health.listed", "person.viewed"} <= verbs
    head = enter("head", Role.CLASS_HEAD, cast.tongxin1)
    plain(head, reverse("portal:console_node_list", args=[cast.tongxin1.pk, "unwell"]), 404)
    plain(head, reverse("portal:console_answers", args=[cast.wangwu.pk, today()]), 404)


def test_a_phone_number_is_shown_once_and_written_down(cast: Cast, enter: Callable[..., Client]) -> None:
    client = enter("c", Role.COUNSELLOR, cast.tongxin1)
    url = reverse("directory:phone", args=[cast.wangwu.pk])
    assert client.get(url).status_code == 405
    shown = client.post(url, headers={"HX-Request": "true"})
    assert f"tel:{cast.wangwu.phone}" in shown.content.decode()
    assert cast.wangwu.phone in client.post(url).content.decode()
    with cast.seen_by(cast.admin):
        assert Entry.objects.filter(verb="phone.revealed", object_id=str(cast.wangwu.pk)).count() == 2
    head = enter("head", Role.CLASS_HEAD, cast.tongxin1)
    assert head.post(url).status_code == 404


def _posted(**changes: object) -> dict[str, object]:
    given = {}
    for key, value in answers(**changes).items():
        given[key] = {True: "true", False: "false"}[value] if isinstance(value, bool) else value
    return given


def test_filling_in_for_somebody_is_seen_by_both(cast: Cast, enter: Callable[..., Client]) -> None:
    client = enter("c", Role.COUNSELLOR, cast.tongxin1)
    url = reverse("portal:console_proxy", args=[cast.wangwu.pk])
    page = plain(client, url)
    key = re.search(r'name="key" value="([^"]+)"', page)
    assert key is not None
    given = {**_posted(), "key": key[1], "round": today()}
    without = client.post(url, given)
    assert without.status_code == 422
    assert 'value="36.5"' in without.content.decode()
    done = client.post(url, {**given, "reason": "手机坏了"})
    assert done.status_code == 302
    with cast.seen_by(cast.admin):
        kept = Report.objects.get(person_id=cast.wangwu.pk)
    assert (kept.channel, kept.reason) == (3, "手机坏了")
    page = plain(client, reverse("portal:console_person_reports", args=[cast.wangwu.pk]))
    assert "ax-icon" in page
    again = plain(client, url)
    assert 'name="key"' not in again
    phone = enter("wangwu", None, person=cast.wangwu)
    assert "手机坏了" in plain(phone, reverse("portal:h5_receipt", args=[today()])) or "c" in plain(
        phone, reverse("portal:h5_receipt", args=[today()])
    )


def test_a_correction_keeps_the_first_version_beside_it(cast: Cast, enter: Callable[..., Client]) -> None:
    with cast.seen_by(cast.admin):
        report(cast.wangwu, at=now(), temperature=39.9)
    client = enter("c", Role.COUNSELLOR, cast.tongxin1)
    url = reverse("portal:console_correct", args=[cast.wangwu.pk, today()])
    page = plain(client, url)
    assert 'value="39.9"' in page
    assert "cb-version" in page
    key = re.search(r'name="key" value="([^"]+)"', page)
    assert key is not None
    assert client.post(url, {**_posted(), "key": key[1], "reason": ""}).status_code == 422
    assert client.post(url, {**_posted(), "key": key[1], "reason": "填错了"}).status_code == 302
    with cast.seen_by(cast.admin):
        rows = list(Report.objects.filter(person_id=cast.wangwu.pk).order_by("version"))
    assert [(r.version, r.is_current, r.temperature_tenths) for r in rows] == [(1, False, 399), (2, True, 365)]
    page = plain(client, reverse("portal:console_answers", args=[cast.wangwu.pk, today()]))
    assert "填错了" in page
    assert "<mark>" in page


def test_exempting_and_taking_it_back(cast: Cast, enter: Callable[..., Client]) -> None:
    client = enter("c", Role.COUNSELLOR, cast.tongxin1)
    url, day = reverse("portal:console_exempt", args=[cast.wangwu.pk]), day_of(now()).isoformat()
    plain(client, url)
    wrong = client.post(url, {"reason": "leave", "first_day": day, "last_day": "2020-01-01"})
    assert wrong.status_code == 200
    assert "aria-invalid" in wrong.content.decode()
    assert client.post(url, {"reason": "leave", "first_day": day, "last_day": day, "note": "事假"}).status_code == 302
    assert client.post(url, {"reason": "leave", "first_day": day, "last_day": day}).status_code == 409
    listed = plain(client, reverse("portal:console_exemptions", args=[cast.tongxin1.pk]))
    assert "王五" in listed
    assert "事假" in listed
    assert 'data-missing="2"' in plain(client, reverse("portal:console"))
    with cast.seen_by(cast.admin):
        granted = Exemption.objects.get()
    other = enter("other", Role.COUNSELLOR, cast.hanyu1)
    cancel = reverse("portal:console_exemption_cancel", args=[granted.pk])
    assert other.post(cancel).status_code == 404
    assert client.post(cancel).status_code == 302
    assert 'data-missing="3"' in plain(client, reverse("portal:console"))


def test_a_counsellor_of_several_classes_has_one_list(cast: Cast, enter: Callable[..., Client]) -> None:
    client = enter("c", Role.COUNSELLOR, cast.tongxin1)
    from anxiao.accounts.models import Grant

    with cast.seen_by(cast.province_officer):
        user = User.objects.get(username="c")
        Grant.objects.create(
            user=user,
            role=Role.COUNSELLOR,
            organisation=cast.tongxin2,
            valid_from=MORNING.date(),
            given_by=0,
            given_at=MORNING,
        )
    page = plain(client, reverse("portal:console"))
    assert 'data-missing="4"' in page
    assert "孙八" in page
    listed = plain(client, reverse("portal:console_mine_list", args=["missing"]))
    assert all(name in listed for name in ("王五", "赵六", "钱七", "孙八"))
    assert client.post(reverse("portal:console_remind_mine"), {"round": today()}).status_code == 302
    with cast.seen_by(cast.admin):
        assert Reminder.objects.count() == 4


@pytest.fixture
def building(cast: Cast) -> Place:
    with cast.seen_by(cast.admin):
        building = add_place(
            by=HOUSE, now=MORNING, kind=PlaceKind.BUILDING, name="桃园1号楼", parent=None, school_id=cast.anda.pk
        )
        room = add_place(
            by=HOUSE, now=MORNING, kind=PlaceKind.ROOM, name="302", parent=building, school_id=cast.anda.pk
        )
        for person in (cast.wangwu, cast.lijiu):
            settle_in(by=HOUSE, now=MORNING, person=person, place=room, bed="1", on=MORNING.date())
    return building


def test_a_dorm_manager_works_with_the_building(cast: Cast, building: Place, enter: Callable[..., Client]) -> None:
    client = enter("dorm", Role.DORM_MANAGER, cast.anda_node, place=building)
    response = client.get(reverse("portal:console"))
    assert response["Location"] == reverse("portal:console_place", args=[building.pk])
    page = plain(client, response["Location"])
    assert 'data-missing="2"' in page
    assert "王五" in page
    listed = plain(client, reverse("portal:console_place_list", args=[building.pk, "missing"]))
    assert "302" in listed
    plain(client, reverse("portal:console_place_list", args=[building.pk, "unwell"]), 404)
    plain(client, reverse("portal:console_node", args=[cast.anda_node.pk]), 404)
    plain(client, reverse("directory:person", args=[cast.wangwu.pk]))
    plain(client, reverse("directory:person", args=[cast.sunba.pk]), 404)
    people = plain(client, reverse("directory:people"))
    assert "王五" in people
    assert "孙八" not in people
    assert (
        client.post(reverse("portal:console_remind_place", args=[building.pk]), {"round": today()}).status_code == 302
    )
    with cast.seen_by(cast.admin):
        assert Reminder.objects.count() == 2


def test_a_refused_correction_is_a_look_at_the_answers_too(cast: Cast, enter: Callable[..., Client]) -> None:
    """The page with what is wrong shows the versions: it asks for the same permission and leaves the same row."""
    with cast.seen_by(cast.admin):
        report(cast.wangwu, at=now(), temperature=39.9)
    client = enter("c", Role.COUNSELLOR, cast.tongxin1)
    wrong = client.post(reverse("portal:console_correct", args=[cast.wangwu.pk, today()]), {"reason": ""})
    assert wrong.status_code == 422
    assert "39.9" in wrong.content.decode()
    with cast.seen_by(cast.admin):
        assert Entry.objects.filter(verb="person.viewed", object_id=str(cast.wangwu.pk)).count() == 1


@pytest.mark.parametrize(("role", "carried"), [(Role.CLASS_HEAD, False), (Role.COUNSELLOR, True)])
def test_filling_in_tells_nobody_of_the_health_they_may_not_see(
    cast: Cast, enter: Callable[..., Client], role: Role, carried: bool
) -> None:
    """What is asked again, because it was not as usual yesterday, says that somebody is suspected or isolated."""
    yesterday = now() - timedelta(days=1)
    with cast.seen_by(cast.admin):
        report(cast.wangwu, at=yesterday)
        report(cast.zhaoliu, at=yesterday, diagnosis="suspected", diagnosis_detail="待查")
    client = enter("c", role, cast.tongxin1)
    for person in (cast.wangwu, cast.zhaoliu):
        page = plain(client, reverse("portal:console_proxy", args=[person.pk]))
        assert ("cb-same" in page) is carried


@pytest.mark.parametrize(
    ("role", "told"), [(Role.CLASS_HEAD, False), (Role.SCHOOL_DOCTOR, False), (Role.COUNSELLOR, True)]
)
def test_why_somebody_is_exempt_is_told_to_those_who_exempt(
    cast: Cast, enter: Callable[..., Client], role: Role, told: bool
) -> None:
    """ "In hospital" is health: the others read only that nobody waits for a report, and until when."""
    day = day_of(now())
    with cast.seen_by(cast.admin):
        exempt(
            by=cast.admin, now=now(), person=cast.wangwu, reason=ExemptionReason.HOSPITAL, first_day=day, last_day=day
        )
    client = enter("c", role, cast.anda_node if role is Role.SCHOOL_DOCTOR else cast.tongxin1)
    listed = plain(client, reverse("portal:console_node_list", args=[cast.tongxin1.pk, "exempt"]))
    own = plain(client, reverse("portal:console_person_reports", args=[cast.wangwu.pk]))
    assert "王五" in listed
    for page in (listed, own):
        assert (str(ExemptionReason.HOSPITAL.label) in page) is told
        assert day.isoformat() in page


def test_the_way_in_of_a_whole_province_costs_no_more_than_that_of_a_school(
    cast: Cast, enter: Callable[..., Client]
) -> None:
    for role, node in ((Role.PROVINCE_OFFICER, cast.province), (Role.EPIDEMIC_OFFICER, cast.anda_node)):
        client = enter(f"activation-{role}", role, node)
        page = plain(client, reverse("portal:console"))
        address = reverse("portal:console_activation", args=[node.pk])
        assert f'hx-get="{address}"' in page
        with CaptureQueriesContext(connection) as queries:
            assert 'class="ax-progress' in plain(client, address)
        assert len(queries) <= 10, "\n".join(q["sql"][:160] for q in queries)
