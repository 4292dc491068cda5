"""Cleaning what people paste into cells, and saying what was changed.

Harmless differences (full-width digits, spaces at the ends) are evened out and noted. What could hide a different
meaning (direction marks, private characters) is left alone and reported by the judge.
"""

from __future__ import annotations

import re
import unicodedata

# Left over from web pages and byte order marks: without width and without meaning in a roster.
_DROPPED = dict.fromkeys(map(ord, "\u200b\u2060\ufeff\u00ad"))
_SPACES = re.compile(r"[ \t\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000]+")
# Full-width forms only. NFKC on names would also replace compatibility ideographs, which some surnames are.
_WIDE = {wide: wide - 0xFEE0 for wide in range(0xFF01, 0xFF5F)}
_HAN = r"[\u2e80-\u2fdf\u3005-\u3007\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]"
_HAN_GAP = re.compile(f"(?<={_HAN}) (?={_HAN})")
_HAN_DOT = re.compile(f"(?<={_HAN}) ?[•・‧∙⋅･.] ?(?={_HAN})")
_PARENTHESES = str.maketrans("()", "（）")


def _plain(text: str) -> bool:
    """Whether there is nothing to do, for the 99% of cells that are fine."""
    return text.isprintable() and "  " not in text and text[:1] != " " and text[-1:] != " "


def tidy(text: str) -> str:
    """Without zero-width leftovers and outer spaces; every run of spaces is one plain space."""
    if _plain(text):
        return text
    return _SPACES.sub(" ", text.translate(_DROPPED)).strip(" \r\n")


def tidy_code(text: str) -> str:
    """For numbers, phones, sex, grade: compatibility forms become plain ones."""
    text = tidy(text)
    return text if text.isascii() else unicodedata.normalize("NFKC", text).strip()


def tidy_name(text: str) -> str:
    """For names of people: full-width letters become plain, 张　三 becomes 张三, every middle dot becomes ·."""
    text = tidy(text).translate(_WIDE)
    if " " in text:
        text = _HAN_GAP.sub("", text)
    if "(" in text and re.search(_HAN, text):
        text = text.translate(_PARENTHESES)
    return _HAN_DOT.sub("·", text)


def tidy_title(text: str) -> str:
    """For names of colleges and classes: plain letters and digits, no spaces between ideographs, （） in Chinese."""
    text = tidy(text).translate(_WIDE)
    if " " in text:
        text = _HAN_GAP.sub("", text)
    return text.translate(_PARENTHESES)


def fold(text: str) -> str:
    """For comparing titles: without spaces, width and case."""
    return re.sub(r"\s", "", unicodedata.normalize("NFKC", text)).casefold()


def invisible(text: str) -> str | None:
    """The first character that cannot be seen, as U+202D, or None."""
    return next((f"U+{ord(c):04X}" for c in text if unicodedata.category(c) in ("Cc", "Cf") and c not in "\r\n"), None)


def unreadable(text: str) -> str | None:
    """The first character that other computers cannot show: private, unassigned, replaced."""
    for c in text:
        if c == "\ufffd" or unicodedata.category(c) in ("Co", "Cn", "Cs"):
            return f"U+{ord(c):04X}"
    return None
