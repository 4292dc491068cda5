"""What a search means: the keys by which a person is found, and the ways in which typed text may mean somebody.

A person has four keys that the tables do not hold by themselves (``person_search``): the name in pinyin, its initials,
the name backwards (so that its end is a beginning, which an index can find behind the fence of the database), and the
blind index of the last four digits of the phone.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple

from anxiao.base.blind import BlindIndex
from anxiao.directory.rules_names import is_han, plain_letters, spell

TAIL = "phone.last4"
"""The field's name under which ends of phone numbers are hashed."""

TAIL_DIGITS = 4
LONGEST = 60
LAST = "\U0010ffff"
"""Stands behind every text that begins alike."""


class Keys(NamedTuple):
    """One row of ``person_search`` besides its school and person; ``tail`` is None without a phone."""

    pinyin: str
    initials: str
    backwards: str
    tail: int | None


def search_keys(rows: Iterable[tuple[int, str, str]], index: BlindIndex) -> Iterator[Keys]:
    """The keys of (school id, name, phone), in their order: three microseconds a row, nothing asked of a database.

    Tails are remembered a school at a time, so rows that come by school cost a lookup instead of a hash.
    """
    school, tails = -1, dict[str, int]()
    for school_id, name, phone in rows:
        if school_id != school:
            school, tails = school_id, {}
        end = phone[-TAIL_DIGITS:]
        tail = tails.get(end)
        if tail is None and len(end) == TAIL_DIGITS and end.isascii() and end.isdigit():
            tail = tails[end] = index.of(school_id, end)
        spelling = spell(name)
        yield Keys(spelling.pinyin, spelling.initials, name[::-1], tail)


class Way(IntEnum):
    """In which way somebody was found; the order is the order on the page."""

    NUMBER = 1
    NUMBER_CAPITALS = 2
    NAME = 3
    INSIDE = 4
    PINYIN = 5
    INITIALS = 6
    TAIL = 7
    CLASS = 8
    ALL = 9


@dataclass(frozen=True, slots=True)
class Sought:
    """What typed text may mean; empty texts mean that this way is closed."""

    text: str = ""
    number: str = ""
    name: str = ""
    letters: str = ""
    tail: str = ""
    unit: str = ""

    @property
    def nothing(self) -> bool:
        return not self.text


def read_search(typed: str) -> Sought:
    """The ways to follow for what somebody typed, at most 60 characters.

    Chinese means a name or a class; letters mean pinyin, a foreign name, a number or a class; digits mean a number,
    the end of a phone or a class.
    """
    text = unicodedata.normalize("NFKC", typed.replace("\x00", "")).strip()[:LONGEST]
    if not text:
        return Sought()
    bare = "".join(text.split())
    han = any(map(is_han, text))
    letters = plain_letters(text)
    ascii_only = bare.isascii()
    return Sought(
        text=text,
        number=bare if ascii_only else "",
        name=bare if han else text,
        # digits alone are no pinyin; "x1" may be the name of a test account
        letters=letters if not han and letters and not letters.isdigit() else "",
        tail=bare if len(bare) == TAIL_DIGITS and ascii_only and bare.isdigit() else "",
        unit=bare if len(bare) > 1 else "",
    )
