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
_MACROS = re.compile(r"vbaproject|macrosheets|\.bin\.rels|activex", re.IGNORECASE)


def count_entries(file: BinaryIO, size: int) -> int:
    """The number of parts from the end record, without building an object for each (a bomb may hold millions)."""
    tail = min(size, 66_000)
    file.seek(size - tail)
    data = file.read(tail)
    at = data.rfind(b"PK\x05\x06")
    if at < 0 or len(data) < at + 22:
        raise UnreadableTable(TableProblem.DAMAGED)
    return int.from_bytes(data[at + 10 : at + 12], "little")


def open_checked(file: BinaryIO, size: int, limits: Limits) -> zipfile.ZipFile:
    """The opened archive, or `UnreadableTable` with the reason."""
    if count_entries(file, size) > limits.entries:
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
