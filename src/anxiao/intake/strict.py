"""Reading JSON from strangers: small, flat, unambiguous, or not at all."""

from __future__ import annotations

import json
from typing import Any

from anxiao.base.marking import gettext_noop as _

LARGEST_BODY = 64 * 1024
_DEEPEST = 8


class Unreadable(ValueError):
    """A body that is not what it claims to be; the message is a msgid."""


def read(body: bytes) -> dict[str, Any]:
    """One JSON object. Duplicate keys, NaN, infinity, deep nesting and broken UTF-8 are refused.

    Duplicate keys because two readers would see two different reports; NaN because PostgreSQL's JSON has none.
    """
    if body.count(b"{") + body.count(b"[") > _DEEPEST:
        _check_depth(body)
    try:
        found = _DECODE(body.decode("utf-8"))
    except (UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
        raise Unreadable(_("The request could not be read.")) from error
    except Unreadable:
        raise
    except ValueError as error:  # a whole number of more digits than Python cares to read
        raise Unreadable(_("The request could not be read.")) from error
    if not isinstance(found, dict):
        raise Unreadable(_("The request could not be read."))
    return found


def _check_depth(body: bytes) -> None:
    """Count brackets before the parser recurses; brackets inside texts only make this stricter by what they nest."""
    depth = 0
    quoted = escaped = False
    for byte in body:
        if quoted:
            if escaped:
                escaped = False
            elif byte == 0x5C:
                escaped = True
            elif byte == 0x22:
                quoted = False
        elif byte == 0x22:
            quoted = True
        elif byte in b"[{":
            depth += 1
            if depth > _DEEPEST:
                raise Unreadable(_("The request could not be read."))
        elif byte in b"]}":
            depth -= 1


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise Unreadable(_("The request names something twice."))
    return found


def _no_constant(name: str) -> float:
    raise Unreadable(_("The request could not be read."))


_DECODE = json.JSONDecoder(object_pairs_hook=_once, parse_constant=_no_constant).decode
