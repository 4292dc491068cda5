"""The self-check as a page: what is asked openly, what hides behind "same as last time".

The same page works without JavaScript; with it, questions that do not apply disappear. A carried answer never reaches
the page: its question shows "same as last time", and only a fresh choice travels back.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

from django.http import QueryDict

from anxiao.questionnaires.compiled import Compiled, Question, holds, words
from anxiao.questionnaires.names import Kind, Stable
from anxiao.questionnaires.rules import conditions_beside


@dataclass(frozen=True, slots=True)
class Choice:
    """One option as shown."""

    code: str
    label: str
    chosen: bool
    exclusive: bool = False


@dataclass(frozen=True, slots=True)
class Group:
    """Options under one heading of a long list."""

    label: str
    choices: Sequence[Choice]


@dataclass(frozen=True, slots=True)
class Field:
    """One question as shown."""

    key: str
    kind: str
    label: str
    help: str
    required: bool
    when: str
    applies: bool
    carried: bool
    value: str
    choices: Sequence[Choice] = ()
    groups: Sequence[Group] = ()
    unit: str = ""
    lines: int = 1
    max_length: int = 0
    earliest: str = ""
    latest: str = ""
    wide: bool = False
    error: str = ""


@dataclass(frozen=True, slots=True)
class Block:
    """Questions under one heading."""

    title: str
    fields: Sequence[Field]

    @property
    def applies(self) -> bool:
        return any(field.applies for field in self.fields)


@dataclass(frozen=True, slots=True)
class Page:
    """The form: asked openly, and folded away."""

    blocks: Sequence[Block]
    same: Sequence[Field] = ()
    #: Labels of what "same as last time" covers, in one line.
    same_line: str = ""
    whole_errors: Sequence[str] = field(default_factory=tuple)

    @property
    def same_has_errors(self) -> bool:
        return any(field.error for field in self.same)

    @property
    def has_errors(self) -> bool:
        shown = [field for block in self.blocks for field in block.fields]
        return bool(self.whole_errors) or any(field.error for field in [*shown, *self.same])


def answers_from_post(compiled: Compiled, post: QueryDict) -> dict[str, Any]:
    """What a plain HTML form says, in the judge's words. Blank fields are left out."""
    answers: dict[str, Any] = {}
    for question in compiled.questions.values():
        if question.kind is Kind.MULTIPLE:
            codes = [code for code in post.getlist(question.key) if code]
            if codes:
                answers[question.key] = codes
            continue
        value = post.get(question.key, "").strip()
        if value:
            answers[question.key] = (
                {"true": True, "false": False}.get(value, value) if (question.kind is Kind.YES_NO) else value
            )
    return answers


def page_of(
    compiled: Compiled,
    language: str,
    today: date,
    *,
    carried: Mapping[str, Any],
    given: Mapping[str, Any] | None = None,
    errors: Mapping[str, str] | None = None,
) -> Page:
    """Lay the form out. ``given`` is what the person just sent and gets back with ``errors`` beside the fields."""
    errors = errors or {}
    known = {**carried, **(given or {})}
    if given is None and not carried:
        known |= {q.key: q.default for q in compiled.questions.values() if q.default is not None}
    conditions = conditions_beside(compiled, carried)
    open_keys = _asked_openly(compiled, carried)
    same: list[Field] = []
    blocks: list[Block] = []
    form = compiled.client_form(language)
    applying: dict[str, Any] = {}
    for section, shown_section in zip(compiled.sections, form["sections"], strict=True):
        fields: list[Field] = []
        for question, shown in zip(section.questions, shown_section["questions"], strict=True):
            applies = holds(question.when, applying)
            if applies and question.key in known:
                applying[question.key] = known[question.key]
            built = _field(
                question,
                shown,
                today,
                condition=conditions.get(question.key),
                applies=applies,
                carried=question.key in carried,
                value=(given or {}).get(question.key, None if carried else question.default),
                error=errors.get(question.key, ""),
            )
            (fields if question.key in open_keys else same).append(built)
        if fields:
            blocks.append(Block(shown_section["title"], fields))
    labels = [words(compiled.questions[key].label, language) for key in carried]
    line = ("、" if language.startswith("zh") else ", ").join(labels)
    return Page(blocks, same, line, [text for key, text in errors.items() if key not in compiled.questions])


def _asked_openly(compiled: Compiled, carried: Mapping[str, Any]) -> set[str]:
    """Not carried, and not a mere consequence of a carried answer that stays as it is."""
    asked: set[str] = set()
    for question in compiled.questions.values():
        if question.key in carried:
            continue
        if carried and question.stable is not Stable.NEVER and not question.required:
            # Left blank last time and free to stay so: it belongs to what has not changed.
            continue
        if question.when is None or holds(question.when, carried) or _tested(question.when) <= asked:
            asked.add(question.key)
    return asked


def _tested(condition: Mapping[str, Any]) -> set[str]:
    for word in ("all", "any"):
        if word in condition:
            return set().union(*(_tested(part) for part in condition[word]))
    if "not" in condition:
        return _tested(condition["not"])
    return {condition["question"]}


def _field(
    question: Question,
    shown: Mapping[str, Any],
    today: date,
    *,
    condition: Mapping[str, Any] | None,
    applies: bool,
    carried: bool,
    value: Any,
    error: str,
) -> Field:
    chosen = value if isinstance(value, list) else [value]
    choices: list[Choice] = []
    groups: list[Group] = []
    if question.kind is Kind.REGION:
        by_heading: dict[str, list[Choice]] = {}
        for option in shown["options"]:
            by_heading.setdefault(option["group"], []).append(
                Choice(option["code"], option["label"], option["code"] in chosen)
            )
        groups = [Group(heading, listed) for heading, listed in by_heading.items()]
    else:
        choices = [
            Choice(option["code"], option["label"], option["code"] in chosen, option.get("exclusive", False))
            for option in shown.get("options", ())
        ]
    if isinstance(value, bool):
        text = "true" if value else "false"
    else:
        text = value if isinstance(value, str) else "" if value is None or isinstance(value, list) else str(value)
    return Field(
        key=question.key,
        kind=question.kind.value,
        label=shown["label"],
        help=shown.get("help", ""),
        required=question.required,
        when=json.dumps(condition, separators=(",", ":")) if condition is not None else "",
        applies=applies,
        carried=carried,
        value=text,
        choices=choices,
        groups=groups,
        unit=question.unit,
        lines=question.lines,
        max_length=question.max_length if question.kind is Kind.TEXT else 0,
        earliest=_day(today, question.min_days),
        latest=_day(today, question.max_days),
        # Short options stand two in a row; one long label and all stand alone.
        wide=any(len(choice.label) > (6 if not choice.label.isascii() else 22) for choice in choices),
        error=error,
    )


def _day(today: date, days: int) -> str:
    return "" if abs(days) >= 36500 else (today + timedelta(days=days)).isoformat()
