"""Ready requests for a load: a pass, a ticket and a report's body for many synthetic people, one line each.

Any load generator that can read lines can be pointed at the intake door with them.  Only for deployments that are
marked as synthetic: it takes the deployment's own secret to make what the door believes.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random
from typing import Any, TextIO

from django.db import connections, transaction

from anxiao.base import passes, tickets
from anxiao.base.clock import day_of
from anxiao.base.errors import Refused
from anxiao.base.passes import Pass
from anxiao.base.tenancy import school_context
from anxiao.base.tickets import Ticket
from anxiao.questionnaires.queries import compiled
from anxiao.questionnaires.rules import Compiled, judge
from anxiao.reporting.commands.campaigns import ensure_rounds
from anxiao.reporting.models import Round

COLUMNS = ("person", "pass", "body")
"""Of a line, tab-separated: the person's id, the value of the cookie, the body of ``POST /intake/v1/reports``."""

_STEP = 20_000

_UNWELL = 0.01
_TEMPERATURES = (36.1, 36.2, 36.3, 36.3, 36.4, 36.4, 36.5, 36.5, 36.5, 36.6, 36.6, 36.7, 36.8, 36.9)
_SIGNS: Sequence[tuple[list[str], tuple[float, ...]]] = (
    (["cold"], (36.6, 36.9, 37.1)),
    (["dry_cough", "headache"], (36.7, 37.0, 37.2)),
    (["fever"], (37.3, 37.8, 38.4)),
    (["diarrhoea"], (36.5, 36.8)),
)
_AT_SCHOOL = 0.94
_FACTS: dict[str, Any] = {
    "person_type": "staying_in_anhui",
    "at_school": True,
    "region": "340100",
    "left_region_14d": False,
    "crossed_border_14d": False,
    "contact_14d": False,
    "hubei_history": False,
    "isolation": "none",
    "diagnosis": "none",
}
_ELSEWHERE = ("340200", "340500", "341200", "341500", "310000", "320000", "330000", "410000")

_WHO = """
SELECT u.id, p.id, p.school_id, u.pass_serial, coalesce(b.quiet, false)
FROM person p
JOIN account u ON u.person_id = p.id AND u.home_school_id = p.school_id AND u.is_active
JOIN membership m ON m.school_id = p.school_id AND m.person_id = p.id AND m.superseded_at IS NULL
    AND m.valid_from <= %(day)s AND (m.valid_to IS NULL OR m.valid_to > %(day)s)
LEFT JOIN exemption e ON e.school_id = p.school_id AND e.person_id = p.id AND e.cancelled_at IS NULL
    AND e.valid_from <= %(day)s AND e.valid_to > %(day)s
LEFT JOIN report s ON s.school_id = p.school_id AND s.day = %(day)s AND s.round_id = %(round)s AND s.person_id = p.id
    AND s.version = 1
LEFT JOIN (
    SELECT school_id, person_id, NOT left_region AND NOT crossed_border AND NOT contact
           AND isolation = 0 AND diagnosis = 0 AND return_on IS NULL AS quiet
    FROM report WHERE day = %(before)s AND round_id = %(round_before)s AND is_current
) b ON b.school_id = p.school_id AND b.person_id = p.id
WHERE p.audience = ANY(%(audiences)s) AND e.id IS NULL AND s.person_id IS NULL
ORDER BY hashint8extended(p.id, %(seed)s), p.id OFFSET %(offset)s LIMIT %(count)s
"""
"""Everybody who may still report: neither exempt nor done.  Shuffled over all schools, in the same order for the same
seed; whose newest report leaves nothing to be said anew may say "no change"."""


@dataclass(frozen=True, slots=True)
class Written:
    """What stands in the file."""

    lines: int
    unchanged: int
    round_id: int
    until: datetime
    """When the tickets end."""


def write_passes(
    file: TextIO,
    *,
    secret: str,
    now: datetime,
    count: int,
    offset: int = 0,
    unchanged: float = 0.0,
    seed: int = 1,
    ahead: timedelta = timedelta(0),
) -> Written:
    """Write ``count`` lines (fewer, where fewer people are left) for today's round; see ``COLUMNS``.

    ``unchanged`` is the share of those who say "no change", among people who can.  ``ahead``: tickets are issued so
    much later than now, which the door allows, and so last longer.  Refused on a day without a round.
    """
    day = day_of(now)
    with school_context("*"):
        asked = ensure_rounds(day=day)
        if not asked:
            raise Refused("Nobody is asked today, so there is nothing to report to.", code="no_round")
        round_ = asked[0]
        before = (
            Round.objects.filter(campaign_id=round_.campaign_id, day__lt=day, day__gte=day - timedelta(days=14))
            .order_by("-day")
            .first()
        )
        form = compiled(round_.version)
    bodies = _bodies(form, now)
    issued_at = int((now + ahead).timestamp())
    expires_at = now + passes.LIFETIME
    chance = Random(f"{seed}/{offset}")  # noqa: S311 - the same seed makes the same bodies
    params = {
        "day": day,
        "round": round_.pk,
        "before": before.day if before else None,
        "round_before": before.pk if before else None,
        "audiences": list(round_.campaign.audiences),
        "seed": seed,
        "offset": offset,
        "count": count,
    }
    lines = said_unchanged = 0
    for user, person, school, serial, quiet in _people(params):
        ticket = tickets.seal(secret, Ticket(person, school, day, round_.pk, round_.version_id, 1, issued_at=issued_at))
        same = quiet and chance.random() < unchanged
        answers = bodies.unchanged.draw(chance) if same else bodies.full(chance)
        said_unchanged += same
        file.write(
            f"{person}\t{passes.seal(secret, Pass(user, person, school, serial, expires_at))}\t"
            f'{{"ticket":"{ticket}","round":{round_.pk},"form_version":{round_.version_id},"key":"{_key(chance)}",'
            f'"answers":{answers},"unchanged":{"true" if same else "false"}}}\n'
        )
        lines += 1
    return Written(lines, said_unchanged, round_.pk, now + ahead + tickets.LIFETIME)


def _people(params: dict[str, Any]) -> Iterator[tuple[int, int, int, int, bool]]:
    """A cursor on the server: a million people never stand in memory together."""
    with transaction.atomic(using="bulk"):
        with connections["bulk"].cursor() as cursor:
            cursor.execute("SET LOCAL work_mem = '128MB'")
        with connections["bulk"].chunked_cursor() as cursor:
            cursor.execute(_WHO, params)
            while rows := cursor.fetchmany(_STEP):
                yield from rows


def _key(chance: Random) -> str:
    text = f"{chance.getrandbits(128):032x}"
    return f"{text[:8]}-{text[8:12]}-4{text[13:16]}-a{text[17:20]}-{text[20:]}"


@dataclass(frozen=True, slots=True)
class _Drawer:
    """Answers as JSON, to be drawn from."""

    well: Sequence[str]
    unwell: Sequence[str]

    def draw(self, chance: Random) -> str:
        return chance.choice(self.unwell if chance.random() < _UNWELL else self.well)


@dataclass(frozen=True, slots=True)
class _Bodies:
    """All answers of people at school and elsewhere, and those beside "no change"."""

    at_school: _Drawer
    elsewhere: _Drawer
    unchanged: _Drawer

    def full(self, chance: Random) -> str:
        return (self.at_school if chance.random() < _AT_SCHOOL else self.elsewhere).draw(chance)


def _bodies(form: Compiled, now: datetime) -> _Bodies:
    """Every body that can be drawn is judged here once, so that a load is made of reports that the door accepts."""
    elsewhere = [
        _FACTS
        | {"at_school": False, "return_plan": "undecided", "region": region}
        | ({} if region.startswith("34") else {"person_type": "outside_anhui"})
        for region in _ELSEWHERE
    ]
    well = [{"symptoms": ["normal"], "temperature": warmth} for warmth in _TEMPERATURES]
    unwell = [{"symptoms": signs, "temperature": warmth} for signs, warmths in _SIGNS for warmth in warmths]
    for facts in (_FACTS, *elsewhere):
        for signs in (*well, *unwell):
            if not judge(form, facts | signs, day_of(now)).ok:
                raise Refused("The form of today's round asks for other answers than these.", code="form")

    def drawer(*facts: dict[str, Any]) -> _Drawer:
        return _Drawer(*([json.dumps(some | s) for some in facts for s in signs] for signs in (well, unwell)))

    return _Bodies(drawer(_FACTS), drawer(*elsewhere), drawer({}))
