"""The notice's rule for telephone numbers.

A mainland number stands alone (11 digits); any other carries its country code (+852-91234567). Only mobile numbers,
because reminders and codes go there. The stored form is exactly the notice's.
"""

from __future__ import annotations

import re
import unicodedata
from decimal import Decimal, InvalidOperation
from functools import cache, lru_cache

import phonenumbers
from phonenumbers import NumberParseException, PhoneNumberType

from anxiao.directory.importing.faults import FaultKind

_SCIENTIFIC = re.compile(r"[0-9](?:\.[0-9]+)?[eE]\+?[0-9]{1,2}\Z")
_SEPARATORS = re.compile(r"[\s\-‐‑‒–—().]")
_SEVERAL = re.compile(r"[/、,;|\n]|\s{1,}(?=\+?[0-9]{7})")
_MOBILE = (PhoneNumberType.MOBILE, PhoneNumberType.FIXED_LINE_OR_MOBILE)
SEGMENT = 5
"""How many leading digits decide whether a mainland number is mobile (a test asks the library whether that is so)."""
_HELD_CODES = ("86", "852", "853", "886")


def restore_scientific(text: str) -> str | None:
    """The digits of 1.3912345678E+10, or None when digits have been lost (1.39123E+10)."""
    try:
        number = Decimal(text)
    except InvalidOperation:
        return None
    digits = number.as_tuple()
    if number != number.to_integral_value() or not isinstance(digits.exponent, int):
        return None
    # Exact only when every digit is written out; 1.39E+10 has lost eight of them.
    return format(number, "f").split(".")[0] if digits.exponent <= 0 else None


@lru_cache(maxsize=65_536)
def judge_phone(text: str) -> tuple[str, FaultKind | None]:
    """The number in the notice's form, or the fault that keeps it from being one."""
    plain = unicodedata.normalize("NFKC", text).strip()
    if re.search(r"[*xX×✱]{2,}|\*", plain):
        return "", FaultKind.PHONE_MASKED
    if _SCIENTIFIC.match(plain):
        restored = restore_scientific(plain)
        if restored is None:
            return "", FaultKind.PHONE_DIGITS_LOST
        plain = restored
    plain = re.sub(r"\A([0-9]{11})\.0\Z", r"\1", plain)
    pieces = [piece for piece in _SEVERAL.split(plain) if len(re.sub(r"[^0-9]", "", piece)) >= 7]
    if len(pieces) > 1:
        return "", FaultKind.PHONE_SEVERAL
    digits = _SEPARATORS.sub("", plain)
    if digits.startswith("+"):
        return _international(digits)
    if not digits.isascii() or not digits.isdigit():
        return "", FaultKind.PHONE_CHARACTERS
    return _mainland(digits)


@cache
def is_mobile_segment(segment: str) -> bool:
    """Whether mainland numbers of eleven digits that begin with these five are mobile: there are 10,000 at most."""
    try:
        number = phonenumbers.parse(segment + "000000", "CN")
    except NumberParseException:
        # 17900 and its like are prefixes of old long-distance services, not of anybody's phone.
        return False
    return phonenumbers.number_type(number) in _MOBILE


def _mainland(digits: str) -> tuple[str, FaultKind | None]:
    if digits.startswith("00") and len(digits) > 11:
        return "", FaultKind.PHONE_PLUS_MISSING
    if digits.startswith("0") and 10 <= len(digits) <= 12:
        return "", FaultKind.PHONE_LANDLINE
    if len(digits) == 11 and digits.startswith("1"):
        return (digits, None) if is_mobile_segment(digits[:SEGMENT]) else ("", FaultKind.PHONE_NOT_ASSIGNED)
    if len(digits) >= 11 and digits.startswith(_HELD_CODES) and _international("+" + digits)[1] is None:
        return "", FaultKind.PHONE_PLUS_MISSING
    if len(digits) in (7, 8):
        return "", FaultKind.PHONE_LOCAL
    if len(digits) < 11:
        return "", FaultKind.PHONE_SHORT
    if len(digits) > 11:
        return "", FaultKind.PHONE_LONG
    return "", FaultKind.PHONE_NOT_ASSIGNED


def _international(digits: str) -> tuple[str, FaultKind | None]:
    if not digits[1:].isascii() or not digits[1:].isdigit():
        return "", FaultKind.PHONE_CHARACTERS
    try:
        number = phonenumbers.parse(digits, None)
    except NumberParseException as error:
        if error.error_type == NumberParseException.INVALID_COUNTRY_CODE:
            return "", FaultKind.PHONE_COUNTRY_UNKNOWN
        return "", FaultKind.PHONE_FOREIGN_WRONG
    kind = phonenumbers.number_type(number)
    if kind == PhoneNumberType.UNKNOWN:
        return "", FaultKind.PHONE_NOT_ASSIGNED if number.country_code == 86 else FaultKind.PHONE_FOREIGN_WRONG
    if kind == PhoneNumberType.FIXED_LINE:
        return "", FaultKind.PHONE_LANDLINE
    if kind not in _MOBILE:
        return "", FaultKind.PHONE_NOT_MOBILE
    national = phonenumbers.national_significant_number(number)
    return (national if number.country_code == 86 else f"+{number.country_code}-{national}"), None
