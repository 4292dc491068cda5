"""What must hold for any answers and any definition whatever."""

from contextlib import suppress
from datetime import date, timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from anxiao.questionnaires import rules
from anxiao.questionnaires.compiled import DefinitionError, compile
from anxiao.questionnaires.provincial import provincial_daily

TODAY = date(2020, 2, 28)
FORM = provincial_daily()

hostile_text = st.text(st.characters(), max_size=30)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | hostile_text | st.just(10**400),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(hostile_text, inner, max_size=3),
    max_leaves=8,
)


def _plausible(key: str) -> st.SearchStrategy[Any]:
    question = FORM.questions[key]
    codes = [option.code for option in question.options]
    match question.kind.value:
        case "yes_no":
            return st.booleans()
        case "single":
            return st.sampled_from(codes)
        case "multiple":
            return st.lists(st.sampled_from(codes), unique=True, max_size=4)
        case "number":
            return st.integers(330, 440).map(lambda tenths: tenths / 10)
        case "region":
            return st.sampled_from(["340100", "420000", "990000", "120000"])
        case "date":
            return st.integers(-3, 250).map(lambda days: (TODAY + timedelta(days=days)).isoformat())
        case _:
            return st.text("安徽 ab1", max_size=20)


plausible = st.fixed_dictionaries({}, optional={key: _plausible(key) for key in FORM.questions})
anything = st.fixed_dictionaries({}, optional={key: _plausible(key) | json_values for key in FORM.questions})


@given(json_values | anything | st.dictionaries(hostile_text, json_values, max_size=5))
@settings(max_examples=300, deadline=None)
def test_the_judge_never_raises_and_never_changes_its_mind(answers: Any) -> None:
    first = rules.judge(FORM, answers, TODAY)
    assert rules.judge(FORM, answers, TODAY) == first
    for problem in first.problems:
        # Can be sent: no surrogate, no unfilled gap.
        assert rules.explain(problem, str).encode("utf-8")


def _applies(condition: Any, answers: dict[str, Any]) -> bool:
    """The phone's own reading of a condition (static/portal/form.js), written a second time."""
    if condition is None:
        return True
    if "all" in condition:
        return all(_applies(part, answers) for part in condition["all"])
    if "any" in condition:
        return any(_applies(part, answers) for part in condition["any"])
    if "not" in condition:
        return not _applies(condition["not"], answers)
    answer = answers.get(condition["question"])
    if answer is None or answer == []:
        return bool(condition.get("otherwise", False))
    if "equals" in condition:
        return bool(answer == condition["equals"])
    if "in" in condition:
        return answer in condition["in"]
    return bool(set(answer) & set(condition["has_any"]))


def _shown(when: dict[str, Any], answers: dict[str, Any]) -> list[str]:
    shown: dict[str, Any] = {}
    keys = []
    for section in FORM.client_form("zh")["sections"]:
        for question in section["questions"]:
            key = question["key"]
            if _applies(when.get(key), shown):
                keys.append(key)
                if key in answers:
                    shown[key] = answers[key]
    return keys


@given(plausible)
@settings(max_examples=300, deadline=None)
def test_what_the_phone_shows_is_what_the_judge_asks(answers: dict[str, Any]) -> None:
    when = {q["key"]: q.get("when") for s in FORM.client_form("zh")["sections"] for q in s["questions"]}
    verdict = rules.judge(FORM, answers, TODAY)
    broken = {p.field for p in verdict.problems if p.code != "required"}
    if broken:
        answers = {key: value for key, value in answers.items() if key not in broken}
        verdict = rules.judge(FORM, answers, TODAY)
    shown = _shown(when, {k: v for k, v in answers.items() if not isinstance(v, str) or v.strip()})
    missing = [
        key
        for key in shown
        if FORM.questions[key].required
        and (key not in answers or answers[key] in ([], "") or not str(answers[key]).strip())
    ]
    assert [p.field for p in verdict.problems if p.code == "required"] == missing
    assert not set(verdict.discarded) & set(shown)


@given(plausible, st.integers(0, 20))
@settings(max_examples=300, deadline=None)
def test_no_change_passes_when_what_it_leaves_open_is_answered(answers: dict[str, Any], days: int) -> None:
    before = rules.judge(FORM, answers, TODAY)
    later = TODAY + timedelta(days=days)
    carried = rules.carry_over(FORM, before.typed, before.extra, later)
    verdict = rules.judge(FORM, carried, later)
    # Nothing that was carried is ever complained about; only open questions are.
    assert not {problem.field for problem in verdict.problems} & set(carried)
    assert not verdict.discarded
    assert not {"symptoms", "temperature"} & set(carried)
    # And the phone, knowing only labels, shows exactly the open ones the judge asks for.
    when = rules.conditions_beside(FORM, carried)
    shown = [key for key in _shown(when, {}) if key not in carried]
    assert [p.field for p in verdict.problems] == [key for key in shown if FORM.questions[key].required]


@given(json_values)
@settings(max_examples=200, deadline=None)
def test_a_definition_compiles_or_is_refused_in_words(definition: Any) -> None:
    with suppress(DefinitionError):
        compile(definition)
