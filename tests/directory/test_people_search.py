"""Finding people by pinyin, initials, the end of a phone: right, complete, and never telling of anybody else."""

from __future__ import annotations

from datetime import timedelta

import psycopg
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from anxiao.base.blind import BlindIndex
from anxiao.base.permissions import Role
from anxiao.base.scope import Scope
from anxiao.directory.commands_search import fill_missing
from anxiao.directory.models import Category, Person, Place, Residence
from anxiao.directory.names import Audience
from anxiao.directory.queries import reach_of
from anxiao.directory.queries_filters import category_names, levels
from anxiao.directory.queries_search import PeoplePage, search_people
from anxiao.directory.rules_names import spell
from anxiao.directory.rules_search import TAIL, Keys, read_search, search_keys
from tests.builders import TODAY, add_person, scope_for
from tests.cast import Cast, assemble
from tests.conftest import Database

PHONE = "13912345678"


@pytest.fixture(scope="module")
def crowd(module_database: Database) -> Cast:
    """The cast, and people whom it is hard to tell apart."""
    cast = assemble()
    with cast.seen_by(cast.province_officer):
        add_person(cast.tongxin1, "单小王", number="p001", phone=PHONE)
        add_person(cast.tongxin2, "王小单", number="P002", phone="13800005678")
        add_person(cast.tongxin2, "单于小王", number="P003")
        add_person(cast.hanyu1, "José Wang", number="F001", phone="+852-91235678")
        add_person(cast.hanyu1, "吕薇", number="P004")
        add_person(cast.jixie1, "单王", number="P001", phone=PHONE)
        for n in range(11):
            add_person(cast.tongxin2, f"学生{n:02d}", number=f"X{n:03d}", phone=f"138{n:08d}")
        Person.objects.filter(name="吕薇").update(category=Category.objects.get(school_id=cast.anda.pk, name="本科生"))
    fill_missing()
    return cast


def names(scope: Scope, cast: Cast, text: str = "", **more: object) -> list[str]:
    with cast.seen_by(scope):
        return [row.name for row in search_people(scope, day=TODAY, text=text, **more).rows]  # type: ignore[arg-type]


# -- how names are spelt ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "pinyin", "initials"),
    [
        ("王小明", "wangxiaoming", "wxm"),
        ("单雄信", "shanxiongxin", "sxx"),
        ("单于明", "chanyuming", "cym"),
        ("曾国藩", "zengguofan", "zgf"),
        ("仇英", "qiuying", "qy"),
        ("解晓东", "xiexiaodong", "xxd"),
        ("查良镛", "zhaliangyong", "zly"),
        ("区大同", "oudatong", "odt"),
        ("朴树", "piaoshu", "ps"),
        ("尉迟恭", "yuchigong", "ycg"),
        ("万俟雅言", "moqiyayan", "mqyy"),
        ("长孙无忌", "zhangsunwuji", "zswj"),
        ("乐嘉", "yuejia", "yj"),
        ("王乐", "wangle", "wl"),
        ("吕布", "lvbu", "lb"),
        ("买买提·阿不都", "maimaitiabudu", "mmtabd"),
        ("José Pérez", "joseperez", "jp"),
        ("O'Brien Sean", "obriensean", "os"),
        ("Mary-Ann", "maryann", "ma"),
        ("👩", "", ""),
    ],
)
def test_a_name_is_spelt_as_people_say_it(name: str, pinyin: str, initials: str) -> None:
    assert spell(name) == (pinyin, initials)


def test_only_the_end_of_a_phone_is_indexed_and_only_blindly() -> None:
    index = BlindIndex("a secret", TAIL)
    rows = [(1, "王五", PHONE), (1, "赵六", "13800005678"), (2, "王五", PHONE), (2, "钱七", ""), (2, "孙八", "12a")]
    one, two, elsewhere, without, odd = search_keys(rows, index)
    assert one == Keys("wangwu", "ww", "五王", one.tail)
    assert one.tail == two.tail == index.of(1, "5678") != elsewhere.tail
    assert without.tail is odd.tail is None
    assert BlindIndex("another", TAIL).of(1, "5678") != one.tail
    assert BlindIndex("a secret", "another field").of(1, "5678") != one.tail
    assert 0 <= index.of(1, "5678") < 2**63


def test_no_secret_no_index() -> None:
    with pytest.raises(LookupError):
        BlindIndex("", TAIL)


def test_what_is_typed_opens_the_ways_it_may_mean() -> None:
    assert read_search(" ＷＸＭ ").letters == "wxm"
    assert read_search("１２３４").tail == "1234"
    assert read_search("12345").tail == "" == read_search("小王").letters == read_search("王").number
    assert read_search("lü").letters == "lv"
    assert read_search("18级 通信1班").unit == "18级通信1班"
    assert read_search("\x00 ").nothing


# -- who is found -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("shanxiaowang", ["单小王"]),
        ("Shan Xiao", ["单小王"]),
        ("sx", ["单小王"]),
        ("chanyu", ["单于小王"]),
        ("小王", ["单于小王", "单小王"]),
        ("单", ["单于小王", "单小王", "王小单"]),
        ("josé", ["José Wang"]),
        ("jw", ["José Wang"]),
        ("wang", ["王五", "王小单"]),
        ("lvwei", ["吕薇"]),
        ("p00", ["单小王", "王小单", "单于小王", "吕薇"]),
        ("5678", ["José Wang", "王小单", "单小王"]),
        ("zzz", []),
    ],
)
def test_a_school_finds_by_pinyin_initials_and_phone(crowd: Cast, text: str, expected: list[str]) -> None:
    assert names(crowd.admin, crowd, text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("单", ["单于小王", "单小王", "单王", "王小单"]),
        ("小王", ["单于小王", "单小王"]),
        ("5678", 4),
        ("shanwang", ["单王"]),
    ],
)
def test_the_province_finds_in_every_school_by_index(crowd: Cast, text: str, expected: list[str] | int) -> None:
    found = names(crowd.province_officer, crowd, text)
    assert (found if isinstance(expected, list) else len(found)) == expected


@pytest.mark.parametrize(
    ("text", "conditions"),
    [
        ("单", ["name >=", "backwards >="]),
        ("wangx", ["number >=", "pinyin >=", "initials >="]),
        ("5678", ["number >=", "tail = ANY"]),
    ],
)
def test_every_way_has_its_index_behind_the_fence(crowd: Cast, text: str, conditions: list[str]) -> None:
    """A comparison that might leak is a filter and no condition of an index, however the planner is pressed."""
    with crowd.seen_by(crowd.province_officer) as scope, CaptureQueriesContext(connection) as queries:
        search_people(scope, day=TODAY, text=text)
    (statement,) = [q["sql"] for q in queries if "WITH hits" in q["sql"]]
    with crowd.seen_by(crowd.province_officer), connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute("EXPLAIN " + statement)
        plan = [row[0].replace("(", "").replace(")::text", "").replace(")", "") for row in cursor.fetchall()]
    kept = "\n".join(line for line in plan if "Index Cond" in line)
    assert [condition for condition in conditions if condition not in kept] == [], "\n".join(plan)


def test_exact_beginnings_stand_first_and_nobody_stands_twice(crowd: Cast) -> None:
    # 王小单: by name; 单小王 and 单于小王: inside
    assert names(crowd.admin, crowd, "王") == ["王五", "王小单", "单于小王", "单小王"]
    assert names(crowd.province_officer, crowd, "王") == ["王五", "王小单", "单于小王", "单小王", "单王"]


@pytest.mark.parametrize("who", ["province_officer", "admin", "college_officer"])
@pytest.mark.parametrize("text", ["", "学生", "xs", "x0", "通信2班"])
def test_pages_forward_and_back_show_everybody_once(crowd: Cast, who: str, text: str) -> None:
    scope: Scope = getattr(crowd, who)

    def page(**key: str | None) -> PeoplePage:
        with crowd.seen_by(scope):
            return search_people(scope, day=TODAY, text=text, limit=4, **key)

    with crowd.seen_by(scope):
        everybody = [row.person_id for row in search_people(scope, day=TODAY, text=text, limit=400).rows]
    pages = [page()]
    while pages[-1].after:
        pages.append(page(after=pages[-1].after))
        assert len(pages) < 20
    assert [row.person_id for one in pages for row in one.rows] == everybody
    assert len(set(everybody)) == len(everybody)
    for number in range(len(pages) - 1, 0, -1):
        assert page(before=pages[number].before).rows == pages[number - 1].rows
    if len(pages) > 1:
        assert pages[0].before is None


# -- filters ----------------------------------------------------------------------------------------------------------


def test_filters_narrow_and_unknown_ones_are_not_obeyed(crowd: Cast) -> None:
    assert names(crowd.admin, crowd, category="本科生") == ["吕薇"]
    assert names(crowd.admin, crowd, "单", node=crowd.tongxin2) == ["单于小王", "王小单"]
    assert names(crowd.admin, crowd, "单", audience=Audience.STAFF.value) == []
    assert names(crowd.province_officer, crowd, node=crowd.gongda_node) == ["郑二", "单王", "吴一"]


def test_the_choices_are_those_within_reach(crowd: Cast) -> None:
    def shown(scope: Scope, node: object = None) -> dict[str, list[str]]:
        with crowd.seen_by(scope):
            return {one.name: [o.label for o in one.options] for one in levels(reach_of(scope), node)}  # type: ignore[arg-type]

    assert shown(crowd.admin) == {"college": ["电子信息工程学院", "文学院"]}
    assert shown(crowd.admin, crowd.tongxin1)["class"] == ["18级 通信1班", "18级 通信2班"]
    assert shown(crowd.college_officer) == {"class": ["18级 通信1班", "18级 通信2班"]}
    assert shown(crowd.counsellor) == {}
    assert shown(crowd.province_officer) == {"school": ["安徽大学", "合肥工业大学"]}
    assert shown(crowd.province_officer, crowd.anda_node)["college"] == ["电子信息工程学院", "文学院"]
    with crowd.seen_by(crowd.admin) as scope:
        assert category_names(scope, reach_of(scope), Audience.STUDENT.value)[:2] == ["研究生", "本科生"]


# -- nothing about anybody else ---------------------------------------------------------------------------------------


def test_a_reach_is_the_end_of_every_way(crowd: Cast) -> None:
    for text in ("", "单", "小王", "shan", "sxw", "P00", "5678", "班", "18级", "wang"):
        assert set(names(crowd.counsellor, crowd, text)) <= {"王五", "赵六", "钱七", "单小王"}, text
        assert set(names(crowd.outsider, crowd, text)) <= {"郑二", "吴一", "单王"}, text
        assert names(scope_for(None, None, person=crowd.wangwu), crowd, text) == []


def test_a_foreign_person_is_no_place_to_page_from(crowd: Cast) -> None:
    """Or the numbers of others could be found out by asking who stands behind them."""
    first = names(crowd.counsellor, crowd)
    for way in range(1, 10):
        for person in (crowd.sunba, crowd.wuyi):
            assert names(crowd.counsellor, crowd, after=f"{way}-{person.pk}") == first
    assert names(crowd.counsellor, crowd, after="1-999999999") == first
    assert names(crowd.counsellor, crowd, after="9-'; drop") == first


def test_a_dormitory_manager_searches_in_the_building(crowd: Cast) -> None:
    with crowd.seen_by(crowd.admin):
        building = Place.objects.create(school_id=crowd.anda.pk, kind="building", path="900", name="梅园1号楼", id=900)
        room = Place.objects.create(
            school_id=crowd.anda.pk, kind="room", path="900.901", name="301", id=901, parent=building
        )
        for person in Person.objects.filter(name__in=["单小王", "吕薇"]):
            Residence.objects.create(
                school_id=crowd.anda.pk, person=person, place=room, valid_from=TODAY - timedelta(days=9)
            )
    manager = scope_for(Role.DORM_MANAGER, crowd.anda_node, place_path="900")
    assert names(manager, crowd) == ["单小王", "吕薇"] or names(manager, crowd) == ["吕薇", "单小王"]
    assert names(manager, crowd, "5678") == ["单小王"]
    assert names(manager, crowd, "wang") == []


def test_the_keys_are_fenced_like_the_people(crowd: Cast, module_database: Database) -> None:
    with psycopg.connect(module_database.app_url) as app:
        assert app.execute("SELECT count(*) FROM person_search").fetchone() == (0,)
        app.execute("SELECT anxiao_scope(%s)", [f"0,{crowd.gongda.pk}"])
        assert app.execute("SELECT DISTINCT school_id FROM person_search").fetchall() == [(crowd.gongda.pk,)]
        dump = "".join(map(str, app.execute("SELECT * FROM person_search").fetchall()))
    assert "5678" not in dump
