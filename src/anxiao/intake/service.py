"""The story of a request, top to bottom: who holds the phone, what is asked, what was answered, what became of it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Any

from anxiao.base import tickets
from anxiao.base.clock import SHANGHAI, day_of
from anxiao.base.marking import gettext_noop as _
from anxiao.base.passes import Pass
from anxiao.base.tickets import Ticket
from anxiao.intake import meters, statements
from anxiao.intake.batches import Full, Unfinished
from anxiao.intake.database import Connection, rows, transaction
from anxiao.intake.door import Door
from anxiao.intake.earlier import Record
from anxiao.intake.http import Answer, Denied
from anxiao.intake.noted import note
from anxiao.intake.requests import Submission
from anxiao.questionnaires.rules import (
    Compiled,
    carry_over,
    conditions_beside,
    flags_of,
    judge,
    stable_labels,
)
from anxiao.reporting.rules import Receipt, RoundTimes, is_late, is_open, receipt_of
from anxiao.reporting.storage import MAKE_ROUNDS, Accepted, Draft, Result

#: ``reporting.names.Channel.PHONE``; that module needs Django. A test holds the two together.
PHONE = 1

_OLDEST_CAPTURE = timedelta(days=2)


async def today(door: Door, held: Pass, now: datetime, language: str, known_etag: str) -> dict[str, Any]:
    """What is asked of the holder today, where they stand, and a ticket for what they may send."""
    day = day_of(now)
    async with transaction(door.pool, held.school_id) as connection:
        holder = await _holder(connection, held)
        asked = await _rounds(connection, holder, day)
        if not asked:
            await connection.execute(MAKE_ROUNDS.encode(), {"day": day})
            asked = await _rounds(connection, holder, day)
        standing = [await _stands(connection, holder, found) for found in asked]
    shown = [
        await _shown(door, held, found, *stands, now, language, known_etag)
        for found, stands in zip(asked, standing, strict=True)
    ]
    return {"day": day.isoformat(), "now": _moment(now), "name": holder["name"], "rounds": shown}


async def form(door: Door, version: int, language: str) -> tuple[dict[str, Any], str]:
    """A form as phones read it, and its etag."""
    compiled = await door.forms.get(version)
    return compiled.client_form(language), compiled.etag(language)


async def submit(door: Door, held: Pass, sent: Submission, now: datetime, *, correction: bool) -> Answer:
    """Judge and keep a report or a correction; the answer is given after the commit."""
    ticket = await _ticket(door, held, sent, now, correction=correction)
    form = await door.forms.get(ticket.form_version)
    actor = await _actor(door, held) if correction else ""
    unfinished = sent.unchanged and isinstance(sent.answers, dict)

    def finish(before: Record | None) -> Draft:
        answers = {**_carried(form, before, ticket.day), **sent.answers} if unfinished else sent.answers
        return _judged(form, answers, held, ticket, sent, now, actor)

    try:
        outcome = await door.batches.settle(Unfinished(ticket, finish) if unfinished else finish(None))
    except Full:
        raise Denied(503, "busy", _("The platform is busy. Please try again in a moment.")) from None
    return await _answer(door, held, sent, now, outcome, form)


def _judged(
    form: Compiled, answers: Any, held: Pass, ticket: Ticket, sent: Submission, now: datetime, actor: str
) -> Draft:
    """The answers judged and on their way; ``Denied`` with a message for each field that is wrong."""
    verdict = judge(form, answers, ticket.day)
    if not verdict.ok:
        raise Denied(
            422,
            "invalid",
            _("Please look at the marked places."),
            problems=[
                {"field": p.field, "code": p.code, "message": p.message, "params": p.params} for p in verdict.problems
            ],
        )
    return Draft(
        school_id=ticket.school_id,
        person_id=ticket.person_id,
        day=ticket.day,
        round_id=ticket.round_id,
        key=sent.key,
        typed=verdict.typed,
        answers=verdict.extra,
        form_version_id=ticket.form_version,
        channel=PHONE,
        received_at=now,
        by_user_id=held.user_id,
        actor=actor,
        correction=ticket.version > 1,
        reason=sent.reason,
        captured_at=_believable(sent.captured_at, now),
        version=ticket.version,
    )


async def _ticket(door: Door, held: Pass, sent: Submission, now: datetime, *, correction: bool) -> Ticket:
    """The ticket, if it is this person's, for this round and form, and still fresh; else ``Denied``, and it is
    noted.
    """
    ticket = tickets.unseal(door.secret, sent.ticket)
    wrong = _wrong(ticket, held, sent, correction=correction)
    if ticket is None or wrong:
        await note(
            door.pool, held, now, "intake.refused", {"code": "ticket_wrong", "why": wrong, "round": sent.round_id}
        )
        raise Denied(
            403, "ticket_wrong", _("This page is no longer valid. Please open it again; what you typed is kept.")
        )
    if not ticket.is_fresh(now):
        await note(door.pool, held, now, "intake.refused", {"code": "ticket_expired", "round": sent.round_id})
        raise Denied(403, "ticket_expired", _("This page has been open for a long time. It is renewed by itself."))
    return ticket


def _wrong(ticket: Ticket | None, held: Pass, sent: Submission, *, correction: bool) -> str:
    if ticket is None:
        return "missing" if not sent.ticket else "forged"
    if (ticket.person_id, ticket.school_id) != (held.person_id, held.school_id):
        return "person"
    if ticket.round_id != sent.round_id:
        return "round"
    if ticket.form_version != sent.form_version:
        return "form"
    return "" if correction == (ticket.version > 1) else "version"


_NOTED = (Result.REPEATED, Result.ALREADY, Result.KEY_REUSED)


async def _answer(door: Door, held: Pass, sent: Submission, now: datetime, outcome: Accepted, form: Compiled) -> Answer:
    if outcome.result in _NOTED:
        verb = "intake.repeated" if outcome.result is Result.REPEATED else "intake.refused"
        await note(door.pool, held, now, verb, {"code": outcome.result.value, "round": sent.round_id})
    status, message = _OUTCOMES[outcome.result]
    receipt = None if outcome.receipt is None else receipt_json(outcome.receipt)
    if outcome.stands:
        (meters.accepted if outcome.result is Result.ACCEPTED else meters.repeated)()
        return Answer(status, {"receipt": receipt, "help": flags_of(form, outcome.row).needs_help})
    raise Denied(status, outcome.result.value, message, **({} if receipt is None else {"receipt": receipt}))


_OUTCOMES: Mapping[Result, tuple[int, str]] = {
    Result.ACCEPTED: (201, ""),
    Result.REPEATED: (200, ""),
    Result.ALREADY: (409, _("A report for today is already here. To change it, use “correct”.")),
    Result.KEY_REUSED: (409, _("This form was sent before with other answers. Please reload the page.")),
    Result.NOT_EXPECTED: (403, _("This person is not asked to report in this round.")),
    Result.NOT_OPEN: (422, _("This round is not open yet.")),
    Result.CLOSED: (422, _("This round has closed; a report can no longer be added.")),
    Result.NOTHING_TO_CORRECT: (422, _("There is no report to correct.")),
    Result.FORM_CHANGED: (422, _("The form has changed. Please reload the page; what you typed is kept.")),
    Result.HELD_UP: (503, _("The platform is busy. Please try again in a moment.")),
}


def receipt_json(receipt: Receipt) -> dict[str, Any]:
    """A receipt as it travels."""
    shown = {
        "number": receipt.number,
        "received_at": _moment(receipt.received_at),
        "digest": receipt.digest,
        "late": receipt.late,
        "version": receipt.version,
        "key": str(receipt.key),
    }
    return {**shown, "signature": receipt.signature} if receipt.signature else shown


async def _holder(connection: Connection, held: Pass) -> Mapping[str, Any]:
    params = {"user": held.user_id, "person": held.person_id, "school": held.school_id}
    found = await rows(connection, statements.HOLDER, params)
    if not found:
        raise Denied(401, "signed_out", _("Please sign in again."))
    return found[0]


async def _rounds(connection: Connection, holder: Mapping[str, Any], day: date) -> list[dict[str, Any]]:
    return await rows(connection, statements.ROUNDS_OF_DAY, {**_who(holder), "day": day})


async def _actor(door: Door, held: Pass) -> str:
    """The name that the ledger writes beside a correction; a plain report has no row of its own there."""
    async with transaction(door.pool) as connection:
        found = await rows(connection, statements.ACTOR, {"user": held.user_id})
    return str(found[0]["username"]) if found else ""


async def _stands(
    connection: Connection, holder: Mapping[str, Any], found: Mapping[str, Any]
) -> tuple[list[dict[str, Any]], bool]:
    """One's own versions, and whether one is exempt."""
    where = {**_who(holder), "day": found["day"], "round": found["id"]}
    own = await rows(connection, statements.OWN, where)
    exempt = [] if own else await rows(connection, statements.EXEMPT, where)
    return own, bool(exempt)


async def _shown(
    door: Door,
    held: Pass,
    found: Mapping[str, Any],
    own: list[dict[str, Any]],
    exempt: bool,
    now: datetime,
    language: str,
    known_etag: str,
) -> dict[str, Any]:
    form = await door.forms.get(found["version_id"])
    etag = form.etag(language)
    state = _state(found, bool(own), exempt, now)
    ticket = _new_ticket(held, found, len(own) + 1, now)
    shown: dict[str, Any] = {
        "id": found["id"],
        "title": found["title"] if language.startswith("zh") or not found["title_en"] else found["title_en"],
        "opens_at": _moment(found["opens_at"]),
        "deadline_at": _moment(found["deadline_at"]),
        "closes_at": _moment(found["closes_at"]),
        "state": state,
        "ticket": tickets.seal(door.secret, ticket) if state in _MAY_SEND else None,
        "form_version": found["version_id"],
        "form_etag": etag,
        "receipt": receipt_json(receipt_of(own[0])) if own else None,
        "correction": receipt_json(receipt_of(own[-1])) if len(own) > 1 else None,
        "unchanged": None,
    }
    if etag != known_etag:
        shown["form"] = form.client_form(language)
    before = own[-1] if own else await door.earlier.record(ticket)
    carried = _carried(form, before, found["day"])
    if before is not None and carried:
        shown["unchanged"] = {
            "labels": stable_labels(form, before, before["answers"] or {}, language, found["day"]),
            "carried": list(carried),
            "conditions": conditions_beside(form, carried),
        }
    return shown


#: An exempt person may report all the same; who has reported may correct.
_MAY_SEND = ("due", "overdue", "done", "exempt")


def _new_ticket(held: Pass, found: Mapping[str, Any], version: int, now: datetime) -> Ticket:
    at = int(now.timestamp())
    return Ticket(held.person_id, held.school_id, found["day"], found["id"], found["version_id"], version, at)


def _carried(form: Compiled, before: Mapping[str, Any] | None, day: date) -> dict[str, Any]:
    return carry_over(form, before, before["answers"] or {}, day) if before is not None else {}


def _state(found: Mapping[str, Any], done: bool, exempt: bool, now: datetime) -> str:
    times = RoundTimes(found["opens_at"], found["deadline_at"], found["closes_at"])
    if done:
        return "done"
    if exempt:
        return "exempt"
    if not is_open(times, now):
        return "waiting" if now < times.opens_at else "missed"
    return "overdue" if is_late(times, now) else "due"


def _believable(captured: datetime | None, now: datetime) -> datetime | None:
    """The phone's clock, kept only where it can be true; it never decides anything."""
    return captured if captured is not None and now - _OLDEST_CAPTURE <= captured <= now else None


def _who(holder: Mapping[str, Any]) -> dict[str, Any]:
    return {"school": holder["school_id"], "person": holder["person_id"], "audience": holder["audience"]}


def _moment(moment: datetime) -> str:
    return moment.astimezone(SHANGHAI).isoformat(timespec="seconds")
