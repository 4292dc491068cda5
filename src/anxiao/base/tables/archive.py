"""A look at the zip before anything in it is inflated.

A workbook is a zip of XML. The directory at its end says how large every part becomes; a bomb is refused on those
figures alone. `zipfile` never inflates past the declared size, so a directory that lies is cut short and then fails
its checksum: the declared sizes are a real ceiling.
"""

from __future__ import annotations

import re
import zipfile
from itertools import pairwise
from typing import BinaryIO

from anxiao.base.tables.model import Limits, TableProblem, UnreadableTable

OLE_MAGIC = bytes.fromhex("d0cf11e0a1b11ae1")
ZIP_MAGIC = b"PK\x03\x04"
_RATIO_FLOOR = 2 * 1024 * 1024
_ENTRY_BYTES = 1_024
_MACROS = re.compile(r"vbaproject|macrosheets|\.bin\.rels|activex", re.IGNORECASE)


def count_entries(file: BinaryIO, size: int) -> tuple[int, int]:
    """(number of parts, size of the directory) from the end record.

    Read here, because the library builds an object for each part before anybody can object, and a bomb may hold
    millions. Where a record of the 64-bit form stands in front, the library believes that one; so both are looked at.
    """
    tail = min(size, 66_000)
    file.seek(size - tail)
    data = file.read(tail)
    at = data.rfind(b"PK\x05\x06")
    if at < 0 or len(data) < at + 22:
        raise UnreadableTable(TableProblem.DAMAGED)
    entries, length = (
        int.from_bytes(data[at + 10 : at + 12], "little"),
        int.from_bytes(data[at + 12 : at + 16], "little"),
    )
    long = at - 20 - 56
    if long >= 0 and data[at - 20 : at - 16] == b"PK\x06\x07" and data[long : long + 4] == b"PK\x06\x06":
        entries = int.from_bytes(data[long + 32 : long + 40], "little")
        length = int.from_bytes(data[long + 40 : long + 48], "little")
    return entries, length


def open_checked(file: BinaryIO, size: int, limits: Limits) -> zipfile.ZipFile:
    """The opened archive, or `UnreadableTable` with the reason."""
    entries, length = count_entries(file, size)
    if entries > limits.entries or length > limits.entries * _ENTRY_BYTES:
        raise UnreadableTable(TableProblem.BOMB)
    file.seek(0)
    archive = zipfile.ZipFile(file)
    parts = archive.infolist()
    if len(parts) > limits.entries:
        raise UnreadableTable(TableProblem.BOMB)
    inflated = 0
    spans: list[tuple[int, int]] = []
    names: set[str] = set()
    for part in parts:
        if part.flag_bits & 0x1:
            raise UnreadableTable(TableProblem.PASSWORD)
        if _MACROS.search(part.filename):
            raise UnreadableTable(TableProblem.MACROS)
        if part.filename in names or part.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise UnreadableTable(TableProblem.DAMAGED)
        names.add(part.filename)
        inflated += part.file_size
        if part.file_size > _RATIO_FLOOR and part.file_size > limits.ratio * max(part.compress_size, 1):
            raise UnreadableTable(TableProblem.BOMB)
        spans.append((part.header_offset, part.header_offset + 30 + part.compress_size))
    if inflated > limits.inflated_bytes:
        raise UnreadableTable(TableProblem.BOMB)
    spans.sort()
    for (_start, end), (following, _following_end) in pairwise(spans):
        if following < end:
            # Overlapping parts: one compressed block counted many times.
            raise UnreadableTable(TableProblem.BOMB)
    return archive
