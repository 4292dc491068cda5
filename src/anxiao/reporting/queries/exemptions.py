"""Who is excused (免报), when and why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum

from django.db.models import QuerySet

from anxiao.accounts.models import User
from anxiao.base.scope import Scope
from anxiao.directory.models import Membership, Person
from anxiao.reporting.models import Exemption
from anxiao.reporting.queries.people import Where

PAGE = 50


class When(StrEnum):
    NOW = "now"
    COMING = "coming"
    OVER = "over"


@dataclass(frozen=True, slots=True)
class Excused:
    """One exemption as shown: with its person, their node, and who granted or cancelled it."""

    exemption: Exemption
    person: Person
    node: str
    granted_by: str
    cancelled_by: str

    @property
    def last_day(self) -> date:
        """The last day, included, as people say it."""
        return self.exemption.valid_to - timedelta(days=1)

    @property
    def key(self) -> str:
        return str(self.exemption.pk)


@dataclass(frozen=True, slots=True)
class ExcusedPage:
    """A page of exemptions; ``after`` is the id with which the next page starts, or None."""

    rows: Sequence[Excused]
    after: int | None


def exemptions_in(
    scope: Scope, where: Where, when: When, day: date, *, after: int | None = None, limit: int = PAGE
) -> ExcusedPage:
    """Exemptions of people who belong to ``where`` on ``day``, latest first; three statements at most."""
    found = Exemption.objects.filter(school_id=where.school_id)
    if when is When.NOW:
        found = found.filter(cancelled_at=None, valid_from__lte=day, valid_to__gt=day)
    elif when is When.COMING:
        found = found.filter(cancelled_at=None, valid_from__gt=day)
    else:
        found = found.exclude(cancelled_at=None, valid_to__gt=day)
    if where.node_ids is not None:
        here = Membership.objects.valid_on(day).filter(
            school_id=where.school_id, organisation_id__in=list(where.node_ids)
        )
        found = found.filter(person_id__in=here.values("person_id"))
    if after is not None:
        found = found.filter(pk__lt=after)
    rows = list(found.select_related("person").order_by("-id")[: limit + 1])
    return ExcusedPage(_shown(rows[:limit], day), rows[limit - 1].pk if len(rows) > limit else None)


def exemptions_of(scope: Scope, person: Person, day: date) -> list[Excused]:
    """Everything a person was ever excused from, latest first."""
    found: QuerySet[Exemption] = Exemption.objects.filter(school_id=person.school_id, person=person)
    return _shown(list(found.select_related("person").order_by("-valid_from", "-id")), day)


def _shown(rows: Sequence[Exemption], day: date) -> list[Excused]:
    users = {e.created_by for e in rows} | {e.cancelled_by for e in rows if e.cancelled_by}
    names = dict(User.objects.filter(pk__in=users).values_list("pk", "display_name")) if users else {}
    nodes = {
        m.person_id: m.organisation.label
        for m in Membership.objects.valid_on(day)
        .filter(school_id__in={e.school_id for e in rows}, person_id__in=[e.person_id for e in rows])
        .select_related("organisation")
    }
    return [
        Excused(
            exemption=e,
            person=e.person,
            node=nodes.get(e.person_id, ""),
            granted_by=names.get(e.created_by, ""),
            cancelled_by=names.get(e.cancelled_by or 0, ""),
        )
        for e in rows
    ]
