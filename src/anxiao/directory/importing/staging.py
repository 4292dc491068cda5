"""From the reader's lines to a table of this transaction: rows with their values, and what the roster says to them.

``import_stage`` holds every row of the file, ``import_known`` everybody of the school with the node that holds them
today.  Both are temporary: the difference is all that is kept.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import date
from typing import Any

from django.db import connection
from django.utils.translation import gettext as _

from anxiao.base.errors import Refused
from anxiao.directory.importing.templates import BY_KIND, Kind

_HEAD = ("sheet text NOT NULL", "row int NOT NULL", "verdict text NOT NULL")
_TAIL = ("number_stored text", "raw jsonb", "faults jsonb", "notes jsonb")

_KNOWN = """
CREATE TEMPORARY TABLE import_known ON COMMIT DROP AS
SELECT p.id, p.number, lower(p.number) AS folded, p.name, p.sex, p.phone, p.audience, p.category_id,
       m.organisation_id
FROM person p
LEFT JOIN membership m ON m.school_id = p.school_id AND m.person_id = p.id AND m.superseded_at IS NULL
    AND m.valid_from <= %(today)s AND (m.valid_to IS NULL OR m.valid_to > %(today)s)
WHERE p.school_id = %(school)s
"""


def begin(kind: Kind) -> None:
    """Make the empty stage for a kind of sheet; it vanishes with the transaction."""
    values = [f'"{field.value}" text' for field in BY_KIND[kind].values]
    columns = ", ".join(["position int GENERATED ALWAYS AS IDENTITY", *_HEAD, *values, *_TAIL])
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE IF EXISTS pg_temp.import_stage, pg_temp.import_known")
        cursor.execute(f"CREATE TEMPORARY TABLE import_stage ({columns}) ON COMMIT DROP")
        # what is planned badly once is planned badly for every row of a file
        cursor.execute("SET LOCAL jit = off")
        cursor.execute("SET LOCAL work_mem = '32MB'")


def fill(columns: Iterable[str], lines: Iterable[bytes], each: Callable[[], None]) -> None:
    """Copy lines onto the stage; ``each`` is called after every piece and may raise to stop."""
    names = ", ".join(f'"{name}"' for name in columns)
    with connection.cursor() as cursor:
        with cursor.copy(f"COPY import_stage ({names}) FROM STDIN") as copy:
            for piece in lines:
                copy.write(piece)
                each()
        cursor.execute("ANALYZE import_stage")


def know(school_id: int, today: date) -> None:
    """Fill ``import_known``.  Called under the roster lock when something is going to be written."""
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE IF EXISTS pg_temp.import_known")
        cursor.execute(_KNOWN, {"school": school_id, "today": today})
        cursor.execute("ANALYZE import_known")


def ground_must_stand(moved: str, params: dict[str, Any]) -> None:
    """`Refused` ("stale") when ``moved``, a statement that counts rows, finds any whose ground is another by now."""
    if stale := run(moved, params)[0][0]:
        raise Refused(
            _(
                "The directory has changed since this preview, and %(rows)s rows no longer fit. Nothing was"
                " changed. Upload the file again."
            )
            % {"rows": stale},
            code="stale",
        )


def letters_of(sheets: Iterable[Mapping[str, Any]]) -> dict[str, dict[str, str]]:
    """Sheet > field > column letter, from the sheets of a reader's summary."""
    return {
        sheet["sheet"]: {field: letter for field, (letter, _header) in sheet["columns"].items()} for sheet in sheets
    }


def run(statement: str, params: Mapping[str, Any]) -> list[tuple[Any, ...]]:
    """Run one statement and fetch what it returns."""
    with connection.cursor() as cursor:
        cursor.execute(statement, params)
        return cursor.fetchall() if cursor.description else []
