"""How far each school of the register has come, and what it still lacks: for those who bring the schools in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from django.db import connection

from anxiao.base.permissions import Permission
from anxiao.base.scope import Scope
from anxiao.directory.names import SchoolState
from anxiao.reporting.queries.way_in import WayIn, way_in

_SCHOOLS = """
SELECT s.id, s.code, s.name, s.city, s.level, s.state, o.id, waiting.id, waiting.applied_at, decided.decided_at,
       EXISTS (SELECT {holds} AND g.role = 'school_admin'), EXISTS (SELECT {holds} AND g.role = 'epidemic_officer'),
       sheet.day
FROM school s
LEFT JOIN organisation o ON o.school_id = s.id AND o.kind = 'school'
LEFT JOIN LATERAL (SELECT a.id, a.applied_at FROM onboarding a WHERE a.school_id = s.id AND a.state = 'waiting'
                   ORDER BY a.id DESC LIMIT 1) waiting ON true
LEFT JOIN LATERAL (SELECT a.decided_at FROM onboarding a WHERE a.school_id = s.id AND a.state = 'approved'
                   ORDER BY a.id DESC LIMIT 1) decided ON true
LEFT JOIN LATERAL (SELECT d.day FROM day_sheet d WHERE d.school_id = s.id ORDER BY d.round_id LIMIT 1) sheet ON true
ORDER BY s.code
""".format(
    holds="""FROM account_grant g JOIN account a ON a.id = g.user_id AND a.is_active
        WHERE g.organisation_id = o.id AND g.valid_from <= %(day)s AND (g.valid_to IS NULL OR g.valid_to > %(day)s)"""
)


class Step(StrEnum):
    """How far a school has come; each step holds those before it."""

    REGISTERED = "registered"
    APPLIED = "applied"
    APPROVED = "approved"
    IMPORTED = "imported"
    ACTIVATED = "activated"
    REPORTING = "reporting"
    SIGNING = "signing"


class Lack(StrEnum):
    """What a school lacks; the first of them is what to do next."""

    APPLICATION = "application"
    DECISION = "decision"
    ADMIN = "admin"
    OFFICER = "officer"
    DIRECTORY = "directory"
    ACTIVATION = "activation"
    FIRST_REPORT = "first_report"
    FIRST_SHEET = "first_sheet"


@dataclass(frozen=True, slots=True)
class SchoolLine:
    """One school of the register on its way to the first day sheet."""

    school_id: int
    code: str
    name: str
    city: str
    level: str
    state: str
    node_id: int | None
    application_id: int | None
    applied_at: datetime | None
    approved_at: datetime | None
    has_admin: bool
    has_officer: bool
    first_sheet: date | None
    people: WayIn

    @property
    def step(self) -> Step:
        if self.state != SchoolState.ACTIVE:
            return Step.APPLIED if self.state == SchoolState.APPLIED else Step.REGISTERED
        if self.first_sheet is not None:
            return Step.SIGNING
        if self.people.begun:
            return Step.REPORTING
        if self.people.activated:
            return Step.ACTIVATED
        return Step.IMPORTED if self.people.people else Step.APPROVED

    @property
    def lacks(self) -> list[Lack]:
        if self.state != SchoolState.ACTIVE:
            return [Lack.DECISION if self.state == SchoolState.APPLIED else Lack.APPLICATION]
        found = {
            Lack.ADMIN: not self.has_admin,
            Lack.OFFICER: not self.has_officer,
            Lack.DIRECTORY: not self.people.people,
            Lack.ACTIVATION: bool(self.people.people) and not self.people.activated,
            Lack.FIRST_REPORT: bool(self.people.activated) and not self.people.begun,
            Lack.FIRST_SHEET: bool(self.people.begun) and self.first_sheet is None,
        }
        return [lack for lack, absent in found.items() if absent]


def schools_on_their_way(scope: Scope, day: date) -> list[SchoolLine]:
    """Every school of the register by its code, in two statements; nothing for whoever does not bring schools in."""
    if not scope.may(Permission.ONBOARDING_APPROVE):
        return []
    with connection.cursor() as cursor:
        cursor.execute(_SCHOOLS, {"day": day})
        rows = cursor.fetchall()
    counted = way_in(scope, [row[6] for row in rows if row[6] is not None], day)
    return [SchoolLine(*(*row, counted.get(row[6], WayIn()))) for row in rows]


def narrowed(
    lines: Sequence[SchoolLine], *, step: Step | None = None, city: str = "", words: str = "", lacking: bool = False
) -> list[SchoolLine]:
    """The schools of a step, of a city, with these words in name or code, or those that lack something."""
    return [
        line
        for line in lines
        if (step is None or line.step is step)
        and (not city or line.city == city)
        and (not words or words in line.name or words in line.code)
        and (not lacking or line.lacks)
    ]
