"""Reports by the million, made inside the database: who is excused, everybody's habits, a day's reports and counters.

Chance is a hash of person, day and seed, so that any worker may make any day and the same seed makes the same rows.
Rates are those of the demo.  Nothing of it is Python: a day of a million people takes seconds.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Any

import psycopg

from anxiao.base.clock import moment_at
from anxiao.config.demo import history
from anxiao.ledger.rules import INSERT_ENTRIES
from anxiao.questionnaires.concepts import DIAGNOSES, ISOLATIONS, PERSON_TYPES, RETURN_PLANS, SYMPTOM_BITS
from anxiao.reporting.names import Channel, ExemptionReason
from anxiao.reporting.rules import OBSERVED_TYPES, Metric

GENERATED = "bench.generated"

_EPOCH = date(2000, 1, 1)
_DEADLINE, _LAST_MINUTE = history.DEADLINE, 1438.9
_EXCUSED, _REPORT_ALL_THE_SAME = 0.006, 0.15
_STRAYED, _EXPOSED, _ISOLATED, _HUBEI = 0.018, 0.0003, 0.0008, 0.002
_COLD_BEGINS = 0.014
"""Of four days; a cold lasts two to four of them, so about one percent are unwell at any time."""
_CITIES = (340200, 340300, 340500, 340800, 341000, 341100, 341200, 341300, 341500, 341600)
_PROVINCES = (310000, 320000, 330000, 360000, 370000, 410000, 420000)
_STRAYED_WHERE, _EXPOSED_WHERE = "上周五乘高铁往返省内，探亲", "同车厢有发热旅客，座位相隔三排"
_ISOLATED_WHERE = "家中单间，社区每日上门测温"
_PROXY_REASON, _CORRECTION_REASON = "本人手机无法使用，电话核实后代填", "体温填写有误"


@dataclass(frozen=True, slots=True)
class Day:
    """One day to be made."""

    day: date
    round_id: int
    campaign_id: int
    form_version_id: int


# --- chance ------------------------------------------------------------------------------------


def _hash(what: str, stream: int) -> str:
    """Sixty-three random bits for a bigint; ``stream`` tells purposes apart."""
    return f"(hashint8extended({what}, %(seed)s::bigint * 100 + {stream}) & 9223372036854775807)"


def _chance(bits: str, at: int) -> str:
    """One of 65,536 numbers, from sixteen of the bits; ``at`` is at most 47."""
    return f"(({bits} >> {at}) & 65535)"


def _share(probability: float) -> int:
    """The bound below which that share of the 65,536 numbers lies."""
    return round(probability * 65536)


def _pick(values: Sequence[object], number: str) -> str:
    return f"(ARRAY[{', '.join(map(str, values))}])[1 + mod({number}, {len(values)})]"


def _normal(bits: str, at: int) -> str:
    """About a standard normal number, from the sum of four bytes; ``at`` is at most 31."""
    total = " + ".join(f"(({bits} >> {at + 8 * i}) & 255)" for i in range(4))
    return f"(({total} - 510) / 147.8)"


def _then(inner: str, columns: str, where: str = "") -> str:
    """One step further: all columns so far and some more.  OFFSET 0 keeps the planner from computing a step twice."""
    return f"SELECT s.*, {columns} FROM ({inner} OFFSET 0) s {where}"


# --- people ------------------------------------------------------------------------------------

_KINDS = ", ".join(
    f"({number}, '{reason}', '{note}', {long})"
    for number, (reason, note, long) in enumerate(
        (
            (ExemptionReason.LEAVE.value, "事假", False),
            (ExemptionReason.LEAVE.value, "实习离校", False),
            (ExemptionReason.HOSPITAL.value, "骨折住院", False),
            (ExemptionReason.SUSPENDED.value, "休学", True),
            (ExemptionReason.ABROAD.value, "境外交流", True),
        )
    )
)

EXCUSES = f"""
INSERT INTO exemption (school_id, person_id, reason, note, valid_from, valid_to, created_by, created_at)
SELECT e.school_id, e.id, k.reason, k.note, e.since,
       e.since + CASE WHEN k.long THEN 60 ELSE 2 + mod({_chance("e.bits", 47)}, 7) END::int, o.user_id, %(now)s
FROM (
    SELECT p.school_id, p.id, p.bits, %(first)s::date + mod({_chance("p.bits", 16)}, %(span)s)::int AS since
    FROM (SELECT school_id, id, {_hash("id", 1)} AS bits FROM person OFFSET 0) p
    WHERE {_chance("p.bits", 0)} < {_share(_EXCUSED)}
) e
JOIN (VALUES {_KINDS}) AS k(number, reason, note, long) ON k.number = mod({_chance("e.bits", 32)}, 5)
JOIN unnest(%(schools)s::int[], %(officers)s::int[]) AS o(school_id, user_id) ON o.school_id = e.school_id
ORDER BY e.id
"""
"""Who is excused, when and why; granted by the officers of the schools."""

_KNOWN = f"""
SELECT p.school_id, p.id AS person_id, m.organisation_id, p.audience, f.id AS filler,
       {_hash("p.id", 2)} AS a, {_hash("p.id", 3)} AS b, {_hash("p.id", 4)} AS c
FROM person p
JOIN membership m ON m.person_id = p.id AND m.superseded_at IS NULL AND m.valid_to IS NULL
LEFT JOIN class_counsellor cc ON cc.organisation_id = m.organisation_id AND cc.valid_to IS NULL
LEFT JOIN account f ON f.person_id = cc.person_id
"""

_PLACED = _then(
    _KNOWN,
    f"""{_chance("s.a", 0)} AS kind, mod(s.b, 4) = 0 AS early,
    {_chance("s.b", 47)} < CASE WHEN s.audience = 1 THEN {_share(0.975)} ELSE {_share(0.45)} END AS at_school,
    {_chance("s.c", 0)} < {_share(_EXPOSED)} AS exposed, {_chance("s.c", 16)} < {_share(_ISOLATED)} AS isolated,
    {_chance("s.c", 32)} < {_share(_STRAYED)} AS strayed, {_chance("s.c", 47)} < {_share(_HUBEI)} AS hubei""",
)

_TRAVELLED = _then(
    _PLACED,
    f"""CASE WHEN NOT s.at_school AND (s.audience = 1 OR {_chance("s.b", 32)} < {_share(0.05)})
             THEN {_pick(_CITIES + _PROVINCES, _chance("s.c", 24))} ELSE 340100 END AS region""",
)

HABITS = f"""
CREATE TEMP TABLE habit AS
SELECT school_id, person_id, organisation_id, audience, filler, at_school, hubei, strayed, exposed, region,
       (CASE WHEN kind < {_share(0.58)} THEN 475 + 32 * {_normal("a", 16)}
             WHEN kind < {_share(0.86)} THEN 760 + 24 * {_normal("a", 16)}
             WHEN kind < {_share(0.94)} THEN 805 + {_chance("a", 16)} / 65536.0 * 30
             ELSE 390 + {_chance("a", 16)} / 65536.0 * 420 END)::float8 AS usual,
       (CASE WHEN kind < {_share(0.58)} THEN 14 WHEN kind < {_share(0.86)} THEN 16 WHEN kind < {_share(0.94)} THEN 9
             ELSE 70 END)::float8 AS spread,
       (CASE WHEN {_chance("b", 0)} < {_share(history.NEVER)} THEN 65536
             ELSE {_share(history.MISSING)} * {_pick((0.2, 0.2, 0.4, 0.7, 3.5), _chance("a", 47))} END)::int AS misses,
       ({_share(history.LATE)} * {_pick((0.3, 0.3, 0.6, 0.8, 3.0), _chance("b", 16))})::int AS lates,
       {_pick((362, 363, 364, 365, 365, 366, 367), _chance("c", 40))} AS warmth,
       (CASE WHEN isolated THEN {PERSON_TYPES["home_observation"]}
             WHEN NOT at_school AND region / 10000 <> 34 THEN {PERSON_TYPES["outside_anhui"]}
             WHEN early AND mod(b / 4, 2) = 0 THEN {PERSON_TYPES["returned_early_january"]}
             WHEN early THEN {PERSON_TYPES["returned_mid_january"]}
             ELSE {PERSON_TYPES["staying_in_anhui"]} END)::smallint AS person_type,
       (CASE WHEN at_school THEN NULL WHEN audience = 1 THEN {RETURN_PLANS["undecided"]}
             ELSE {RETURN_PLANS["not_this_term"]} END)::smallint AS return_plan,
       (CASE WHEN isolated THEN {ISOLATIONS["home"]} ELSE {ISOLATIONS["none"]} END)::smallint AS isolation,
       CASE WHEN strayed OR exposed OR isolated THEN jsonb_strip_nulls(jsonb_build_object(
           'left_region_detail', CASE WHEN strayed THEN '{_STRAYED_WHERE}' END,
           'contact_detail', CASE WHEN exposed THEN '{_EXPOSED_WHERE}' END,
           'isolation_place', CASE WHEN isolated THEN '{_ISOLATED_WHERE}' END)) END AS answers
FROM ({_TRAVELLED} OFFSET 0) s
ORDER BY person_id
"""
"""How everybody answers, the same every day: stable facts, usual minute of the day, reliability."""

ABOVE = """
CREATE TEMP TABLE above AS
WITH RECURSIVE up AS (
    SELECT id AS node_id, id AS above_id, parent_id, kind FROM organisation WHERE school_id <> 0
    UNION ALL
    SELECT up.node_id, o.id, o.parent_id, o.kind FROM up JOIN organisation o ON o.id = up.parent_id
    WHERE up.kind <> 'school'
)
SELECT node_id, above_id FROM up
"""
"""Every node with itself and the nodes above it, up to the school."""

# --- a day -------------------------------------------------------------------------------------

_PERSON_DAY = "h.person_id::bigint * 65536 + %(number)s"
_PERSON_FOUR_DAYS = "h.person_id::bigint * 65536 + (%(number)s + h.person_id) / 4"

_EXPECTED = f"""
SELECT h.*, e.person_id IS NOT NULL AS exempt, mod(%(number)s + h.person_id, 4) AS cold_day,
       {_hash(_PERSON_DAY, 11)} AS x, {_hash(_PERSON_DAY, 12)} AS y, {_hash(_PERSON_DAY, 13)} AS z,
       {_hash(_PERSON_FOUR_DAYS, 14)} AS cold
FROM habit h
LEFT JOIN exemption e ON e.person_id = h.person_id AND e.cancelled_at IS NULL
    AND e.valid_from <= %(day)s AND e.valid_to > %(day)s
"""

_COMING = _then(
    _EXPECTED,
    f"""{_chance("s.x", 16)} < s.lates * %(weekend_late)s::float8 AS dawdles, {_chance("s.y", 0)} AS door,
    {_chance("s.y", 16)} AS luck,
    s.usual + CASE WHEN s.usual < 600 THEN %(weekend_sleep)s ELSE 0 END + s.spread * {_normal("s.y", 31)}
        + ((s.z >> 40) & 1048575) / 1048576.0 * 0.01 AS minute""",
    f"""WHERE {_chance("s.x", 0)} >= CASE WHEN s.exempt THEN {_share(1 - _REPORT_ALL_THE_SAME)}
                                        ELSE s.misses * %(weekend_missing)s::float8 END""",
)

_ANSWERING = _then(
    _COMING,
    f"""(CASE WHEN s.dawdles
              THEN least({_DEADLINE} - 110 * ln(({_chance("s.x", 32)} + 1) / 65536.0::float8), {_LAST_MINUTE})
              WHEN s.minute >= 5 AND s.minute < {_DEADLINE} - 0.001 THEN s.minute
              ELSE {_DEADLINE} - 0.1 - {_chance("s.x", 47)} / 65536.0 * 40 END)::float8 AS first,
    (CASE WHEN {_chance("s.z", 16)} < {_share(history.FEVER_ALONE)} THEN {SYMPTOM_BITS["fever"]}
          WHEN {_chance("s.cold", 0)} < {_share(_COLD_BEGINS)} AND s.cold_day < 2 + mod({_chance("s.cold", 16)}, 3)
          THEN {SYMPTOM_BITS["cold"]} | {
        _pick(
            (0, 0, SYMPTOM_BITS["dry_cough"], SYMPTOM_BITS["headache"], SYMPTOM_BITS["fatigue"]),
            _chance("s.cold", 32),
        )
    }
          ELSE 0 END)::int AS symptoms,
    (CASE WHEN s.door < {_share(history.PROXIES)} AND s.filler IS NOT NULL THEN {Channel.PROXY.value}
          WHEN s.door > {_share(0.95)} THEN {Channel.FORM.value} ELSE {
        Channel.PHONE.value
    } END)::smallint AS channel""",
)

_JUDGED = _then(
    _ANSWERING,
    f"""s.first >= {_DEADLINE} AS late,
    CASE WHEN s.luck < {_share(history.CORRECTIONS)} AND s.symptoms = 0 AND s.first < 1400
         THEN 2 ELSE 1 END AS versions,
    CASE WHEN s.symptoms & {SYMPTOM_BITS["fever"]} <> 0 THEN 373 + mod({_chance("s.z", 24)}, 10)
         WHEN s.symptoms <> 0 THEN s.warmth + 1 + mod({_chance("s.z", 24)}, 5)
         ELSE s.warmth + mod({_chance("s.z", 24)}, 3) END AS temperature""",
)

_VERSIONED = _then(_JUDGED, "generate_series(1, s.versions) AS version")

_TOLD = _then(
    _VERSIONED,
    """s.version < s.versions AS mistyped,
    s.first + CASE WHEN s.version > 1 THEN 2 + s.luck / 65536.0::float8 * 30 ELSE 0 END AS at""",
)

_COLUMNS: Mapping[str, str] = {
    "received_at": "%(midnight)s::timestamptz + make_interval(secs => s.at * 60)",
    "key": "encode(int8send(s.x + s.version) || int8send(s.y), 'hex')::uuid",
    "school_id": "s.school_id",
    "day": "%(day)s::date",
    "round_id": "%(round)s::int",
    "person_id": "s.person_id",
    "organisation_id": "s.organisation_id",
    "form_version_id": "%(form_version)s::int",
    "by_user_id": f"CASE WHEN s.channel = {Channel.PROXY.value} THEN s.filler ELSE 0 END",
    "symptoms": "s.symptoms",
    "region": "s.region",
    "version": "s.version::smallint",
    "audience": "s.audience",
    "channel": "s.channel",
    "person_type": "s.person_type",
    "temperature_tenths": f"(CASE WHEN s.mistyped THEN {history.TYPED_WRONG} ELSE s.temperature END)::smallint",
    "return_plan": "s.return_plan",
    "isolation": "s.isolation",
    "diagnosis": f"{DIAGNOSES['none']}::smallint",
    "is_current": "NOT s.mistyped",
    "late": "s.late",
    "unwell": "s.symptoms <> 0 OR s.mistyped",
    "fever": f"s.symptoms & {SYMPTOM_BITS['fever']} <> 0 OR s.mistyped",
    "at_school": "s.at_school",
    "left_region": "s.strayed",
    "crossed_border": "false",
    "contact": "s.exposed",
    "hubei": "s.hubei",
    "reason": (
        f"CASE WHEN s.version > 1 THEN '{_CORRECTION_REASON}' "
        f"WHEN s.channel = {Channel.PROXY.value} THEN '{_PROXY_REASON}' END"
    ),
    "answers": "s.answers",
}

DAY = f"""
CREATE TEMP TABLE told ON COMMIT DROP AS
SELECT {", ".join(f"{sql} AS {name}" for name, sql in _COLUMNS.items())}, s.exempt, floor(s.at / 60)::int AS hour
FROM ({_TOLD} OFFSET 0) s
"""

# In the order of arrival, as the doors would have written them.
WRITE = f"INSERT INTO report ({', '.join(_COLUMNS)}) SELECT {', '.join(_COLUMNS)} FROM told ORDER BY received_at"

_METRICS: Sequence[tuple[Metric, str, str]] = (
    (Metric.EXEMPT_REPORTED, "0", "version = 1 AND exempt"),
    (Metric.LATE, "hour", "version = 1 AND NOT exempt AND late"),
    (Metric.ON_TIME, "hour", "version = 1 AND NOT exempt AND NOT late"),
    (Metric.PROXY, "0", f"version = 1 AND channel = {Channel.PROXY.value}"),
    (Metric.UNWELL, "0", "is_current AND unwell"),
    (Metric.FEVER, "0", "is_current AND fever"),
    (Metric.SUSPECTED, "0", f"is_current AND diagnosis = {DIAGNOSES['suspected']}"),
    (Metric.CONFIRMED, "0", f"is_current AND diagnosis = {DIAGNOSES['confirmed']}"),
    (
        Metric.ISOLATED,
        "0",
        f"is_current AND (isolation > 0 OR person_type IN ({', '.join(map(str, OBSERVED_TYPES))}))",
    ),
    (Metric.CONTACT, "0", "is_current AND contact"),
)

COUNT = f"""
INSERT INTO tally (school_id, node_id, day, series, audience, metric, slot, n)
SELECT g.school_id, u.above_id, %(day)s, %(campaign)s, g.audience, m.metric, m.slot, sum(m.n)
FROM (
    SELECT school_id, organisation_id, audience, hour,
           {", ".join(f"count(*) FILTER (WHERE {where}) AS n{metric.value}" for metric, _, where in _METRICS)}
    FROM told GROUP BY school_id, organisation_id, audience, hour
) g
CROSS JOIN LATERAL (VALUES {", ".join(f"({m.value}, {slot}, n{m.value})" for m, slot, _ in _METRICS)})
    AS m(metric, slot, n)
JOIN above u ON u.node_id = g.organisation_id
WHERE m.n > 0
GROUP BY g.school_id, u.above_id, g.audience, m.metric, m.slot
ORDER BY g.school_id, u.above_id, g.audience, m.metric, m.slot
"""

SIGN = "SELECT school_id, count(*), to_hex(bit_xor(uuid_hash_extended(key, 0))) FROM told GROUP BY school_id ORDER BY 1"


def prepare(connection: psycopg.Connection, seed: int) -> None:
    """Habits of everybody, in a table that this connection alone sees and that goes with it."""
    connection.execute(HABITS, {"seed": seed})
    connection.execute(ABOVE)
    connection.execute("ANALYZE habit, above")


def make_day(connection: psycopg.Connection, day: Day, *, now: datetime, seed: int) -> int:
    """One day of everybody: reports, counters and a ledger row a school, in one transaction.  Returns how many reports.

    The counters go into the tally as they will stand after folding; the day must not have been counted before.
    """
    weekend = day.day.weekday() >= 5
    facts = {
        "seed": seed,
        "day": day.day,
        "number": (day.day - _EPOCH).days,
        "midnight": moment_at(day.day, time(0)),
        "round": day.round_id,
        "campaign": day.campaign_id,
        "form_version": day.form_version_id,
        "weekend_missing": history.WEEKEND_MISSING if weekend else 1.0,
        "weekend_late": history.WEEKEND_LATE if weekend else 1.0,
        "weekend_sleep": history.WEEKEND_SLEEP if weekend else 0,
    }
    with connection.transaction():
        connection.execute(DAY, facts)
        connection.execute("ANALYZE told")
        written = connection.execute(WRITE).rowcount
        connection.execute(COUNT, facts)
        signed = connection.execute(SIGN).fetchall()
        connection.execute(INSERT_ENTRIES, _entries(signed, day, now))
    return written


def _entries(signed: Sequence[tuple[int, int, str]], day: Day, now: datetime) -> dict[str, list[Any]]:
    """One ledger row for each school: how many reports, and the sum of their keys."""
    n = len(signed)
    return {
        "schools": [school for school, _, _ in signed],
        "ats": [now] * n,
        "actor_ids": [0] * n,
        "actors": ["bench"] * n,
        "verbs": [GENERATED] * n,
        "types": ["round"] * n,
        "ids": [str(day.round_id)] * n,
        "outcomes": ["done"] * n,
        "facts": [json.dumps({"day": str(day.day), "reports": count, "digest": keys}) for _, count, keys in signed],
    }
