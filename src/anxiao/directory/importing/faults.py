"""What can be wrong with a cell, and how to say it so that the person with the sheet can mend it.

The caged child imports this module and never says anything: Django comes in only with the first sentence.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


def gettext_noop(message: str) -> str:
    """Mark a message for the catalogue."""
    return message


class FaultKind(StrEnum):
    """Kinds of faults. The value is stored with the row, the sentence is made when somebody reads it."""

    EMPTY = "empty"
    MERGED = "merged"
    FORMULA = "formula"
    ERROR_CELL = "error_cell"
    DATE_CELL = "date_cell"
    LOGICAL_CELL = "logical_cell"
    INVISIBLE = "invisible"
    UNREADABLE = "unreadable"
    LINE_BREAK = "line_break"
    TOO_LONG = "too_long"
    SCHOOL_OTHER = "school_other"
    COLLEGE_CHARACTERS = "college_characters"
    COLLEGE_IS_SCHOOL = "college_is_school"
    CLASS_CHARACTERS = "class_characters"
    NUMBER_CHARACTERS = "number_characters"
    NUMBER_DIGITS_LOST = "number_digits_lost"
    NUMBER_TOO_EXACT = "number_too_exact"
    NUMBER_ZEROS_LOST = "number_zeros_lost"
    NUMBER_TWICE = "number_twice"
    NUMBER_TWICE_BY_CASE = "number_twice_by_case"
    NUMBER_CASE = "number_case"
    NUMBER_OTHER_AUDIENCE = "number_other_audience"
    NAME_DIGITS = "name_digits"
    NAME_CHARACTERS = "name_characters"
    NAME_IS_NUMBER = "name_is_number"
    SEX_WRONG = "sex_wrong"
    CATEGORY_UNKNOWN = "category_unknown"
    CATEGORY_OTHER_AUDIENCE = "category_other_audience"
    PHONE_SHORT = "phone_short"
    PHONE_LONG = "phone_long"
    PHONE_LOCAL = "phone_local"
    PHONE_LANDLINE = "phone_landline"
    PHONE_NOT_ASSIGNED = "phone_not_assigned"
    PHONE_SEVERAL = "phone_several"
    PHONE_MASKED = "phone_masked"
    PHONE_DIGITS_LOST = "phone_digits_lost"
    PHONE_PLUS_MISSING = "phone_plus_missing"
    PHONE_COUNTRY_UNKNOWN = "phone_country_unknown"
    PHONE_FOREIGN_WRONG = "phone_foreign_wrong"
    PHONE_NOT_MOBILE = "phone_not_mobile"
    PHONE_CHARACTERS = "phone_characters"
    GRADE_FORM = "grade_form"
    GRADE_GRADUATION = "grade_graduation"
    GRADE_FUTURE = "grade_future"
    COUNSELLOR_UNKNOWN = "counsellor_unknown"
    COUNSELLOR_ZEROS_LOST = "counsellor_zeros_lost"
    COUNSELLOR_IS_STUDENT = "counsellor_is_student"
    COUNSELLOR_NAME_DIFFERS = "counsellor_name_differs"
    CLASS_TWO_COUNSELLORS = "class_two_counsellors"
    PLACE_CHARACTERS = "place_characters"
    PLACE_KIND_UNKNOWN = "place_kind_unknown"
    PERSON_UNKNOWN = "person_unknown"
    PERSON_ZEROS_LOST = "person_zeros_lost"
    PERSON_NAME_DIFFERS = "person_name_differs"
    BED_TWICE = "bed_twice"


class NoteKind(StrEnum):
    """What the importer did or noticed without refusing the row."""

    NORMALISED = "normalised"
    COUNSELLOR_PHONE_DIFFERS = "counsellor_phone_differs"


_SENTENCES: Mapping[FaultKind, str] = {
    FaultKind.EMPTY: gettext_noop("This cell must not be empty."),
    FaultKind.MERGED: gettext_noop("This cell is part of a merged block. Unmerge the cells and fill in every row."),
    FaultKind.FORMULA: gettext_noop("This cell holds a formula. Copy it and paste it as a value."),
    FaultKind.ERROR_CELL: gettext_noop("This cell shows an error instead of a value. Type the value."),
    FaultKind.DATE_CELL: gettext_noop(
        "The spreadsheet program has turned this into a date. Format the cell as text and type it again."
    ),
    FaultKind.LOGICAL_CELL: gettext_noop("This cell says true or false. Format it as text and type the value again."),
    FaultKind.INVISIBLE: gettext_noop(
        "This cell contains an invisible character (%(character)s). Empty the cell and type it by hand."
    ),
    FaultKind.UNREADABLE: gettext_noop(
        "This cell contains a character that other computers cannot show (%(character)s). Replace it."
    ),
    FaultKind.LINE_BREAK: gettext_noop("This cell has several lines. Write one value in one line."),
    FaultKind.TOO_LONG: gettext_noop("Longer than %(limit)s characters."),
    FaultKind.SCHOOL_OTHER: gettext_noop(
        "This is not your school. Here only “%(school)s” is accepted; rows of other schools are never imported."
    ),
    FaultKind.COLLEGE_CHARACTERS: gettext_noop(
        "“%(character)s” cannot be part of the name of a college or department."
    ),
    FaultKind.COLLEGE_IS_SCHOOL: gettext_noop(
        "The college has the name of the school. Write the college or department."
    ),
    FaultKind.CLASS_CHARACTERS: gettext_noop("“%(character)s” cannot be part of the name of a class."),
    FaultKind.NUMBER_CHARACTERS: gettext_noop(
        "“%(character)s” cannot be part of a number. Letters, digits and hyphens are accepted."
    ),
    FaultKind.NUMBER_DIGITS_LOST: gettext_noop(
        "The number was stored in scientific notation and has lost digits. Format the cell as text and type it again."
    ),
    FaultKind.NUMBER_TOO_EXACT: gettext_noop(
        "The number has more than 15 digits, and the spreadsheet program has replaced the last ones by zeros."
        " Format the cell as text and type it again."
    ),
    FaultKind.NUMBER_ZEROS_LOST: gettext_noop(
        "The cell holds a plain number, but the directory knows %(known)s. Leading zeros seem to be lost."
        " Format the cell as text and type the whole number."
    ),
    FaultKind.NUMBER_TWICE: gettext_noop("The same number also stands in %(others)s. A number belongs to one person."),
    FaultKind.NUMBER_TWICE_BY_CASE: gettext_noop(
        "This number differs only by small and capital letters from %(others)s. A number belongs to one person."
    ),
    FaultKind.NUMBER_CASE: gettext_noop(
        "The directory knows this number as %(known)s. Write it with the same small and capital letters."
    ),
    FaultKind.NUMBER_OTHER_AUDIENCE: gettext_noop(
        "This number already belongs to somebody on the other list (students or staff). Numbers are unique in a school."
    ),
    FaultKind.NAME_DIGITS: gettext_noop("A name has no digits. Are two columns exchanged?"),
    FaultKind.NAME_CHARACTERS: gettext_noop("“%(character)s” cannot be part of a name."),
    FaultKind.NAME_IS_NUMBER: gettext_noop("The name is the same as the number. Are two columns exchanged?"),
    FaultKind.SEX_WRONG: gettext_noop("Only 男 or 女 is accepted."),
    FaultKind.CATEGORY_UNKNOWN: gettext_noop(
        "This category does not exist. Known are: %(known)s. Add a new one in the console, then download the template"
        " again."
    ),
    FaultKind.CATEGORY_OTHER_AUDIENCE: gettext_noop(
        "This category belongs to the other list (students or staff). Known here are: %(known)s."
    ),
    FaultKind.PHONE_SHORT: gettext_noop("Too short: %(digits)s digits. A mainland mobile number has 11."),
    FaultKind.PHONE_LONG: gettext_noop("Too long: %(digits)s digits. A mainland mobile number has 11."),
    FaultKind.PHONE_LOCAL: gettext_noop(
        "%(digits)s digits: a landline, or a number from elsewhere without its country code. Write a mobile number,"
        " from outside the mainland such as +852-91234567."
    ),
    FaultKind.PHONE_LANDLINE: gettext_noop("This is a landline. A mobile number is needed."),
    FaultKind.PHONE_NOT_ASSIGNED: gettext_noop("No operator has mobile numbers that begin like this."),
    FaultKind.PHONE_SEVERAL: gettext_noop("There is more than one number here. Keep one."),
    FaultKind.PHONE_MASKED: gettext_noop("Some digits are hidden by asterisks. Write the whole number."),
    FaultKind.PHONE_DIGITS_LOST: gettext_noop(
        "The number was stored in scientific notation and has lost digits. Format the cell as text and type it again."
    ),
    FaultKind.PHONE_PLUS_MISSING: gettext_noop(
        "This looks like a number with a country code. Write it with a plus and a hyphen, such as +852-91234567;"
        " a mainland number stands alone."
    ),
    FaultKind.PHONE_COUNTRY_UNKNOWN: gettext_noop("No country has this code."),
    FaultKind.PHONE_FOREIGN_WRONG: gettext_noop("In that country there is no such number."),
    FaultKind.PHONE_NOT_MOBILE: gettext_noop("This is a service number. A mobile number is needed."),
    FaultKind.PHONE_CHARACTERS: gettext_noop("A phone number consists of digits, with a plus before a country code."),
    FaultKind.GRADE_FORM: gettext_noop("Write the year of admission such as 18级."),
    FaultKind.GRADE_GRADUATION: gettext_noop("届 is the year of graduation. Write the year of admission such as 18级."),
    FaultKind.GRADE_FUTURE: gettext_noop("This year of admission lies too far ahead."),
    FaultKind.COUNSELLOR_UNKNOWN: gettext_noop(
        "No member of staff has this number. Import the staff sheet first, or correct the number."
    ),
    FaultKind.COUNSELLOR_ZEROS_LOST: gettext_noop(
        "No member of staff has this number, but %(known)s exists. Leading zeros seem to be lost."
    ),
    FaultKind.COUNSELLOR_IS_STUDENT: gettext_noop(
        "This is the number of a student. A counsellor is a member of staff."
    ),
    FaultKind.COUNSELLOR_NAME_DIFFERS: gettext_noop("In the staff list the number %(number)s belongs to %(known)s."),
    FaultKind.CLASS_TWO_COUNSELLORS: gettext_noop(
        "Class %(class)s has more than one counsellor in this file: %(counsellors)s. A class has one."
    ),
    FaultKind.PLACE_CHARACTERS: gettext_noop("“%(character)s” cannot be part of the name of a place, a room or a bed."),
    FaultKind.PLACE_KIND_UNKNOWN: gettext_noop("Only %(known)s are accepted here."),
    FaultKind.PERSON_UNKNOWN: gettext_noop(
        "Nobody in the directory has this number. Import the lists of people first, or correct the number."
    ),
    FaultKind.PERSON_ZEROS_LOST: gettext_noop(
        "Nobody has this number, but %(known)s exists. Leading zeros seem to be lost."
    ),
    FaultKind.PERSON_NAME_DIFFERS: gettext_noop("In the directory the number %(number)s belongs to %(known)s."),
    FaultKind.BED_TWICE: gettext_noop("The same bed also stands in %(others)s. A bed belongs to one person."),
}

_NOTE_SENTENCES: Mapping[NoteKind, str] = {
    NoteKind.NORMALISED: gettext_noop("Read as “%(after)s”."),
    NoteKind.COUNSELLOR_PHONE_DIFFERS: gettext_noop(
        "The staff list has another phone number for the counsellor; that one stays."
    ),
}


@dataclass(frozen=True, slots=True)
class Fault:
    """One wrong cell."""

    kind: FaultKind
    field: str
    header: str
    column: str
    value: str
    params: dict[str, Any] = dataclasses.field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """For storage with the row."""
        return {
            "kind": self.kind.value,
            "field": self.field,
            "header": self.header,
            "column": self.column,
            "value": self.value,
            "params": self.params,
        }


@dataclass(frozen=True, slots=True)
class Note:
    """Something done to or noticed at a cell that does not stop the row."""

    kind: NoteKind
    field: str
    header: str
    column: str
    value: str
    params: dict[str, Any] = dataclasses.field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """For storage with the row."""
        return {
            "kind": self.kind.value,
            "field": self.field,
            "header": self.header,
            "column": self.column,
            "value": self.value,
            "params": self.params,
        }


def describe(kind: str, params: Mapping[str, Any]) -> str:
    """The sentence of a stored fault in the reader's language."""
    from django.utils.translation import gettext

    return gettext(_SENTENCES[FaultKind(kind)]) % _said(params)


def describe_note(kind: str, params: Mapping[str, Any]) -> str:
    """The sentence of a stored note in the reader's language."""
    from django.utils.translation import gettext

    return gettext(_NOTE_SENTENCES[NoteKind(kind)]) % _said(params)


def listed(items: Iterable[object]) -> str:
    """Several things in a row, separated as the language does it: a, b and 甲、乙."""
    from django.utils.translation import pgettext

    comma = pgettext("between the items of a list", ",")
    return (", " if comma == "," else comma).join(str(item) for item in items)


def _said(params: Mapping[str, Any]) -> dict[str, Any]:
    """Parameters as text: places and lists become words of the language only now."""
    from django.utils.translation import gettext

    said = dict(params)
    if "places" in said:
        places = [gettext("sheet %(sheet)s, row %(row)s") % {"sheet": s, "row": r} for s, r in said["places"]]
        said["others"] = listed(places)
    if said.get("character") == " ":
        said["character"] = "␣"
    for key in ("known", "counsellors"):
        if isinstance(said.get(key), list):
            said[key] = listed(said[key])
    return said
