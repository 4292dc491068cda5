"""The day sheets of past days, signed, returned and signed again by the real commands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from anxiao.accounts.models import User
from anxiao.accounts.queries import scope_of
from anxiao.base.clock import day_of, moment_at
from anxiao.base.permissions import Permission
from anxiao.base.scope import Scope
from anxiao.base.tenancy import school_context
from anxiao.config.demo import words
from anxiao.config.demo.accounts import Accounts
from anxiao.config.demo.population import University
from anxiao.reporting.access_sheets import get_school_node
from anxiao.reporting.commands.sheets import return_sheet, submit_sheet
from anxiao.reporting.models import Round
from anxiao.reporting.names import ZeroCategory
from anxiao.reporting.queries.sheets import live_figures

LATE, RETURNED, MISSING = {(0, 5), (2, 6)}, {(1, 3)}, {(2, 2)}
"""(school, days ago): what did not go as it should."""

RETURN_REASON = "隔离人数与校医院台账不一致，请核实后重新提交"
ANSWER = "已与校医院逐人核对，台账漏登一人，日报表数字无误"


@dataclass(frozen=True, slots=True)
class Signing:
    """A sheet to be signed: by which school, for which day, when, and whether the province sends it back."""

    school_id: int
    day: date
    at: datetime
    returned: bool


def plan_signings(
    universities: Sequence[University], days: Sequence[date], *, now: datetime, seed: int
) -> list[Signing]:
    """Who signs when.  Today is left open in the schools with demo accounts: there is something to sign."""
    chance = words.stream(seed, "sheets")
    found = []
    today = day_of(now)
    for i, university in enumerate(universities):
        for day in days:
            ago = (today - day).days
            minute = chance.randint(41, 57)
            late = (i, ago) in LATE
            at = moment_at(day, time(16, minute - 40) if late else time(14, minute)) + timedelta(seconds=minute)
            if (i, ago) in MISSING or at >= now or (ago == 0 and university.shape.prefix):
                continue
            found.append(Signing(university.school_id, day, at, (i, ago) in RETURNED))
    return found


def sign_all(signings: Sequence[Signing], accounts: Accounts, *, rounds: Mapping[date, int], now: datetime) -> int:
    """Sign what stands at this moment; returns how many sheets were signed.

    Called when only the reports that had come before the signatures are in the tables: the figures are then those that
    the officer saw, and what comes late makes the difference that the province is shown.
    """
    officers = {school: _scope(user_id, now) for school, user_id in accounts.officers.items()}
    province = _scope(accounts.province_officer, now)
    for signing in signings:
        officer = officers[signing.school_id]
        with school_context(officer.db_scope):
            round_ = Round.objects.select_related("campaign", "version").get(pk=rounds[signing.day])
            version = _submit(officer, round_, signing.school_id, signing.at)
        if signing.returned:
            returned_at = signing.at + timedelta(minutes=48)
            with school_context(province.db_scope):
                return_sheet(
                    by=province,
                    now=returned_at,
                    round=round_,
                    school_id=signing.school_id,
                    number=version,
                    reason=RETURN_REASON,
                )
            with school_context(officer.db_scope):
                _submit(officer, round_, signing.school_id, returned_at + timedelta(minutes=37), note=ANSWER)
    return len(signings)


def _submit(officer: Scope, round_: Round, school_id: int, at: datetime, note: str = "") -> int:
    node = get_school_node(officer, school_id, Permission.SHEET_SIGN)
    figures = live_figures(officer, node=node, round=round_)
    statements = {str(category): figures.of(category) for category in ZeroCategory}
    return submit_sheet(by=officer, now=at, round=round_, school_id=school_id, statements=statements, note=note).number


def _scope(user_id: int, now: datetime) -> Scope:
    return scope_of(User.objects.get(pk=user_id), day_of(now))
