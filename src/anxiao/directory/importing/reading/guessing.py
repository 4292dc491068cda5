"""What a column with an unknown header may be: by its name, and by what stands beneath. Pure.

A guess is only ever offered; a person confirms it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from difflib import SequenceMatcher

from anxiao.directory.importing import text as tidying
from anxiao.directory.importing.phones import judge_phone
from anxiao.directory.importing.reading.contract import Expectation
from anxiao.directory.importing.templates import BY_KIND, PLACE_KINDS, SYNONYMS, SYNONYMS_OF, Field

_GOOD = 0.5
_COUNSELLOR = re.compile("辅导员|班主任|导师|counsel|advis|tutor")
_COUNSELLORS = frozenset({Field.COUNSELLOR_NAME, Field.COUNSELLOR_NUMBER, Field.COUNSELLOR_PHONE})
_NAME = re.compile(r"[㐀-鿿]{2,4}(?:·[㐀-鿿]{1,10})*")
_NUMBER = re.compile(r"[A-Za-z]{0,4}[0-9]{4,20}")
_GRADE = re.compile(r"(?:19|20)?[0-9]{2}(?:级|届)?")
_COLLEGE = re.compile(r"(?:学院|书院|系|学部|研究院|处|部|中心|馆|办公室)\Z")
_ENGLISH: Mapping[Field, tuple[str, ...]] = {
    Field.SCHOOL: ("school", "university"),
    Field.COLLEGE: ("college", "department", "faculty"),
    Field.NUMBER: ("studentid", "studentno", "studentnumber", "staffid", "staffno", "id", "no."),
    Field.NAME: ("name", "fullname"),
    Field.SEX: ("sex", "gender"),
    Field.PHONE: ("phone", "mobile", "tel", "telephone", "cellphone"),
    Field.CATEGORY: ("category", "type"),
    Field.GRADE: ("grade", "year", "yearofadmission"),
    Field.CLASS: ("class", "classname"),
    Field.COUNSELLOR_NAME: ("counsellor", "counselor", "counsellorname", "advisor"),
    Field.COUNSELLOR_NUMBER: ("counsellorid", "counsellornumber", "advisorid"),
    Field.COUNSELLOR_PHONE: ("counsellorphone", "advisorphone"),
}


def guesses(
    names: Mapping[int, str], samples: Mapping[int, Sequence[str]], open_fields: Sequence[Field], told: Expectation
) -> dict[int, Field]:
    """Column -> field, best pairs first, each at most once. `names` are bare headers."""
    fits = {of: _fits(of, told) for of in open_fields}
    scored = sorted(
        (
            (_score(of, names[column], samples.get(column, ()), fits[of], told), -column, of)
            for column in names
            for of in open_fields
        ),
        reverse=True,
    )
    out: dict[int, Field] = {}
    for score, column, of in scored:
        if score >= _GOOD and -column not in out and of not in out.values():
            out[-column] = of
    return out


def _score(of: Field, name: str, samples: Sequence[str], fits: Callable[[str], bool], told: Expectation) -> float:
    if bool(_COUNSELLOR.search(name)) is not (of in _COUNSELLORS):
        # 辅导员 in the name decides whose number, name or phone it is.
        return 0.0
    template = BY_KIND[told.kind]
    known = [template.header_of(of), *SYNONYMS.get(of, ()), *SYNONYMS_OF[told.kind].get(of, ()), *_ENGLISH.get(of, ())]
    likeness = 0.0
    for one in known:
        one = one.casefold()
        if one == name:
            likeness = 1.0
        elif len(one) > 1 and (one in name or (len(name) > 1 and name in one)):
            likeness = max(likeness, 0.8)
        else:
            likeness = max(likeness, SequenceMatcher(None, one, name).ratio() - 0.1)
    filled = [sample for sample in samples if sample]
    content = sum(fits(tidying.tidy_code(sample)) for sample in filled) / len(filled) if filled else 0.0
    if (
        of in (Field.NUMBER, Field.COUNSELLOR_NUMBER)
        and content
        and of is Field.NUMBER
        and len({*filled}) < len(filled)
    ):
        content /= 2
    if filled and not content:
        likeness *= 0.5
    return 0.5 * likeness + 0.55 * content * _WEIGHT.get(of, 1.0)


_WEIGHT: Mapping[Field, float] = {
    Field.CLASS: 0.9,
    Field.COLLEGE: 0.95,
    Field.GRADE: 0.8,
    Field.NUMBER: 0.95,
    Field.BUILDING: 0.5,
    Field.CAMPUS: 0.6,
    Field.ROOM: 0.5,
    Field.BED: 0.5,
    Field.PLACE: 0.5,
}
"""How much what stands beneath says: 2018 may be a grade or a room."""


def _fits(of: Field, told: Expectation) -> Callable[[str], bool]:
    """Whether a cell may hold this field."""
    own = tidying.fold(told.school_name)
    categories = {tidying.fold(name) for name in told.categories}
    match of:
        case Field.SCHOOL:
            return lambda text: tidying.fold(text) == own
        case Field.COLLEGE:
            return lambda text: bool(_COLLEGE.search(text)) and tidying.fold(text) != own
        case Field.NUMBER | Field.COUNSELLOR_NUMBER:
            return lambda text: bool(_NUMBER.fullmatch(text)) and judge_phone(text)[1] is not None
        case Field.NAME | Field.COUNSELLOR_NAME:
            return lambda text: bool(_NAME.fullmatch(text)) and not _COLLEGE.search(text)
        case Field.SEX:
            return lambda text: text in ("男", "女")
        case Field.PHONE | Field.COUNSELLOR_PHONE:
            return lambda text: judge_phone(text)[1] is None
        case Field.CATEGORY:
            return lambda text: tidying.fold(text) in categories
        case Field.GRADE:
            return lambda text: bool(_GRADE.fullmatch(text))
        case Field.CLASS:
            return lambda text: text.endswith("班")
        case Field.CAMPUS:
            return lambda text: "校区" in text
        case Field.BUILDING:
            return lambda text: text.endswith(("楼", "栋", "幢", "公寓"))
        case Field.ROOM:
            return lambda text: bool(re.fullmatch(r"[A-Za-z]?-?[0-9]{3,4}[A-Za-z]?", text))
        case Field.BED:
            return lambda text: bool(re.fullmatch(r"[0-9]{1,2}[A-Za-z号床]{0,2}|[A-Za-z]", text))
        case Field.PLACE_KIND:
            return lambda text: text in PLACE_KINDS
        case Field.PLACE:
            return lambda text: text.endswith(("楼", "门", "院", "室", "栋"))
