"""Keeping the keys of the search (``person_search``) true.

Commands that change a name or a phone call ``refresh`` in their transaction.  An import of many rows calls
``fill_missing`` when its rows stand, or writes ``rules_search.search_keys`` itself.  The housekeeper calls
``fill_missing`` too, so that nothing stays missing for long, also after the deployment's key has changed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from django.db import DEFAULT_DB_ALIAS, connections, transaction

from anxiao.base import deployment, pgarrays
from anxiao.base.blind import BlindIndex, blind_index
from anxiao.directory.rules_search import TAIL, search_keys

BATCH = 20_000
"""People of one transaction: about two seconds of work."""

_COLUMNS = "person_id, school_id, pinyin, initials, backwards, tail, key_id, made_from"
_SETTLE = """
ON CONFLICT (person_id) DO UPDATE SET school_id = excluded.school_id, pinyin = excluded.pinyin,
    initials = excluded.initials, backwards = excluded.backwards, tail = excluded.tail, key_id = excluded.key_id,
    made_from = excluded.made_from
"""
_REFRESH = f"""
INSERT INTO person_search ({_COLUMNS})
SELECT p.id, p.school_id, k.pinyin, k.initials, k.backwards, k.tail, %(key)s, p.changed_at
FROM unnest(%(ids)s::int[], %(pinyin)s::text[], %(initials)s::text[], %(backwards)s::text[], %(tail)s::bigint[])
     AS k (id, pinyin, initials, backwards, tail)
JOIN person p ON p.id = k.id
{_SETTLE}
"""
_WINDOW = "SELECT max(id) FROM (SELECT id FROM person p WHERE id > %(after)s {of_school} ORDER BY id LIMIT %(batch)s) w"
_MISSING = """
SELECT p.id, p.school_id, p.name, p.phone, p.changed_at::text
FROM person p
LEFT JOIN person_search s ON s.person_id = p.id AND s.person_id > %(after)s AND s.person_id <= %(last)s
WHERE p.id > %(after)s AND p.id <= %(last)s {of_school}
  AND (s.person_id IS NULL OR s.made_from <> p.changed_at OR s.key_id <> %(key)s)
ORDER BY p.id
"""
_COPIED = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})
_TEMPORARY = "CREATE TEMPORARY TABLE person_search_new (LIKE person_search INCLUDING DEFAULTS) ON COMMIT DROP"


def phone_index() -> BlindIndex:
    """The deployment's blind index of the last four digits of phones."""
    return blind_index(deployment.secret(), TAIL)


def refresh(person_ids: Iterable[int], *, using: str = DEFAULT_DB_ALIAS) -> int:
    """Make the keys of some people anew, in the caller's transaction; two statements. Returns how many."""
    ids = sorted(set(person_ids))
    if not ids:
        return 0
    index = phone_index()
    with connections[using].cursor() as cursor:
        cursor.execute("SELECT id, school_id, name, phone FROM person WHERE id = ANY(%s) ORDER BY school_id, id", [ids])
        rows = cursor.fetchall()
        keys = list(search_keys((row[1:] for row in rows), index))
        cursor.execute(
            _REFRESH,
            {
                "key": index.key_id,
                "ids": pgarrays.plain(row[0] for row in rows),
                "pinyin": pgarrays.texts(key.pinyin for key in keys),
                "initials": pgarrays.texts(key.initials for key in keys),
                "backwards": pgarrays.texts(key.backwards for key in keys),
                "tail": pgarrays.plain(key.tail for key in keys),
            },
        )
    return len(rows)


def fill_missing(*, school_id: int | None = None, using: str = "bulk", batch: int = BATCH) -> int:
    """Make every key that is missing or out of date, of one school or of all; returns how many.

    Windows of people, each a transaction: safe to be cut off and to run twice.  Rows go in by COPY, which only the
    bulk role may do on a fenced table.
    """
    index, made = phone_index(), 0
    of_school = "" if school_id is None else "AND p.school_id = %(school)s"
    window: dict[str, int | None] = {"after": 0, "school": school_id, "key": index.key_id, "batch": batch}
    connection = connections[using]
    while True:
        with transaction.atomic(using=using), connection.cursor() as cursor:
            cursor.execute(_WINDOW.format(of_school=of_school), window)
            (window["last"],) = cursor.fetchone()
            if window["last"] is None:
                return made
            cursor.execute(_MISSING.format(of_school=of_school), window)
            if rows := cursor.fetchall():
                cursor.execute(_TEMPORARY)
                with cursor.copy(f"COPY person_search_new ({_COLUMNS}) FROM STDIN") as copy:
                    copy.write("".join(_lines(rows, index)))
                cursor.execute(
                    f"INSERT INTO person_search ({_COLUMNS}) SELECT {_COLUMNS} FROM person_search_new {_SETTLE}"
                )
        made += len(rows)
        window["after"] = window["last"]


def _lines(rows: list[Any], index: BlindIndex) -> Iterator[str]:
    keys = search_keys((row[1:4] for row in rows), index)
    for (person, school, _name, _phone, changed), key in zip(rows, keys, strict=True):
        backwards = key.backwards.translate(_COPIED)
        tail = r"\N" if key.tail is None else key.tail
        yield f"{person}\t{school}\t{key.pinyin}\t{key.initials}\t{backwards}\t{tail}\t{index.key_id}\t{changed}\n"
