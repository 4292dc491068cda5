"""Taking an applied import back, while nothing was built on it.

People whom the import added stay in the table without a membership, because what was known at a moment must stay
answerable; nodes that it made are closed.  What would be lost with it is named, and then nothing is undone.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from django.db import connection
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from anxiao.base.events import publish
from anxiao.base.scope import Scope
from anxiao.directory import commands_search, storage
from anxiao.directory.importing import beds
from anxiao.directory.importing.staging import run
from anxiao.directory.models import DirectoryImport, ImportUndo
from anxiao.directory.names import IMPORT_UNDO_ASKED, NAMES_CHANGED
from anxiao.ledger.commands import record_rows

_FIELDS = """
CREATE TEMPORARY TABLE import_back ON COMMIT DROP AS
SELECT p.id, p.name, p.sex, p.phone, c.name AS category, r.changes - 'organisation' AS changes
FROM import_row r
JOIN person p ON p.school_id = %(school)s AND p.number = r."values" ->> 'number'
JOIN category c ON c.school_id = %(school)s AND c.id = p.category_id
WHERE r.school_id = %(school)s AND r.source_id = %(source)s AND r.verdict IN ('joins', 'moves', 'changed')
  AND r.changes - 'organisation' <> '{}'
"""

_CHANGED_SINCE = """
SELECT count(*) FROM import_back b
WHERE EXISTS (SELECT FROM jsonb_each(b.changes) c WHERE to_jsonb(b) ->> c.key <> c.value ->> 1)
   OR (b.changes ? 'category' AND NOT EXISTS (
       SELECT FROM category k WHERE k.school_id = %(school)s AND k.audience = %(audience)s
                                AND k.name = b.changes -> 'category' ->> 0))
"""

_FIELDS_BACK = """
UPDATE person p
SET name = coalesce(b.changes -> 'name' ->> 0, p.name), sex = coalesce(b.changes -> 'sex' ->> 0, p.sex),
    phone = coalesce(b.changes -> 'phone' ->> 0, p.phone),
    category_id = coalesce((SELECT k.id FROM category k WHERE k.school_id = %(school)s AND k.audience = %(audience)s
                            AND k.name = b.changes -> 'category' ->> 0), p.category_id), changed_at = %(now)s
FROM import_back b WHERE p.school_id = %(school)s AND p.id = b.id
RETURNING p.id
"""

# Somebody else's membership in a node that this import made, a node beneath it, a counsellor named since.
_NODES_IN_USE = """
SELECT count(*) FROM unnest(%(nodes)s::int[]) AS n(id)
WHERE EXISTS (SELECT FROM membership m WHERE m.school_id = %(school)s AND m.organisation_id = n.id
              AND m.superseded_at IS NULL AND m.id <> ALL (%(begun)s::int[]))
   OR EXISTS (SELECT FROM organisation o WHERE o.parent_id = n.id AND o.id <> ALL (%(nodes)s::int[])
              AND o.closed_on IS NULL)
   OR EXISTS (SELECT FROM class_counsellor l WHERE l.school_id = %(school)s AND l.organisation_id = n.id
              AND l.id <> ALL (%(linked)s::int[]))
"""

_LINKS_CHANGED = """
SELECT count(*) FROM unnest(%(linked)s::int[], %(linked_nodes)s::int[]) AS l(id, node)
WHERE EXISTS (SELECT FROM class_counsellor c
              WHERE c.school_id = %(school)s AND c.organisation_id = l.node AND c.id > l.id)
"""

_COUNSELLORS_SINCE = """
SELECT count(DISTINCT l.organisation_id) FROM class_counsellor l
WHERE l.school_id = %(school)s AND l.person_id = ANY (%(created)s::int[]) AND l.id <> ALL (%(linked)s::int[])
  AND (l.valid_to IS NULL OR l.valid_to > %(today)s)
"""

_LIVING_SINCE = """
SELECT count(DISTINCT r.person_id) FROM residence r
WHERE r.school_id = %(school)s AND r.person_id = ANY (%(created)s::int[])
"""


def depends_on(import_: DirectoryImport, kept: ImportUndo, today: date) -> list[str]:
    """Sentences that say what was built on an applied import; empty when it may be undone.

    Fills the temporary tables that `take_back` uses, so both belong into one transaction.
    """
    params = _parameters(import_, kept, today)
    run("DROP TABLE IF EXISTS pg_temp.import_back", {})
    run(_FIELDS, params)
    with connection.cursor() as cursor:
        storage.begin_undo(cursor)
        cursor.execute(
            "INSERT INTO roster_undo (membership_id, begun) SELECT unnest(%(superseded)s::int[]), false"
            " UNION ALL SELECT unnest(%(begun)s::int[]), true",
            params,
        )
        moved = len(storage.depending(cursor, import_.school_id))
    objections: list[tuple[str, int]] = []
    publish(
        IMPORT_UNDO_ASKED,
        school_id=import_.school_id,
        people=kept.created,
        since=import_.applied_at,
        objections=objections,
    )
    changed = run(_CHANGED_SINCE, params)[0][0]
    # whoever moved away has left traces in the nodes, too; once is enough to say
    nodes = run(_NODES_IN_USE, params)[0][0] if kept.nodes and not moved else 0
    links = run(_LINKS_CHANGED, params)[0][0] if kept.links else 0
    counselling = run(_COUNSELLORS_SINCE, params)[0][0] if kept.created else 0
    living = run(_LIVING_SINCE, params)[0][0] if kept.created else 0
    resettled = beds.changed_since(import_, kept) if kept.residences else 0
    own = [
        (moved, ngettext("%(n)s person has moved or left since.", "%(n)s people have moved or left since.", moved)),
        (changed, ngettext("%(n)s person was changed since.", "%(n)s people were changed since.", changed)),
        (nodes, ngettext("%(n)s new class or college is used.", "%(n)s new classes or colleges are used.", nodes)),
        (
            links,
            ngettext(
                "%(n)s class has another counsellor by now.", "%(n)s classes have other counsellors by now.", links
            ),
        ),
        (
            counselling,
            ngettext(
                "%(n)s class has a counsellor who came with this import.",
                "%(n)s classes have counsellors who came with this import.",
                counselling,
            ),
        ),
        (
            resettled,
            ngettext("%(n)s person sleeps elsewhere by now.", "%(n)s people sleep elsewhere by now.", resettled),
        ),
        (living, ngettext("%(n)s of the people has a bed by now.", "%(n)s of the people have a bed by now.", living)),
    ]
    return [words % {"n": n} for n, words in own if n] + [str(what) % {"n": n} for what, n in objections if n]


def take_back(import_: DirectoryImport, kept: ImportUndo, *, by: Scope, today: date, now: datetime) -> date | None:
    """Write everything back as it stood; `depends_on` was empty in this transaction.  The first day that differs."""
    params = {**_parameters(import_, kept, today), "now": now}
    with connection.cursor() as cursor:
        storage.want_back(cursor, import_.school_id)
        outcome = storage.rewrite(cursor, school_id=import_.school_id, now=now)
    changed = [person for (person,) in run(_FIELDS_BACK, params)]
    commands_search.refresh(changed)
    if changed:
        publish(NAMES_CHANGED, school_id=import_.school_id, people=changed, now=now)
    if kept.links:
        # the link that began was never meant: it keeps its row and no day
        run(
            "UPDATE class_counsellor SET valid_to = valid_from WHERE school_id = %(school)s"
            " AND id = ANY (%(linked)s::int[])",
            params,
        )
        run(
            "UPDATE class_counsellor c SET valid_to = u.last"
            " FROM unnest(%(ended)s::int[], %(lasts)s::date[]) AS u(id, last)"
            " WHERE c.school_id = %(school)s AND c.id = u.id",
            params,
        )
    if kept.residences:
        beds.take_beds_back(import_, kept)
    if kept.nodes:
        run(
            "UPDATE organisation SET closed_on = %(today)s"
            " WHERE school_id = %(school)s AND id = ANY (%(nodes)s::int[])",
            params,
        )
    rows = """
        SELECT 'person.import_undone' AS verb, 'person' AS object_type, q.id AS object_id,
               jsonb_build_object('import', %(source)s) AS facts
        FROM (SELECT DISTINCT person_id AS id FROM roster_rewritten UNION SELECT id FROM import_back
              UNION SELECT unnest(%(settled)s::int[])) q
    """
    record_rows(by=by, now=now, school_id=import_.school_id, rows=rows, params=params)
    if outcome.since is None and (changed or kept.links):
        return today
    return outcome.since


def refusal(reasons: list[str]) -> str:
    """The sentence of a refused undo."""
    return _("This import cannot be undone any more, and nothing was changed: %(reasons)s") % {
        "reasons": " ".join(reasons)
    }


def _parameters(import_: DirectoryImport, kept: ImportUndo, today: date) -> dict[str, Any]:
    ended = [(link, last) for _node, link, last, _begun in kept.links if link is not None]
    return {
        "school": import_.school_id,
        "source": import_.pk,
        "audience": import_.audience or 0,
        "today": today,
        "created": kept.created,
        "superseded": kept.superseded,
        "begun": kept.begun,
        "nodes": kept.nodes,
        "linked": [begun for _node, _link, _last, begun in kept.links],
        "linked_nodes": [node for node, _link, _last, _begun in kept.links],
        "ended": [link for link, _last in ended],
        "lasts": [last for _link, last in ended],
        "settled": [person for person, *_rest in kept.residences],
    }
