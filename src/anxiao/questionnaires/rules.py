"""The one judge of answers, for every door: phone, plain HTML form, proxy, exchange, import.

Pure: no Django, no clock, no database; the intake door imports it as it stands. Whatever JSON
arrives, the judge answers with a verdict and never with an exception: hostile bodies are a
daily matter, not an emergency.
"""

import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from dataclasses import field as attribute
from datetime import date, timedelta
from decimal import Decimal, InvalidOperation
from functools import partial
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from anxiao.base.marking import gettext_noop as _
from anxiao.questionnaires import regions
from anxiao.questionnaires.compiled import (
    Compiled,
    DefinitionError,
    Question,
    compile,
    holds,
    predicate,
    words,
)
from anxiao.questionnaires.concepts import (
    COLUMNS,
    DIAGNOSES,
    MEANINGS,
    PERSON_TYPES,
    SYMPTOM_BITS,
    from_column,
    to_column,
)
from anxiao.questionnaires.names import Concept, Kind, Stable

__all__ = [
    "Compiled",
    "DefinitionError",
    "Flags",
    "Problem",
    "Verdict",
    "carry_over",
    "compile",
    "conditions_beside",
    "explain",
    "flags_of",
    "judge",
    "stable_labels",
    "summary",
]

#: Messages in English; the edge translates them. The codes are part of the public interface.
MESSAGES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "required": _("Please answer this."),
        "unknown": _("This form has no such question: %(key)s"),
        "too_many": _("There are more answers than this form has questions."),
        "not_an_object": _("The answers could not be read."),
        "not_a_choice": _("Please choose from the list."),
        "exclusive": _("“I feel well” and the like cannot be chosen together with something else."),
        "repeated": _("The same choice stands here twice."),
        "not_yes_no": _("Please choose yes or no."),
        "not_a_number": _("Please enter a number."),
        "too_small": _("This must be at least %(least)s."),
        "too_large": _("This must be at most %(most)s."),
        "too_precise": _("At most %(decimals)s digits after the point."),
        "not_a_text": _("Please enter a text."),
        "too_long": _("At most %(most)s characters; this has %(length)s."),
        "bad_characters": _("This contains characters that cannot be stored."),
        "not_a_region": _("Please choose a region from the list."),
        "not_a_date": _("Please enter a date like 2020-02-15."),
        "too_early": _("This date is too early; the earliest is %(least)s."),
        "too_late": _("This date is too late; the latest is %(most)s."),
        "not_a_phone": _("Please enter a phone number, outside the mainland with its country code."),
    }
)

_NUMBER: Final = re.compile(r"-?[0-9]{1,9}(?:\.[0-9]{1,6})?\Z")
_DATE: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}\Z")
_PHONE: Final = re.compile(r"(?:1[3-9][0-9]{9}|0[0-9]{9,11}|\+[1-9][0-9]{6,14})\Z")
_MOST_EXTRA_KEYS: Final = 10


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with one answer. ``field`` is the question's key, or ``""`` for the whole."""

    field: str
    code: str
    message: str
    params: Mapping[str, Any] = attribute(default_factory=dict)


def explain(problem: Problem, gettext: Callable[[str], str]) -> str:
    """The problem in the reader's language."""
    return gettext(problem.message) % problem.params


@dataclass(frozen=True, slots=True)
class Flags:
    """What somebody must look at, from one report."""

    unwell: bool = False
    fever: bool = False
    suspected: bool = False
    confirmed: bool = False
    isolated: bool = False
    contact: bool = False

    @property
    def needs_help(self) -> bool:
        """Whether the next page offers help instead of a plain receipt."""
        return self.unwell or self.fever or self.suspected or self.confirmed or self.contact


@dataclass(frozen=True, slots=True)
class Verdict:
    """The judgement on one set of answers."""

    problems: tuple[Problem, ...]
    #: Every typed column of a report; None where the form did not ask.
    typed: Mapping[str, Any]
    #: Answers bound to no concept, ready for ``jsonb``.
    extra: Mapping[str, Any]
    flags: Flags
    #: Keys of answers to questions that do not apply; they are not kept.
    discarded: tuple[str, ...]

    @property
    def ok(self) -> bool:
        """Whether the answers may be kept."""
        return not self.problems


class _Wrong(Exception):
    """Leaves a reader of one answer; never leaves this module."""

    def __init__(self, code: str, **params: Any) -> None:
        self.code = code
        self.params = params
        super().__init__(code)


def judge(compiled: Compiled, answers: Any, today: date) -> Verdict:
    """Judge answers against a form.

    Problems come in the order of the questions. An unknown key is refused; an answer to a
    question that does not apply is left out and named in ``discarded``.
    """
    if not isinstance(answers, Mapping):
        return _refused(_problem("", "not_an_object"))
    problems: list[Problem] = []
    accepted: dict[str, Any] = {}
    discarded: list[str] = []
    typed: dict[str, Any] = dict(_NO_COLUMNS)
    extra: dict[str, Any] = {}
    for key, question, applies, read, column, shelve in _steps(compiled):
        given = answers.get(key)
        answered = not _is_nothing(given)
        if applies is not None and not applies(accepted):
            if answered:
                discarded.append(key)
            continue
        if not answered:
            if question.required:
                problems.append(_problem(key, "required"))
            continue
        try:
            answer = read(question, given, today)
        except _Wrong as wrong:
            problems.append(_problem(key, wrong.code, **wrong.params))
            continue
        accepted[key] = answer
        if column is None:
            extra[key] = _for_json(answer)
        else:
            typed[column] = answer if shelve is None else shelve(answer)
    problems += _strangers(compiled, answers)
    flags = flags_of(compiled, typed)
    typed["unwell"], typed["fever"] = flags.unwell, flags.fever
    # The column is never NULL; a form that does not ask has nothing to show.
    typed["symptoms"] = typed["symptoms"] or 0
    return Verdict(tuple(problems), MappingProxyType(typed), MappingProxyType(extra), flags, tuple(discarded))


def carry_over(
    compiled: Compiled,
    previous_typed: Mapping[str, Any],
    previous_extra: Mapping[str, Any],
    today: date,
) -> dict[str, Any]:
    """What "no change" stands for: the stable answers of an earlier report, server side only.

    Symptoms and temperature are never among them. Nor is an answer that would not pass today (a
    return date that has gone by), nor one whose question the new version no longer asks.
    """
    accepted: dict[str, Any] = {}
    carried: dict[str, Any] = {}
    for key, question, applies, read, _column, _shelve in _steps(compiled):
        if applies is not None and not applies(accepted):
            continue
        before = _answer_before(question, previous_typed, previous_extra)
        if _is_nothing(before):
            continue
        try:
            answer = read(question, before, today)
        except _Wrong:
            continue
        if question.stable is Stable.ALWAYS or (question.stable is Stable.WHILE_DEFAULT and answer == question.default):
            accepted[key] = answer
            carried[key] = before
    return carried


def conditions_beside(compiled: Compiled, carried: Mapping[str, Any]) -> dict[str, Any]:
    """Conditions for a phone that does not know the carried answers.

    A test of a carried question gets ``otherwise``: what it comes to unless the person answers
    that question afresh. So the phone can show what applies without being told an answer.
    """
    return {
        question.key: _with_otherwise(question.when, carried)
        for question in compiled.questions.values()
        if question.when is not None
    }


def _with_otherwise(condition: Mapping[str, Any], carried: Mapping[str, Any]) -> dict[str, Any]:
    for word in ("all", "any"):
        if word in condition:
            return {word: [_with_otherwise(part, carried) for part in condition[word]]}
    if "not" in condition:
        return {"not": _with_otherwise(condition["not"], carried)}
    if condition["question"] in carried:
        return {**condition, "otherwise": holds(condition, carried)}
    return dict(condition)


def stable_labels(
    compiled: Compiled,
    previous_typed: Mapping[str, Any],
    previous_extra: Mapping[str, Any],
    language: str,
    today: date,
) -> list[str]:
    """Labels (never answers) of what "same as last time" covers, for one line on the phone."""
    carried = carry_over(compiled, previous_typed, previous_extra, today)
    return [words(compiled.questions[key].label, language) for key in carried]


def summary(
    compiled: Compiled, typed: Mapping[str, Any], extra: Mapping[str, Any], language: str
) -> list[tuple[str, str, str]]:
    """A report in words: (key, label, answer), in the order of the form. For those who may read it."""
    lines: list[tuple[str, str, str]] = []
    for question in compiled.questions.values():
        answer = _answer_before(question, typed, extra)
        if not _is_nothing(answer):
            lines.append((question.key, words(question.label, language), _in_words(question, answer, language)))
    return lines


# --- reading one answer ------------------------------------------------------------------------


def _read_yes_no(question: Question, given: Any, today: date) -> bool:
    if not isinstance(given, bool):
        raise _Wrong("not_yes_no")
    return given


def _read_single(question: Question, given: Any, today: date) -> str:
    if not isinstance(given, str) or given not in question.choices:
        raise _Wrong("not_a_choice")
    return given


def _read_multiple(question: Question, given: Any, today: date) -> list[str]:
    if not isinstance(given, list) or len(given) > 2 * len(question.options):
        raise _Wrong("not_a_choice")
    choices = question.choices
    if not all(isinstance(code, str) and code in choices for code in given):
        raise _Wrong("not_a_choice")
    if len(given) == 1:
        return given[:]
    if len(set(given)) != len(given):
        raise _Wrong("repeated")
    chosen = [option for option in question.options if option.code in given]
    for option in chosen:
        if option.exclusive and len(chosen) > 1:
            raise _Wrong("exclusive")
    return [option.code for option in chosen]


def _read_number(question: Question, given: Any, today: date) -> Decimal:
    if isinstance(given, str) and len(given) <= 20:
        # A phone keyboard may type ３６．５ or 36。5 and a comma is a point elsewhere.
        text = unicodedata.normalize("NFKC", given).strip().replace("。", ".").replace(",", ".")
        if not _NUMBER.match(text):
            raise _Wrong("not_a_number")
        number = Decimal(text)
    elif isinstance(given, bool) or not isinstance(given, int | float):
        raise _Wrong("not_a_number")
    elif not -1e12 < given < 1e12:
        # Also the way out for infinity, not-a-number and whole numbers of four hundred digits:
        # they are compared, never converted.
        if given != given:
            raise _Wrong("not_a_number")
        if given > 0:
            raise _Wrong("too_large", most=_plain(question.maximum))
        raise _Wrong("too_small", least=_plain(question.minimum))
    else:
        try:
            number = Decimal(str(given))
        except InvalidOperation:  # pragma: no cover - every finite float has a decimal text
            raise _Wrong("not_a_number") from None
    if question.minimum is not None and number < question.minimum:
        raise _Wrong("too_small", least=_plain(question.minimum))
    if question.maximum is not None and number > question.maximum:
        raise _Wrong("too_large", most=_plain(question.maximum))
    if number != round(number, question.decimals):
        raise _Wrong("too_precise", decimals=question.decimals)
    return round(number, question.decimals)


def _read_text(question: Question, given: Any, today: date) -> str:
    if not isinstance(given, str):
        raise _Wrong("not_a_text")
    # Before normalising: a megabyte of combining marks must not cost anything.
    if len(given) > 4 * question.max_length:
        raise _Wrong("too_long", most=question.max_length, length=len(given))
    text = unicodedata.normalize("NFC", given.replace("\r\n", "\n").replace("\r", "\n")).strip()
    if question.lines == 1:
        text = " ".join(text.split("\n"))
    if not text.isprintable() and any(_unstorable(character) for character in text):
        raise _Wrong("bad_characters")
    if len(text) > question.max_length:
        raise _Wrong("too_long", most=question.max_length, length=len(text))
    if not text:
        raise _Wrong("required")
    return text


def _unstorable(character: str) -> bool:
    """U+0000 and lone surrogates break the database; controls and bidi marks deceive readers."""
    if character in "\n\t":
        return False
    category = unicodedata.category(character)
    return category in ("Cc", "Cs") or "\u202a" <= character <= "\u202e" or "\u2066" <= character <= "\u2069"


def _read_region(question: Question, given: Any, today: date) -> str:
    if not isinstance(given, str) or not regions.is_region(given):
        raise _Wrong("not_a_region")
    return given


def _read_date(question: Question, given: Any, today: date) -> date:
    if not isinstance(given, str) or not _DATE.match(given):
        raise _Wrong("not_a_date")
    try:
        day = date.fromisoformat(given)
    except ValueError:
        raise _Wrong("not_a_date") from None
    # Compared as distances: adding a hundred years to today could leave the calendar.
    distance = (day - today).days
    if distance < question.min_days:
        raise _Wrong("too_early", least=(today + timedelta(days=question.min_days)).isoformat())
    if distance > question.max_days:
        raise _Wrong("too_late", most=(today + timedelta(days=question.max_days)).isoformat())
    return day


def _read_phone(question: Question, given: Any, today: date) -> str:
    if not isinstance(given, str) or len(given) > 40:
        raise _Wrong("not_a_phone")
    text = re.sub(r"[\s\-()]", "", unicodedata.normalize("NFKC", given))
    if not _PHONE.match(text):
        raise _Wrong("not_a_phone")
    return text


_READERS: Final[Mapping[Kind, Callable[[Question, Any, date], Any]]] = MappingProxyType(
    {
        Kind.YES_NO: _read_yes_no,
        Kind.SINGLE: _read_single,
        Kind.MULTIPLE: _read_multiple,
        Kind.NUMBER: _read_number,
        Kind.TEXT: _read_text,
        Kind.REGION: _read_region,
        Kind.DATE: _read_date,
        Kind.PHONE: _read_phone,
    }
)


# --- putting a judgement together --------------------------------------------------------------


def _is_nothing(given: Any) -> bool:
    """An answer left open: absent, null, blank or no choice made."""
    if isinstance(given, str):
        # A very long text is not worth a search for a letter; its length is judged later.
        return len(given) <= 4096 and not given.strip()
    return given is None or given == []


def _problem(at: str, code: str, /, **params: Any) -> Problem:
    return Problem(at, code, MESSAGES[code], MappingProxyType(params))


def _strangers(compiled: Compiled, answers: Mapping[Any, Any]) -> list[Problem]:
    if len(answers) > len(compiled.questions) + _MOST_EXTRA_KEYS:
        return [_problem("", "too_many")]
    return [
        # ascii() because the key may hold lone surrogates, which no log or socket can carry.
        _problem("", "unknown", key=ascii(key)[:60])
        for key in answers
        if not isinstance(key, str) or key not in compiled.questions
    ]


def _refused(problem: Problem) -> Verdict:
    nothing: Mapping[str, Any] = MappingProxyType(dict.fromkeys(COLUMNS))
    return Verdict((problem,), nothing, MappingProxyType({}), Flags(), ())


_NO_COLUMNS: Final[Mapping[str, Any]] = MappingProxyType(dict.fromkeys(COLUMNS))


def _for_json(answer: Any) -> Any:
    if isinstance(answer, date):
        return answer.isoformat()
    if isinstance(answer, Decimal):
        return int(answer) if answer == answer.to_integral_value() else float(answer)
    return answer


def _tenths(answer: Decimal) -> int:
    return int(answer * 10)


class _Step(NamedTuple):
    """A question laid out for judging, so that a million answers do not look everything up a million times."""

    key: str
    question: Question
    applies: Callable[[Mapping[str, Any]], bool] | None
    read: Callable[[Question, Any, date], Any]
    column: str | None
    shelve: Callable[[Any], Any] | None


_STEPS: Final[dict[str, tuple[_Step, ...]]] = {}
_MOST_STEPS: Final = 64


def _steps(compiled: Compiled) -> tuple[_Step, ...]:
    known = _STEPS.get(compiled.digest)
    if known is None:
        if len(_STEPS) >= _MOST_STEPS:
            _STEPS.clear()
        known = _STEPS[compiled.digest] = tuple(_step(question) for question in compiled.questions.values())
    return known


def _step(question: Question) -> _Step:
    concept = question.concept
    column = None if concept is None else MEANINGS[concept].column
    shelve: Callable[[Any], Any] | None = None
    if concept is Concept.TEMPERATURE:
        shelve = _tenths
    elif concept is not None and question.kind not in (Kind.YES_NO, Kind.DATE):
        shelve = partial(to_column, concept)
    when = question.when
    return _Step(
        question.key,
        question,
        None if when is None else predicate(when),
        _READERS[question.kind],
        column,
        shelve,
    )


def flags_of(compiled: Compiled, typed: Mapping[str, Any]) -> Flags:
    """What somebody must look at, from the typed columns of a report, fresh or stored."""
    symptoms = typed["symptoms"] or 0
    temperature = typed["temperature_tenths"]
    fever = bool(symptoms & SYMPTOM_BITS["fever"]) or (temperature is not None and temperature >= compiled.fever_at)
    return Flags(
        unwell=bool(symptoms) or fever,
        fever=fever,
        suspected=typed["diagnosis"] == DIAGNOSES["suspected"],
        confirmed=typed["diagnosis"] == DIAGNOSES["confirmed"],
        isolated=bool(typed["isolation"])
        or typed["person_type"] in (PERSON_TYPES["home_observation"], PERSON_TYPES["central_observation"]),
        contact=typed["contact"] is True,
    )


def _answer_before(question: Question, typed: Mapping[str, Any], extra: Mapping[str, Any]) -> Any:
    if question.concept is not None:
        return from_column(question.concept, typed.get(MEANINGS[question.concept].column))
    return extra.get(question.key)


def _plain(number: Decimal | None) -> str:
    return "" if number is None else format(number.normalize(), "f")


def _in_words(question: Question, answer: Any, language: str) -> str:
    chinese = language.startswith("zh")
    if question.kind is Kind.YES_NO:
        return ("是" if answer else "否") if chinese else ("Yes" if answer else "No")
    if question.kind is Kind.REGION:
        return regions.region_name(str(answer), language)
    codes = answer if isinstance(answer, list) else [answer]
    named = [option for code in codes if (option := question.option(str(code))) is not None]
    if named:
        return ("、" if chinese else ", ").join(words(option.label, language) for option in named)
    if question.concept is Concept.TEMPERATURE:
        return f"{answer:.1f} {question.unit}".strip()
    return f"{answer} {question.unit}".strip()
