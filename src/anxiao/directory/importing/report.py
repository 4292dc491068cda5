"""Saying what happened: the error workbook that goes back to its sender."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from django.utils.translation import gettext as _

from anxiao.base.tables.stream import Line, StreamedSheet, stream_workbook
from anxiao.directory.importing.faults import describe
from anxiao.directory.importing.templates import (
    BY_KIND,
    HELP_SHEET,
    ORIGIN_HEADER,
    PLACE_CHOICES,
    PROBLEM_HEADER,
    Field,
    Kind,
    Template,
)
from anxiao.directory.models import ImportRow
from anxiao.directory.names import Audience


def say_faults(faults: Iterable[Mapping[str, Any]]) -> str:
    """All faults of a row in one cell."""
    return "\n".join(
        _("%(column)s: %(problem)s") % {"column": fault["header"], "problem": describe(fault["kind"], fault["params"])}
        for fault in faults
    )


def error_workbook(audience: Audience, rows: Iterable[ImportRow], categories: Sequence[str], school_name: str) -> bytes:
    """`stream_errors` in one piece, for a file on a disk."""
    template = BY_KIND[Kind.STUDENTS if audience is Audience.STUDENT else Kind.STAFF]
    return b"".join(stream_errors(template, rows, categories, school_name))


def stream_errors(
    template: Template, rows: Iterable[ImportRow], categories: Sequence[str], school_name: str
) -> Iterator[bytes]:
    """The rejected rows as they were typed, wrong cells coloured and commented, under the template's own header.

    Two columns follow at the right (what is wrong, and where the row stood); the import does not read them, so the
    workbook can be sent again as soon as the cells are mended. Rows are asked for while the file is being sent.
    """
    order = [column for column, _header in template.columns]
    choices: dict[Field, Sequence[str]] = {
        Field.SCHOOL: [school_name],
        Field.SEX: ["男", "女"],
        Field.CATEGORY: categories,
        Field.PLACE_KIND: list(PLACE_CHOICES),
    }
    widths = [22.0 if column in (Field.SCHOOL, Field.COLLEGE) else 15.0 for column in order]
    yield from stream_workbook(
        [
            StreamedSheet(
                template.title,
                [*template.headers, PROBLEM_HEADER, ORIGIN_HEADER],
                error_lines(template, rows),
                widths=[*widths, 60.0, 24.0],
                choices={at: choices[column] for at, column in enumerate(order, start=1) if column in choices},
                wrapped=frozenset({len(order) + 1}),
            ),
            StreamedSheet(
                HELP_SHEET,
                lines=[
                    Line((_("Mend the coloured cells; the comment on each says what is wrong."),)),
                    Line((_("Then upload this workbook again. The last two columns are not read."),)),
                ],
                widths=[80.0],
            ),
        ]
    )


def error_lines(template: Template, rows: Iterable[ImportRow]) -> Iterator[Line]:
    """One line a rejected row: its cells, what is wrong with them, where it stood; wrong cells are marked."""
    headers = template.headers
    places = {str(column): at for at, (column, _header) in enumerate(template.columns, start=1)}
    for row in rows:
        origin = _("sheet %(sheet)s, row %(row)s") % {"sheet": row.sheet, "row": row.row}
        marks: dict[int, str] = {}
        for fault in row.faults:
            place = places.get(fault["field"])
            if place is not None:
                words = describe(fault["kind"], fault["params"])
                marks[place] = f"{marks[place]}\n{words}" if place in marks else words
        yield Line([*(str(row.raw.get(header) or "") for header in headers), say_faults(row.faults), origin], marks)
