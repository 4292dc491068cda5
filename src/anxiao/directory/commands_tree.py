"""Changes of the tree itself: colleges that merge, nodes that are renamed.

The tree only grows: a merger makes new classes beneath the other college and moves everybody there from its day on, so
that every figure of an earlier day stays where it was counted.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any

from django.db import connection, transaction
from django.utils.translation import gettext as _

from anxiao.base.clock import day_of
from anxiao.base.errors import Invalid, NotYours, Refused
from anxiao.base.events import publish
from anxiao.base.locks import school_roster_lock
from anxiao.base.scope import Scope, system_scope
from anxiao.base.tenancy import school_context
from anxiao.directory.access_roster import may_manage
from anxiao.directory.commands_roster import FIRST_DAY, Change, check_open
from anxiao.directory.models import Organisation
from anxiao.directory.models_roster import OrganisationName, RosterChange
from anxiao.directory.names import NODES_MERGED, OrganisationKind
from anxiao.directory.names_roster import ChangeKind
from anxiao.ledger.commands import Line, record_many

MERGEABLE = (OrganisationKind.COLLEGE, OrganisationKind.DEPARTMENT)
RENAMEABLE = (*MERGEABLE, OrganisationKind.CLASS)
LONGEST_NAME, LONGEST_GRADE = 100, 10

_NEW_CLASSES = """
WITH fresh AS MATERIALIZED (
    SELECT nextval(pg_get_serial_sequence('organisation', 'id')) AS id, o.id AS old_id, o.kind, o.name, o.code, o.grade
    FROM organisation o
    WHERE o.school_id = %(school)s AND o.parent_id = %(from)s AND o.closed_on IS NULL
), made AS (
    INSERT INTO organisation (id, school_id, kind, parent_id, path, name, code, grade, created_at)
    SELECT id, %(school)s, kind, %(into)s, (%(path)s || '.' || id)::ltree, name, code, grade, %(now)s FROM fresh
)
SELECT old_id, id FROM fresh ORDER BY old_id
"""

_EVERYBODY_MOVES = """
INSERT INTO roster_wanted (person_id, organisation_id, valid_from, valid_to)
SELECT m.person_id, u.new, greatest(m.valid_from, %(on)s), m.valid_to
FROM unnest(%(old)s::int[], %(new)s::int[]) AS u(old, new)
JOIN membership m ON m.school_id = %(school)s AND m.organisation_id = u.old AND m.superseded_at IS NULL
    AND (m.valid_to IS NULL OR m.valid_to > %(on)s)
"""

_COUNSELLORS_END = """
WITH ended AS (
    SELECT c.id, c.valid_to FROM class_counsellor c
    WHERE c.school_id = %(school)s AND c.organisation_id = ANY(%(old)s) AND (c.valid_to IS NULL OR c.valid_to > %(on)s)
    FOR UPDATE
), done AS (
    UPDATE class_counsellor c SET valid_to = greatest(c.valid_from, %(on)s) FROM ended e WHERE e.id = c.id
)
SELECT id, valid_to FROM ended ORDER BY id
"""

_COUNSELLORS_BEGIN = """
INSERT INTO class_counsellor (school_id, organisation_id, person_id, valid_from, valid_to)
SELECT %(school)s, u.new, c.person_id, greatest(c.valid_from, %(on)s), e.valid_to
FROM unnest(%(links)s::int[], %(ends)s::date[]) AS e(id, valid_to)
JOIN class_counsellor c ON c.school_id = %(school)s AND c.id = e.id
JOIN unnest(%(old)s::int[], %(new)s::int[]) AS u(old, new) ON u.old = c.organisation_id
ORDER BY c.id
RETURNING id, valid_from
"""

_NAMES_COME_DUE = """
UPDATE organisation o SET name = n.name, grade = n.grade
FROM organisation_name n
WHERE n.school_id = o.school_id AND n.organisation_id = o.id AND n.superseded_at IS NULL
  AND n.valid_from <= %(day)s AND (n.valid_to IS NULL OR n.valid_to > %(day)s)
  AND (o.name, o.grade) IS DISTINCT FROM (n.name, n.grade) AND (%(node)s::int IS NULL OR o.id = %(node)s::int)
  AND NOT EXISTS (SELECT FROM organisation x
                  WHERE x.school_id = o.school_id AND x.parent_id IS NOT DISTINCT FROM o.parent_id AND x.kind = o.kind
                    AND x.name = n.name AND x.grade = n.grade AND x.closed_on IS NULL AND x.id <> o.id)
RETURNING o.school_id, o.id
"""


@transaction.atomic
def merge(*, by: Scope, now: datetime, node: Organisation, into: Organisation, on: date, reason: str) -> RosterChange:
    """Merge a college (or department) into another: all its classes and people belong there from the day ``on``."""
    change = Change(by, now, ChangeKind.MERGER, on, reason)
    if node.school_id != into.school_id or not may_manage(by, node) or not may_manage(by, into):
        raise NotYours
    school_roster_lock(node.school_id)
    # as it stands now, and held so: what the caller read may be old
    held = {o.pk: o for o in Organisation.objects.select_for_update().filter(pk__in=(node.pk, into.pk)).order_by("pk")}
    node, into = held[node.pk], held[into.pk]
    _check_mergeable(node, into)
    params: dict[str, Any] = {
        "school": node.school_id,
        "from": node.pk,
        "into": into.pk,
        "path": into.path,
        "on": on,
        "now": now,
    }
    with connection.cursor() as cursor:
        cursor.execute(_NEW_CLASSES, params)
        classes = dict(cursor.fetchall())
        pairs = {node.pk: into.pk, **classes}
        params |= {"old": list(pairs), "new": list(pairs.values())}
        cursor.execute(_COUNSELLORS_END, params)
        ended = cursor.fetchall()
        cursor.execute(
            _COUNSELLORS_BEGIN, {**params, "links": [i for i, _to in ended], "ends": [to for _i, to in ended]}
        )
        begun = cursor.fetchall()
    Organisation.objects.filter(school_id=node.school_id, pk__in=list(pairs)).update(closed_on=on)
    return change.made(
        node=node,
        to_node=into,
        fill=lambda cursor: cursor.execute(_EVERYBODY_MOVES, params),
        facts={
            "closed": list(pairs),
            "opened": list(classes.values()),
            "links_ended": [[i, to and to.isoformat()] for i, to in ended],
            "links_begun": [[i, since.isoformat()] for i, since in begun],
            "pairs": [[old, new] for old, new in classes.items()],
        },
        # roles move before anybody hears that the counsellors of the old classes ended
        tell_first=lambda: publish(NODES_MERGED, school_id=node.school_id, pairs=pairs, on=on, now=now, by=by),
    )


@transaction.atomic
def rename(
    *, by: Scope, now: datetime, node: Organisation, name: str, grade: str | None = None, on: date, reason: str
) -> RosterChange:
    """Give a node another name from the day ``on``; the days before keep the former one."""
    change = Change(by, now, ChangeKind.RENAMING, on, reason)
    if not may_manage(by, node):
        raise NotYours
    if node.kind not in RENAMEABLE:
        raise Refused(_("The name of a school stands in the register of schools and is not changed here."))
    name = " ".join(name.split())
    grade = node.grade if grade is None else "".join(grade.split())
    _check_name(node, name, grade)
    school_roster_lock(node.school_id)
    node = Organisation.objects.select_for_update().get(pk=node.pk)
    check_open(node)
    _write_name(node, name, grade, on, now)
    with connection.cursor() as cursor:
        cursor.execute(_NAMES_COME_DUE, {"day": day_of(now), "node": node.pk})
    return change.made(node=node, facts={"renamed": node.pk})


def names_come_due(*, now: datetime) -> int:
    """Carry the names over whose day has come; returns how many nodes.  Safe to run twice."""
    with school_context("*"), connection.cursor() as cursor:
        cursor.execute(_NAMES_COME_DUE, {"day": day_of(now), "node": None})
        due = cursor.fetchall()
        record_many(
            by=system_scope("housekeeping"),
            now=now,
            lines=[Line("organisation.renamed", "organisation", node, school) for school, node in due],
        )
    return len(due)


def _check_mergeable(node: Organisation, into: Organisation) -> None:
    if node.pk == into.pk:
        raise Refused(_("A node cannot be merged into itself. Choose another one."))
    if node.kind not in MERGEABLE or node.kind != into.kind:
        raise Refused(_("A college merges into a college, a department into a department."))
    check_open(node)
    check_open(into)
    beneath = Organisation.objects.filter(school_id=node.school_id, closed_on=None)
    theirs = set(beneath.filter(parent=into).values_list("grade", "name"))
    both = sorted(o.label for o in beneath.filter(parent=node) if (o.grade, o.name) in theirs)
    if both:
        raise Refused(
            _("Both have a class of this name: %(classes)s. Rename one of them first.")
            % {"classes": ", ".join(both[:5])}
        )


def _check_name(node: Organisation, name: str, grade: str) -> None:
    faults: dict[str, object] = {}
    if not name:
        faults["name"] = _("Please enter a name.")
    elif len(name) > LONGEST_NAME:
        faults["name"] = _("Please keep the name within %(n)s characters.") % {"n": LONGEST_NAME}
    if len(grade) > LONGEST_GRADE or (grade and node.kind != OrganisationKind.CLASS):
        faults["grade"] = _("Only a class has a grade, of at most %(n)s characters.") % {"n": LONGEST_GRADE}
    beside = Organisation.objects.filter(
        school_id=node.school_id, parent=node.parent_id, kind=node.kind, name=name, grade=grade, closed_on=None
    ).exclude(pk=node.pk)
    if not faults and beside.exists():
        faults["name"] = _("There is another one of this name beside it already.")
    if faults:
        raise Invalid(faults)


def _write_name(node: Organisation, name: str, grade: str, on: date, now: datetime) -> None:
    """The line of a node's names with another one from ``on`` on; rows are superseded and written anew."""
    rows = list(OrganisationName.objects.select_for_update().filter(organisation=node, superseded_at=None))
    if not rows:
        rows = [_name(node, node.name, node.grade, FIRST_DAY, None, node.created_at)]
    moment = max([now, *(row.known_from + timedelta(microseconds=1) for row in rows)])
    before = [row for row in rows if row.valid_from < on]
    if before and (before[-1].name, before[-1].grade) == (name, grade) and len(before) == len(rows):
        raise Refused(_("It is called so already. Nothing was changed."))
    for row in rows:
        if row.valid_to is None or row.valid_to > on:
            row.superseded_at = moment
            row.save()
    if before and (before[-1].valid_to is None or before[-1].valid_to > on):
        _name(node, before[-1].name, before[-1].grade, before[-1].valid_from, on, moment).save()
    _name(node, name, grade, on, None, moment).save()


def _name(
    node: Organisation, name: str, grade: str, since: date, until: date | None, known: datetime
) -> OrganisationName:
    return OrganisationName(
        school_id=node.school_id,
        organisation=node,
        name=name,
        grade=grade,
        valid_from=since,
        valid_to=until,
        known_from=known,
    )
