"""Both doors judge alike: what the phone's door says of an answer, the plain form's command says too."""

from __future__ import annotations

import json
import resource
from collections.abc import AsyncIterator, Callable
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from anxiao.base.errors import Invalid, Refused
from anxiao.base.tenancy import school_context
from anxiao.intake import limits
from anxiao.intake.app import door as the_door
from anxiao.reporting.commands import reports
from anxiao.reporting.models import Report
from anxiao.reporting.storage import Accepted, Draft, Result
from tests.builders import MORNING, WELL, answers, round_of, scope_for
from tests.cast import Cast
from tests.intake.conftest import Door
from tests.intake.phones import Phone, crowd, opened

HOSTILE: list[Any] = [
    None,
    True,
    0,
    "x",
    [],
    [{}],
    {},
    {"": 1},
    {"x": 1},
    {"a\ud800": 1},
    {"__class__": "x"},
    {**WELL, "temperature": "٣٦.٥"},
    {**WELL, "temperature": "36,5"},
    {**WELL, "temperature": " 36.5 "},
    {**WELL, "temperature": "36.55"},
    {**WELL, "temperature": "1e1"},
    {**WELL, "temperature": "0x24"},
    {**WELL, "temperature": "nan"},
    {**WELL, "temperature": "Infinity"},
    {**WELL, "temperature": "9" * 5000},
    {**WELL, "temperature": 10**400},
    {**WELL, "temperature": -(10**300)},
    {**WELL, "temperature": 1.5e308},
    {**WELL, "temperature": True},
    {**WELL, "temperature": [36.5]},
    {**WELL, "temperature": {"value": 36.5}},
    {**WELL, "symptoms": "normal"},
    {**WELL, "symptoms": ["normal", "fever"]},
    {**WELL, "symptoms": ["normal"] * 1000},
    {**WELL, "symptoms": [["normal"]]},
    {**WELL, "symptoms": [None]},
    {**WELL, "symptoms": {"normal": True}},
    {**WELL, "at_school": "true"},
    {**WELL, "at_school": 1},
    {**WELL, "at_school": None},
    {**WELL, "region": 340100},
    {**WELL, "region": "340100\n"},
    {**WELL, "region": "999999"},
    {**WELL, "region": "３４０１００"},
    {**WELL, "address": "a\x00b"},
    {**WELL, "address": "\ud800"},
    {**WELL, "address": "x" * 20_000},
    {**WELL, "address": "<script>alert(1)</script>"},
    {**WELL, "address": "=cmd|' /C calc'!A0"},
    {**WELL, "address": "\u202egnirts"},
    {**WELL, "address": 7},
    {**WELL, "address": "   "},
    {**WELL, "contact_14d": True},
    {**WELL, "isolation": "home", "diagnosis": "confirmed"},
    {**WELL, "person_type": "nobody"},
    {**WELL, "return_on": "2026-02-30"},
    {**WELL, "at_school": False, "return_plan": "planned", "return_on": "2020-02-29"},
    {**WELL, "at_school": False, "return_plan": "planned", "return_on": "0000-00-00"},
    dict.fromkeys(WELL),
]

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(), max_size=8)
    | st.sampled_from(["normal", "fever", "340100", "2026-03-09", "none", "home", "36.9", "\x00", "undecided"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=2),
    max_leaves=4,
)
ANSWERS = st.dictionaries(
    st.sampled_from([*WELL, "return_plan", "return_on", "contact_detail"]), VALUES, max_size=4
).map(lambda changes: {**WELL, **changes})

Verdict = tuple[str, Any]
"""What a door says: ("invalid", message by field) or ("kept", what would be stored)."""


class _Enough(Exception):
    pass


@pytest.fixture
def both(door: Door, monkeypatch: pytest.MonkeyPatch) -> Callable[[Any], tuple[Verdict, Verdict]]:
    """Gives answers to both doors, of which neither keeps them."""
    drafts: list[Draft] = []

    async def settle(draft: Draft) -> Accepted:
        drafts.append(draft)
        return Accepted(Result.HELD_UP)

    def accept(given: list[Draft]) -> list[Accepted]:
        drafts.extend(given)
        return [Accepted(Result.HELD_UP)]

    monkeypatch.setattr(the_door.batches, "settle", settle)
    monkeypatch.setattr(reports, "accept_drafts", accept)
    monkeypatch.setattr(limits.Limits, "allows", lambda *_: True)
    body, person = door.body(), door.cast.wangwu
    by = scope_for(None, None, person=person)

    def kept() -> Verdict:
        (draft,) = drafts
        drafts.clear()
        return "kept", (dict(draft.typed), dict(draft.answers), draft.form_version_id, draft.day, draft.received_at)

    def intake(given: Any) -> Verdict:
        answer = door.send(person, json.dumps({**body, "answers": given}).encode())
        if answer.status_code == 503:
            return kept()
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid"), answer.text
        return "invalid", {problem["field"]: problem["message"] for problem in answer.json()["problems"]}

    def form(given: Any) -> Verdict:
        with school_context("*"):
            try:
                reports.submit_report(
                    by=by,
                    round=round_of(),
                    school_id=person.school_id,
                    person_id=person.pk,
                    answers=given,
                    key=uuid4(),
                    now=MORNING,
                )
            except Invalid as invalid:
                return "invalid", {field: str(message) for field, message in invalid.fields.items()}
            except Refused:
                return kept()
        raise _Enough("neither kept nor refused")

    return lambda given: (intake(given), form(given))


def test_a_corpus_of_hostile_answers(both: Callable[[Any], tuple[Verdict, Verdict]]) -> None:
    verdicts = []
    for hostile in HOSTILE:
        here, there = both(hostile)
        assert here == there, hostile
        verdicts.append(here[0])
    assert both(answers())[0][0] == "kept"
    assert verdicts.count("invalid") > 30, "most of it is refused"


@settings(
    max_examples=150,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(given=ANSWERS)
def test_whatever_somebody_thinks_of(both: Callable[[Any], tuple[Verdict, Verdict]], given: Any) -> None:
    here, there = both(json.loads(json.dumps(given)))
    assert here == there


@pytest.mark.usefixtures("morning")
def test_a_gigabyte_is_not_swallowed(cast: Cast) -> None:
    (held,) = crowd(cast.tongxin1, 1)
    chunk, taken = b" " * 65_536, 0

    async def gigabyte() -> AsyncIterator[bytes]:
        nonlocal taken
        for _ in range(16_384):
            taken += len(chunk)
            yield chunk

    async def story(_door: Any) -> int:
        return (await Phone(held).stream("POST", "/reports", gigabyte())).status

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert opened(story) == 413
    assert taken <= 4 * len(chunk)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 32 * 1024  # kilobytes


def test_odd_bodies_end_with_a_sentence_and_keep_nothing(door: Door) -> None:
    good = json.dumps(door.body())
    odd = [
        good.replace("36.5", "NaN"),
        good.replace("36.5", "-Infinity"),
        good.replace("36.5", "1e999"),
        good.replace("36.5", "9" * 5000),
        good.replace('"answers"', '"key": "x", "answers"'),
        good.replace('"answers": {', '"answers": {"temperature": 36.5, '),
        good.replace("36.5", "[" * 50 + "]" * 50),
        good.replace("36.5", "[" * 10_000 + "]" * 10_000),
        good.replace("九龙路".encode("unicode_escape").decode(), "\\ud800"),
        good.replace("九龙路".encode("unicode_escape").decode(), "\\u0000"),
        good + good,
        "\ufeff" + good,
        good[:-1],
        good.replace('"answers"', '"Answers"'),
        good.replace('"unchanged": false', '"unchanged": "no"'),
    ]
    for body in odd:
        assert body != good
        answer = door.send(door.cast.wangwu, body.encode())
        assert answer.status_code in (400, 422), (body[:80], answer.text)
        assert answer.json()["message"]
    with school_context("*"):
        assert not Report.objects.exists()
    assert door.send(door.cast.wangwu, good.encode()).status_code == 201
