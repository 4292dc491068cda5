"""The day sheet: frozen by a signature, explicit about zero, sent back with a reason, never lost."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import datetime, time, timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection, connections
from django.test.utils import CaptureQueriesContext

from anxiao.base.clock import moment_at
from anxiao.base.errors import Invalid, NotYours, Refused
from anxiao.base.scope import Scope
from anxiao.base.tenancy import school_context
from anxiao.directory.models import Organisation
from anxiao.directory.names import Audience
from anxiao.ledger.models import Entry
from anxiao.reporting import rules_sheets
from anxiao.reporting.access_sheets import get_school_node
from anxiao.reporting.commands import sheets as commands
from anxiao.reporting.commands.campaigns import start_daily_campaign
from anxiao.reporting.commands.reports import correct_report
from anxiao.reporting.commands.sheets import return_sheet, submit_sheet
from anxiao.reporting.models import DaySheet, DaySheetVersion
from anxiao.reporting.names import SheetState, ZeroCategory
from anxiao.reporting.queries.sheets import (
    history,
    live_figures,
    province_sheets,
    punctuality,
    schools_in_use,
    sheet_counts,
    sheet_of,
    sheets_on,
)
from anxiao.reporting.rules_sheets import Fault, SheetFigures, Standing, faults_of, may_return, may_submit
from tests.builders import HOUSE, MORNING, TODAY, add_school, answers, report, round_of, scope_for
from tests.cast import Cast, assemble

DEADLINE, DUE = moment_at(TODAY, time(14)), moment_at(TODAY, time(16))
"""Of the people, and of the sheets."""
NOON = moment_at(TODAY, time(12))
MICROSECOND = timedelta(microseconds=1)
ZERO = dict.fromkeys(ZeroCategory.values, 0)
FEVERISH: dict[str, Any] = {"symptoms": ["fever"], "temperature": 38.2, "symptom_description": "昨晚开始"}


@pytest.fixture
def cast(database: object) -> Cast:
    return assemble()


@pytest.fixture
def seen(cast: Cast) -> Iterator[Scope]:
    """What the school's officer does and sees, in a context of the school."""
    with cast.seen_by(cast.officer) as officer:
        yield officer


def sign(cast: Cast, by: Scope, *, now: datetime = NOON, note: str = "", **stated: int | None) -> DaySheetVersion:
    return submit_sheet(
        by=by, now=now, round=round_of(), school_id=cast.anda.pk, statements={**ZERO, **stated}, note=note
    )


def send_back(cast: Cast, *, now: datetime = DEADLINE, number: int = 1, reason: str = "发热人数与上报不符") -> None:
    return_sheet(
        by=cast.province_officer, now=now, round=round_of(), school_id=cast.anda.pk, number=number, reason=reason
    )


def live(cast: Cast, scope: Scope) -> SheetFigures:
    return live_figures(scope, node=get_school_node(scope, cast.anda.pk), round=round_of())


# -- what stands in a sheet -------------------------------------------------------------------------------------------


def test_the_live_figures_say_who_answered_and_what(cast: Cast, seen: Scope) -> None:
    report(cast.wangwu)
    report(cast.zhaoliu, at=DEADLINE, **FEVERISH)
    report(cast.sunba, at_school=False, return_plan="planned", return_on="2026-03-20", region="420100")
    report(cast.zhangsan, left_region_14d=True, left_region_detail="3 月 1 日往返南京，高铁")

    figures = live(cast, seen)

    students = figures.counts[Audience.STUDENT]
    assert (students.people, students.expected, students.on_time, students.late, students.missing) == (5, 5, 2, 1, 2)
    assert (students.unwell, students.fever, students.confirmed) == (1, 1, 0)
    assert figures.total.reported == 4
    facts = figures.facts[Audience.STUDENT]
    assert (facts.answered, facts.at_school, facts.not_at_school, facts.plan_dated) == (3, 2, 1, 1)
    assert figures.total_facts.left_region == 1
    assert figures.regions == {"34": 3, "42": 1}


def test_figures_come_back_from_storage_as_they_went_in(cast: Cast, seen: Scope) -> None:
    report(cast.wangwu, **FEVERISH)
    figures = live(cast, seen)
    assert SheetFigures.read(figures.stored()) == figures


# -- signing ----------------------------------------------------------------------------------------------------------


def test_signing_freezes_the_figures_and_later_corrections_move_only_the_live_side(cast: Cast, seen: Scope) -> None:
    report(cast.wangwu)
    sign(cast, seen)

    correct_report(
        by=scope_for(None, None, person=cast.wangwu),
        round=round_of(),
        school_id=cast.anda.pk,
        person_id=cast.wangwu.pk,
        answers=answers(**FEVERISH),
        key=uuid4(),
        reason="下午发热",
        now=NOON + timedelta(hours=1),
    )
    report(cast.zhaoliu, at=NOON + timedelta(hours=1))

    sheet = sheet_of(seen, school_id=cast.anda.pk, round=round_of(), now=DEADLINE)
    assert sheet.current is not None
    frozen, now = sheet.current.figures.total, live(cast, seen).total
    assert (frozen.fever, frozen.on_time) == (0, 1)
    assert (now.fever, now.on_time) == (1, 2)


def test_the_signature_covers_figures_statements_note_and_signer(cast: Cast, seen: Scope) -> None:
    version = sign(cast, seen, note="无异常")
    sheet = sheet_of(seen, school_id=cast.anda.pk, round=round_of(), now=NOON)
    assert sheet.current is not None
    assert sheet.current.intact
    assert sheet.current.signed_by_name == seen.display_name

    DaySheetVersion.objects.filter(pk=version.pk).update(statements={**ZERO, "confirmed": 3})

    tampered = sheet_of(seen, school_id=cast.anda.pk, round=round_of(), now=NOON)
    assert tampered.current is not None
    assert not tampered.current.intact


@pytest.mark.parametrize("category", ZeroCategory.values)
def test_every_category_needs_its_own_word(cast: Cast, seen: Scope, category: str) -> None:
    with pytest.raises(Invalid) as refusal:
        sign(cast, seen, **{category: None})
    assert set(refusal.value.fields) == {category}
    assert not DaySheetVersion.objects.exists()


def test_another_number_than_the_reports_give_needs_an_explanation(cast: Cast, seen: Scope) -> None:
    report(cast.wangwu, **FEVERISH)
    with pytest.raises(Invalid) as refusal:
        sign(cast, seen, fever=0)
    assert set(refusal.value.fields) == {"note"}

    version = sign(cast, seen, fever=0, note="经校医复测体温正常")
    assert version.statements["fever"] == 0
    assert SheetFigures.read(version.figures).of("fever") == 1


@pytest.mark.parametrize(("at", "late"), [(DEADLINE, False), (DUE - MICROSECOND, False), (DUE, True)])
def test_a_sheet_is_late_from_the_moment_on_at_which_it_is_due(
    cast: Cast, seen: Scope, at: datetime, late: bool
) -> None:
    assert sign(cast, seen, now=at).late is late
    standing = sheet_of(seen, school_id=cast.anda.pk, round=round_of(), now=at).standing
    assert standing is (Standing.LATE if late else Standing.ON_TIME)


def test_a_school_that_waits_for_its_last_reports_signs_on_time(cast: Cast, seen: Scope) -> None:
    report(cast.wangwu, at=DEADLINE - MICROSECOND)
    report(cast.zhaoliu, at=DEADLINE)
    assert sheet_of(seen, school_id=cast.anda.pk, round=round_of(), now=DEADLINE).standing is Standing.WAITING
    version = sign(cast, seen, now=DEADLINE + timedelta(minutes=5))
    signed = SheetFigures.read(version.figures).total
    assert (version.late, signed.on_time, signed.late) == (False, 1, 1)


def test_sheets_are_never_due_before_the_reports(cast: Cast) -> None:
    with school_context("*"), pytest.raises(Invalid) as refusal:
        start_daily_campaign(
            by=HOUSE,
            now=NOON,
            organisation=cast.province,
            questionnaire=cast.campaign.questionnaire,
            title="晚间上报",
            title_en="Evening report",
            audiences=(Audience.STUDENT,),
            starts_on=TODAY,
            deadline_at=time(20),
        )
    assert set(refusal.value.fields) == {"sheets_due_at"}


def test_a_submitted_sheet_cannot_be_submitted_again(cast: Cast, seen: Scope) -> None:
    sign(cast, seen)
    with pytest.raises(Refused):
        sign(cast, seen)
    assert DaySheetVersion.objects.count() == 1


def test_two_officers_who_click_at_once_make_one_version(cast: Cast) -> None:
    round_of_today = round_of()
    outcomes: list[str] = []
    both = threading.Barrier(2)

    def click() -> None:
        officer = cast.officer
        both.wait()
        try:
            with school_context(officer.db_scope):
                submit_sheet(by=officer, now=NOON, round=round_of_today, school_id=cast.anda.pk, statements=ZERO)
            outcomes.append("signed")
        except Refused:
            outcomes.append("refused")
        finally:
            connections.close_all()

    officers = [threading.Thread(target=click) for _ in range(2)]
    for officer in officers:
        officer.start()
    for officer in officers:
        officer.join()

    assert sorted(outcomes) == ["refused", "signed"]
    with cast.seen_by(cast.officer):
        assert DaySheetVersion.objects.count() == 1


def test_a_broken_ledger_leaves_no_sheet(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(**_: object) -> None:
        raise OSError("the ledger cannot be written")

    round_of_today = round_of()
    monkeypatch.setattr(commands, "record", broken)
    with pytest.raises(OSError, match="ledger"), cast.seen_by(cast.officer) as officer:
        submit_sheet(by=officer, now=NOON, round=round_of_today, school_id=cast.anda.pk, statements=ZERO)
    with cast.seen_by(cast.officer):
        assert not DaySheet.objects.exists()
        assert not DaySheetVersion.objects.exists()


def test_a_broken_ledger_leaves_the_sheet_unreturned(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    with cast.seen_by(cast.officer) as officer:
        sign(cast, officer)

    def broken(**_: object) -> None:
        raise OSError("the ledger cannot be written")

    monkeypatch.setattr(commands, "record", broken)
    with pytest.raises(OSError, match="ledger"), cast.seen_by(cast.province_officer):
        send_back(cast)
    with cast.seen_by(cast.officer):
        assert DaySheet.objects.get().state == SheetState.SUBMITTED
        assert DaySheetVersion.objects.get().returned_at is None


def test_every_signature_and_every_return_stands_in_the_ledger(cast: Cast) -> None:
    with cast.seen_by(cast.officer) as officer:
        version = sign(cast, officer)
    with cast.seen_by(cast.province_officer):
        send_back(cast)
        lines = list(Entry.objects.filter(object_type="day_sheet").order_by("id").values_list("verb", "facts"))
    assert [verb for verb, _facts in lines] == ["sheet.submitted", "sheet.returned"]
    assert all(facts["digest"] == version.digest for _verb, facts in lines)


# -- who --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("who", ["admin", "college_officer", "counsellor", "outsider", "province_officer"])
def test_only_the_schools_own_epidemic_officer_signs(cast: Cast, who: str) -> None:
    scope: Scope = getattr(cast, who)
    round_of_today = round_of()
    with cast.seen_by(scope), pytest.raises(NotYours):
        submit_sheet(by=scope, now=NOON, round=round_of_today, school_id=cast.anda.pk, statements=ZERO)


@pytest.mark.parametrize("who", ["officer", "admin", "outsider"])
def test_only_the_province_sends_back(cast: Cast, who: str) -> None:
    with cast.seen_by(cast.officer) as officer:
        sign(cast, officer)
    scope: Scope = getattr(cast, who)
    with cast.seen_by(scope), pytest.raises(NotYours):
        return_sheet(by=scope, now=NOON, round=round_of(), school_id=cast.anda.pk, number=1, reason="不对")


def test_a_foreign_school_answers_like_one_that_does_not_exist(cast: Cast) -> None:
    outsider = cast.outsider
    with cast.seen_by(outsider):
        for school_id in (cast.anda.pk, 999_999):
            with pytest.raises(NotYours):
                get_school_node(outsider, school_id)


# -- sent back --------------------------------------------------------------------------------------------------------


def test_a_returned_sheet_is_signed_again_as_a_new_version_and_the_first_stays(cast: Cast) -> None:
    with cast.seen_by(cast.officer) as officer:
        sign(cast, officer)
    with cast.seen_by(cast.province_officer):
        send_back(cast, reason="请核对发热人数")
    with cast.seen_by(cast.officer) as officer:
        returned = sheet_of(officer, school_id=cast.anda.pk, round=round_of(), now=DEADLINE)
        assert returned.standing is Standing.RETURNED
        assert returned.current is not None
        assert returned.current.return_reason == "请核对发热人数"

        report(cast.wangwu, at=DEADLINE, **FEVERISH)
        sign(cast, officer, now=DUE + timedelta(minutes=5), fever=1)
        sheet = sheet_of(officer, school_id=cast.anda.pk, round=round_of(), now=DUE + timedelta(hours=1))

    assert [v.number for v in sheet.versions] == [1, 2]
    assert [v.figures.total.fever for v in sheet.versions] == [0, 1]
    assert [v.late for v in sheet.versions] == [False, True]
    assert sheet.standing is Standing.ON_TIME, "the first signature came in time"


def test_a_return_needs_a_reason(cast: Cast) -> None:
    with cast.seen_by(cast.officer) as officer:
        sign(cast, officer)
    with cast.seen_by(cast.province_officer), pytest.raises(Invalid):
        send_back(cast, reason="  ")


def test_a_version_signed_meanwhile_is_not_returned_unseen(cast: Cast) -> None:
    with cast.seen_by(cast.officer) as officer:
        sign(cast, officer)
    with cast.seen_by(cast.province_officer):
        send_back(cast)
    with cast.seen_by(cast.officer) as officer:
        sign(cast, officer)
    with cast.seen_by(cast.province_officer), pytest.raises(Refused):
        send_back(cast, number=1)


def test_a_sheet_is_returned_once(cast: Cast) -> None:
    with cast.seen_by(cast.officer) as officer:
        sign(cast, officer)
    with cast.seen_by(cast.province_officer):
        send_back(cast)
        with pytest.raises(Refused):
            send_back(cast)


# -- the province -----------------------------------------------------------------------------------------------------


def test_a_school_that_is_not_in_use_owes_no_sheet(cast: Cast) -> None:
    add_school("4134099999", "示例学院", city="芜湖市")
    province = cast.province_officer
    with cast.seen_by(province):
        assert sheet_counts(province, round=round_of(), now=DUE - MICROSECOND)[Standing.WAITING] == 2
        counts = sheet_counts(province, round=round_of(), now=DUE)
    assert (counts[Standing.WAITING], counts[Standing.MISSING]) == (0, 2)


def test_the_province_sees_sheets_and_live_figures_side_by_side(cast: Cast) -> None:
    with cast.seen_by(cast.officer) as officer:
        report(cast.wangwu)
        sign(cast, officer)
        report(cast.zhaoliu)
    with cast.seen_by(cast.outsider):
        report(cast.wuyi)
    province = cast.province_officer
    with cast.seen_by(province):
        whole = province_sheets(province, round=round_of(), now=NOON)
    assert whole.counts[Standing.ON_TIME] == 1
    assert (whole.signed.on_time, whole.signed_live.on_time, whole.live.on_time) == (1, 2, 3)
    assert whole.stated == ZERO
    assert [row.school.name for row in whole.rows if row.differs] == ["安徽大学"]


def test_a_returned_sheet_does_not_count_in_the_totals_of_the_province(cast: Cast) -> None:
    with cast.seen_by(cast.officer) as officer:
        sign(cast, officer)
    province = cast.province_officer
    with cast.seen_by(province):
        send_back(cast)
        whole = province_sheets(province, round=round_of(), now=DEADLINE)
    assert whole.signed.expected == 0
    assert whole.stated == {}
    assert not any(row.differs for row in whole.rows)


def test_late_and_missing_sheets_of_the_last_fourteen_days_are_counted_by_school(cast: Cast) -> None:
    Organisation.objects.using("bulk").filter(pk=cast.anda_node.pk).update(created_at=MORNING - timedelta(days=20))
    days = [TODAY - timedelta(days=n) for n in range(16)]
    rounds = {day: round_of(day) for day in days}
    with cast.seen_by(cast.officer) as officer:
        for day, at in ((TODAY, time(15)), (days[1], time(17)), (days[2], time(16)), (days[15], time(18))):
            submit_sheet(by=officer, now=moment_at(day, at), round=rounds[day], school_id=cast.anda.pk, statements=ZERO)
        (school,) = schools_in_use(officer)
        record = punctuality(officer, schools=[school], round=rounds[TODAY], now=DUE)[school.id]
        own = history(officer, school=school, round=rounds[TODAY], now=DUE)
    assert (record.late, record.missing) == (2, 11)
    assert len(own) == 14
    assert [d.sheet.standing for d in own[:4]] == [Standing.ON_TIME, Standing.LATE, Standing.LATE, Standing.MISSING]


def test_a_school_sees_nothing_of_another_schools_sheets(cast: Cast) -> None:
    with cast.seen_by(cast.officer) as officer:
        sign(cast, officer)
    outsider = cast.outsider
    with cast.seen_by(outsider):
        assert [s.name for s in schools_in_use(outsider)] == ["合肥工业大学"]
        assert not DaySheet.objects.exists()
        assert not DaySheetVersion.objects.exists()


def test_reading_takes_the_same_number_of_statements_for_one_school_and_for_many(cast: Cast) -> None:
    with cast.seen_by(cast.officer) as officer:
        sign(cast, officer)
    province, round_ = cast.province_officer, round_of()
    with cast.seen_by(province):
        with CaptureQueriesContext(connection) as listing:
            province_sheets(province, round=round_, now=NOON)
        with CaptureQueriesContext(connection) as counting:
            sheet_counts(province, round=round_, now=NOON)
        with CaptureQueriesContext(connection) as one:
            sheet_of(province, school_id=cast.anda.pk, round=round_, now=NOON)
        with CaptureQueriesContext(connection) as figures:
            live_figures(province, node=cast.anda_node, round=round_)
        schools = schools_in_use(province)
        with CaptureQueriesContext(connection) as some:
            sheets_on(province, schools=schools, round=round_, now=NOON)
    assert [len(c) for c in (listing, counting, one, figures, some)] == [7, 1, 2, 2, 2]


# -- pure -------------------------------------------------------------------------------------------------------------


def test_the_life_of_a_sheet_is_drawn_as_it_is_lived() -> None:
    assert rules_sheets.__doc__ is not None
    drawn = [line.strip() for line in rules_sheets.__doc__.splitlines() if "-->" in line]
    assert drawn == rules_sheets.diagram()
    assert [may_submit(s) for s in (None, SheetState.SUBMITTED, SheetState.RETURNED)] == [True, False, True]
    assert [may_return(s) for s in (None, SheetState.SUBMITTED, SheetState.RETURNED)] == [False, True, False]


def test_nothing_said_is_not_zero() -> None:
    assert faults_of({}, SheetFigures(), "") == dict.fromkeys(ZeroCategory.values, Fault.UNSTATED)
    assert faults_of(ZERO, SheetFigures(), "") == {}
    assert faults_of({**ZERO, "fever": -1}, SheetFigures(), "x") == {"fever": Fault.NEGATIVE}
