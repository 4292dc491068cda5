"""What all parts of a workbook have in common as XML.

Two ways of reading lie side by side. The quick one looks for exactly the markup that spreadsheet programs write, with
one expression over a piece of the part; whatever is not exactly that goes to expat, piece by piece. Neither knows
document types: a declaration, the door of every entity trick, ends the reading.
"""

from __future__ import annotations

import re
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from xml.parsers import expat

from anxiao.base.tables.model import TableProblem, UnreadableTable

PIECE = 262_144
DEPTH = 64
"""How deep tags may lie within each other; no spreadsheet program comes near it."""
_ESCAPE = re.compile(r"_x([0-9A-Fa-f]{4})_")
_ENTITY = re.compile(r"&(?:#x([0-9A-Fa-f]{1,6})|#([0-9]{1,7})|(amp|lt|gt|quot|apos));|&")
_NAMED = {"amp": "&", "lt": "<", "gt": ">", "quot": '"', "apos": "'"}
_ENCODING = re.compile(rb"""\A(?:\xef\xbb\xbf)?\s*<\?xml[^>]*?encoding=["']([A-Za-z0-9_-]+)["']""")


_DAMAGE = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    expat.ExpatError,
    LookupError,
    ValueError,
    EOFError,
    OverflowError,
    NotImplementedError,
)


@contextmanager
def damage_is_said() -> Iterator[None]:
    """Whatever a damaged part makes the readers raise becomes one sentence."""
    try:
        yield
    except _DAMAGE as error:
        raise UnreadableTable(TableProblem.DAMAGED) from error


def unescape(text: str) -> str:
    """`_x000D_`, the way in which spreadsheets write what XML cannot carry."""
    return _ESCAPE.sub(lambda found: chr(int(found.group(1), 16)), text) if "_x" in text else text


def _entity(found: re.Match[str]) -> str:
    hexadecimal, decimal, name = found.groups()
    if name:
        return _NAMED[name]
    code = int(hexadecimal, 16) if hexadecimal else int(decimal) if decimal else 0
    if not 0 < code < 0x110000 or 0xD800 <= code < 0xE000:
        raise UnreadableTable(TableProblem.DAMAGED)
    return chr(code)


def character_data(text: str) -> str:
    """Text between two tags as expat would give it: entities of XML itself, and one kind of line break."""
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    return _ENTITY.sub(_entity, text) if "&" in text else text


def local(name: str) -> str:
    """The element without its namespace: the strict and the transitional dialect differ only there."""
    return name.rpartition("}")[2]


def is_utf8(head: bytes) -> bool:
    """Whether a part is written in UTF-8, as all but a few are."""
    declared = _ENCODING.match(head)
    return not head.startswith((b"\xff\xfe", b"\xfe\xff", b"\x00")) and (
        declared is None or declared.group(1).lower() in (b"utf-8", b"utf8", b"us-ascii")
    )


def _forbidden(*_args: object) -> int:
    raise UnreadableTable(TableProblem.FORBIDDEN_MARKUP)


def new_parser() -> expat.XMLParserType:
    """An expat parser that knows no document types and no entities of its own."""
    parser = expat.ParserCreate(namespace_separator="}")
    parser.buffer_text = True
    parser.buffer_size = 65_536
    parser.StartDoctypeDeclHandler = _forbidden
    parser.EntityDeclHandler = _forbidden
    parser.ExternalEntityRefHandler = _forbidden
    return parser
