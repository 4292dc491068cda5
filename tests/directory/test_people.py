"""Finding people: by the beginning of a name or number, by class, never beyond one's reach."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from anxiao.base.errors import NotYours
from anxiao.base.permissions import Role
from anxiao.base.scope import Scope
from anxiao.directory.access import get_person
from anxiao.directory.commands import reveal_phone
from anxiao.directory.commands_roster import transfer
from anxiao.directory.queries import filter_nodes, person_file
from anxiao.directory.queries_search import PeoplePage, search_people
from anxiao.ledger.models import Entry
from tests.builders import HOUSE, MORNING, TODAY, add_people, scope_for
from tests.cast import Cast, assemble


@pytest.fixture
def cast(database: object) -> Cast:
    return assemble()


def found(page: PeoplePage) -> list[str]:
    return [row.name for row in page.rows]


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("王五", ["王五"]),
        ("五", ["王五"]),
        ("P2018", ["王五", "赵六", "钱七", "孙八"]),
        ("Ｐ２０１９", ["李九"]),
        ("00001", ["张三"]),
        ("汉语1班", ["李九"]),
        ("18级 通信2班", ["孙八"]),
        ("通信", ["王五", "赵六", "钱七", "孙八"]),
        ("%", []),
        ("_", []),
        ("吴一", []),
    ],
)
def test_a_school_finds_its_people_by_name_number_and_class(cast: Cast, text: str, names: list[str]) -> None:
    with cast.seen_by(cast.officer) as scope:
        assert found(search_people(scope, day=TODAY, text=text)) == names


def test_the_province_finds_by_the_beginning_in_every_school(cast: Cast) -> None:
    with cast.seen_by(cast.province_officer) as scope:
        assert found(search_people(scope, day=TODAY, text="吴")) == ["吴一"]
        assert found(search_people(scope, day=TODAY, text="通信")) == []  # over all schools a class is named fully
        assert len(search_people(scope, day=TODAY, text="通信1班").rows) == 3
        assert len(search_people(scope, day=TODAY, text="P2018").rows) == 5


def test_nobody_sees_beyond_their_reach(cast: Cast) -> None:
    def all_of(scope: Scope) -> list[str]:
        with cast.seen_by(scope):
            return found(search_people(scope, day=TODAY))

    assert all_of(cast.counsellor) == ["王五", "赵六", "钱七"]
    assert all_of(cast.college_officer) == ["张三", "王五", "赵六", "钱七", "孙八"]
    assert all_of(cast.outsider) == ["郑二", "吴一"]
    assert all_of(scope_for(Role.SECURITY, cast.anda_node)) == []
    assert all_of(scope_for(None, None, person=cast.wangwu)) == []


def test_filters_and_pages(cast: Cast) -> None:
    with cast.seen_by(cast.admin) as scope:
        add_people(cast.tongxin2, 25)
        assert [n.name for n in filter_nodes(scope)] == ["电子信息工程学院", "通信1班", "通信2班", "文学院", "汉语1班"]
        seen: list[str] = []
        after = None
        pages = []
        while True:
            page = search_people(scope, day=TODAY, node=cast.tongxin2, after=after, limit=10)
            pages.append(page)
            seen += [row.number for row in page.rows]
            if page.after is None:
                break
            after = page.after
        assert len(seen) == len(set(seen)) == 26
        assert seen == sorted(seen)
        back = search_people(scope, day=TODAY, node=cast.tongxin2, before=pages[2].before, limit=10)
        assert back.rows == pages[1].rows
        assert found(search_people(scope, day=TODAY, audience=2)) == ["张三", "周十"]


def test_phone_numbers_leave_masked_and_each_look_is_written_down(cast: Cast) -> None:
    with cast.seen_by(cast.counsellor) as scope:
        page = search_people(scope, day=TODAY, text="王五")
        assert cast.wangwu.phone not in page.rows[0].phone
        person = get_person(scope, cast.wangwu.pk, TODAY)
        assert cast.wangwu.phone not in person_file(scope, person, TODAY).phone
    # the grant of the builder is of today; the command asks with its own clock
    with cast.seen_by(cast.counsellor) as scope:
        assert reveal_phone(by=scope, now=MORNING, person=person) == cast.wangwu.phone
        assert Entry.objects.filter(verb="phone.revealed", object_id=str(person.pk)).count() == 1
    for stranger in (cast.other_counsellor, scope_for(Role.CLASS_HEAD, cast.tongxin1)):
        with cast.seen_by(stranger), pytest.raises(NotYours):
            reveal_phone(by=stranger, now=MORNING, person=person)


def test_a_file_keeps_the_way_somebody_went(cast: Cast) -> None:
    with cast.seen_by(cast.admin) as scope:
        transfer(by=HOUSE, now=MORNING, person=cast.wangwu, to=cast.hanyu1, on=TODAY, reason="转班")
        file = person_file(scope, cast.wangwu, TODAY)
        assert [(stay.label, stay.until) for stay in file.memberships if not stay.superseded] == [
            ("19级 汉语1班", None),
            ("18级 通信1班", TODAY - timedelta(days=1)),
        ]
        assert file.counsellors == ["周十"]
        assert [n.name for n in file.trail] == ["安徽省教育厅", "安徽大学", "文学院", "汉语1班"]


def test_a_search_costs_a_fixed_number_of_statements(cast: Cast) -> None:
    # reach, classes called so, tails of one school or of all, the cursor, the page
    for scope, text, most in (
        (cast.province_officer, "通信1班", 2),
        (cast.province_officer, "0001", 3),
        (cast.officer, "通信", 2),
        (cast.officer, "0001", 2),
        (cast.counsellor, "通信", 3),
        (cast.counsellor, "0001", 4),
    ):
        with cast.seen_by(scope), CaptureQueriesContext(connection) as queries:
            search_people(scope, day=TODAY, text=text)
        assert len(queries) == most, text
        with cast.seen_by(scope), CaptureQueriesContext(connection) as queries:
            search_people(scope, day=TODAY, text=text, after=f"1-{cast.wangwu.pk}")
        assert len(queries) == most + 1, text
