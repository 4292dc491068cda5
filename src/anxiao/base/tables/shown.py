"""Numbers as a spreadsheet shows them.

A cell that shows 00001 may hold the number 1 and a format of five zeros. The importer must see what the person who
filled the sheet saw, so the few formats that matter for numbers and phones are applied here; all others fall back to
the plain number.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation
from functools import lru_cache

# Built-in format ids that show a date or a time (ECMA-376 part 1, 18.8.30, with the East Asian ones).
_BUILTIN_DATES = frozenset([*range(14, 23), *range(27, 37), *range(45, 48), *range(50, 59)])
_LITERALS = re.compile(r'"([^"]*)"|\\(.)|_.|\*.|\[[^\]]*\]')


@lru_cache(maxsize=512)
def is_date_format(format_id: int, code: str) -> bool:
    """Whether a number with this format is shown as a date or time."""
    if format_id in _BUILTIN_DATES:
        return True
    bare = _LITERALS.sub("", code.split(";")[0]).lower()
    return bool(re.search(r"[ydhs年月日]|m(?!\w)", bare)) and "general" not in bare


@lru_cache(maxsize=512)
def _pattern(code: str) -> tuple[str, ...] | None:
    """The format as literals and placeholders, or None when it is not a plain digit pattern."""
    parts: list[str] = []
    position = 0
    section = code.split(";")[0]
    while position < len(section):
        found = _LITERALS.match(section, position)
        if found:
            literal = found.group(1) if found.group(1) is not None else (found.group(2) or "")
            parts.extend("'" + character for character in literal)
            position = found.end()
            continue
        character = section[position]
        if character in "0#":
            parts.append(character)
        elif character in "-+() ":
            parts.append("'" + character)
        else:
            return None
        position += 1
    return tuple(parts) if "0" in parts or "#" in parts else None


def shown(stored: str, code: str) -> str:
    """The text of a stored number under a number format; exact, never in scientific notation."""
    try:
        number = Decimal(stored)
    except InvalidOperation:
        return stored
    if not number.is_finite() or abs(number.adjusted()) > 40:
        return stored
    if number != number.to_integral_value():
        return format(number.normalize(), "f")
    plain = str(int(number))
    pattern = _pattern(code)
    if pattern is None or number < 0:
        return plain
    digits = list(plain)
    placeholders = sum(1 for part in pattern if part in "0#")
    out: list[str] = []
    for part in reversed(pattern):
        if part[0] == "'":
            out.append(part[1])
            continue
        placeholders -= 1
        if digits:
            out.append(digits.pop())
        elif part == "0":
            out.append("0")
        if not placeholders:
            # The leftmost placeholder takes whatever digits are left.
            while digits:
                out.append(digits.pop())
    return "".join(reversed(out)).strip()


def shown_date(stored: str, *, since_1904: bool) -> str:
    """A serial day number as an ISO date, with the time when there is one."""
    try:
        serial = float(stored)
        # A spreadsheet knows no time zones: these are days on a wall, not moments.
        base = datetime(1904, 1, 1) if since_1904 else datetime(1899, 12, 30)  # noqa: DTZ001
        moment = base + timedelta(days=serial)
    except (ValueError, OverflowError):
        return stored
    if serial < 1:
        return moment.strftime("%H:%M:%S")
    return moment.strftime("%Y-%m-%d") if serial == int(serial) else moment.strftime("%Y-%m-%d %H:%M:%S")
