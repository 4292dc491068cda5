"""Commands ask for the permission themselves: a view that forgot to ask would open no door."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

import psycopg
import pytest
from psycopg.rows import dict_row

from anxiao.base.deployment import receipt_signer
from anxiao.base.errors import NotYours
from anxiao.base.permissions import Permission, Role
from anxiao.base.scope import Scope
from anxiao.directory.access import may_reach
from anxiao.directory.commands import add_category, add_place, settle_in
from anxiao.directory.models import Residence
from anxiao.directory.names import Audience, PlaceKind
from anxiao.reporting.commands.exemptions import cancel_exemption, exempt
from anxiao.reporting.commands.reports import correct_report
from anxiao.reporting.models import Exemption, Report
from anxiao.reporting.names import Channel, ExemptionReason
from anxiao.reporting.storage import FACTS, Draft, Result, accept
from tests.builders import HOUSE, MORNING, TODAY, answers, report, round_of, scope_for
from tests.cast import Cast, assemble
from tests.conftest import Database


@pytest.fixture
def cast(database: object) -> Cast:
    return assemble()


def strangers(cast: Cast) -> list[Scope]:
    """Another student, another class's counsellor, a head of the same class without the permission, a foreign officer
    whose connection (were a view to make that mistake) sees this school."""
    return [
        scope_for(None, None, person=cast.zhaoliu),
        cast.other_counsellor,
        scope_for(Role.SECURITY, cast.anda_node),
        cast.outsider,
    ]


def test_nobody_reports_or_corrects_for_those_who_are_not_theirs(cast: Cast) -> None:
    with cast.seen_by(cast.province_officer):
        report(cast.lijiu)
        for by in [*strangers(cast), cast.province_officer]:
            if by.person_id == cast.zhoushi.pk:
                continue  # 李九 is in this counsellor's class
            with pytest.raises(NotYours):
                _correct(by, cast, cast.lijiu.pk)
        for by in [*strangers(cast), cast.province_officer]:
            with pytest.raises(NotYours):
                report(cast.wangwu, by=by)
        assert Report.objects.count() == 1
        head = scope_for(Role.CLASS_HEAD, cast.tongxin1)
        report(cast.wangwu, by=head)
        with pytest.raises(NotYours):
            _correct(head, cast, cast.wangwu.pk)
        assert _correct(cast.counsellor, cast, cast.wangwu.pk).result is Result.ACCEPTED


def test_nobody_excuses_those_who_are_not_theirs(cast: Cast) -> None:
    with cast.seen_by(cast.province_officer):
        for by in [*strangers(cast), cast.province_officer, scope_for(Role.CLASS_HEAD, cast.tongxin1)]:
            with pytest.raises(NotYours):
                _exempt(by, cast)
        granted = _exempt(cast.counsellor, cast)
        for by in strangers(cast):
            with pytest.raises(NotYours):
                cancel_exemption(by=by, now=MORNING, exemption=granted)
        assert Exemption.objects.get().cancelled_at is None


def test_a_category_is_added_by_who_manages_them(cast: Cast) -> None:
    with cast.seen_by(cast.province_officer):
        for by in [
            *strangers(cast),
            cast.officer,
            cast.college_officer,
            scope_for(Role.SCHOOL_ADMIN, cast.gongda_node),
        ]:
            with pytest.raises(NotYours):
                add_category(by=by, now=MORNING, school_id=cast.anda.pk, audience=Audience.STUDENT, name="预科生")
        add_category(by=cast.admin, now=MORNING, school_id=cast.anda.pk, audience=Audience.STUDENT, name="预科生")


def test_a_correction_that_comes_second_leaves_the_first_one_standing(cast: Cast, database: Database) -> None:
    """Three at once: the row that a correction looked at may have been retired and replaced while it waited."""
    with cast.seen_by(cast.admin):
        round_ = round_of()
        typed = dict(_typed(cast))
    slow = Draft(
        school_id=cast.anda.pk,
        person_id=cast.wangwu.pk,
        day=TODAY,
        round_id=round_.pk,
        key=uuid4(),
        typed=typed,
        answers={},
        form_version_id=round_.version_id,
        channel=Channel.PHONE,
        received_at=MORNING,
        correction=True,
        reason="更正",
    )
    with psycopg.connect(database.app_url, row_factory=dict_row) as other, other.transaction():
        other.execute("SELECT anxiao_scope(%s)", [cast.admin.db_scope])
        story = accept([slow], receipt_signer())
        steps = next(story)
        try:
            while True:
                found = []
                for step in steps:
                    if step.sql.lstrip().startswith("UPDATE report"):
                        # it has read what stands; before it writes, somebody else's correction is committed
                        with cast.seen_by(cast.admin):
                            _correct(cast.admin, cast, cast.wangwu.pk)
                    if step.sql is FACTS:
                        # it found nothing to lock; before it reads, the first report is committed
                        with cast.seen_by(cast.admin):
                            report(cast.wangwu)
                    cursor = other.execute(step.sql.encode(), step.params)
                    found.append(cursor.fetchall() if step.wanted else [])
                steps = story.send(found)
        except StopIteration as end:
            (outcome,) = end.value
    assert not outcome.stands
    with cast.seen_by(cast.admin):
        versions = list(Report.objects.filter(person_id=cast.wangwu.pk).order_by("version"))
    assert [(v.version, v.is_current) for v in versions] == [(1, False), (2, True)]


def _typed(cast: Cast) -> object:
    from anxiao.questionnaires.queries import compiled
    from anxiao.questionnaires.rules import judge

    return judge(compiled(round_of().version), answers(), TODAY).typed


def _correct(by: Scope, cast: Cast, person_id: int):
    return correct_report(
        by=by,
        round=round_of(),
        school_id=cast.anda.pk,
        person_id=person_id,
        answers=answers(temperature=37.9),
        key=uuid4(),
        reason="核实",
        now=MORNING,
    )


def _exempt(by: Scope, cast: Cast) -> Exemption:
    return exempt(
        by=by,
        now=MORNING,
        person=cast.wangwu,
        reason=ExemptionReason.LEAVE,
        first_day=TODAY,
        last_day=TODAY,
    )


def test_a_building_is_reached_from_the_day_of_moving_in_to_the_day_of_moving_out(cast: Cast) -> None:
    with cast.seen_by(cast.admin):
        building = add_place(
            by=HOUSE, now=MORNING, kind=PlaceKind.BUILDING, name="1号楼", parent=None, school_id=cast.anda.pk
        )
        settle_in(by=HOUSE, now=MORNING, person=cast.wangwu, place=building, bed="1", on=TODAY + timedelta(days=1))
        Residence.objects.filter(person=cast.wangwu).update(valid_to=TODAY + timedelta(days=3))
        manager = scope_for(Role.DORM_MANAGER, cast.anda_node, place_path=building.path)
        reached = [may_reach(manager, cast.wangwu, TODAY + timedelta(days=n), Permission.REMIND) for n in range(4)]
    assert reached == [False, True, True, False]
