"""What the judge accepts, refuses and derives."""

from datetime import date
from typing import Any

import pytest

from anxiao.questionnaires import rules
from anxiao.questionnaires.concepts import COLUMNS, health_state
from anxiao.questionnaires.names import HealthState
from anxiao.questionnaires.provincial import provincial_daily

TODAY = date(2020, 2, 15)

WELL: dict[str, Any] = {
    "symptoms": ["normal"],
    "temperature": 36.5,
    "person_type": "staying_in_anhui",
    "at_school": True,
    "region": "340100",
    "left_region_14d": False,
    "crossed_border_14d": False,
    "contact_14d": False,
    "hubei_history": False,
    "isolation": "none",
    "diagnosis": "none",
}


def judged(**answers: Any) -> rules.Verdict:
    given = {key: value for key, value in {**WELL, **answers}.items() if value is not ...}
    return rules.judge(provincial_daily(), given, TODAY)


def wrong(verdict: rules.Verdict) -> list[tuple[str, str]]:
    return [(problem.field, problem.code) for problem in verdict.problems]


def test_a_well_person_passes_and_every_column_is_named() -> None:
    verdict = judged()
    assert verdict.ok
    assert set(verdict.typed) == set(COLUMNS)
    assert verdict.typed["temperature_tenths"] == 365
    assert verdict.typed["symptoms"] == 0
    assert verdict.typed["unwell"] is False
    assert not verdict.flags.needs_help
    assert verdict.extra == {}


def test_nothing_answered_names_every_required_question_in_the_order_of_the_form() -> None:
    verdict = rules.judge(provincial_daily(), {}, TODAY)
    assert wrong(verdict) == [(key, "required") for key in WELL]


@pytest.mark.parametrize(
    ("given", "tenths"),
    [("36.5", 365), ("３６．５", 365), ("36。5", 365), (" 36,5 ", 365), (37, 370), ("43", 430), (34.0, 340)],
)
def test_a_temperature_is_read_as_phones_type_it(given: object, tenths: int) -> None:
    assert judged(temperature=given).typed["temperature_tenths"] == tenths


@pytest.mark.parametrize(
    ("given", "code"),
    [
        (33.9, "too_small"),
        (43.1, "too_large"),
        ("36.55", "too_precise"),
        ("warm", "not_a_number"),
        (True, "not_a_number"),
        (float("nan"), "not_a_number"),
        (float("inf"), "too_large"),
        (float("-inf"), "too_small"),
        (10**400, "too_large"),
        ("9" * 400, "not_a_number"),
        ("1e2", "not_a_number"),
        ([36.5], "not_a_number"),
        ({"": 1}, "not_a_number"),
    ],
)
def test_a_temperature_that_cannot_be_is_refused(given: object, code: str) -> None:
    assert wrong(judged(temperature=given)) == [("temperature", code)]


def test_fever_begins_at_37_3() -> None:
    assert not judged(temperature=37.2).flags.fever
    assert judged(temperature=37.3).flags.fever
    assert judged(temperature=37.3).typed["unwell"] is True


def test_the_symptom_fever_is_a_fever_whatever_the_thermometer_says() -> None:
    verdict = judged(symptoms=["fever", "dry_cough"])
    assert verdict.typed["symptoms"] == 3
    assert verdict.flags.fever
    assert verdict.flags.needs_help


def test_feeling_well_excludes_every_symptom() -> None:
    assert wrong(judged(symptoms=["normal", "cold"])) == [("symptoms", "exclusive")]


def test_no_symptom_chosen_is_not_the_same_as_feeling_well() -> None:
    assert wrong(judged(symptoms=[])) == [("symptoms", "required")]


def test_details_are_required_only_after_a_yes() -> None:
    assert wrong(judged(contact_14d=True)) == [("contact_detail", "required")]
    assert judged(contact_14d=True, contact_detail="2月10日，火车").extra == {"contact_detail": "2月10日，火车"}


def test_an_answer_to_a_question_that_does_not_apply_is_left_out_and_named() -> None:
    verdict = judged(contact_detail="nobody asked", return_on="2020-03-01")
    assert verdict.ok
    assert verdict.discarded == ("return_on", "contact_detail")
    assert verdict.extra == {}
    assert verdict.typed["return_on"] is None


def test_conditions_may_stand_in_a_chain() -> None:
    assert wrong(judged(at_school=False)) == [("return_plan", "required")]
    assert wrong(judged(at_school=False, return_plan="planned")) == [("return_on", "required")]
    verdict = judged(at_school=False, return_plan="planned", return_on="2020-02-29")
    assert verdict.typed["return_on"] == date(2020, 2, 29)


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ("2020-02-30", "not_a_date"),
        ("20200220", "not_a_date"),
        ("2020-2-20", "not_a_date"),
        ("0000-00-00", "not_a_date"),
        ("2020-02-14", "too_early"),
        ("9999-12-31", "too_late"),
        (20200220, "not_a_date"),
    ],
)
def test_a_return_date_must_be_a_day_ahead(given: object, code: str) -> None:
    assert wrong(judged(at_school=False, return_plan="planned", return_on=given)) == [("return_on", code)]


@pytest.mark.parametrize("code", ["340104", "341400", "110000", "990000", "420000"])
def test_old_and_fine_region_codes_are_accepted(code: str) -> None:
    assert judged(region=code).typed["region"] == int(code)


@pytest.mark.parametrize("code", ["000000", "99", "3401", "３４０１００", "34010x", 340100, None])
def test_an_invented_region_is_refused(code: object) -> None:
    assert judged(region=code).problems[0].field == "region"


def test_an_unknown_question_is_refused_and_its_name_made_harmless() -> None:
    verdict = judged(**{"is\ud800admin": 1})
    assert wrong(verdict) == [("", "unknown")]
    assert rules.explain(verdict.problems[0], str).encode("utf-8")


def test_text_is_normalised_trimmed_and_limited() -> None:
    assert judged(address="  Cafe\u0301\r\n路 ").extra["address"] == "Café 路"
    assert wrong(judged(address="长" * 101)) == [("address", "too_long")]
    assert wrong(judged(address="长" * 10_000_000)) == [("address", "too_long")]


@pytest.mark.parametrize("text", ["a\x00b", "a\ud800b", "a\u202eb", "a\x1bb"])
def test_characters_that_break_or_deceive_are_refused(text: str) -> None:
    assert wrong(judged(address=text)) == [("address", "bad_characters")]


def test_a_family_emoji_is_a_text() -> None:
    assert judged(address="👨‍👩‍👧 家").extra["address"] == "👨‍👩‍👧 家"


@pytest.mark.parametrize("answers", [None, [], "x", 3, True])
def test_answers_that_are_no_object_are_refused_as_a_whole(answers: object) -> None:
    assert wrong(rules.judge(provincial_daily(), answers, TODAY)) == [("", "not_an_object")]


@pytest.mark.parametrize(
    ("answers", "state"),
    [
        ({}, HealthState.WELL),
        ({"symptoms": ["cold"]}, HealthState.UNWELL),
        ({"isolation": "home", "isolation_place": "家"}, HealthState.UNDER_OBSERVATION),
        ({"person_type": "home_observation"}, HealthState.UNDER_OBSERVATION),
        ({"diagnosis": "suspected", "diagnosis_detail": "医院"}, HealthState.SUSPECTED),
        ({"diagnosis": "confirmed", "diagnosis_detail": "医院", "symptoms": ["fever"]}, HealthState.CONFIRMED),
    ],
)
def test_the_health_state_is_the_gravest_that_applies(answers: dict[str, Any], state: HealthState) -> None:
    verdict = judged(**answers)
    assert verdict.ok
    assert health_state(verdict.typed) is state


def test_every_problem_can_be_explained_in_words() -> None:
    verdict = judged(temperature=50, symptoms=["normal", "cold"], region="x", address="长" * 101)
    for problem in verdict.problems:
        assert "%(" not in rules.explain(problem, str)


def test_a_report_reads_in_both_languages_in_the_order_of_the_form() -> None:
    verdict = judged(symptoms=["fever", "cold"], temperature="38")
    chinese = rules.summary(provincial_daily(), verdict.typed, verdict.extra, "zh-hans")
    english = rules.summary(provincial_daily(), verdict.typed, verdict.extra, "en")
    assert chinese[:2] == [("symptoms", "症状", "发热、感冒"), ("temperature", "体温", "38.0 ℃")]
    assert english[0] == ("symptoms", "Symptoms", "Fever, Cold")
    assert ("region", "目前所在地区", "安徽省合肥市") in chinese
