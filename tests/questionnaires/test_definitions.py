"""Definitions: what compiles, and what is said about the others."""

import copy
import json
from typing import Any

import pytest

from anxiao.questionnaires.compiled import DefinitionError, compile, digest_of
from anxiao.questionnaires.names import Concept
from anxiao.questionnaires.provincial import provincial_daily, provincial_daily_definition


def changed(path: str, value: Any) -> dict[str, Any]:
    """The provincial definition with one thing changed: ``sections.0.questions.1.min``."""
    definition = copy.deepcopy(provincial_daily_definition())
    at: Any = definition
    *way, last = path.split(".")
    for step in way:
        at = at[int(step)] if isinstance(at, list) else at[step]
    if value is ...:
        del at[last]
    else:
        at[last] = value
    return definition


def test_the_provincial_questionnaire_asks_every_concept_of_the_standard() -> None:
    asked = {question.concept for question in provincial_daily().questions.values()}
    assert asked >= set(Concept)


def test_it_bears_the_labels_of_the_notice() -> None:
    text = json.dumps(provincial_daily().client_form("zh-hans"), ensure_ascii=False)
    for label in [
        "人员类型",
        "症状",
        "自觉正常",
        "发热",
        "干咳",
        "乏力",
        "腹泻",
        "感冒",
        "头痛头晕",
        "是否有湖北旅居史",
        "未返皖师生",
        "持续在皖师生",
        "一月初返皖师生",
        "一月初来皖师生",
        "一月中返皖师生",
        "一月中来皖师生",
        "居家医学观察师生",
        "集中医学观察师生",
        "是否留校",
        "返校计划",
        "当日自检状况",
        "目前所在地区",
        "详细地址",
        "隔离情况",
        "疑似确诊",
    ]:
        assert label in text


def test_english_is_complete() -> None:
    text = json.dumps(provincial_daily().client_form("en"), ensure_ascii=False)
    assert not any("\u4e00" <= character <= "\u9fff" for character in text)


def test_the_form_for_the_phone_is_small() -> None:
    text = json.dumps(provincial_daily().client_form("zh-hans"), ensure_ascii=False)
    assert len(text.encode()) < 12_000


def test_the_etag_follows_content_and_language_but_not_spelling() -> None:
    form = provincial_daily()
    shuffled = json.loads(json.dumps(provincial_daily_definition(), sort_keys=True))
    assert compile(shuffled).etag("en") == form.etag("en")
    assert form.etag("en") != form.etag("zh-hans")
    assert compile(changed("title.en", "Other")).etag("zh") != form.etag("zh")
    assert len(digest_of({})) == 64


@pytest.mark.parametrize(
    ("path", "value", "where"),
    [
        ("sections", [], "sections"),
        ("sections.0.title.en", "", "sections[0].title.en"),
        ("sections.0.key", "No Spaces", "sections[0].key"),
        ("sections.1.key", "self_check", "sections[1].key"),
        ("sections.0.questions.0.kind", "slider", "sections[0].questions[0].kind"),
        ("sections.0.questions.0.colour", "red", "sections[0].questions[0]"),
        ("sections.0.questions.0.stable", "always", "sections[0].questions[0].stable"),
        ("sections.0.questions.1.stable", "always", "sections[0].questions[1].stable"),
        ("sections.0.questions.1.min", 50, "sections[0].questions[1].min"),
        ("sections.0.questions.1.min", float("nan"), "sections[0].questions[1].min"),
        ("sections.0.questions.1.max", 10**400, "sections[0].questions[1].max"),
        ("sections.0.questions.1.min", ..., "sections[0].questions[1].min"),
        ("sections.0.questions.1.decimals", 2, "sections[0].questions[1].decimals"),
        ("sections.0.questions.1.concept", "symptoms", "sections[0].questions[1].concept"),
        ("sections.0.questions.0.options.0.exclusive", ..., "sections[0].questions[0].options[0].exclusive"),
        ("sections.0.questions.0.options.1.code", "plague", "sections[0].questions[0].options[1].code"),
        ("sections.0.questions.0.options.2.code", "fever", "sections[0].questions[0].options[2].code"),
        ("sections.1.questions.0.key", "symptoms", "sections[1].questions[0].key"),
        ("sections.2.questions.0.default", "no", "sections[2].questions[0].default"),
        ("sections.2.questions.0.default", ..., "sections[2].questions[0].stable"),
        ("sections.2.questions.2.concept", "contact_14d", "sections[2].questions[4].concept"),
        ("sections.2.questions.1.when", {"question": "diagnosis", "equals": "none"}, "questions[1].when.question"),
        ("sections.2.questions.1.when", {"question": "at_school", "equals": "yes"}, "questions[1].when"),
        ("sections.2.questions.1.when", {"question": "temperature", "equals": 37}, "questions[1].when.question"),
        ("sections.2.questions.1.when", {"all": [{"any": [{"not": {"not": {"all": []}}}]}]}, "nested too deeply"),
        ("fever_at", True, "fever_at"),
    ],
)
def test_a_faulty_definition_says_where(path: str, value: Any, where: str) -> None:
    with pytest.raises(DefinitionError) as caught:
        compile(changed(path, value))
    assert where in str(caught.value)
