"""Accepting reports: the one story that both doors tell, without a database driver in it.

``accept`` is a generator: it yields statements and is sent their rows.  Django's commands drive it with a cursor, the
intake door with an asynchronous connection; the order of locks, reads and writes is the same for both.  The driver
has opened the transaction and set the scope; it commits, and only then may anybody be told an outcome.
"""

from __future__ import annotations

import json
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from anxiao.ledger.rules import INSERT_ENTRIES
from anxiao.questionnaires.concepts import COLUMNS
from anxiao.reporting.rules import (
    Receipt,
    RoundTimes,
    deltas_of_correction,
    deltas_of_report,
    is_late,
    is_open,
    receipt_of,
)
from anxiao.statistics.rules import INSERT_DELTAS, Delta, delta_arrays

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


@dataclass(frozen=True, slots=True)
class Draft:
    """A judged report on its way into the table.  ``typed`` has every column of ``concepts.COLUMNS``."""

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


@dataclass(frozen=True, slots=True)
class Accepted:
    """What became of a draft.  ``row`` is the report as stored (the standing one, when the draft was refused)."""

    result: Result
    receipt: Receipt | None = None
    row: Mapping[str, Any] = field(default_factory=dict)

    @property
    def stands(self) -> bool:
        return self.result in (Result.ACCEPTED, Result.REPEATED)


Statement = tuple[str, Mapping[str, Any]]
Rows = Sequence[Mapping[str, Any]]

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

LOCK = "SELECT pg_advisory_xact_lock_shared(%(lock)s, %(school)s)"

FACTS = """
SELECT p.school_id, p.id AS person_id, p.audience, m.organisation_id, c.id AS campaign_id, r.id AS round_id,
       r.opens_at, r.deadline_at, r.closes_at, p.audience = ANY(c.audiences) AS asked, e.id IS NOT NULL AS exempt
FROM unnest(%(schools)s::int[], %(persons)s::int[], %(rounds)s::int[]) AS d(school_id, person_id, round_id)
JOIN round r ON r.id = d.round_id
JOIN campaign c ON c.id = r.campaign_id
JOIN person p ON p.school_id = d.school_id AND p.id = d.person_id
JOIN membership m ON m.school_id = p.school_id AND m.person_id = p.id AND m.superseded_at IS NULL
    AND m.valid_from <= r.day AND (m.valid_to IS NULL OR m.valid_to > r.day)
LEFT JOIN exemption e ON e.school_id = p.school_id AND e.person_id = p.id AND e.cancelled_at IS NULL
    AND e.valid_from <= r.day AND e.valid_to > r.day
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
ON CONFLICT DO NOTHING RETURNING school_id, person_id, round_id, version
"""


def accept(drafts: Sequence[Draft]) -> Generator[Statement, Rows, list[Accepted]]:
    """Accept a batch of drafts; one outcome each, in their order.

    Locks the rosters (shared) > reads who these people are and what stands > writes reports, counters and ledger.
    """
    for school in sorted({d.school_id for d in drafts}):
        yield LOCK, {"lock": ROSTER_LOCK_CLASS, "school": school}
    for draft in drafts:
        if draft.correction:
            # two corrections at once: the second waits here and then reads the first one's version
            yield LOCK_STANDING, _where(draft)
    facts = {_person(f): f for f in (yield FACTS, _arrays(drafts))}
    standing = _by_person((yield STANDING, _arrays(drafts)))

    rows: list[dict[str, Any]] = []
    writers: dict[tuple[int, int, int], Draft] = {}
    writing: set[int] = set()
    outcomes: dict[int, Accepted] = {}
    for i, draft in enumerate(drafts):
        who = (draft.school_id, draft.person_id, draft.round_id)
        if who in writers:
            continue  # a second draft of the same person in this batch: answered below, from what then stands
        refusal = _refusal(draft, facts.get(who), standing.get(who, ()))
        if refusal is not None:
            outcomes[i] = refusal
            continue
        rows.append(_row(draft, facts[who], standing.get(who, ())))
        writers[who] = draft
        writing.add(i)

    written: set[tuple[int, int, int]] = set()
    if rows:
        for draft in writers.values():
            if draft.correction:
                yield RETIRE, {**_where(draft), "version": standing[_who(draft)][-1]["version"]}
        written = {_person(r) for r in (yield INSERT_REPORTS, _columns(rows))}
        done = [row for row in rows if _person(row) in written]
        yield from _count(done, writers, facts, standing)
        yield from _enter(done, writers)

    by_person = {_person(row): row for row in rows}
    late_comers = [d for d in drafts if _who(d) in writers and _who(d) not in written]
    if late_comers:  # somebody else's commit came between our look and our insert
        standing = {**standing, **_by_person((yield STANDING, _arrays(late_comers)))}
    for i, draft in enumerate(drafts):
        if i in outcomes:
            continue
        who = _who(draft)
        if who in written and i in writing:
            outcomes[i] = Accepted(Result.ACCEPTED, receipt_of(by_person[who]), by_person[who])
        else:
            outcomes[i] = _second(draft, (by_person[who],) if who in written else standing[who])
    return [outcomes[i] for i in range(len(drafts))]


def _refusal(draft: Draft, facts: Mapping[str, Any] | None, standing: Rows) -> Accepted | None:
    if facts is None or not facts["asked"]:
        return Accepted(Result.NOT_EXPECTED)
    # what was acknowledged once is acknowledged again, also after the round has closed
    if standing and not draft.correction:
        return _second(draft, standing)
    if draft.correction:
        for row in standing:
            if row["key"] == draft.key:
                return _second(draft, standing)
        if not standing:
            return Accepted(Result.NOTHING_TO_CORRECT)
        return None
    times = RoundTimes(facts["opens_at"], facts["deadline_at"], facts["closes_at"])
    if is_open(times, draft.received_at):
        return None
    return Accepted(Result.NOT_OPEN if draft.received_at < times.opens_at else Result.CLOSED)


def _second(draft: Draft, standing: Rows) -> Accepted:
    """The answer to a report that comes again, or after another one."""
    for row in standing:
        if row["key"] == draft.key:
            same = all(row[c] == _value(draft.typed, c) for c in COLUMNS) and (row["answers"] or {}) == draft.answers
            return Accepted(Result.REPEATED if same else Result.KEY_REUSED, receipt_of(row), row)
    first = standing[0]
    return Accepted(Result.ALREADY, receipt_of(first), first)


def _row(draft: Draft, facts: Mapping[str, Any], standing: Rows) -> dict[str, Any]:
    first = standing[0] if standing else None
    times = RoundTimes(facts["opens_at"], facts["deadline_at"], facts["closes_at"])
    return {
        **{c: _value(draft.typed, c) for c in COLUMNS},
        "school_id": draft.school_id,
        "day": draft.day,
        "round_id": draft.round_id,
        "person_id": draft.person_id,
        "version": standing[-1]["version"] + 1 if standing else 1,
        "is_current": True,
        "late": first["late"] if first else is_late(times, draft.received_at),
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


def _count(
    done: Rows, writers: Mapping[tuple[int, int, int], Draft], facts: Mapping[Any, Any], standing: Mapping[Any, Rows]
) -> Generator[Statement, Rows, None]:
    deltas: list[Delta] = []
    for row in done:
        who = _person(row)
        series = facts[who]["campaign_id"]
        if row["version"] > 1:
            deltas += deltas_of_correction(standing[who][-1], row, series=series)
        else:
            deltas += deltas_of_report(row, series=series, exempt=facts[who]["exempt"], proxy=writers[who].proxy)
    arrays = delta_arrays(deltas)
    if arrays["ns"]:
        yield INSERT_DELTAS, arrays


def _enter(done: Rows, writers: Mapping[tuple[int, int, int], Draft]) -> Generator[Statement, Rows, None]:
    drafts = [writers[_person(row)] for row in done]
    yield (
        INSERT_ENTRIES,
        {
            "schools": [row["school_id"] for row in done],
            "ats": [row["received_at"] for row in done],
            "actor_ids": [d.by_user_id for d in drafts],
            "actors": [d.actor for d in drafts],
            "verbs": [_verb(d) for d in drafts],
            "types": ["report"] * len(done),
            "ids": [f"{r['day']}/{r['round_id']}/{r['person_id']}/{r['version']}" for r in done],
            "outcomes": ["done"] * len(done),
            "facts": [json.dumps({"digest": receipt_of(row).digest}) for row in done],
        },
    )


def _verb(draft: Draft) -> str:
    if draft.correction:
        return "report.corrected"
    return "report.proxied" if draft.proxy else "report.submitted"


def _columns(rows: Rows) -> dict[str, list[Any]]:
    columns = {name: [row[name] for row in rows] for name in REPORT_COLUMNS}
    columns["answers"] = [None if a is None else json.dumps(a, ensure_ascii=False) for a in columns["answers"]]
    return columns


def _arrays(drafts: Sequence[Draft]) -> dict[str, list[Any]]:
    # one element a person and round: a batch may hold the same person twice
    firsts = {(_who(d), d.day): d for d in drafts}.values()
    return {
        "schools": [d.school_id for d in firsts],
        "persons": [d.person_id for d in firsts],
        "rounds": [d.round_id for d in firsts],
        "days": [d.day for d in firsts],
    }


def _where(draft: Draft) -> dict[str, Any]:
    return {"school": draft.school_id, "day": draft.day, "round": draft.round_id, "person": draft.person_id}


def _who(draft: Draft) -> tuple[int, int, int]:
    return draft.school_id, draft.person_id, draft.round_id


def _person(row: Mapping[str, Any]) -> tuple[int, int, int]:
    return row["school_id"], row["person_id"], row["round_id"]


def _by_person(rows: Rows) -> dict[tuple[int, int, int], list[Mapping[str, Any]]]:
    found: dict[tuple[int, int, int], list[Mapping[str, Any]]] = {}
    for row in rows:
        found.setdefault(_person(row), []).append(row)
    return found
