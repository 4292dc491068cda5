"""Two weeks of reports as people really make them, written straight in COPY's format.

The figures aimed at: 3-5% late, 2-4% missing (more at weekends), 1-2% with a cold that lasts some days, one dormitory
floor in which fever spreads.  Nobody is suspected or confirmed: those are zero reports.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from random import Random

from anxiao.base.clock import SHANGHAI
from anxiao.config.demo import words
from anxiao.config.demo.population import Human, Stage, University
from anxiao.directory.names import Audience
from anxiao.questionnaires.concepts import ISOLATIONS, PERSON_TYPES, RETURN_PLANS, SYMPTOM_BITS
from anxiao.reporting.names import Channel, ExemptionReason

COLUMNS = (
    # of the moment and the round
    *("received_at", "key", "day", "round_id"),
    # of the person, the same every day
    *("school_id", "person_id", "organisation_id", "audience", "form_version_id", "region", "person_type"),
    *("return_plan", "at_school", "hubei", "left_region", "crossed_border", "contact", "diagnosis", "return_on"),
    # of this report
    *("version", "is_current", "late", "channel", "by_user_id", "reason"),
    *("symptoms", "temperature_tenths", "unwell", "fever", "isolation", "answers"),
)
"""In this order because most of a line is then the same text every day."""

DEADLINE = 14 * 60
"""Minutes of the day; the campaign's 14:00."""

LATE, MISSING, NEVER = 0.038, 0.026, 0.003
WEEKEND_MISSING, WEEKEND_LATE, WEEKEND_SLEEP = 1.7, 1.3, 55
COLD_BEGINS, COLD_LASTS = 0.0045, (2, 5)
FEVER_ALONE = 0.0004
PROXIES, CORRECTIONS = 0.004, 0.0012
CLUSTER = (2, 4, 7, 11)
"""People with fever on the floor, today last."""

TYPED_WRONG = 386
"""What somebody types who means 36.8; the correction puts it right."""

_CLOCK = [f"{minute // 60:02d}:{minute % 60:02d}" for minute in range(24 * 60)]
_PROXY_REASON, _CORRECTION_REASON = "本人手机无法使用，电话核实后代填", "体温填写有误"
_CITIES = (340200, 340300, 340500, 340800, 341000, 341100, 341200, 341300, 341500, 341600)
_PROVINCES = (310000, 320000, 330000, 360000, 370000, 410000, 420000)


@dataclass(slots=True)
class Habit:
    """How somebody answers: stable facts, usual time, reliability, and what they are ill with at the moment."""

    human: Human
    fixed: str
    """The middle of the line: everything that is the same every day."""
    isolation: int
    details: dict[str, str]
    answers: str
    minute: float
    spread: float
    misses: float
    lates: float
    temperature: int
    cold: int = 0
    cold_until: int = 0
    feverish_from: int = 0


@dataclass(frozen=True, slots=True)
class Day:
    """One day of the campaign: its round, and until which minute it has come."""

    day: date
    round_id: int
    minutes: float = 24 * 60.0


@dataclass(frozen=True, slots=True)
class Excuse:
    """An exemption; ``until`` is the first day on which the person is expected again."""

    person_id: int
    reason: ExemptionReason
    note: str
    since: date
    until: date


def days_of(rounds: Mapping[date, int], now: datetime) -> list[Day]:
    """The rounds as days, the last one only as far as it has come."""
    local = now.astimezone(SHANGHAI)
    passed = local.hour * 60 + local.minute
    return [
        Day(day, round_id, passed if day == local.date() else 24 * 60.0) for day, round_id in sorted(rounds.items())
    ]


def excuses_of(university: University, days: Sequence[Day], seed: int) -> list[Excuse]:
    """Half a percent of the people are excused for some of the days, some of them still today."""
    chance = words.stream(seed, f"excuses/{university.shape.code}")
    kinds = (
        (ExemptionReason.LEAVE, "事假"),
        (ExemptionReason.LEAVE, "实习离校"),
        (ExemptionReason.HOSPITAL, "骨折住院"),
        (ExemptionReason.SUSPENDED, "休学"),
        (ExemptionReason.ABROAD, "境外交流"),
    )
    found = []
    for human in university.people:
        if chance.random() >= 0.006:
            continue
        reason, note = chance.choice(kinds)
        since = days[0].day + timedelta(days=chance.randrange(len(days)))
        long = reason in (ExemptionReason.SUSPENDED, ExemptionReason.ABROAD)
        found.append(
            Excuse(human.id, reason, note, since, since + timedelta(days=60 if long else chance.randint(2, 8)))
        )
    return found


def report_lines(
    university: University,
    days: Sequence[Day],
    *,
    form_version_id: int,
    accounts: Mapping[int, int],
    excuses: Sequence[Excuse],
    silent: frozenset[int],
    stage: Stage | None,
    signed_at: Mapping[date, float],
    seed: int,
) -> Iterator[tuple[str, bool]]:
    """All reports of a university, day by day, each with whether it came after the day's sheet was signed.

    ``accounts`` gives the account of a person, for proxy reports; ``silent`` are those who have not reported on the
    last day and never miss one before, so that whoever signs in as one of them has something to do; ``signed_at`` are
    minutes of the day.
    """
    chance = words.stream(seed, f"reports/{university.shape.code}")
    habits = [_habit(human, university.school_id, form_version_id, chance) for human in university.people]
    _catch_colds(habits, days[0].day.toordinal(), chance)
    _spread_fever(habits, days, stage, chance)
    fillers = {class_id: accounts[h.id] for class_id, h in university.counsellor_of.items() if h.id in accounts}
    excused = {(e.person_id, o) for e in excuses for o in range(e.since.toordinal(), e.until.toordinal())}
    for day in days:
        cut = signed_at.get(day.day, 24 * 60.0)
        for habit in habits:
            answering = _moment(habit, day, excused, silent, skip_silent=day is days[-1], chance=chance)
            symptoms, temperature, fever = _health(habit, day.day.toordinal(), chance)
            if answering is not None:
                # a correction goes with its first version: which of the two counts is decided by both
                lines = _report(habit, day, answering, symptoms, temperature, fever, fillers, chance)
                after = answering >= cut or len(lines) > 1
                yield from ((text, after) for text in lines)


def _habit(human: Human, school_id: int, form_version_id: int, chance: Random) -> Habit:
    student = human.audience is Audience.STUDENT
    draw = chance.random()
    if draw < 0.58:  # on the way to class
        minute, spread = chance.gauss(7 * 60 + 55, 32), 14.0
    elif draw < 0.86:  # at lunch
        minute, spread = chance.gauss(12 * 60 + 40, 24), 16.0
    elif draw < 0.94:  # just before the deadline
        minute, spread = chance.uniform(13 * 60 + 25, 13 * 60 + 55), 9.0
    else:  # at any time
        minute, spread = chance.uniform(6 * 60 + 30, 13 * 60 + 30), 70.0
    # what one person misses or delays, most others never do
    misses = 1.0 if chance.random() < NEVER else MISSING * chance.choice((0.2, 0.2, 0.4, 0.7, 3.5))
    lates = LATE * chance.choice((0.3, 0.3, 0.6, 0.8, 3.0))

    at_school = chance.random() < (0.975 if student else 0.45)
    region, person_type, plan = 340100, PERSON_TYPES["staying_in_anhui"], r"\N"
    if chance.random() < 0.25:
        person_type = PERSON_TYPES[chance.choice(("returned_early_january", "returned_mid_january"))]
    if not at_school:
        plan = str(RETURN_PLANS["undecided" if student else "not_this_term"])
        if student or chance.random() < 0.05:
            region = chance.choice(_CITIES + _PROVINCES)
        if region not in _CITIES and region != 340100:
            person_type = PERSON_TYPES["outside_anhui"]
    isolation, details = ISOLATIONS["none"], {}
    contact, left = chance.random() < 0.0003, chance.random() < 0.018
    if chance.random() < 0.0008:
        isolation, person_type = ISOLATIONS["home"], PERSON_TYPES["home_observation"]
        details["isolation_place"] = "家中单间，社区每日上门测温"
    if left:
        details["left_region_detail"] = "上周五乘高铁往返省内，探亲"
    if contact:
        details["contact_detail"] = "同车厢有发热旅客，座位相隔三排"
    fixed = (
        *(school_id, human.id, human.node.id, int(human.audience), form_version_id, region, person_type),
        *(plan, _bool(at_school), _bool(chance.random() < 0.002), _bool(left), "f", _bool(contact), 0, r"\N"),
    )
    return Habit(
        human=human,
        fixed="\t".join(map(str, fixed)),
        isolation=isolation,
        details=details,
        answers=_json(details) if details else r"\N",
        minute=minute,
        spread=spread,
        misses=misses,
        lates=lates,
        temperature=chance.choice((362, 363, 364, 365, 365, 366, 367)),
    )


def _catch_colds(habits: Sequence[Habit], first: int, chance: Random) -> None:
    """Those who had a cold before the first day: otherwise everybody would be well on it."""
    for habit in habits:
        if chance.random() < COLD_BEGINS * sum(COLD_LASTS) / 2:
            habit.cold_until, habit.cold = first + chance.randint(1, COLD_LASTS[1] - 1), _cold(chance)


def _cold(chance: Random) -> int:
    more = (0, 0, SYMPTOM_BITS["dry_cough"], SYMPTOM_BITS["headache"], SYMPTOM_BITS["fatigue"])
    return SYMPTOM_BITS["cold"] | chance.choice(more)


def _spread_fever(habits: Sequence[Habit], days: Sequence[Day], stage: Stage | None, chance: Random) -> None:
    """Fever on the floor of the story: some at first, more every day."""
    if stage is None:
        return
    near = {h.id for h in stage.neighbours}
    candidates = [h for h in habits if h.human.id in near]
    chance.shuffle(candidates)
    begins = [day.day.toordinal() for day in days[-len(CLUSTER) :]]
    sizes = CLUSTER[-len(begins) :]
    for begin, size in zip(begins, sizes, strict=True):
        ill = sum(1 for h in candidates if h.feverish_from)
        for habit in candidates[ill : min(size, len(candidates) // 2)]:
            habit.feverish_from = begin


def _moment(
    habit: Habit,
    day: Day,
    excused: set[tuple[int, int]],
    silent: frozenset[int],
    *,
    skip_silent: bool,
    chance: Random,
) -> float | None:
    """The minute of the day at which somebody reports, or None when they do not (or not yet)."""
    ordinal, weekend = day.day.toordinal(), day.day.weekday() >= 5
    reliable = habit.human.id in silent or 0 < habit.feverish_from <= ordinal
    if habit.human.id in silent and skip_silent:
        return None
    if (habit.human.id, ordinal) in excused:
        if chance.random() < 0.85:
            return None
    elif chance.random() < habit.misses * (WEEKEND_MISSING if weekend else 1.0) and not reliable:
        return None
    if chance.random() < habit.lates * (WEEKEND_LATE if weekend else 1.0) and not reliable:
        minute = min(DEADLINE + chance.expovariate(1 / 110), 1438.9)
    else:
        minute = chance.gauss(habit.minute, habit.spread) + (WEEKEND_SLEEP if weekend and habit.minute < 600 else 0)
        if not 5 <= minute < DEADLINE:
            minute = DEADLINE - 0.1 - chance.random() * 40
    return minute if minute < day.minutes else None


def _health(habit: Habit, ordinal: int, chance: Random) -> tuple[int, int, bool]:
    """Symptoms, temperature in tenths and fever of somebody on a day; colds come and go whether reported or not."""
    if 0 < habit.feverish_from <= ordinal:
        symptoms = SYMPTOM_BITS["fever"] | chance.choice((0, SYMPTOM_BITS["dry_cough"], SYMPTOM_BITS["fatigue"]))
        return symptoms, chance.randint(373, 389), True
    draw = chance.random()
    if habit.cold_until <= ordinal and draw < COLD_BEGINS:
        habit.cold_until, habit.cold = ordinal + chance.randint(*COLD_LASTS), _cold(chance)
    if habit.cold_until > ordinal:
        return habit.cold, habit.temperature + chance.randint(1, 5), False
    if draw > 1 - FEVER_ALONE:
        return SYMPTOM_BITS["fever"], chance.randint(373, 382), True
    return 0, habit.temperature + int(draw * 3_000) % 3, False


def _report(
    habit: Habit,
    day: Day,
    minute: float,
    symptoms: int,
    temperature: int,
    fever: bool,
    fillers: Mapping[int, int],
    chance: Random,
) -> list[str]:
    """The line of a report, and of its correction where there is one."""
    luck = chance.random()
    channel, by, reason = f"{Channel.PHONE:d}", 0, r"\N"
    if luck < PROXIES and habit.human.node.id in fillers:
        channel, by, reason = f"{Channel.PROXY:d}", fillers[habit.human.node.id], _PROXY_REASON
    elif luck > 0.95:
        channel = f"{Channel.FORM:d}"
    isolation, answers = habit.isolation, habit.answers
    if habit.feverish_from and day.day.toordinal() - habit.feverish_from >= 2:
        isolation = ISOLATIONS["central"]
        answers = _json({**habit.details, "isolation_place": "校医院观察室", "symptom_description": "已到校医院就诊"})
    late, unwell = _bool(minute >= DEADLINE), _bool(bool(symptoms) or fever)
    place = f"{day.day}\t{day.round_id}\t{habit.fixed}"
    mend_at = minute + 2 + luck * 30
    if luck > 1 - CORRECTIONS and not symptoms and mend_at < min(day.minutes, 1439):
        wrong = f"1\tf\t{late}\t{channel}\t{by}\t{reason}\t0\t{TYPED_WRONG}\tt\tt\t{isolation}\t{answers}\n"
        right = f"2\tt\t{late}\t{channel}\t{by}\t{_CORRECTION_REASON}\t0\t{temperature}\tf\tf\t{isolation}\t{answers}\n"
        return [
            f"{_stamp(day, minute, chance)}\t{place}\t{wrong}",
            f"{_stamp(day, mend_at, chance)}\t{place}\t{right}",
        ]
    mine = f"1\tt\t{late}\t{channel}\t{by}\t{reason}\t{symptoms}\t{temperature}\t{unwell}\t{_bool(fever)}\t{isolation}"
    return [f"{_stamp(day, minute, chance)}\t{place}\t{mine}\t{answers}\n"]


def _stamp(day: Day, minute: float, chance: Random) -> str:
    """Time of reception and idempotency key."""
    whole = int(minute)
    micro = int((minute - whole) * 60_000_000)
    return (
        f"{day.day} {_CLOCK[whole]}:{micro // 1_000_000:02d}.{micro % 1_000_000:06d}+08\t{chance.getrandbits(128):032x}"
    )


def _bool(value: bool) -> str:
    return "t" if value else "f"


def _json(details: Mapping[str, str]) -> str:
    return json.dumps(details, ensure_ascii=False)
