"""How names are spelt and typed: pinyin, initials, and the readings that characters have only as surnames.

Single characters are read by the table of ``pypinyin``; its table of phrases is left out (45 MB of memory), because
names are no phrases. What makes names special is here: surnames with a reading of their own.
"""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

SURNAMES = {
    "单": "shan", "仇": "qiu", "解": "xie", "查": "zha", "区": "ou", "朴": "piao", "盖": "ge",
    "乐": "yue", "翟": "zhai", "召": "shao", "种": "chong", "秘": "bi", "繁": "po", "员": "yun", "隗": "wei",
    "洗": "xian", "黑": "he", "折": "she", "佴": "nai", "祭": "zhai", "句": "gou",
    "薄": "bo", "覃": "qin", "缪": "miao", "阚": "kan", "郇": "xun", "适": "kuo", "重": "chong",
    "不": "fou", "会": "gui", "藏": "zang", "厘": "xi", "炅": "gui", "弹": "tan", "邪": "ya",
}  # fmt: skip
"""Surnames of one character that are read otherwise than the character commonly is."""

COMPOUND_SURNAMES = {
    "尉迟": ("yu", "chi"), "万俟": ("mo", "qi"), "长孙": ("zhang", "sun"), "单于": ("chan", "yu"),
    "澹台": ("tan", "tai"), "鲜于": ("xian", "yu"), "令狐": ("ling", "hu"), "赫连": ("he", "lian"),
    "宇文": ("yu", "wen"), "呼延": ("hu", "yan"), "夏侯": ("xia", "hou"), "皇甫": ("huang", "fu"),
    "乐正": ("yue", "zheng"), "亓官": ("qi", "guan"), "司空": ("si", "kong"), "濮阳": ("pu", "yang"),
    "谷梁": ("gu", "liang"), "哥舒": ("ge", "shu"), "慕容": ("mu", "rong"), "中行": ("zhong", "hang"),
}  # fmt: skip
"""Surnames of two characters, with their readings."""

GIVEN_NAMES = {"长": "chang", "卜": "bu", "都": "du", "曾": "zeng", "勒": "le", "晟": "sheng", "伽": "jia"}
"""Characters that names read otherwise than texts, wherever they stand."""

_REMEMBERED = 32_768


class Spelling(NamedTuple):
    """A name as it is typed on a keyboard: all letters, and the first letter of each syllable or word."""

    pinyin: str
    initials: str


def spell(name: str) -> Spelling:
    """王小明 > wangxiaoming, wxm; 曾乐 > zengle, zl; José Pérez > joseperez, jp; ü is typed v."""
    if len(name) <= 4 and name.isalpha() and not name.isascii():
        head = COMPOUND_SURNAMES.get(name[:2])
        if head is None:
            first = SURNAMES.get(name[0])
            syllables = [first or _syllable(name[0]), *map(_syllable, name[1:])]
        else:
            syllables = [*head, *map(_syllable, name[2:])]
        if all(syllables):
            return Spelling("".join(syllables), "".join([syllable[0] for syllable in syllables]))
    return _spell_mixed(name)


def is_han(character: str) -> bool:
    """Whether this is a Chinese character."""
    return "\u3400" <= character <= "\u9fff" or "\uf900" <= character <= "\ufaff" or character >= "\U00020000"


def plain_letters(text: str) -> str:
    """Small letters and digits of a text, without accents; ü is typed v."""
    return "".join(map(_latin, text))


def _spell_mixed(name: str) -> Spelling:
    """Names with letters, dots or rare characters: every word and every Chinese character is a beginning."""
    letters: list[str] = []
    initials: list[str] = []
    begins = True
    for position, character in enumerate(name):
        if is_han(character):
            known = SURNAMES.get(character) if position == 0 else None
            said = known or _syllable(character)
            if said:
                letters.append(said)
                initials.append(said[0])
            begins = True
            continue
        plain = _latin(character)
        if plain and begins:
            initials.append(plain[0])
        if plain:
            letters.append(plain)
        # an apostrophe or an accent of its own ends no word
        begins = character.isspace() or character in "·-."
    return Spelling("".join(letters), "".join(initials))


@lru_cache(maxsize=_REMEMBERED)
def _syllable(character: str) -> str:
    """One character without tone, or "" when nobody knows how it is read."""
    if not is_han(character):
        return ""
    if character in GIVEN_NAMES:
        return GIVEN_NAMES[character]
    found = _reader()(character)
    return _latin_word(found[0]) if found else ""


@lru_cache(maxsize=1024)
def _latin(character: str) -> str:
    if character in "üÜ":
        return "v"
    split = unicodedata.normalize("NFKD", character).casefold()
    return "".join([c for c in split if c.isascii() and c.isalnum()])


def _latin_word(text: str) -> str:
    return "".join(map(_latin, text))


@lru_cache(maxsize=1)
def _reader() -> Callable[[str], list[str]]:
    # both before the first import: without them every process that spells a name holds 45 MB of phrases
    os.environ.setdefault("PYPINYIN_NO_PHRASES", "true")
    os.environ.setdefault("PYPINYIN_NO_DICT_COPY", "true")
    from pypinyin import Style, lazy_pinyin

    def read(character: str) -> list[str]:
        found: list[str] = lazy_pinyin(character, style=Style.NORMAL, errors="ignore")
        return found

    return read
