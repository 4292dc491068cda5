"""Accepting reports: the one story that both doors tell, without a database driver in it.

``accept`` is a generator: it yields steps and is sent their rows.  Django's commands drive it with a cursor, the
intake door with an asynchronous connection in pipeline mode; the order of locks, reads and writes is the same for
both.  The driver has opened the transaction and set the scope; it commits, and only then may anybody be told an
outcome.
"""

from __future__ import annotations

import json
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from enum import StrEnum
from typing import Any, NamedTuple, TypeVar
from uuid import UUID

from anxiao.base import pgarrays
from anxiao.base.scope import SHARED_SCHOOL
from anxiao.base.signatures import Signer
from anxiao.ledger.rules import INSERT_ENTRIES, Entry, entry_arrays
from anxiao.questionnaires.concepts import COLUMNS
from anxiao.reporting.rules import (
    OWN_CHANNELS,
    Receipt,
    RoundTimes,
    deltas_of_correction,
    deltas_of_report,
    digest_of,
    is_late,
    is_open,
    receipt_of,
)
from anxiao.statistics.rules import INSERT_DELTAS, Delta, delta_arrays

T = TypeVar("T")

ROSTER_LOCK_CLASS = 41_001  # anxiao.base.locks.ROSTER, which needs Django; a test holds the two together


class Result(StrEnum):
    ACCEPTED = "accepted"
    REPEATED = "repeated"  # the same key again: the same receipt, nothing written
    ALREADY = "already"  # another report of this person stands for this round; its receipt is given
    NOT_EXPECTED = "not_expected"  # no membership on that day, or the campaign does not ask this person
    NOT_OPEN = "not_open"
    CLOSED = "closed"
    NOTHING_TO_CORRECT = "nothing_to_correct"
    KEY_REUSED = "key_reused"  # the same key with other answers
    FORM_CHANGED = "form_changed"  # judged by another version of the form than the round asks
    HELD_UP = "held_up"  # the roster of the school is being changed; only where the driver does not want to wait


@dataclass(slots=True)
class Draft:
    """A judged report on its way into the table.  ``typed`` has every column of ``concepts.COLUMNS``.

    ``version``: the one version that the sender's ticket is good for; None takes whichever comes next.
    """

    school_id: int
    person_id: int
    day: date
    round_id: int
    key: UUID
    typed: Mapping[str, Any]
    answers: Mapping[str, Any]
    form_version_id: int
    channel: int
    received_at: datetime
    by_user_id: int = 0
    actor: str = ""
    proxy: bool = False
    correction: bool = False
    reason: str | None = None
    captured_at: datetime | None = None
    version: int | None = None


@dataclass(frozen=True, slots=True)
class Accepted:
    """What became of a draft.  ``row`` is the report as stored (the standing one, when the draft was refused)."""

    result: Result
    receipt: Receipt | None = None
    row: Mapping[str, Any] = field(default_factory=dict)

    @property
    def stands(self) -> bool:
        return self.result in (Result.ACCEPTED, Result.REPEATED)


class Step(NamedTuple):
    """A statement on its way to a driver.  Rows nobody wants need not be waited for."""

    sql: str
    params: Mapping[str, Any]
    wanted: bool = True


Rows = Sequence[Mapping[str, Any]]
Story = Generator[Sequence[Step], Sequence[Rows], T]
"""Yields steps that may travel together and is sent the rows of each (none for unwanted ones)."""

MAKE_ROUNDS = """
WITH made AS (
    INSERT INTO round (campaign_id, day, version_id, opens_at, deadline_at, sheets_due_at, closes_at)
    SELECT c.id, %(day)s::date, v.id, (%(day)s::date + c.opens_at) AT TIME ZONE 'Asia/Shanghai',
           (%(day)s::date + c.deadline_at) AT TIME ZONE 'Asia/Shanghai',
           (%(day)s::date + c.sheets_due_at) AT TIME ZONE 'Asia/Shanghai',
           (%(day)s::date + 1)::timestamp AT TIME ZONE 'Asia/Shanghai'
    FROM campaign c
    JOIN LATERAL (SELECT id FROM questionnaire_version WHERE questionnaire_id = c.questionnaire_id
                  ORDER BY number DESC LIMIT 1) v ON true
    WHERE c.starts_on <= %(day)s AND (c.ends_on IS NULL OR c.ends_on >= %(day)s)
    ON CONFLICT DO NOTHING RETURNING id, campaign_id
)
INSERT INTO ledger_entry (school_id, at, actor_id, actor, verb, object_type, object_id, outcome, facts)
SELECT 0, now(), 0, 'house', 'round.opened', 'round', id::text, 'done', jsonb_build_object('campaign', campaign_id)
FROM made
ON CONFLICT DO NOTHING
"""
"""The rounds of a day, made by whoever needs them first, with their ledger rows.  Campaigns whose questionnaire was
never published have none.  Safe to run by many at once: the unique constraint decides."""

LOCK = "SELECT pg_advisory_xact_lock_shared(%(lock)s, school) FROM unnest(%(schools)s::int[]) AS school"

TRY_LOCK = """
SELECT school FROM unnest(%(schools)s::int[]) AS school WHERE NOT pg_try_advisory_xact_lock_shared(%(lock)s, school)
"""
"""The schools whose roster is being changed at this moment; the others are held."""

ROUNDS = """
SELECT r.id AS round_id, r.opens_at, r.deadline_at, r.closes_at, r.version_id, c.id AS campaign_id, c.audiences
FROM round r JOIN campaign c ON c.id = r.campaign_id WHERE r.id = ANY(%(rounds)s::int[])
"""
"""What the few rounds of a batch ask, read once and not beside every person."""

FACTS = """
SELECT p.school_id, p.id AS person_id, d.round_id, p.audience, m.organisation_id, e.id IS NOT NULL AS exempt,
       b.person_id IS NOT NULL AS begins
FROM unnest(%(schools)s::int[], %(persons)s::int[], %(persons)s::bigint[], %(rounds)s::int[], %(days)s::date[])
    AS d(school_id, id, person_id, round_id, day)
JOIN person p ON p.school_id = d.school_id AND p.id = d.id
JOIN membership m ON m.school_id = d.school_id AND m.person_id = d.person_id AND m.superseded_at IS NULL
    AND m.valid_from <= d.day AND (m.valid_to IS NULL OR m.valid_to > d.day)
LEFT JOIN exemption e ON e.school_id = d.school_id AND e.person_id = d.person_id AND e.cancelled_at IS NULL
    AND e.valid_from <= d.day AND e.valid_to > d.day
LEFT JOIN activation b ON b.school_id = d.school_id AND b.person_id = d.person_id AND NOT b.reported
"""
"""Who these people are, and who of them has never reported with their own hand.

Membership and exemption meet the person as bigint, which their exclusion constraints (GiST) cannot compare: the planner
holds those for as cheap as the plain indexes, and at a million people they cost three times as much.  The person
itself meets an int, or the planner would conclude from one to the other.
"""

STANDING = """
SELECT r.* FROM unnest(%(schools)s::int[], %(days)s::date[], %(rounds)s::int[], %(persons)s::int[])
    AS d(school_id, day, round_id, person_id)
JOIN report r ON r.school_id = d.school_id AND r.day = d.day AND r.round_id = d.round_id
    AND r.person_id = d.person_id
ORDER BY r.school_id, r.person_id, r.round_id, r.version
"""

LOCK_STANDING = """
SELECT version FROM report WHERE school_id = %(school)s AND day = %(day)s AND round_id = %(round)s
    AND person_id = %(person)s AND is_current FOR UPDATE
"""

RETIRE = """
UPDATE report SET is_current = false WHERE school_id = %(school)s AND day = %(day)s AND round_id = %(round)s
    AND person_id = %(person)s AND version = %(version)s AND is_current
"""
"""Only the version that was read: one that came meanwhile stays, and the insert then finds its place taken."""

_TYPES = {
    "temperature_tenths": "smallint",
    "symptoms": "int",
    "person_type": "smallint",
    "at_school": "boolean",
    "return_plan": "smallint",
    "return_on": "date",
    "region": "int",
    "left_region": "boolean",
    "crossed_border": "boolean",
    "contact": "boolean",
    "isolation": "smallint",
    "diagnosis": "smallint",
    "hubei": "boolean",
    "unwell": "boolean",
    "fever": "boolean",
    "school_id": "int",
    "day": "date",
    "round_id": "int",
    "person_id": "int",
    "version": "smallint",
    "is_current": "boolean",
    "late": "boolean",
    "audience": "smallint",
    "channel": "smallint",
    "organisation_id": "int",
    "form_version_id": "int",
    "by_user_id": "int",
    "received_at": "timestamptz",
    "captured_at": "timestamptz",
    "key": "uuid",
    "reason": "text",
    "answers": "jsonb",
}
REPORT_COLUMNS = tuple(_TYPES)

INSERT_REPORTS = f"""
INSERT INTO report ({", ".join(_TYPES)})
SELECT * FROM unnest({", ".join(f"%({name})s::{kind}[]" for name, kind in _TYPES.items())})
ON CONFLICT DO NOTHING RETURNING school_id, person_id, round_id
"""

BEGIN = """
UPDATE activation a SET reported = true
FROM unnest(%(schools)s::int[], %(persons)s::int[]) AS d(school_id, person_id)
WHERE a.school_id = d.school_id AND a.person_id = d.person_id AND NOT a.reported
"""
"""Whoever reported for the first time with their own hand; triggers count it.  Sent only where somebody begins."""

Who = tuple[int, int, int]
"""School, person, round."""


def accept(drafts: Sequence[Draft], signer: Signer, *, patient: bool = True) -> Story[list[Accepted]]:
    """Accept a batch of drafts; one outcome each, in their order.

    Locks the rosters (shared) > reads who these people are > writes reports, counters and ledger.  The ordinary report
    is written without a look at what stands: the primary key says no where something does, and only then it is read.
    An impatient driver is told which drafts are held up by a roster that is being changed, and keeps the others.
    """
    schools = sorted({d.school_id for d in drafts})
    locks = {"lock": ROSTER_LOCK_CLASS, "schools": pgarrays.plain(schools)}
    corrections = [d for d in drafts if d.correction]
    asking = Step(ROUNDS, {"rounds": pgarrays.plain(sorted({d.round_id for d in drafts}))})
    looks = [asking, Step(FACTS, _arrays(drafts))]
    if corrections:
        looks.append(Step(STANDING, _arrays(corrections)))
    held, *seen = yield [
        Step(LOCK, locks, wanted=False) if patient else Step(TRY_LOCK, locks),
        # two corrections at once: the second waits here and then reads the first one's version
        *(Step(LOCK_STANDING, _where(d), wanted=False) for d in corrections),
        *looks,
    ]
    asked, found, stood = (*seen[len(corrections) :], ())[:3]
    busy = {row["school"] for row in held}
    rounds = {row["round_id"]: row for row in asked}
    facts = {_person(f): f for f in found}
    standing = _by_person(stood)

    outcomes: dict[int, Accepted] = {}
    # drafts that something may stand in the way of, with the answer if nothing does
    open_questions: dict[int, Accepted] = {}
    rows: dict[Who, dict[str, Any]] = {}
    writers: dict[Who, int] = {}
    for i, draft in enumerate(drafts):
        who = _who(draft)
        stands = standing.get(who, ())
        if draft.school_id in busy:
            outcomes[i] = Accepted(Result.HELD_UP)
        elif repeated := _repeats(draft, stands):
            outcomes[i] = repeated
        elif who in writers:
            open_questions[i] = Accepted(Result.HELD_UP)
        elif (refusal := _refusal(draft, facts.get(who), rounds.get(draft.round_id), stands)) is None:
            rows[who] = _row(draft, facts[who], rounds[draft.round_id], stands)
            writers[who] = i
        elif refusal in (Result.NOT_OPEN, Result.CLOSED):
            # what was acknowledged once is acknowledged again, also after the round has closed
            open_questions[i] = Accepted(refusal)
        else:
            outcomes[i] = _first(stands) if refusal is Result.ALREADY else Accepted(refusal)

    written: set[Who] = set()
    if rows:
        retired = [drafts[i] for i in writers.values() if drafts[i].correction]
        *_, kept = yield [
            *(Step(RETIRE, {**_where(d), "version": standing[_who(d)][-1]["version"]}, wanted=False) for d in retired),
            Step(INSERT_REPORTS, _columns(list(rows.values()))),
        ]
        written = {_person(r) for r in kept}
    done = [rows[who] for who in rows if who in written]
    receipts, root = _signed(signer, done)
    for who, i in writers.items():
        if who in written:
            outcomes[i] = Accepted(Result.ACCEPTED, receipts[who], rows[who])
        else:  # somebody else's commit came between our look and our insert
            open_questions[i] = Accepted(Result.HELD_UP)

    last = [Step(STANDING, _arrays([drafts[i] for i in open_questions]))] if open_questions else []
    if done:
        authors = {who: drafts[i] for who, i in writers.items()}
        last += _counted(done, authors, facts, rounds, standing) + _entered(done, authors, receipts, root)
        last += _beginning(done, facts)
    answers = (yield last) if last else ()
    if open_questions:
        standing = _by_person(answers[0])
        for i, otherwise in open_questions.items():
            stands = standing.get(_who(drafts[i]), ())
            outcomes[i] = (_repeats(drafts[i], stands) or _first(stands)) if stands else otherwise
    return [_handed_out(outcomes[i], signer) for i in range(len(drafts))]


def _signed(signer: Signer, rows: Sequence[Mapping[str, Any]]) -> tuple[dict[Who, Receipt], str]:
    if not rows:
        return {}, ""
    digests = [digest_of(row) for row in rows]
    root, signatures = signer.sign(digests)
    return {
        _person(row): receipt_of(row, digest, signature)
        for row, digest, signature in zip(rows, digests, signatures, strict=True)
    }, root


def _handed_out(known: Accepted, signer: Signer) -> Accepted:
    """With its receipt signed; one that is handed out again is signed alone."""
    if known.receipt is None or known.receipt.signature:
        return known
    _, (signature,) = signer.sign([known.receipt.digest])
    return replace(known, receipt=known.receipt._replace(signature=signature))


def _refusal(
    draft: Draft, facts: Mapping[str, Any] | None, asked: Mapping[str, Any] | None, standing: Rows
) -> Result | None:
    if facts is None or asked is None or facts["audience"] not in asked["audiences"]:
        return Result.NOT_EXPECTED
    if draft.form_version_id != asked["version_id"]:
        return Result.FORM_CHANGED
    if draft.correction:
        if not standing:
            return Result.NOTHING_TO_CORRECT
        # the ticket was for another version: somebody has corrected in the meantime
        return Result.ALREADY if draft.version not in (None, standing[-1]["version"] + 1) else None
    times = _times(asked)
    if is_open(times, draft.received_at):
        return None
    return Result.NOT_OPEN if draft.received_at < times.opens_at else Result.CLOSED


def _repeats(draft: Draft, standing: Rows) -> Accepted | None:
    """The answer to a report that comes again under its key."""
    for row in standing:
        if row["key"] == draft.key:
            same = all(row[c] == _value(draft.typed, c) for c in COLUMNS) and (row["answers"] or {}) == draft.answers
            return Accepted(Result.REPEATED if same else Result.KEY_REUSED, receipt_of(row), row)
    return None


def _first(standing: Rows) -> Accepted:
    return Accepted(Result.ALREADY, receipt_of(standing[0]), standing[0])


def _times(asked: Mapping[str, Any]) -> RoundTimes:
    return RoundTimes(asked["opens_at"], asked["deadline_at"], asked["closes_at"])


def _row(draft: Draft, facts: Mapping[str, Any], asked: Mapping[str, Any], standing: Rows) -> dict[str, Any]:
    first = standing[0] if standing else None
    return {
        **{c: _value(draft.typed, c) for c in COLUMNS},
        "school_id": draft.school_id,
        "day": draft.day,
        "round_id": draft.round_id,
        "person_id": draft.person_id,
        "version": standing[-1]["version"] + 1 if standing else 1,
        "is_current": True,
        "late": first["late"] if first else is_late(_times(asked), draft.received_at),
        "audience": facts["audience"],
        "channel": draft.channel,
        "organisation_id": facts["organisation_id"],
        "form_version_id": draft.form_version_id,
        "by_user_id": draft.by_user_id,
        "received_at": draft.received_at,
        "captured_at": draft.captured_at,
        "key": draft.key,
        "reason": draft.reason,
        "answers": dict(draft.answers) or None,
    }


def _value(typed: Mapping[str, Any], column: str) -> Any:
    value = typed[column]
    return int(value) if column == "region" and value is not None else value


def _counted(
    done: Rows,
    authors: Mapping[Who, Draft],
    facts: Mapping[Who, Any],
    rounds: Mapping[int, Any],
    standing: Mapping[Who, Rows],
) -> list[Step]:
    deltas: list[Delta] = []
    for row in done:
        who = _person(row)
        series = rounds[row["round_id"]]["campaign_id"]
        if row["version"] > 1:
            deltas += deltas_of_correction(standing[who][-1], row, series=series)
        else:
            deltas += deltas_of_report(row, series=series, exempt=facts[who]["exempt"], proxy=authors[who].proxy)
    arrays = delta_arrays(deltas)
    return [Step(INSERT_DELTAS, arrays, wanted=False)] if deltas else []


def _beginning(done: Rows, facts: Mapping[Who, Any]) -> list[Step]:
    """In the order of people, so that two batches never wait for each other."""
    first = sorted(
        {_person(row)[:2] for row in done if row["channel"] in OWN_CHANNELS and facts[_person(row)]["begins"]}
    )
    if not first:
        return []
    schools, persons = zip(*first, strict=True)
    return [Step(BEGIN, {"schools": pgarrays.plain(schools), "persons": pgarrays.plain(persons)}, wanted=False)]


def _entered(done: Rows, authors: Mapping[Who, Draft], receipts: Mapping[Who, Receipt], root: str) -> list[Step]:
    """The ledger's rows: one for each correction and each report by another's hand, and one for all plain reports
    together.

    A plain report is its own record of who, when and by which way, and it cannot be changed; what the ledger adds is
    the root under which this batch was signed (docs/adr/0017).
    """
    entries = []
    plain = [row for row in done if row["version"] == 1 and not authors[_person(row)].proxy]
    if plain:
        schools = {row["school_id"] for row in plain}
        school = schools.pop() if len(schools) == 1 else SHARED_SCHOOL
        at = max(row["received_at"] for row in plain)
        facts = {"n": len(plain), "root": root}
        entries.append(Entry(school, at, 0, "house", "reports.accepted", "receipts", root[:60], facts))
    for row in done:
        draft = authors[_person(row)]
        if row["version"] > 1 or draft.proxy:
            verb = "report.corrected" if draft.correction else "report.proxied"
            name = f"{row['day']}/{row['round_id']}/{row['person_id']}/{row['version']}"
            digest = {"digest": receipts[_person(row)].digest}
            entries.append(
                Entry(row["school_id"], row["received_at"], draft.by_user_id, draft.actor, verb, "report", name, digest)
            )
    return [Step(INSERT_ENTRIES, entry_arrays(entries), wanted=False)]


def _columns(rows: Rows) -> dict[str, str]:
    columns = {}
    for name, kind in _TYPES.items():
        values = [row[name] for row in rows]
        if kind == "jsonb":
            values = [None if v is None else json.dumps(v, ensure_ascii=False) for v in values]
        columns[name] = pgarrays.texts(values) if kind in ("jsonb", "text") else pgarrays.plain(values)
    return columns


def _arrays(drafts: Sequence[Draft]) -> dict[str, str]:
    # one element a person and round: a batch may hold the same person twice
    firsts = {(_who(d), d.day): d for d in drafts}.values()
    return {
        "schools": pgarrays.plain([d.school_id for d in firsts]),
        "persons": pgarrays.plain([d.person_id for d in firsts]),
        "rounds": pgarrays.plain([d.round_id for d in firsts]),
        "days": pgarrays.plain([d.day for d in firsts]),
    }


def _where(draft: Draft) -> dict[str, Any]:
    return {"school": draft.school_id, "day": draft.day, "round": draft.round_id, "person": draft.person_id}


def _who(draft: Draft) -> Who:
    return draft.school_id, draft.person_id, draft.round_id


def _person(row: Mapping[str, Any]) -> Who:
    return row["school_id"], row["person_id"], row["round_id"]


def _by_person(rows: Rows) -> dict[Who, list[Mapping[str, Any]]]:
    found: dict[Who, list[Mapping[str, Any]]] = {}
    for row in rows:
        found.setdefault(_person(row), []).append(row)
    return found
