"""The reports of one person: what was asked, what came, in which versions, by whose hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from anxiao.accounts.models import User
from anxiao.base.scope import Scope, lies_under
from anxiao.directory.models import Membership, Person
from anxiao.reporting.models import Exemption, Report, Round
from anxiao.reporting.names import Channel
from anxiao.reporting.rules import Receipt, receipt_of

HISTORY_DAYS = 14
CARRY_DAYS = 14
"""How far back "same as last time" looks; somebody away for longer is asked everything afresh."""


@dataclass(frozen=True, slots=True)
class Kept:
    """One stored version of a report; ``row`` has the columns of the table."""

    row: Mapping[str, Any]
    receipt: Receipt
    author: str

    @property
    def proxy(self) -> bool:
        return bool(self.row["channel"] == Channel.PROXY)

    @property
    def first(self) -> bool:
        return bool(self.row["version"] == 1)


@dataclass(frozen=True, slots=True)
class PersonDay:
    """One round and where the person stands in it: on_time, late, exempt, missing or waiting."""

    round: Round
    state: str
    versions: Sequence[Kept]
    exemption: Exemption | None

    @property
    def current(self) -> Kept | None:
        return self.versions[-1] if self.versions else None


def person_days(
    scope: Scope, person: Person, last_day: date, now: datetime, days: int = HISTORY_DAYS
) -> list[PersonDay]:
    """The rounds of the last ``days`` days that asked this person, newest first; five statements at most."""
    first = last_day - timedelta(days=days - 1)
    rounds = [
        found
        for found in Round.objects.filter(day__range=(first, last_day))
        .select_related("campaign__organisation", "version")
        .order_by("-day", "id")
        if person.audience in found.campaign.audiences
    ]
    held = list(
        Membership.objects.filter(school_id=person.school_id, person=person, superseded_at=None).values_list(
            "valid_from", "valid_to", "organisation__path"
        )
    )
    kept = versions_of(scope, person, rounds)
    exemptions = list(
        Exemption.objects.filter(
            school_id=person.school_id, person=person, cancelled_at=None, valid_from__lte=last_day, valid_to__gt=first
        )
    )
    found_days = []
    for asked in rounds:
        versions = kept.get(asked.pk, [])
        path = next((p for begin, end, p in held if begin <= asked.day and (end is None or asked.day < end)), "")
        if not versions and not lies_under(path, asked.campaign.organisation.path):
            continue
        exemption = next((e for e in exemptions if e.valid_from <= asked.day < e.valid_to), None)
        found_days.append(PersonDay(asked, _state(asked, versions, exemption, now), versions, exemption))
    return found_days


def versions_of(scope: Scope, person: Person, rounds: Sequence[Round]) -> dict[int, list[Kept]]:
    """All versions of a person's reports in some rounds, by round, first version first; two statements at most."""
    # by whole keys (day, round, person): a range of days would read the reports of the whole school
    rows = list(
        Report.objects.filter(
            school_id=person.school_id,
            day__in={r.day for r in rounds},
            round_id__in=[r.pk for r in rounds],
            person_id=person.pk,
        )
        .order_by("day", "round_id", "version")
        .values()
    )
    authors = dict(
        User.objects.filter(pk__in={row["by_user_id"] for row in rows} - {0}).values_list("pk", "display_name")
    )
    found: dict[int, list[Kept]] = {}
    for row in rows:
        kept = Kept(row, receipt_of(row), authors.get(row["by_user_id"], ""))
        found.setdefault(row["round_id"], []).append(kept)
    return found


def last_report(scope: Scope, school_id: int, person_id: int, asked: Round) -> Mapping[str, Any] | None:
    """The newest standing report of the fortnight before a round: what "same as last time" refers to."""
    rounds = dict(
        Round.objects.filter(
            day__range=(asked.day - timedelta(days=CARRY_DAYS), asked.day),
            campaign__questionnaire_id=asked.campaign.questionnaire_id,
        ).values_list("pk", "day")
    )
    return (
        Report.objects.filter(
            school_id=school_id,
            day__in=set(rounds.values()),
            round_id__in=rounds.keys(),
            person_id=person_id,
            is_current=True,
        )
        .order_by("-day", "-round_id")
        .values()
        .first()
    )


def _state(asked: Round, versions: Sequence[Kept], exemption: Exemption | None, now: datetime) -> str:
    if versions:
        return "late" if versions[0].row["late"] else "on_time"
    if exemption is not None:
        return "exempt"
    return "waiting" if now < asked.deadline_at else "missing"
