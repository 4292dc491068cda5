"""Taking a report in through Django's door: the plain form, a proxy's form, a correction."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection, transaction
from django.utils.translation import gettext as _

from anxiao.base.deployment import receipt_signer
from anxiao.base.errors import Invalid, NotYours, Refused
from anxiao.base.events import publish
from anxiao.base.permissions import Permission
from anxiao.base.scope import Scope
from anxiao.directory.access import may_reach
from anxiao.directory.models import Person
from anxiao.questionnaires.queries import compiled
from anxiao.questionnaires.rules import Verdict, explain, judge
from anxiao.reporting.models import Round
from anxiao.reporting.names import REPORT_ACCEPTED, Channel
from anxiao.reporting.storage import Accepted, Draft, Result, Rows, Step, Story, accept

LONGEST_REASON = 300

JSONB = 3802
"""Type number of jsonb in PostgreSQL's catalogue."""


def submit_report(
    *,
    by: Scope,
    round: Round,
    school_id: int,
    person_id: int,
    answers: Mapping[str, Any],
    key: UUID,
    now: datetime,
    channel: Channel = Channel.FORM,
    reason: str | None = None,
) -> Accepted:
    """Judge and keep one report.  Somebody else's hand (``by`` is not the person) makes it a proxy report.

    Raises ``Invalid`` with one message a field, or ``Refused`` when the round does not take it.
    """
    _check_hand(by, round, school_id, person_id, Permission.REPORT_PROXY)
    proxy = by.person_id != person_id
    reason = None if reason is None else reason.replace("\x00", "")[:LONGEST_REASON]
    verdict = _judged(round, answers, now)
    draft = _draft(by, round, school_id, person_id, verdict, key, now)
    return _settled(replace(draft, channel=Channel.PROXY if proxy else channel, proxy=proxy, reason=reason), by=by)


def correct_report(
    *,
    by: Scope,
    round: Round,
    school_id: int,
    person_id: int,
    answers: Mapping[str, Any],
    key: UUID,
    reason: str,
    now: datetime,
) -> Accepted:
    """Keep a later version with its reason and author; the first one stays visible."""
    _check_hand(by, round, school_id, person_id, Permission.REPORT_CORRECT)
    reason = reason.replace("\x00", "").strip()  # a sign that no text in the database can hold
    if not reason:
        raise Invalid({"reason": _("Please say why this is corrected.")})
    if len(reason) > LONGEST_REASON:
        raise Invalid({"reason": _("Please keep the reason within %(n)s characters.") % {"n": LONGEST_REASON}})
    verdict = _judged(round, answers, now)
    draft = _draft(by, round, school_id, person_id, verdict, key, now)
    channel = Channel.FORM if by.person_id == person_id else Channel.PROXY
    return _settled(replace(draft, channel=channel, correction=True, reason=reason), by=by)


def accept_drafts(drafts: Sequence[Draft]) -> list[Accepted]:
    """Drive ``storage.accept`` with Django's connection, in a transaction (or savepoint) of its own."""
    with transaction.atomic():
        return drive(accept(drafts, receipt_signer()))


def drive(story: Story[list[Accepted]]) -> list[Accepted]:
    """Run the steps of a story and send their rows back until it returns."""
    with connection.cursor() as cursor:
        try:
            steps = next(story)
            while True:
                steps = story.send([_rows(cursor, step) for step in steps])
        except StopIteration as end:
            result: list[Accepted] = end.value
            return result


def _rows(cursor: Any, step: Step) -> Rows:
    cursor.execute(step.sql, step.params)
    return [_row(cursor.description, values) for values in cursor.fetchall()] if step.wanted else []


def _row(description: Sequence[Any], values: Sequence[Any]) -> dict[str, Any]:
    # Django hands jsonb over as text; the story compares answers
    return {
        column.name: json.loads(value) if column.type_code == JSONB and isinstance(value, str) else value
        for column, value in zip(description, values, strict=True)
    }


def _check_hand(by: Scope, round: Round, school_id: int, person_id: int, permission: Permission) -> None:
    """One's own report is one's own; for anybody else's the permission must hold on the day of the round."""
    if by.person_id == person_id and by.school_id == school_id:
        return
    person = Person.objects.filter(school_id=school_id, pk=person_id).first()
    if person is None or not may_reach(by, person, round.day, permission):
        raise NotYours


def _judged(round: Round, answers: Mapping[str, Any], now: datetime) -> Verdict:
    verdict = judge(compiled(round.version), answers, round.day)
    if not verdict.ok:
        raise Invalid({p.field: explain(p, _) for p in verdict.problems})
    return verdict


def _draft(
    by: Scope, round: Round, school_id: int, person_id: int, verdict: Verdict, key: UUID, now: datetime
) -> Draft:
    return Draft(
        school_id=school_id,
        person_id=person_id,
        day=round.day,
        round_id=round.pk,
        key=key,
        typed=verdict.typed,
        answers=verdict.extra,
        form_version_id=round.version_id,
        channel=Channel.FORM,
        received_at=now,
        by_user_id=by.user_id,
        actor=by.username,
    )


def _settled(draft: Draft, *, by: Scope) -> Accepted:
    (outcome,) = accept_drafts([draft])
    if outcome.result is Result.ACCEPTED:
        publish(REPORT_ACCEPTED, school_id=draft.school_id, person_id=draft.person_id, round_id=draft.round_id)
    elif not outcome.stands:
        raise Refused(REFUSALS[outcome.result](), code=outcome.result)
    return outcome


REFUSALS = {
    Result.ALREADY: lambda: _("A report for today is already here. To change it, use “correct”."),
    Result.NOT_EXPECTED: lambda: _("This person is not asked to report in this round."),
    Result.NOT_OPEN: lambda: _("This round is not open yet."),
    Result.CLOSED: lambda: _("This round has closed; a report can no longer be added."),
    Result.NOTHING_TO_CORRECT: lambda: _("There is no report to correct."),
    Result.FORM_CHANGED: lambda: _("The form has changed. Please reload the page; what you typed is kept."),
    Result.HELD_UP: lambda: _("The platform is busy. Please try again in a moment."),
    Result.KEY_REUSED: lambda: _("This form was sent before with other answers. Please reload the page."),
}
