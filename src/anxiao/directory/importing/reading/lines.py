"""One judged row as one line of COPY's text format."""

from __future__ import annotations

import json
import re

_SPECIAL = re.compile(r"[\\\t\n\r\x00\ud800-\udfff]")
_AS = {"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"}


def copied(text: str) -> str:
    """A value as it stands in the line. NUL and half surrogate pairs, which no database keeps, are replaced."""
    return _SPECIAL.sub(lambda found: _AS.get(found.group(), "\ufffd"), text)


def copied_json(value: object) -> str:
    """A JSON value as it stands in the line; empty lists and None as \\N."""
    if not value:
        return "\\N"
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    # An escaped NUL is fine JSON that PostgreSQL refuses.
    return copied(text.replace("\\u0000", "\ufffd"))
