"""The templates for download: the header, drop-downs with the school's current lists, a sample and the help."""

from __future__ import annotations

from collections.abc import Iterable

from django.utils.translation import gettext as _

from anxiao.base.tables.write import SheetPlan, write_workbook
from anxiao.directory.importing.templates import BY_KIND, HELP_SHEET, PLACE_CHOICES, Field, Kind

_EMPTY_ROWS = 20_000
_WIDE = frozenset({Field.SCHOOL, Field.COLLEGE, Field.BUILDING, Field.PLACE})
_PEOPLE = frozenset({Kind.STUDENTS, Kind.STAFF})


def template_workbook(kind: Kind, *, school_name: str, categories: Iterable[str] = ()) -> bytes:
    """The bytes of an .xlsx file: an empty sheet to fill in, and the help. `categories` are the audience's."""
    template = BY_KIND[kind]
    order = [column for column, _header in template.columns]
    lists = {
        Field.SCHOOL: [school_name],
        Field.SEX: ["男", "女"],
        Field.CATEGORY: list(categories),
        Field.PLACE_KIND: list(PLACE_CHOICES),
    }
    choices = {order.index(column) + 1: values for column, values in lists.items() if column in order}
    widths = [22 if column in _WIDE else 15 for column in order]
    guide: list[tuple[str, ...]] = [template.headers, template.sample, ()]
    guide += [(header, explain(column, kind)) for column, header in template.columns]
    return write_workbook(
        [
            SheetPlan(template.title, template.headers, widths=widths, choices=choices, empty_rows=_EMPTY_ROWS),
            SheetPlan(HELP_SHEET, rows=guide, widths=widths, bold_rows=frozenset({1})),
        ]
    )


def explain(column: Field, kind: Kind) -> str:
    """What belongs into a column, in a sentence or two."""
    if kind not in _PEOPLE:
        return _explain_place(column, kind)
    match column:
        case Field.SCHOOL:
            return _("The full name of your own school, the same in every row.")
        case Field.COLLEGE:
            return _(
                "The college or department. A name that does not exist yet is created; you see it before it happens."
            )
        case Field.NUMBER:
            return _("Unique in the whole school. Leading zeros count: keep the cells formatted as text.")
        case Field.NAME:
            return _("The name as on the identity document.")
        case Field.SEX:
            return _("男 or 女.")
        case Field.PHONE | Field.COUNSELLOR_PHONE:
            return _(
                "A mobile number. A mainland number stands alone; any other carries its country code,"
                " such as +852-91234567."
            )
        case Field.CATEGORY if kind is Kind.STAFF:
            return _(
                "One of the list. Guards, cleaners and other people who work on the site count as 内地教职工."
                " New categories are added in the console, never here; then download this template again."
            )
        case Field.CATEGORY:
            return _(
                "One of the list."
                " New categories are added in the console, never here; then download this template again."
            )
        case Field.GRADE:
            return _("The year of admission, such as 18级.")
        case Field.CLASS:
            return _("The class within its college and grade, such as 通信1班.")
        case Field.COUNSELLOR_NAME:
            return _("The counsellor's name, exactly as in the staff sheet.")
        case Field.COUNSELLOR_NUMBER:
            return _("The counsellor's staff number. Import the staff sheet first. One class has one counsellor.")
    raise ValueError(column)


def _explain_place(column: Field, kind: Kind) -> str:
    match column:
        case Field.SCHOOL:
            return _("The full name of your own school, the same in every row.")
        case Field.NUMBER if kind is Kind.DORMITORY:
            return _("The number of a student or a member of staff, exactly as in the directory. Leading zeros count.")
        case Field.NUMBER:
            return _("The staff number of the responsible person, exactly as in the directory. Leading zeros count.")
        case Field.NAME if kind is Kind.DORMITORY:
            return _("May be left empty. Where it is given, it must agree with the directory.")
        case Field.NAME:
            return _("The name of the responsible person, exactly as in the directory.")
        case Field.CAMPUS:
            return _("The campus. A name that does not exist yet is created; you see it before it happens.")
        case Field.BUILDING:
            return _("The building, the same words in every row: its rooms are counted together.")
        case Field.ROOM:
            return _("The number of the room within its building.")
        case Field.BED:
            return _("The bed within the room. May be left empty.")
        case Field.PLACE_KIND:
            return _(
                "宿舍楼, 校医院 or 校门. It says what the person answers for: dorm manager, school doctor, security."
            )
        case Field.PLACE:
            return _("The name of the building, the clinic or the gate. Several people may answer for one place.")
        case Field.PHONE:
            return _("May be left empty. Where it is given, it is only compared with the directory.")
    raise ValueError(column)
