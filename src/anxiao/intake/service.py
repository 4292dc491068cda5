"""The story of a request, top to bottom: who holds the phone, what is asked, what was answered, what became of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from anxiao.base.clock import SHANGHAI, day_of
from anxiao.base.marking import gettext_noop as _
from anxiao.base.passes import Pass
from anxiao.intake import statements
from anxiao.intake.batches import Batches, Full, PassEnded
from anxiao.intake.database import Connection, Pool, rows, transaction
from anxiao.questionnaires.rules import (
    Compiled,
    carry_over,
    compile,
    conditions_beside,
    explain,
    flags_of,
    judge,
    stable_labels,
)
from anxiao.reporting.rules import Receipt, RoundTimes, is_late, is_open, receipt_of
from anxiao.reporting.storage import MAKE_ROUNDS, Accepted, Draft, Result

#: ``reporting.names.Channel.PHONE``; that module needs Django. A test holds the two together.
PHONE = 1

_FORMS: dict[tuple[int, str], Compiled] = {}
_MOST_FORMS = 64
_OLDEST_CAPTURE = timedelta(days=2)


class Denied(Exception):
    """An answer other than success: status, code, message (a msgid) and what goes with it."""

    def __init__(self, status: int, code: str, message: str, **more: Any) -> None:
        self.status = status
        self.code = code
        self.message = message
        self.more = more
        super().__init__(code)


@dataclass(frozen=True, slots=True)
class Submission:
    """A request to keep a report, its shape checked and its answers not yet judged."""

    round_id: int
    form_version: int
    key: UUID
    answers: Any
    unchanged: bool
    captured_at: datetime | None
    reason: str | None


async def today(pool: Pool, held: Pass, now: datetime, language: str, known_etag: str) -> dict[str, Any]:
    """What is asked of the holder today, and where they stand."""
    day = day_of(now)
    async with transaction(pool, held.school_id) as connection:
        holder = await _holder(connection, held)
        asked = await _rounds(connection, holder, day)
        if not asked:
            await rows(connection, MAKE_ROUNDS, {"day": day})
            asked = await _rounds(connection, holder, day)
        shown = [await _shown(connection, holder, found, now, language, known_etag) for found in asked]
    return {"day": day.isoformat(), "now": _moment(now), "name": holder["name"], "rounds": shown}


async def submit(
    pool: Pool,
    batches: Batches,
    held: Pass,
    sent: Submission,
    now: datetime,
    say: Callable[[str], str],
    *,
    correction: bool,
) -> tuple[int, dict[str, Any]]:
    """Judge and keep a report or a correction; returns status and body, after the commit."""
    async with transaction(pool, held.school_id) as connection:
        holder = await _holder(connection, held)
        found = await _one_round(connection, holder, sent.round_id)
        if sent.form_version != found["version_id"]:
            raise Denied(
                422, "form_changed", _("The form has changed. Please reload the page; what you typed is kept.")
            )
        form = await _form(connection, found["version_id"], found["etag"])
        answers = sent.answers
        if sent.unchanged and isinstance(answers, dict):
            where = {**_who(holder), "day": found["day"], "round": found["id"]}
            before = await (
                _corrected(connection, where, sent.key) if correction else _before(connection, where, found)
            )
            answers = {**_carried(form, before, found["day"]), **answers}
        verdict = judge(form, answers, found["day"])
        if not verdict.ok:
            raise Denied(
                422,
                "invalid",
                _("Please look at the marked places."),
                problems=[{"field": p.field, "code": p.code, "message": explain(p, say)} for p in verdict.problems],
            )
        draft = Draft(
            school_id=held.school_id,
            person_id=holder["person_id"],
            day=found["day"],
            round_id=found["id"],
            key=sent.key,
            typed=verdict.typed,
            answers=dict(verdict.extra),
            form_version_id=found["version_id"],
            channel=PHONE,
            received_at=now,
            by_user_id=holder["user_id"],
            actor=holder["username"],
            correction=correction,
            reason=sent.reason,
            captured_at=_believable(sent.captured_at, now),
        )
    # The connection is given back before the batch is joined: who waits for a commit holds none.
    try:
        outcome = await batches.settle(draft, held)
    except PassEnded:
        raise Denied(401, "signed_out", _("Please sign in again.")) from None
    except Full:
        raise Denied(503, "busy", _("The platform is busy. Please try again in a moment.")) from None
    return _answer(outcome, flags_of(form, outcome.row).needs_help if outcome.row else False)


def _answer(outcome: Accepted, needs_help: bool) -> tuple[int, dict[str, Any]]:
    status, message = _OUTCOMES[outcome.result]
    if outcome.stands and outcome.receipt is not None:
        return status, {"receipt": receipt_json(outcome.receipt), "help": needs_help}
    more = {} if outcome.receipt is None else {"receipt": receipt_json(outcome.receipt)}
    raise Denied(status, outcome.result.value, message, **more)


_OUTCOMES: Mapping[Result, tuple[int, str]] = {
    Result.ACCEPTED: (201, ""),
    Result.REPEATED: (200, ""),
    Result.ALREADY: (409, _("A report for today is already here. To change it, use “correct”.")),
    Result.KEY_REUSED: (409, _("This form was sent before with other answers. Please reload the page.")),
    Result.NOT_EXPECTED: (403, _("This person is not asked to report in this round.")),
    Result.NOT_OPEN: (422, _("This round is not open yet.")),
    Result.CLOSED: (422, _("This round has closed; a report can no longer be added.")),
    Result.NOTHING_TO_CORRECT: (422, _("There is no report to correct.")),
}


def receipt_json(receipt: Receipt) -> dict[str, Any]:
    """A receipt as it travels."""
    return {
        "number": receipt.number,
        "received_at": _moment(receipt.received_at),
        "digest": receipt.digest,
        "late": receipt.late,
        "version": receipt.version,
    }


async def _holder(connection: Connection, held: Pass) -> Mapping[str, Any]:
    found = await rows(connection, statements.HOLDER, {"user": held.user_id, "school": held.school_id})
    if (
        not found
        or not found[0]["is_active"]
        or found[0]["pass_version"] != held.version
        or found[0]["person_id"] != held.person_id
    ):
        raise Denied(401, "signed_out", _("Please sign in again."))
    return found[0]


async def _rounds(connection: Connection, holder: Mapping[str, Any], day: date) -> list[dict[str, Any]]:
    return await rows(connection, statements.ROUNDS_OF_DAY, {**_who(holder), "day": day})


async def _one_round(connection: Connection, holder: Mapping[str, Any], round_id: int) -> dict[str, Any]:
    found = await rows(connection, statements.ROUND, {**_who(holder), "round": round_id})
    if not found:
        raise Denied(404, "not_found", _("There is no such round for you."))
    return found[0]


async def _form(connection: Connection, version_id: int, etag: str) -> Compiled:
    """Compiled once a process; the digest is part of the key because a restored database may reuse an id."""
    known = _FORMS.get((version_id, etag))
    if known is None:
        (found,) = await rows(connection, statements.DEFINITION, {"version": version_id})
        known = compile(found["definition"])
        if len(_FORMS) >= _MOST_FORMS:
            _FORMS.clear()
        _FORMS[version_id, etag] = known
    return known


async def _corrected(connection: Connection, where: Mapping[str, Any], key: UUID | None) -> Mapping[str, Any] | None:
    """The version that a correction corrects: the last one, or, when the request comes again, the one before its own.

    So a repeated request is judged exactly like the one it repeats.
    """
    own = await rows(connection, statements.OWN, where)
    earlier = [row for row in own if row["version"] < _version_of(own, key)]
    return earlier[-1] if earlier else None


def _version_of(own: list[dict[str, Any]], key: UUID | None) -> int:
    return next((row["version"] for row in own if row["version"] > 1 and row["key"] == key), len(own) + 1)


async def _before(
    connection: Connection, where: Mapping[str, Any], found: Mapping[str, Any]
) -> Mapping[str, Any] | None:
    before = await rows(connection, statements.BEFORE, {**where, "questionnaire": found["questionnaire_id"]})
    return before[0] if before else None


async def _shown(
    connection: Connection,
    holder: Mapping[str, Any],
    found: Mapping[str, Any],
    now: datetime,
    language: str,
    known_etag: str,
) -> dict[str, Any]:
    form = await _form(connection, found["version_id"], found["etag"])
    where = {**_who(holder), "day": found["day"], "round": found["id"]}
    own = await rows(connection, statements.OWN, where)
    exempt = [] if own else await rows(connection, statements.EXEMPT, where)
    etag = form.etag(language)
    before = own[-1] if own else await _before(connection, where, found)
    shown: dict[str, Any] = {
        "id": found["id"],
        "title": found["title"] if language.startswith("zh") or not found["title_en"] else found["title_en"],
        "opens_at": _moment(found["opens_at"]),
        "deadline_at": _moment(found["deadline_at"]),
        "closes_at": _moment(found["closes_at"]),
        "state": _state(found, bool(own), bool(exempt), now),
        "form_version": found["version_id"],
        "form_etag": etag,
        "receipt": receipt_json(receipt_of(own[0])) if own else None,
        "correction": receipt_json(receipt_of(own[-1])) if len(own) > 1 else None,
        "unchanged": None,
    }
    if etag != known_etag:
        shown["form"] = form.client_form(language)
    carried = _carried(form, before, found["day"])
    if before is not None and carried:
        shown["unchanged"] = {
            "labels": stable_labels(form, before, before["answers"] or {}, language, found["day"]),
            "carried": list(carried),
            "conditions": conditions_beside(form, carried),
        }
    return shown


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
