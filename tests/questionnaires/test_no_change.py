"""The command "no change": what it carries and what it never does."""

from datetime import date, timedelta
from typing import Any

from anxiao.questionnaires import rules
from anxiao.questionnaires.provincial import provincial_daily
from tests.questionnaires.test_judging import TODAY, WELL

TOMORROW = TODAY + timedelta(days=1)
FRESH = {"symptoms": ["normal"], "temperature": "36.6"}


def carried(today: date = TOMORROW, **answers: Any) -> dict[str, Any]:
    verdict = rules.judge(provincial_daily(), {**WELL, **answers}, TODAY)
    assert verdict.ok, verdict.problems
    return rules.carry_over(provincial_daily(), verdict.typed, verdict.extra, today)


def test_no_change_and_two_fresh_answers_are_a_whole_report() -> None:
    verdict = rules.judge(provincial_daily(), {**carried(), **FRESH}, TOMORROW)
    assert verdict.ok
    assert verdict.discarded == ()


def test_symptoms_and_temperature_are_never_carried() -> None:
    assert not {"symptoms", "temperature", "symptom_description"} & set(carried())


def test_an_exposure_is_asked_about_afresh_as_long_as_it_lasts() -> None:
    answers = carried(contact_14d=True, contact_detail="火车", isolation="home", isolation_place="家")
    assert not {"contact_14d", "contact_detail", "isolation", "isolation_place"} & set(answers)
    verdict = rules.judge(provincial_daily(), {**answers, **FRESH}, TOMORROW)
    assert [problem.field for problem in verdict.problems] == ["contact_14d", "isolation"]


def test_a_return_date_that_has_gone_by_is_asked_again() -> None:
    plan = {"at_school": False, "return_plan": "planned", "return_on": "2020-02-20"}
    assert "return_on" in carried(date(2020, 2, 20), **plan)
    assert "return_on" not in carried(date(2020, 2, 21), **plan)


def test_a_fresh_answer_wins_and_takes_its_dependents_along() -> None:
    answers = carried(at_school=False, return_plan="undecided")
    verdict = rules.judge(provincial_daily(), {**answers, **FRESH, "at_school": True}, TOMORROW)
    assert verdict.ok
    assert verdict.typed["return_plan"] is None


def test_the_line_on_the_phone_names_facts_and_no_answers() -> None:
    verdict = rules.judge(provincial_daily(), {**WELL, "address": "秘密路一号"}, TODAY)
    labels = rules.stable_labels(provincial_daily(), verdict.typed, verdict.extra, "zh-hans", TOMORROW)
    assert labels[:4] == ["人员类型", "是否留校", "目前所在地区", "地址"]
    assert "秘密路一号" not in "".join(labels)


def test_conditions_tell_the_phone_what_applies_but_not_what_was_answered() -> None:
    conditions = rules.conditions_beside(provincial_daily(), carried(at_school=False, return_plan="undecided"))
    assert conditions["return_on"] == {"question": "return_plan", "equals": "planned", "otherwise": False}
    assert conditions["return_plan"] == {"question": "at_school", "equals": False, "otherwise": True}
    assert conditions["symptom_description"]["question"] == "symptoms"
    assert "otherwise" not in conditions["symptom_description"]


def test_nothing_is_carried_when_there_is_nothing() -> None:
    assert rules.carry_over(provincial_daily(), {}, {}, TODAY) == {}
