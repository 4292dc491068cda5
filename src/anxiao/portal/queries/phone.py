"""What the phone shows to the person who holds it. Every function answers for ``scope.person_id`` and nobody else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

from anxiao.accounts.models import User
from anxiao.base.clock import day_of
from anxiao.base.errors import NotYours
from anxiao.base.scope import Scope, lies_under
from anxiao.directory.models import ClassCounsellor, Membership, Organisation, Person
from anxiao.questionnaires.concepts import health_state
from anxiao.questionnaires.names import HealthState
from anxiao.reporting.models import Exemption, Reminder, Report, Round
from anxiao.reporting.names import Channel
from anxiao.reporting.rules import Receipt, receipt_of

HISTORY_DAYS = 14


@dataclass(frozen=True, slots=True)
class Me:
    """The person who holds the phone, on a day."""

    person_id: int
    school_id: int
    number: str
    name: str
    sex: str
    phone: str
    audience: int
    category: str
    node_id: int
    node_path: str
    #: (School, its name), (College, ...), (Class, ...): from the top down.
    trail: tuple[tuple[str, str], ...]

    @property
    def masked_phone(self) -> str:
        """Enough to recognise one's own number, too little for who looks over the shoulder."""
        return f"{self.phone[:3]}****{self.phone[-4:]}" if len(self.phone) >= 8 else "****"


@dataclass(frozen=True, slots=True)
class Kept:
    """One stored version of one's own report."""

    row: Mapping[str, Any]
    receipt: Receipt
    author: str = ""

    @property
    def by_somebody_else(self) -> bool:
        return bool(self.row["channel"] == Channel.PROXY)

    @property
    def state(self) -> HealthState:
        return health_state(self.row)


@dataclass(frozen=True, slots=True)
class Standing:
    """One round and where the person stands in it."""

    round: Round
    state: str  # done | due | overdue | exempt | missed | waiting
    versions: Sequence[Kept] = field(default_factory=tuple)
    exemption: Exemption | None = None

    @property
    def first(self) -> Kept | None:
        return self.versions[0] if self.versions else None

    @property
    def current(self) -> Kept | None:
        return self.versions[-1] if self.versions else None


@dataclass(frozen=True, slots=True)
class Helper:
    """Whom to turn to."""

    name: str
    phone: str


def me(scope: Scope, day: date) -> Me:
    """Who holds the phone; NotYours for accounts that belong to no person."""
    if scope.person_id is None or scope.school_id is None:
        raise NotYours
    try:
        person = Person.objects.select_related("category").get(pk=scope.person_id, school_id=scope.school_id)
    except Person.DoesNotExist:
        raise NotYours from None
    membership = (
        Membership.objects.valid_on(day)
        .filter(school_id=person.school_id, person_id=person.pk)
        .select_related("organisation")
        .first()
    )
    node = membership.organisation if membership else None
    return Me(
        person_id=person.pk,
        school_id=person.school_id,
        number=person.number,
        name=person.name,
        sex=person.sex,
        phone=person.phone,
        audience=person.audience,
        category=person.category.name,
        node_id=node.pk if node else 0,
        node_path=node.path if node else "",
        trail=_trail(node),
    )


def _trail(node: Organisation | None) -> tuple[tuple[str, str], ...]:
    if node is None:
        return ()
    ids = [int(label) for label in str(node.path).split(".") if label.isdigit()]
    above = {o.pk: o for o in Organisation.objects.filter(pk__in=ids, school_id=node.school_id)}
    return tuple((above[i].get_kind_display(), above[i].label) for i in ids if i in above)


def my_rounds(scope: Scope, who: Me, day: date, now: datetime) -> list[Standing]:
    """The rounds of a day that ask this person, with what has become of each."""
    return [s for s in _standings(scope, who, day, day, now) if s.round.day == day]


def my_history(scope: Scope, who: Me, today: date, now: datetime) -> list[Standing]:
    """The last fourteen days, today first; only days on which the person was asked."""
    return _standings(scope, who, today - timedelta(days=HISTORY_DAYS - 1), today, now)


def my_round(scope: Scope, who: Me, round_id: int, now: datetime) -> Standing:
    """One round that asks this person, or NotYours."""
    today = day_of(now)
    found = Round.objects.filter(pk=round_id).values_list("day", flat=True).first()
    if found is None or not today - timedelta(days=366) <= found <= today + timedelta(days=1):
        raise NotYours
    for standing in _standings(scope, who, found, found, now):
        if standing.round.pk == round_id:
            return standing
    raise NotYours


def _standings(scope: Scope, who: Me, first: date, last: date, now: datetime) -> list[Standing]:
    rounds = [
        found
        for found in Round.objects.filter(day__range=(first, last))
        .select_related("campaign__organisation", "campaign__questionnaire", "version")
        .order_by("-day", "id")
        if who.audience in found.campaign.audiences
    ]
    paths = _paths_by_day(who, {found.day for found in rounds})
    # By whole keys (day, round, person): a range of days would read the reports of the whole school.
    rows = list(
        Report.objects.filter(
            school_id=who.school_id,
            day__in={found.day for found in rounds},
            round_id__in=[found.pk for found in rounds],
            person_id=who.person_id,
        )
        .order_by("day", "round_id", "version")
        .values()
    )
    authors = _authors(rows)
    exemptions = list(
        Exemption.objects.filter(
            school_id=who.school_id,
            person_id=who.person_id,
            cancelled_at=None,
            valid_from__lte=last,
            valid_to__gt=first,
        )
    )
    standings = []
    for found in rounds:
        versions = [
            Kept(row, receipt_of(row), authors.get(row["by_user_id"], ""))
            for row in rows
            if row["round_id"] == found.pk
        ]
        asked = lies_under(paths.get(found.day, ""), found.campaign.organisation.path)
        if not versions and not asked:
            continue
        exemption = next((e for e in exemptions if e.valid_from <= found.day < e.valid_to), None)
        standings.append(Standing(found, _state(found, versions, exemption, now), versions, exemption))
    return standings


def _state(found: Round, versions: Sequence[Kept], exemption: Exemption | None, now: datetime) -> str:
    if versions:
        return "done"
    if exemption is not None:
        return "exempt"
    if now < found.opens_at:
        return "waiting"
    if now >= found.closes_at:
        return "missed"
    return "overdue" if now >= found.deadline_at else "due"


def _paths_by_day(who: Me, days: set[date]) -> dict[date, str]:
    """Where the person belonged on each day, as known now."""
    rows = list(
        Membership.objects.filter(school_id=who.school_id, person_id=who.person_id, superseded_at=None).values_list(
            "valid_from", "valid_to", "organisation__path"
        )
    )
    return {day: path for day in days for begin, end, path in rows if begin <= day and (end is None or day < end)}


def _authors(rows: Sequence[Mapping[str, Any]]) -> dict[int, str]:
    ids = {row["by_user_id"] for row in rows if row["channel"] == Channel.PROXY}
    return dict(User.objects.filter(pk__in=ids).values_list("pk", "display_name")) if ids else {}


def my_reminders(scope: Scope, who: Me, today: date) -> list[Reminder]:
    """Words from counsellors and others of the last fourteen days, newest first."""
    return list(
        Reminder.objects.filter(
            school_id=who.school_id,
            person_id=who.person_id,
            round__day__gt=today - timedelta(days=HISTORY_DAYS),
        )
        .select_related("round")
        .order_by("-sent_at", "-id")[:50]
    )


def my_helpers(scope: Scope, who: Me, day: date) -> list[Helper]:
    """The counsellor of one's class, whose number one may know."""
    rows = ClassCounsellor.objects.filter(
        school_id=who.school_id, organisation_id=who.node_id, valid_from__lte=day
    ).select_related("person")
    return [Helper(row.person.name, row.person.phone) for row in rows if row.valid_to is None or row.valid_to > day]
