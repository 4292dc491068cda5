"""Changes of people's places in the roster: transfer, leave, return, graduation, and taking a change back.

Each has the day from which it holds, past or future, and a reason; it is refused with a sentence, written down as a
`RosterChange` with the memberships it moved, entered into the ledger, and told to whoever counts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from typing import Any

from django.db import connection, transaction
from django.utils.translation import gettext as _

from anxiao.base.errors import Invalid, NotYours, Refused
from anxiao.base.events import publish
from anxiao.base.locks import school_roster_lock
from anxiao.base.scope import Scope
from anxiao.directory import storage
from anxiao.directory.access_roster import answering_node, may_manage, nodes_of
from anxiao.directory.models import ClassCounsellor, Membership, Organisation, Person
from anxiao.directory.models_roster import RosterChange
from anxiao.directory.names import NODES_MERGED, ROSTER_CHANGED, Audience, OrganisationKind
from anxiao.directory.names_roster import ChangeKind
from anxiao.directory.storage import Rewritten, Wanted
from anxiao.ledger.commands import record

FIRST_DAY, LAST_DAY = date(2020, 1, 1), date(2099, 12, 31)
LONGEST_REASON = 200

_EVERYBODY = """
INSERT INTO roster_wanted (person_id, organisation_id, valid_from, valid_to)
SELECT m.person_id, NULL::int, min(greatest(m.valid_from, %(on)s::date)), NULL::date
FROM membership m
JOIN person p ON p.school_id = m.school_id AND p.id = m.person_id AND p.audience = %(audience)s
WHERE m.school_id = %(school)s AND m.organisation_id = %(node)s AND m.superseded_at IS NULL
  AND (m.valid_to IS NULL OR m.valid_to > %(on)s)
GROUP BY m.person_id
"""

_INTO_CLOSED = """
SELECT o.grade || ' ' || o.name, o.closed_on FROM roster_wanted w
JOIN organisation o ON o.school_id = %(school)s AND o.id = w.organisation_id
WHERE o.closed_on < coalesce(w.valid_to, 'infinity') LIMIT 1
"""


@transaction.atomic
def transfer(*, by: Scope, now: datetime, person: Person, to: Organisation, on: date, reason: str) -> RosterChange:
    """Move a person to another node of the same school from the day ``on``; what is planned for later still happens."""
    change = Change(by, now, ChangeKind.TRANSFER, on, reason)
    node = change.of_person(person)
    standing = standing_on(person, on)
    if standing is None:
        raise Refused(_("On that day this person belongs nowhere. Enter a return instead."))
    _check_target(by, person, to)
    if standing.organisation_id == to.pk:
        raise Refused(_("On that day this person belongs there already."))
    return change.made(node=node, to_node=to, wanted=[Wanted(person.pk, to.pk, on)], planned=True)


@transaction.atomic
def take_leave(
    *, by: Scope, now: datetime, person: Person, on: date, until: date | None = None, reason: str
) -> RosterChange:
    """Leave of absence (休学): from ``on`` nothing is expected, until the first day back (None: until a return)."""
    change = Change(by, now, ChangeKind.LEAVE, on, reason, until=until)
    node = change.of_person(person)
    check_held(person, on)
    return change.made(node=node, wanted=[Wanted(person.pk, None, on, until)])


@transaction.atomic
def come_back(*, by: Scope, now: datetime, person: Person, to: Organisation, on: date, reason: str) -> RosterChange:
    """Return (复学) to a class, also before the day that was planned; a planned end stays as it was planned."""
    change = Change(by, now, ChangeKind.RETURN, on, reason)
    node = change.of_person(person)
    if standing_on(person, on) is not None:
        raise Refused(_("On that day this person belongs to a class already. Enter a transfer instead."))
    _check_target(by, person, to)
    later = Membership.objects.filter(
        school_id=person.school_id, person=person, superseded_at=None, valid_from__gt=on
    ).values_list("valid_to", flat=True)
    ends = [end for end in later if end is not None]
    until = max(ends) if ends and len(ends) == len(later) else None
    return change.made(node=node, to_node=to, wanted=[Wanted(person.pk, to.pk, on, until)])


@transaction.atomic
def graduate(*, by: Scope, now: datetime, person: Person, on: date, reason: str) -> RosterChange:
    """Graduation, or leaving for good: from ``on`` the person belongs nowhere, and nothing planned later happens."""
    change = Change(by, now, ChangeKind.GRADUATION, on, reason)
    node = change.of_person(person)
    check_held(person, on)
    return change.made(node=node, wanted=[Wanted(person.pk, None, on)])


@transaction.atomic
def graduate_class(*, by: Scope, now: datetime, node: Organisation, on: date, reason: str) -> RosterChange:
    """Graduation of all students of a class, which closes on that day.  Nobody is asked for one by one."""
    change = Change(by, now, ChangeKind.GRADUATION, on, reason)
    if not may_manage(by, node):
        raise NotYours
    if node.kind != OrganisationKind.CLASS:
        raise Refused(_("Only a class graduates. Choose the classes one by one."))
    school_roster_lock(node.school_id)
    node = Organisation.objects.select_for_update().get(pk=node.pk)
    check_open(node)
    Organisation.objects.filter(pk=node.pk).update(closed_on=on)

    def everybody(cursor: storage.Cursor) -> None:
        cursor.execute(
            _EVERYBODY,
            {"school": node.school_id, "node": node.pk, "on": on, "audience": Audience.STUDENT.value},
        )

    return change.made(node=node, fill=everybody, facts={"closed": [node.pk]})


@transaction.atomic
def undo_change(*, by: Scope, now: datetime, change: RosterChange) -> RosterChange:
    """Take a decision back, as if it had not been made; both stay on record.  Refused when something builds on it."""
    if not all(may_manage(by, node) for node in nodes_of(change)):
        raise NotYours
    school_roster_lock(change.school_id)
    change = RosterChange.objects.select_for_update().get(pk=change.pk)
    if change.undone_at is not None:
        raise Refused(_("This change was already taken back."))
    if change.kind == ChangeKind.RENAMING:
        raise Refused(_("Give the former name again instead of taking the renaming back."))
    with connection.cursor() as cursor:
        storage.begin_undo(cursor)
        cursor.execute(
            "INSERT INTO roster_undo SELECT unnest(%s::int[]), false UNION ALL SELECT unnest(%s::int[]), true",
            [change.superseded, change.begun],
        )
        if depending := storage.depending(cursor, change.school_id):
            raise Refused(
                _("%(n)s people were changed again since. Take the later changes back first.") % {"n": len(depending)}
                if len(depending) > 1
                else _("This person was changed again since. Take the later change back first.")
            )
        _put_back(change)
        storage.want_back(cursor, change.school_id)
        cursor.execute(_INTO_CLOSED, {"school": change.school_id})
        if closed := cursor.fetchone():
            raise Refused(_("%(node)s is closed from %(day)s on.") % {"node": closed[0].strip(), "day": closed[1]})
        outcome = storage.rewrite(cursor, school_id=change.school_id, now=now)
    change.undone_at, change.undone_by, change.undone_by_name = outcome.moment or now, by.user_id, by.display_name
    change.save(update_fields=["undone_at", "undone_by", "undone_by_name"])
    _enter(by, now, change, verb="roster.undone")
    if back := {new: old for old, new in change.facts.get("pairs", ())}:
        publish(NODES_MERGED, school_id=change.school_id, pairs=back, on=change.effective_on, now=now, by=by)
    publish(ROSTER_CHANGED, school_id=change.school_id, since=outcome.since or change.effective_on, now=now)
    return change


class Change:
    """A decision on its way: what is the same in all of them."""

    def __init__(
        self, by: Scope, now: datetime, kind: ChangeKind, on: date, reason: str, *, until: date | None = None
    ) -> None:
        self.by, self.now, self.kind, self.on, self.until = by, now, kind, on, until
        self.reason = reason.strip()
        self.person: Person | None = None
        faults: dict[str, object] = {}
        if not self.reason:
            faults["reason"] = _("Please give the reason; it stays with the change.")
        elif len(self.reason) > LONGEST_REASON:
            faults["reason"] = _("Please keep the reason within %(n)s characters.") % {"n": LONGEST_REASON}
        if not FIRST_DAY <= on <= LAST_DAY:
            faults["on"] = _("Please choose a day between 2020 and 2099.")
        if until is not None and not FIRST_DAY <= until <= LAST_DAY:
            faults["until"] = _("Please choose a day between 2020 and 2099.")
        elif until is not None and until <= on:
            faults["until"] = _("The day of the return lies before the first day of absence.")
        if faults:
            raise Invalid(faults)

    def of_person(self, person: Person) -> Organisation:
        """Hold the school's roster still, and see that the caller answers for this person; the node that does."""
        school_roster_lock(person.school_id)
        node = answering_node(person, self.on)
        if node is None or not may_manage(self.by, node):
            raise NotYours
        self.person = person
        return node

    def made(
        self,
        *,
        node: Organisation,
        to_node: Organisation | None = None,
        wanted: Sequence[Wanted] = (),
        fill: Callable[[storage.Cursor], None] | None = None,
        planned: bool = False,
        even_if_nothing: bool = False,
        facts: Mapping[str, Any] | None = None,
        tell_first: Callable[[], None] | None = None,
    ) -> RosterChange:
        """Rewrite the memberships, and write down, enter and tell that it was done."""
        outcome, superseded, begun, people = rewritten(node.school_id, self.now, wanted, fill, planned)
        if not outcome.changed and not even_if_nothing and not facts:
            raise Refused(_("The roster says so already. Nothing was changed."))
        change = RosterChange.objects.create(
            school_id=node.school_id,
            kind=self.kind,
            person=self.person,
            node=node,
            to_node=to_node,
            effective_on=self.on,
            until=self.until,
            reason=self.reason,
            people=people,
            superseded=superseded,
            begun=begun,
            facts=facts or {},
            made_by=self.by.user_id,
            made_by_name=self.by.display_name,
            made_at=outcome.moment or self.now,
        )
        _enter(self.by, self.now, change, verb=f"roster.{self.kind}")
        if tell_first is not None:
            tell_first()
        if outcome.changed or change.facts.get("links_ended"):
            publish(ROSTER_CHANGED, school_id=node.school_id, since=outcome.since or self.on, now=self.now)
        return change


def rewritten(
    school_id: int,
    now: datetime,
    wanted: Sequence[Wanted],
    fill: Callable[[storage.Cursor], None] | None,
    planned: bool,
) -> tuple[Rewritten, list[int], list[int], int]:
    """Rewrite what is wanted; the outcome, the ids of rows that ended and began, and how many people they are of."""
    with connection.cursor() as cursor:
        storage.begin(cursor)
        if wanted:
            storage.want(cursor, wanted)
        if fill is not None:
            fill(cursor)
        if planned:
            storage.keep_what_is_planned(cursor, school_id)
        outcome = storage.rewrite(cursor, school_id=school_id, now=now)
        superseded, begun = storage.rewritten_ids(cursor)
        cursor.execute("SELECT count(DISTINCT person_id) FROM roster_rewritten")
        (people,) = cursor.fetchone()
    return outcome, superseded, begun, people


def _enter(by: Scope, now: datetime, change: RosterChange, *, verb: str) -> None:
    """The ledger row.  The reason stays with the change: it may speak of somebody's health."""
    record(
        by=by,
        now=now,
        verb=verb,
        object_type="person" if change.person_id else "organisation",
        object_id=change.person_id or change.node_id,
        school_id=change.school_id,
        facts={
            "change": change.pk,
            "on": change.effective_on,
            "until": change.until,
            "people": change.people,
            "to": change.to_node_id,
        },
    )


def standing_on(person: Person, day: date) -> Membership | None:
    """The membership that holds a person on a day, as known now."""
    return Membership.objects.valid_on(day).filter(school_id=person.school_id, person=person).first()


def check_held(person: Person, day: date) -> None:
    """Refuse to end what does not stand."""
    if standing_on(person, day) is None:
        raise Refused(_("On that day this person belongs nowhere, so there is nothing to end."))


def check_open(node: Organisation) -> None:
    """Refuse a node that closes, or has closed already."""
    if node.closed_on is not None:
        raise Refused(_("%(node)s is closed from %(day)s on.") % {"node": node.label, "day": node.closed_on})


def _check_target(by: Scope, person: Person, to: Organisation) -> None:
    if to.school_id != person.school_id:
        raise Refused(_("A person cannot be moved into another school."))
    if not may_manage(by, to):
        raise NotYours
    check_open(to)


def _put_back(change: RosterChange) -> None:
    """Nodes that closed open again, nodes that came close, counsellors come back to their classes."""
    facts = change.facts
    if facts.get("closed"):
        Organisation.objects.filter(school_id=change.school_id, pk__in=facts["closed"]).update(closed_on=None)
    if facts.get("opened"):
        Organisation.objects.filter(school_id=change.school_id, pk__in=facts["opened"]).update(
            closed_on=change.effective_on
        )
    for link, until in facts.get("links_ended", ()):
        ClassCounsellor.objects.filter(school_id=change.school_id, pk=link).update(valid_to=until)
    for link, since in facts.get("links_begun", ()):
        ClassCounsellor.objects.filter(school_id=change.school_id, pk=link).update(valid_to=since)
