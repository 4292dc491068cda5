"""People correct what the directory says about them: some of it at once, the rest when somebody confirms it."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from anxiao.accounts.models import User
from anxiao.base.errors import Invalid, NotYours, Refused
from anxiao.base.permissions import Role
from anxiao.base.scope import Scope
from anxiao.directory.access_profile import is_same_look, seal_look
from anxiao.directory.commands_profile import MOST_A_DAY, confirm, correct_own, decline, look_at, propose, withdraw
from anxiao.directory.models import Category, Membership, Person
from anxiao.directory.models_people import ProfileProposal
from anxiao.directory.names_people import LOOKED_AT, ProfileField, ProposalState
from anxiao.directory.queries_profile import open_count, open_proposals, proposals_of
from anxiao.directory.queries_search import search_people
from anxiao.ledger.models import Entry
from anxiao.portal.queries.history import looks_at
from tests.builders import MORNING, TODAY, add_account, scope_for
from tests.cast import Cast, assemble

NOON = MORNING + timedelta(hours=4)
BACKEND = "anxiao.accounts.backends.AccountBackend"


@pytest.fixture
def cast(database: object) -> Cast:
    return assemble()


def myself(person: Person) -> Scope:
    return scope_for(None, None, person=person)


def asks(cast: Cast, person: Person, field: ProfileField, wanted: object, reason: str = "写错了") -> ProfileProposal:
    with cast.seen_by(myself(person)) as scope:
        return propose(by=scope, now=MORNING, field=field, wanted=str(wanted), reason=reason)


def fresh(cast: Cast, person: Person) -> Person:
    with cast.seen_by(cast.province_officer):
        return Person.objects.select_related("category").get(pk=person.pk)


def verbs(cast: Cast, person: Person) -> list[str]:
    with cast.seen_by(cast.province_officer):
        return list(
            Entry.objects.filter(object_type="person", object_id=str(person.pk))
            .order_by("id")
            .values_list("verb", flat=True)
        )


# -- at once ----------------------------------------------------------------------------------------------------------


def test_phone_and_sex_are_corrected_at_once_and_found_at_once(cast: Cast) -> None:
    other = "M" if cast.wangwu.sex == "F" else "F"
    with cast.seen_by(myself(cast.wangwu)) as scope:
        assert correct_own(by=scope, now=NOON, phone="１３９ 1234-5678", sex=other) == ["phone", "sex"]
        assert correct_own(by=scope, now=NOON, phone="13912345678", sex=other) == []
    person = fresh(cast, cast.wangwu)
    assert (person.phone, person.sex, person.changed_at) == ("13912345678", other, NOON)
    with cast.seen_by(cast.counsellor) as scope:
        assert [row.name for row in search_people(scope, day=TODAY, text="5678").rows] == ["王五"]
    assert verbs(cast, cast.wangwu) == ["profile.corrected"]
    with cast.seen_by(cast.province_officer):
        assert "1391234" not in str(list(Entry.objects.values_list("facts", flat=True)))


def test_what_is_no_phone_is_said_beside_it_and_nothing_changes(cast: Cast) -> None:
    for phone, sex, wrong in (("123", "F", "phone"), ("", "M", "phone"), ("13912345678", "X", "sex")):
        with cast.seen_by(myself(cast.wangwu)) as scope, pytest.raises(Invalid) as no:
            correct_own(by=scope, now=NOON, phone=phone, sex=sex)
        assert set(no.value.fields) == {wrong}
    assert fresh(cast, cast.wangwu).phone == cast.wangwu.phone


def test_nobody_corrects_for_an_office_or_for_nobody(cast: Cast) -> None:
    for scope in (cast.admin, cast.province_officer):
        with cast.seen_by(scope), pytest.raises(NotYours):
            correct_own(by=scope, now=NOON, phone="13912345678", sex="F")


# -- asked for --------------------------------------------------------------------------------------------------------


def test_a_name_is_asked_for_and_confirmed_by_the_counsellor(cast: Cast) -> None:
    account = _account(cast.wangwu)
    asked = asks(cast, cast.wangwu, ProfileField.NAME, " 王伍 ")
    assert (asked.before, asked.wanted, asked.state) == ("王五", "王伍", ProposalState.OPEN)
    assert fresh(cast, cast.wangwu).name == "王五"
    with cast.seen_by(cast.counsellor) as scope:
        assert open_count(scope, TODAY) == 1
        (row,) = open_proposals(scope, TODAY).rows
        assert (row.person.name, row.node, row.mine) == ("王五", "18级 通信1班", True)
        confirm(by=scope, now=NOON, proposal_id=asked.pk)
        assert open_count(scope, TODAY) == 0
        assert [r.name for r in search_people(scope, day=TODAY, text="wangwu").rows] == ["王伍"]
    with cast.seen_by(myself(cast.wangwu)) as scope:
        (mine,) = proposals_of(scope, cast.wangwu.pk)
        assert (mine.state, mine.decided_at) == (ProposalState.CONFIRMED, NOON)
    account.refresh_from_db()
    assert account.display_name == "王伍"
    assert verbs(cast, cast.wangwu) == ["profile.proposed", "profile.confirmed"]


def test_a_new_number_takes_the_user_name_along_and_a_taken_one_is_refused(cast: Cast) -> None:
    account = _account(cast.wangwu)
    taken = asks(cast, cast.wangwu, ProfileField.NUMBER, cast.zhaoliu.number)
    with cast.seen_by(cast.counsellor) as scope, pytest.raises(Refused):
        confirm(by=scope, now=NOON, proposal_id=taken.pk)
    assert fresh(cast, cast.wangwu).number == "P20180001"
    free = asks(cast, cast.wangwu, ProfileField.NUMBER, "Ｐ20189999")
    with cast.seen_by(cast.counsellor) as scope:
        assert ProfileProposal.objects.get(pk=taken.pk).state == ProposalState.WITHDRAWN
        confirm(by=scope, now=NOON, proposal_id=free.pk)
    account.refresh_from_db()
    assert fresh(cast, cast.wangwu).number == "P20189999"
    assert account.username == "4134010357:P20189999"


def test_a_category_is_one_of_the_schools_own(cast: Cast) -> None:
    with cast.seen_by(cast.province_officer):
        ours = Category.objects.get(school_id=cast.anda.pk, name="本科生")
        theirs = Category.objects.get(school_id=cast.gongda.pk, name="本科生")
        staff = Category.objects.filter(school_id=cast.anda.pk, audience=2).first()
    for wrong in (theirs.pk, staff.pk if staff else 0, "x", ""):
        with pytest.raises(Invalid):
            asks(cast, cast.wangwu, ProfileField.CATEGORY, wrong)
    asked = asks(cast, cast.wangwu, ProfileField.CATEGORY, ours.pk)
    with cast.seen_by(cast.college_officer) as scope:
        confirm(by=scope, now=NOON, proposal_id=asked.pk)
    assert fresh(cast, cast.wangwu).category.name == "本科生"


def test_a_class_needs_whoever_answers_for_both_classes(cast: Cast) -> None:
    asked = asks(cast, cast.wangwu, ProfileField.CLASS, cast.tongxin2.pk)
    assert (asked.before, asked.wanted) == ("18级 通信1班", "18级 通信2班")
    with cast.seen_by(cast.counsellor) as scope:  # of the first class only
        assert [row.mine for row in open_proposals(scope, TODAY).rows] == [False]
        with pytest.raises(Refused):
            confirm(by=scope, now=NOON, proposal_id=asked.pk)
    with cast.seen_by(cast.college_officer) as scope:
        confirm(by=scope, now=NOON, proposal_id=asked.pk)
        assert Membership.objects.valid_on(TODAY).get(person=cast.wangwu).organisation_id == cast.tongxin2.pk
    with pytest.raises(Invalid):
        asks(cast, cast.wangwu, ProfileField.CLASS, cast.jixie1.pk)
    with pytest.raises(Invalid):
        asks(cast, cast.wangwu, ProfileField.CLASS, cast.electronics.pk)


def test_a_counsellor_of_both_classes_moves_somebody_between_them(cast: Cast) -> None:
    both = Scope(
        user_id=77,
        username="both",
        school_id=cast.anda.pk,
        grants=(*cast.counsellor.grants, *scope_for(Role.COUNSELLOR, cast.tongxin2).grants),
    )
    asked = asks(cast, cast.wangwu, ProfileField.CLASS, cast.tongxin2.pk)
    with cast.seen_by(both):
        confirm(by=both, now=NOON, proposal_id=asked.pk)
        assert Membership.objects.valid_on(TODAY).get(person=cast.wangwu).organisation_id == cast.tongxin2.pk


def test_declined_with_a_reason_which_the_person_reads(cast: Cast) -> None:
    asked = asks(cast, cast.wangwu, ProfileField.NAME, "王伍")
    with cast.seen_by(cast.counsellor) as scope:
        with pytest.raises(Invalid):
            decline(by=scope, now=NOON, proposal_id=asked.pk, answer="  ")
        decline(by=scope, now=NOON, proposal_id=asked.pk, answer="请先带证件来。")
        with pytest.raises(Refused):
            confirm(by=scope, now=NOON, proposal_id=asked.pk)
    assert fresh(cast, cast.wangwu).name == "王五"
    with cast.seen_by(myself(cast.wangwu)) as scope:
        (mine,) = proposals_of(scope, cast.wangwu.pk)
        assert (mine.state, mine.answer) == ("declined", "请先带证件来。")
        assert mine.decided_by_name.startswith("user-")


def test_taken_back_only_by_oneself_and_only_while_open(cast: Cast) -> None:
    asked = asks(cast, cast.wangwu, ProfileField.NAME, "王伍")
    for stranger in (myself(cast.zhaoliu), myself(cast.wuyi), cast.counsellor):
        with cast.seen_by(stranger), pytest.raises(NotYours):
            withdraw(by=stranger, now=NOON, proposal_id=asked.pk)
    with cast.seen_by(myself(cast.wangwu)) as scope:
        withdraw(by=scope, now=NOON, proposal_id=asked.pk)
        with pytest.raises(Refused):
            withdraw(by=scope, now=NOON, proposal_id=asked.pk)


def test_nobody_decides_for_strangers_or_for_themselves(cast: Cast) -> None:
    asked = asks(cast, cast.wangwu, ProfileField.NAME, "王伍")
    of_staff = asks(cast, cast.zhangsan, ProfileField.NAME, "张叁")
    own = scope_for(Role.COLLEGE_OFFICER, cast.electronics, person=cast.zhangsan)
    strangers = (
        cast.other_counsellor,
        cast.outsider,
        cast.officer,
        scope_for(Role.SCHOOL_ADMIN, cast.gongda_node),
        scope_for(Role.CLASS_HEAD, cast.tongxin1),
        myself(cast.wangwu),
    )
    for scope in strangers:
        with cast.seen_by(scope):
            assert open_count(scope, TODAY) == len(open_proposals(scope, TODAY).rows) == 0
            for act in (confirm, decline):
                more = {"answer": "x"} if act is decline else {}
                with pytest.raises(NotYours):
                    act(by=scope, now=NOON, proposal_id=asked.pk, **more)  # type: ignore[operator]
    with cast.seen_by(own):
        assert [row.person.name for row in open_proposals(own, TODAY).rows] == ["王五"]
        with pytest.raises(NotYours):
            confirm(by=own, now=NOON, proposal_id=of_staff.pk)


def test_what_cannot_be_asked_for_is_said_beside_it(cast: Cast) -> None:
    for field, wanted, reason, wrong in (
        (ProfileField.NAME, "", "x", "wanted"),
        (ProfileField.NAME, "王" * 61, "x", "wanted"),
        (ProfileField.NAME, "王\u202d五", "x", "wanted"),
        (ProfileField.NAME, "王五", "x", "wanted"),
        (ProfileField.NAME, "王伍", " ", "reason"),
        (ProfileField.NUMBER, "a b", "x", "wanted"),
        (ProfileField.NUMBER, "学号", "x", "wanted"),
        (ProfileField.NUMBER, "P20180001", "x", "wanted"),
    ):
        with pytest.raises(Invalid) as no:
            asks(cast, cast.wangwu, field, wanted, reason)
        assert set(no.value.fields) == {wrong}, wanted


def test_a_taken_number_is_not_told_to_whoever_asks_for_it(cast: Cast) -> None:
    """Or the numbers of others could be tried out."""
    assert asks(cast, cast.wangwu, ProfileField.NUMBER, cast.zhaoliu.number).state == ProposalState.OPEN


def test_there_is_an_end_to_asking(cast: Cast) -> None:
    for n in range(MOST_A_DAY):
        asks(cast, cast.wangwu, ProfileField.NAME, f"王{n}")
    with pytest.raises(Refused):
        asks(cast, cast.wangwu, ProfileField.NAME, "王伍")
    with cast.seen_by(cast.counsellor) as scope:
        assert open_count(scope, TODAY) == 1


# -- who looked -------------------------------------------------------------------------------------------------------


def test_opening_a_person_is_one_ledger_row_and_ones_own_is_none(cast: Cast) -> None:
    add_account("zhang", role=Role.COUNSELLOR, node=cast.tongxin1, person=cast.zhangsan)
    client = _browser("zhang")
    url = reverse("directory:person", args=[cast.wangwu.pk])
    assert client.get(url).status_code == 200
    assert client.get(reverse("portal:console_person_history", args=[cast.wangwu.pk])).status_code == 200
    assert client.get(reverse("directory:person", args=[cast.zhangsan.pk])).status_code == 200
    assert client.get(reverse("directory:person", args=[cast.lijiu.pk])).status_code == 404
    assert verbs(cast, cast.wangwu) == [LOOKED_AT, LOOKED_AT]
    assert verbs(cast, cast.zhangsan) == verbs(cast, cast.lijiu) == []
    with cast.seen_by(myself(cast.wangwu)) as scope:
        page = looks_at(scope, cast.anda.pk, cast.wangwu.pk, limit=1)
        assert [(look.name, look.verb) for look in page.rows] == [("张三", LOOKED_AT)]
        assert len(looks_at(scope, cast.anda.pk, cast.wangwu.pk, before=page.before).rows) == 1


def test_what_the_page_itself_fetches_is_the_same_look_and_nothing_else_is(cast: Cast) -> None:
    add_account("zhang", role=Role.COUNSELLOR, node=cast.tongxin1, person=cast.zhangsan)
    client = _browser("zhang")
    page = client.get(reverse("directory:person", args=[cast.wangwu.pk])).content.decode()
    (fetched,) = re.findall(r'hx-get="([^"]+)"', page)
    for _ in range(2):
        assert client.get(fetched, headers={"HX-Request": "true"}).status_code == 200
    assert verbs(cast, cast.wangwu) == [LOOKED_AT]
    reports, seal = fetched.split("?look=")
    others = reports.replace(f"/{cast.wangwu.pk}/", f"/{cast.zhaoliu.pk}/")
    for address in (reports, f"{reports}?look={seal}x", f"{reports}?look=1.2.3~x"):
        client.get(address, headers={"HX-Request": "true"})
    assert verbs(cast, cast.wangwu) == [LOOKED_AT] * 4
    client.get(f"{others}?look={seal}", headers={"HX-Request": "true"})
    assert verbs(cast, cast.zhaoliu) == [LOOKED_AT]
    with cast.seen_by(cast.counsellor):
        who = cast.counsellor
        late = seal_look(who, cast.wangwu, MORNING)
        assert is_same_look(who, cast.wangwu, late, MORNING + timedelta(minutes=10))
        assert not is_same_look(who, cast.wangwu, late, MORNING + timedelta(minutes=11))


def test_looking_and_its_row_are_one_transaction(cast: Cast) -> None:
    with pytest.raises(RuntimeError, match="transaction"):
        look_at(by=cast.counsellor, now=MORNING, person=cast.wangwu)


def test_the_history_shows_answers_reasons_and_lookers_to_those_who_may(cast: Cast) -> None:
    url = reverse("portal:console_person_history", args=[cast.wangwu.pk])
    add_account("head", role=Role.CLASS_HEAD, node=cast.tongxin1)
    add_account("admin", role=Role.SCHOOL_ADMIN, node=cast.anda_node)
    head, admin = _browser("head").get(url).content.decode(), _browser("admin").get(url).content.decode()
    assert 'id="looked"' in admin and 'id="looked"' not in head
    assert "head" in admin
    assert cast.wangwu.phone not in admin + head
    assert _browser("admin").get(url + "?month=2019-01&looks=x").status_code == 200
    assert _browser("admin").get(url + "?month=2999-01").status_code == 200


def test_a_history_costs_a_fixed_number_of_statements(cast: Cast) -> None:
    add_account("admin", role=Role.SCHOOL_ADMIN, node=cast.anda_node)
    client, url = _browser("admin"), reverse("portal:console_person_history", args=[cast.wangwu.pk])
    client.get(url)
    with CaptureQueriesContext(connection) as queries:
        client.get(url)
    assert len(queries) == 23, "\n".join(q["sql"][:120] for q in queries)


# -- pages ------------------------------------------------------------------------------------------------------------


def test_on_the_phone_nothing_typed_is_lost_and_the_answer_is_read(cast: Cast) -> None:
    add_account("wang", person=cast.wangwu)
    add_account("zhang", role=Role.COUNSELLOR, node=cast.tongxin1, person=cast.zhangsan)
    phone, console = _browser("wang"), _browser("zhang")
    wish = reverse("portal:h5_wish", args=["name"])
    again = phone.post(wish, {"wanted": "王伍", "reason": ""})
    assert again.status_code == 422
    assert "王伍" in again.content.decode()
    assert phone.post(wish, {"wanted": "王伍", "reason": "公安改名"}).status_code == 302
    contact = phone.post(reverse("portal:h5_contact"), {"phone": "139", "sex": "F"})
    assert contact.status_code == 422
    assert 'value="139"' in contact.content.decode()
    assert phone.get(reverse("portal:h5_wish", args=["password"])).status_code == 404
    board = console.get(reverse("portal:console")).content.decode()
    assert 'class="ax-badge' in board
    listing = console.get(reverse("directory:proposals")).content.decode()
    assert "公安改名" in listing
    with cast.seen_by(cast.counsellor):
        (asked,) = ProfileProposal.objects.all()
    decide = reverse("directory:proposal", args=[asked.pk])
    empty = console.post(decide, {"act": "decline", "answer": " "})
    assert empty.status_code == 422
    assert console.post(decide, {"act": "decline", "answer": "请带证件来"}).status_code == 302
    assert "请带证件来" in phone.get(reverse("portal:h5_me")).content.decode()
    assert 'class="ax-badge' not in console.get(reverse("directory:proposals")).content.decode()


def test_a_student_chooses_a_class_of_one_college_at_a_time(cast: Cast) -> None:
    add_account("wang", person=cast.wangwu)
    phone, url = _browser("wang"), reverse("portal:h5_wish", args=["class"])
    own, other = phone.get(url).content.decode(), phone.get(url, {"college": cast.literature.pk}).content.decode()
    assert "18级 通信2班" in own and "19级 汉语1班" not in own
    assert (
        "19级 汉语1班" in other
        and "18级 机械1班" not in phone.get(url, {"college": cast.mechanics.pk}).content.decode()
    )


def _account(person: Person) -> User:
    return add_account(f"4134010357:{person.number}", person=person)


def _browser(username: str) -> Client:
    client = Client()
    client.force_login(User.objects.get(username=username), backend=BACKEND)
    return client
