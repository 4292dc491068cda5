"""The keys of the search stay true, and what a search reads tells nothing about anybody else."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from anxiao.base.scope import Scope
from anxiao.directory.commands_search import fill_missing, phone_index, refresh
from anxiao.directory.importing import stepping
from anxiao.directory.models import DirectoryImport, Membership, Person
from anxiao.directory.models_people import PersonSearch
from anxiao.directory.names import ImportState
from anxiao.directory.names_people import Presence
from anxiao.directory.queries_search import search_people
from tests.builders import MORNING, TODAY, add_person
from tests.cast import Cast, assemble

PHONE = "13912345678"


@pytest.fixture
def cast(database: object) -> Cast:
    cast = assemble()
    fill_missing()
    return cast


def names(scope: Scope, cast: Cast, text: str = "", **more: object) -> list[str]:
    with cast.seen_by(scope):
        return [row.name for row in search_people(scope, day=TODAY, text=text, **more).rows]  # type: ignore[arg-type]


def test_who_has_left_or_is_coming_is_found_by_whoever_asks_for_them(cast: Cast) -> None:
    with cast.seen_by(cast.admin):
        Membership.objects.filter(person=cast.wangwu).update(valid_to=TODAY)
        Membership.objects.filter(person=cast.zhaoliu).update(valid_from=TODAY + timedelta(days=3))
    assert names(cast.admin, cast, "P2018") == ["钱七", "孙八"]
    assert names(cast.admin, cast, "P2018", presence=Presence.LEFT) == ["王五"]
    assert names(cast.admin, cast, "zhao", presence=Presence.COMING) == ["赵六"]
    assert names(cast.admin, cast, presence=Presence.LEFT, node=cast.tongxin1) == ["王五"]


def test_what_a_search_reads_does_not_depend_on_people_beyond_the_reach(cast: Cast) -> None:
    """The same rows read, however many others are called so: what is not read cannot be timed."""

    def rows_read(scope: Scope, text: str) -> int:
        with cast.seen_by(scope), CaptureQueriesContext(connection) as queries:
            search_people(scope, day=TODAY, text=text)
        (statement,) = [q["sql"] for q in queries if "WITH hits" in q["sql"]]
        with cast.seen_by(scope), connection.cursor() as cursor:
            cursor.execute("SET LOCAL enable_seqscan = off")
            cursor.execute("EXPLAIN (ANALYZE, FORMAT JSON, TIMING OFF) " + statement)
            return sum(_persons_read(cursor.fetchone()[0][0]["Plan"]))

    with cast.seen_by(cast.admin):
        add_person(cast.tongxin1, "单小王", phone=PHONE)
    fill_missing()
    for text in ("shan", "单", "5678"):
        before = rows_read(cast.counsellor, text)
        with cast.seen_by(cast.province_officer):
            for node in (cast.tongxin2, cast.jixie1):
                for n in range(12):
                    add_person(node, f"单{'甲乙丙丁戊己庚辛壬癸子丑'[n]}", phone=PHONE)
        fill_missing()
        assert rows_read(cast.counsellor, text) == before > 0


# -- the keys stay true -----------------------------------------------------------------------------------------------


def test_missing_and_outdated_keys_are_made_in_bulk(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    assert fill_missing() == 0
    with cast.seen_by(cast.admin):
        Person.objects.filter(pk=cast.wangwu.pk).update(name="曾五", changed_at=MORNING + timedelta(hours=1))
        add_person(cast.tongxin1, 'A\\B\tC"', phone="")
    assert names(cast.admin, cast, "zengwu") == []
    assert fill_missing(school_id=cast.gongda.pk) == 0
    assert fill_missing(batch=1) == 2
    assert names(cast.admin, cast, "zengwu") == ["曾五"]
    monkeypatch.setenv("ANXIAO_SECRET_KEY", "another key of this deployment")
    tail = cast.zhaoliu.phone[-4:]
    assert names(cast.admin, cast, tail) == []
    assert fill_missing() == PersonSearch.objects.using("bulk").count()
    assert cast.zhaoliu.name in names(cast.admin, cast, tail)


def test_an_applied_import_makes_its_people_findable_at_once(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    with cast.seen_by(cast.admin):
        add_person(cast.tongxin1, "欧阳新")
        applying = DirectoryImport.objects.create(
            school_id=cast.anda.pk,
            template="students",
            filename="名单.xlsx",
            state=ImportState.APPLYING,
            created_by=0,
            created_at=MORNING,
        )
    monkeypatch.setattr(stepping.work, "apply_difference", lambda *_, **__: None)
    stepping.run_step(school_id=cast.anda.pk, import_id=applying.pk, step="apply")
    assert names(cast.admin, cast, "oyx") == ["欧阳新"]


def test_one_person_is_made_anew_in_two_statements(cast: Cast) -> None:
    with cast.seen_by(cast.admin):
        Person.objects.filter(pk=cast.wangwu.pk).update(name="乐五", phone=PHONE)
        with CaptureQueriesContext(connection) as queries:
            assert refresh([cast.wangwu.pk, cast.zhaoliu.pk]) == 2
        assert len(queries) == 2
        keys = PersonSearch.objects.get(pk=cast.wangwu.pk)
    assert (keys.pinyin, keys.tail) == ("yuewu", phone_index().of(cast.anda.pk, "5678"))


def _persons_read(plan: dict[str, object]) -> Iterator[int]:
    if plan.get("Relation Name") in ("person", "person_search"):
        read = float(plan["Actual Rows"]) + float(plan.get("Rows Removed by Filter", 0))  # type: ignore[arg-type]
        yield round(read * float(plan["Actual Loops"]))  # type: ignore[arg-type]
    for child in plan.get("Plans", []):  # type: ignore[attr-defined]
        yield from _persons_read(child)
