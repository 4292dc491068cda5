"""Cells that the careful judge always takes as they stand, told by their shape alone; a test holds the two together."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from anxiao.base.tables.model import NumberText
from anxiao.directory.importing.phones import SEGMENT, is_mobile_segment
from anxiao.directory.importing.templates import Field

EXACT_DIGITS = 15
"""More digits than these a spreadsheet's number cannot hold."""
_NUMBER = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,28}[A-Za-z0-9])?").fullmatch
_MOBILE = re.compile(r"1[0-9]{10}").fullmatch


def plain_number(value: str) -> object:
    """A person's number of letters, digits and hyphens within."""
    return _NUMBER(value) and (type(value) is not NumberText or len(value) <= EXACT_DIGITS)


def plain_mobile(value: str) -> object:
    """A mainland mobile number."""
    return _MOBILE(value) and is_mobile_segment(value[:SEGMENT])


plain_name = re.compile(r"[一-龥]{2,20}").fullmatch
"""A name of a few ideographs."""

PLAIN: Mapping[Field, Callable[[Any], object]] = {
    Field.NUMBER: plain_number,
    Field.NAME: plain_name,
    Field.PHONE: plain_mobile,
}
"""Truth for a filled cell that is plain; a `TypeError` or falsehood for all others."""
