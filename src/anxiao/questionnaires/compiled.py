"""From a definition (plain JSON) to a checked, frozen, cacheable form.

A definition is written by people, so compiling it says precisely what is wrong and where. What
comes out is shared by the judge, the phone and the plain HTML form: whoever decides whether a
question applies asks the same conditions. The language is described in README.md.
"""

import hashlib
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final, TypeVar

from anxiao.questionnaires import regions
from anxiao.questionnaires.concepts import MEANINGS
from anxiao.questionnaires.names import Concept, Kind, Stable

LANGUAGES: Final = ("zh", "en")

_KEY: Final = re.compile(r"[a-z][a-z0-9_]{0,39}\Z")
_MOST_SECTIONS: Final = 20
_MOST_QUESTIONS: Final = 100
_MOST_OPTIONS: Final = 60
_MOST_TESTS: Final = 20
_DEEPEST_CONDITION: Final = 4
_LONGEST_LABEL: Final = 300
_LONGEST_ANSWER: Final = 1000

_DEFINITION_KEYS: Final = {"title", "fever_at", "sections"}
_SECTION_KEYS: Final = {"key", "title", "questions"}
_OPTION_KEYS: Final = {"code", "label", "exclusive"}
_COMMON_KEYS: Final = {
    "key",
    "kind",
    "label",
    "help",
    "required",
    "when",
    "stable",
    "concept",
    "default",
}
_KIND_KEYS: Final[Mapping[Kind, set[str]]] = {
    Kind.SINGLE: {"options"},
    Kind.MULTIPLE: {"options"},
    Kind.YES_NO: set(),
    Kind.NUMBER: {"min", "max", "decimals", "unit"},
    Kind.TEXT: {"max_length", "lines"},
    Kind.REGION: set(),
    Kind.DATE: {"min_days", "max_days"},
    Kind.PHONE: set(),
}


class DefinitionError(ValueError):
    """A definition that cannot be used: where, and what is wrong with it."""

    def __init__(self, path: str, problem: str) -> None:
        self.path = path
        self.problem = problem
        super().__init__(f"{path}: {problem}")


Labels = Mapping[str, str]

_Word = TypeVar("_Word", bound=StrEnum)


@dataclass(frozen=True, slots=True)
class Option:
    """One choice; an exclusive one stands alone (自觉正常)."""

    code: str
    label: Labels
    exclusive: bool = False


@dataclass(frozen=True, slots=True)
class Question:
    """One question, checked."""

    key: str
    kind: Kind
    label: Labels
    help: Labels | None
    required: bool
    stable: Stable
    concept: Concept | None
    options: tuple[Option, ...]
    when: Mapping[str, Any] | None
    default: Any
    minimum: Decimal | None
    maximum: Decimal | None
    decimals: int
    unit: str
    max_length: int
    lines: int
    min_days: int
    max_days: int

    choices: frozenset[str] = frozenset()
    """The codes of the options."""

    def option(self, code: str) -> Option | None:
        """The option with this code."""
        return next((option for option in self.options if option.code == code), None)


@dataclass(frozen=True, slots=True)
class Section:
    """Questions that belong together on the page."""

    key: str
    title: Labels
    questions: tuple[Question, ...]


@dataclass(frozen=True, slots=True)
class Compiled:
    """A definition that may be used; immutable, so one copy serves every thread."""

    title: Labels
    fever_at: int
    sections: tuple[Section, ...]
    questions: Mapping[str, Question]
    digest: str

    def client_form(self, language: str) -> dict[str, Any]:
        """The form for a phone, in one language. Never holds anybody's answers."""
        return {
            "title": words(self.title, language),
            "sections": [
                {
                    "key": section.key,
                    "title": words(section.title, language),
                    "questions": [_for_client(q, language) for q in section.questions],
                }
                for section in self.sections
            ],
        }

    def etag(self, language: str) -> str:
        """Changes exactly when ``client_form`` in this language may have changed."""
        which = "zh" if language.startswith("zh") else "en"
        return hashlib.sha256(f"{self.digest}:{which}".encode()).hexdigest()[:32]


def words(labels: Labels, language: str) -> str:
    """The label in the reader's language; Chinese is the original."""
    return labels["zh" if language.startswith("zh") else "en"]


def holds(condition: Mapping[str, Any] | None, answers: Mapping[str, Any]) -> bool:
    """Whether a condition is fulfilled. An unanswered question fulfils no plain test."""
    return condition is None or predicate(condition)(answers)


def predicate(condition: Mapping[str, Any]) -> Callable[[Mapping[str, Any]], bool]:
    """A condition as a question to answers, its shape looked at once instead of for every answer."""
    for word, together in (("all", all), ("any", any)):
        if word in condition:
            parts = [predicate(part) for part in condition[word]]
            return lambda answers: together(part(answers) for part in parts)
    if "not" in condition:
        inner = predicate(condition["not"])
        return lambda answers: not inner(answers)
    question = condition["question"]
    if "equals" in condition:
        wanted = condition["equals"]
        return lambda answers: (answer := answers.get(question)) is not None and bool(answer == wanted)
    if "in" in condition:
        listed = condition["in"]
        return lambda answers: (answer := answers.get(question)) is not None and answer in listed
    codes = condition["has_any"]
    return lambda answers: (answer := answers.get(question)) is not None and any(code in answer for code in codes)


def compile(definition: Any) -> Compiled:
    """Check a definition and freeze it; ``DefinitionError`` says what is wrong and where."""
    root = _object(definition, "definition", _DEFINITION_KEYS)
    fever_at = root.get("fever_at", 373)
    if not _is_int(fever_at) or not 360 <= fever_at <= 390:
        raise DefinitionError("fever_at", "must be tenths of a degree between 360 and 390")
    title = _labels(root.get("title"), "title")
    sections: list[Section] = []
    questions: dict[str, Question] = {}
    bound: set[Concept] = set()
    for at, raw in _list(root.get("sections"), "sections", _MOST_SECTIONS):
        section = _object(raw, at, _SECTION_KEYS)
        key = _key(section.get("key"), f"{at}.key")
        if any(key == other.key for other in sections):
            raise DefinitionError(f"{at}.key", f"{key!r} is used twice")
        mine: list[Question] = []
        for path, raw_question in _list(section.get("questions"), f"{at}.questions", _MOST_QUESTIONS):
            question = _question(raw_question, path, questions)
            if question.concept is not None:
                if question.concept in bound:
                    raise DefinitionError(f"{path}.concept", f"{question.concept.value!r} is bound twice")
                bound.add(question.concept)
            questions[question.key] = question
            mine.append(question)
        sections.append(Section(key, _labels(section.get("title"), f"{at}.title"), tuple(mine)))
    if len(questions) > _MOST_QUESTIONS:
        raise DefinitionError("sections", f"has more than {_MOST_QUESTIONS} questions")
    return Compiled(title, fever_at, tuple(sections), MappingProxyType(questions), digest_of(definition))


def digest_of(definition: Any) -> str:
    """SHA-256 of the canonical text of a definition: key order and spacing do not matter."""
    text = json.dumps(definition, sort_keys=True, ensure_ascii=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


# --- for the phone -----------------------------------------------------------------------------


def _for_client(question: Question, language: str) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "key": question.key,
        "kind": question.kind.value,
        "label": words(question.label, language),
        "required": question.required,
        "stable": question.stable.value,
    }
    if question.help is not None:
        shown["help"] = words(question.help, language)
    if question.when is not None:
        shown["when"] = question.when
    if question.default is not None:
        shown["default"] = question.default
    if question.kind is Kind.REGION:
        shown["options"] = [
            {"code": code, "label": name, "group": group} for code, name, group in regions.choices(language)
        ]
    elif question.options:
        shown["options"] = [
            {"code": option.code, "label": words(option.label, language)}
            | ({"exclusive": True} if option.exclusive else {})
            for option in question.options
        ]
    if question.kind is Kind.NUMBER:
        shown["decimals"] = question.decimals
        shown["unit"] = question.unit
        if question.minimum is not None:
            shown["min"] = float(question.minimum)
        if question.maximum is not None:
            shown["max"] = float(question.maximum)
    if question.kind is Kind.TEXT:
        shown["max_length"] = question.max_length
        shown["lines"] = question.lines
    if question.kind is Kind.DATE:
        shown["min_days"] = question.min_days
        shown["max_days"] = question.max_days
    return shown


# --- checking a definition ---------------------------------------------------------------------


def _question(raw: Any, at: str, earlier: Mapping[str, Question]) -> Question:
    if not isinstance(raw, dict):
        raise DefinitionError(at, "must be an object")
    kind = _one_of(Kind, raw.get("kind"), f"{at}.kind")
    data = _object(raw, at, _COMMON_KEYS | _KIND_KEYS[kind])
    key = _key(data.get("key"), f"{at}.key")
    if key in earlier:
        raise DefinitionError(f"{at}.key", f"{key!r} is used twice")
    concept = _one_of(Concept, data["concept"], f"{at}.concept") if "concept" in data else None
    stable = _one_of(Stable, data.get("stable", "never"), f"{at}.stable")
    if concept is not None:
        meaning = MEANINGS[concept]
        if kind not in meaning.kinds:
            raise DefinitionError(f"{at}.concept", f"{concept.value!r} is not asked as {kind.value!r}")
        if stable is not Stable.NEVER and not meaning.may_be_stable:
            raise DefinitionError(f"{at}.stable", f"{concept.value!r} is answered afresh every time")
    options = _options(data, at, kind, concept)
    minimum = _number(data, "min", at)
    maximum = _number(data, "max", at)
    if minimum is not None and maximum is not None and minimum > maximum:
        raise DefinitionError(f"{at}.min", "is greater than max")
    if concept is Concept.TEMPERATURE and (minimum is None or maximum is None or not 0 <= minimum <= maximum <= 100):
        raise DefinitionError(f"{at}.min", "a temperature needs min and max between 0 and 100")
    min_days = _whole(data, "min_days", at, -36500, 36500, -36500)
    max_days = _whole(data, "max_days", at, -36500, 36500, 36500)
    if min_days > max_days:
        raise DefinitionError(f"{at}.min_days", "is greater than max_days")
    decimals = _whole(data, "decimals", at, 0, 3, 0)
    if concept is Concept.TEMPERATURE and decimals > 1:
        raise DefinitionError(f"{at}.decimals", "a temperature is kept in tenths of a degree")
    unit = data.get("unit", "")
    if not isinstance(unit, str) or len(unit) > 10 or not _clean(unit):
        raise DefinitionError(f"{at}.unit", "must be a short text")
    question = Question(
        key=key,
        kind=kind,
        label=_labels(data.get("label"), f"{at}.label"),
        help=_labels(data["help"], f"{at}.help") if "help" in data else None,
        required=_flag(data, "required", at),
        stable=stable,
        concept=concept,
        options=options,
        choices=frozenset(option.code for option in options),
        when=_condition(data["when"], f"{at}.when", earlier) if "when" in data else None,
        default=None,
        minimum=minimum,
        maximum=maximum,
        decimals=decimals,
        unit=unit,
        max_length=_whole(data, "max_length", at, 1, _LONGEST_ANSWER, 200),
        lines=_whole(data, "lines", at, 1, 10, 1),
        min_days=min_days,
        max_days=max_days,
    )
    default = _default(data, at, question)
    if stable is Stable.WHILE_DEFAULT and default is None:
        raise DefinitionError(f"{at}.stable", "'while_default' needs a default")
    return replace(question, default=default)


def _default(data: Mapping[str, Any], at: str, question: Question) -> Any:
    if "default" not in data:
        return None
    default, path = data["default"], f"{at}.default"
    if question.stable is Stable.NEVER:
        raise DefinitionError(path, "only a stable question may be preselected")
    if question.kind is Kind.YES_NO and isinstance(default, bool):
        return default
    if question.kind is Kind.SINGLE and isinstance(default, str) and question.option(default) is not None:
        return default
    if question.kind is Kind.REGION and isinstance(default, str) and regions.is_region(default):
        return default
    raise DefinitionError(path, "is not an answer to this question")


def _options(data: Mapping[str, Any], at: str, kind: Kind, concept: Concept | None) -> tuple[Option, ...]:
    if kind not in (Kind.SINGLE, Kind.MULTIPLE):
        return ()
    known = MEANINGS[concept].codes if concept is not None else None
    found: list[Option] = []
    for path, raw in _list(data.get("options"), f"{at}.options", _MOST_OPTIONS):
        option = _object(raw, path, _OPTION_KEYS)
        code = _key(option.get("code"), f"{path}.code")
        if any(code == other.code for other in found):
            raise DefinitionError(f"{path}.code", f"{code!r} is used twice")
        if known is not None and code not in known:
            raise DefinitionError(f"{path}.code", f"{code!r} is not in the provincial standard")
        exclusive = _flag(option, "exclusive", path)
        if exclusive and kind is not Kind.MULTIPLE:
            raise DefinitionError(f"{path}.exclusive", "means something for 'multiple' only")
        if concept is Concept.SYMPTOMS and exclusive != (code == "normal"):
            raise DefinitionError(f"{path}.exclusive", "of the symptoms exactly 'normal' is exclusive")
        found.append(Option(code, _labels(option.get("label"), f"{path}.label"), exclusive))
    return tuple(found)


def _condition(raw: Any, at: str, earlier: Mapping[str, Question], depth: int = 1) -> Mapping[str, Any]:
    if depth > _DEEPEST_CONDITION:
        raise DefinitionError(at, "is nested too deeply")
    if not isinstance(raw, dict):
        raise DefinitionError(at, "must be an object")
    for word in ("all", "any"):
        if word in raw:
            _object(raw, at, {word})
            return {
                word: [
                    _condition(part, path, earlier, depth + 1)
                    for path, part in _list(raw[word], f"{at}.{word}", _MOST_TESTS)
                ]
            }
    if "not" in raw:
        _object(raw, at, {"not"})
        return {"not": _condition(raw["not"], f"{at}.not", earlier, depth + 1)}
    _object(raw, at, {"question", "equals", "in", "has_any"})
    key = raw.get("question")
    # Only earlier questions: a person reads downwards, and a ring can never arise.
    if not isinstance(key, str) or key not in earlier:
        raise DefinitionError(f"{at}.question", "must name a question that stands before this one")
    asked = earlier[key]
    tests = [word for word in ("equals", "in", "has_any") if word in raw]
    if len(tests) != 1:
        raise DefinitionError(at, "needs exactly one of 'equals', 'in', 'has_any'")
    word = tests[0]
    if asked.kind is Kind.YES_NO:
        if word != "equals" or not isinstance(raw[word], bool):
            raise DefinitionError(at, "a yes-or-no question is tested by 'equals' true or false")
    elif asked.kind is Kind.SINGLE:
        codes = [raw[word]] if word == "equals" else raw[word]
        if word == "has_any" or not _known_codes(codes, asked):
            raise DefinitionError(at, "needs codes of that question's options")
    elif asked.kind is Kind.MULTIPLE:
        if word != "has_any" or not _known_codes(raw[word], asked):
            raise DefinitionError(at, "several choices are tested by 'has_any' and option codes")
    else:
        raise DefinitionError(f"{at}.question", "only choices and yes-or-no can be tested")
    return {"question": key, word: raw[word]}


def _known_codes(codes: Any, asked: Question) -> bool:
    return (
        isinstance(codes, list)
        and 0 < len(codes) <= _MOST_OPTIONS
        and all(isinstance(code, str) and asked.option(code) is not None for code in codes)
    )


def _object(raw: Any, at: str, allowed: set[str]) -> Mapping[str, Any]:
    if not isinstance(raw, dict):
        raise DefinitionError(at, "must be an object")
    for key in raw:
        if key not in allowed:
            raise DefinitionError(at, f"does not know {str(key)[:40]!r}")
    return raw


def _list(raw: Any, at: str, most: int) -> Iterator[tuple[str, Any]]:
    if not isinstance(raw, list) or not raw:
        raise DefinitionError(at, "must be a list with something in it")
    if len(raw) > most:
        raise DefinitionError(at, f"has more than {most} entries")
    return iter([(f"{at}[{index}]", item) for index, item in enumerate(raw)])


def _labels(raw: Any, at: str) -> Labels:
    labels = _object(raw, at, set(LANGUAGES))
    for language in LANGUAGES:
        text = labels.get(language)
        if not isinstance(text, str) or not text.strip():
            raise DefinitionError(f"{at}.{language}", "must be a text")
        if len(text) > _LONGEST_LABEL or not _clean(text):
            raise DefinitionError(f"{at}.{language}", "is too long or has unreadable characters")
    return MappingProxyType(dict(labels))


def _clean(text: str) -> bool:
    return all(character.isprintable() or character in "\n\u3000" for character in text) and not any(
        "\ud800" <= character <= "\udfff" for character in text
    )


def _key(raw: Any, at: str) -> str:
    if not isinstance(raw, str) or not _KEY.match(raw):
        raise DefinitionError(at, "must be a small ASCII word (a-z, 0-9, _), at most 40 letters")
    return raw


def _one_of(known: type[_Word], raw: Any, at: str) -> _Word:
    for word in known:
        if isinstance(raw, str) and word.value == raw:
            return word
    listed = ", ".join(str(word.value) for word in known)
    raise DefinitionError(at, f"must be one of: {listed}")


def _flag(data: Mapping[str, Any], name: str, at: str) -> bool:
    value = data.get(name, False)
    if not isinstance(value, bool):
        raise DefinitionError(f"{at}.{name}", "must be true or false")
    return value


def _is_int(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _whole(data: Mapping[str, Any], name: str, at: str, least: int, most: int, otherwise: int) -> int:
    value = data.get(name, otherwise)
    if not _is_int(value) or not least <= value <= most:
        raise DefinitionError(f"{at}.{name}", f"must be a whole number from {least} to {most}")
    return int(value)


def _number(data: Mapping[str, Any], name: str, at: str) -> Decimal | None:
    if name not in data:
        return None
    value = data[name]
    # Compared before it is converted: 10^400 and infinity never reach Decimal or float.
    if isinstance(value, bool) or not isinstance(value, int | float) or not -1e9 <= value <= 1e9:
        raise DefinitionError(f"{at}.{name}", "must be a number")
    return Decimal(str(value))
