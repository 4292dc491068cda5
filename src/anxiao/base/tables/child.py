"""The reader's side of the cage: limits first, then the file on standard input, lines out.

Runs as `python -I`, without the parent's environment, and never imports Django: it holds no secret, no connection
and no right beyond reading the one open file. Standard output carries what was read, standard error one JSON line per
word for the parent: progress, a problem, or whatever the work has to say.
"""

from __future__ import annotations

import codecs
import json
import os
import re
import resource
import sys
import time
from collections.abc import Callable
from typing import Any, BinaryIO

from anxiao.base.tables.archive import OLE_MAGIC, ZIP_MAGIC
from anxiao.base.tables.delimited import ENCODINGS, Delimited
from anxiao.base.tables.model import Limits, TableProblem, Tables, UnreadableTable

Opener = Callable[[BinaryIO, int, Limits], Tables]
_PIECE = 262_144
_TOLD_EVERY = 0.25
_PEAK = re.compile(rb"VmHWM:\s*([0-9]+) kB")


def lock_in(limits: Limits) -> None:
    """Lower every limit for good: no more memory and processor time than a table needs, and no further file.

    Without a file number to spare, nothing can be opened any more: no file, no socket, no process.
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))
    resource.setrlimit(resource.RLIMIT_CPU, (limits.cpu_seconds, limits.cpu_seconds + 1))
    resource.setrlimit(resource.RLIMIT_AS, (limits.memory_bytes, limits.memory_bytes))
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, 0))


class Channel:
    """What leaves the cage, in larger pieces, and never more than the limit."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.pieces: list[str] = []
        self.pending = 0
        self._told = 0.0

    def line(self, text: str) -> None:
        """One line, with its line break."""
        self.pieces.append(text)
        self.pending += len(text)
        if self.pending > _PIECE:
            self.flush()

    def flush(self) -> None:
        """Hand everything collected to the parent. Half surrogate pairs, which no encoding accepts, are replaced."""
        if self.pieces:
            data = "".join(self.pieces).encode("utf-8", "replace")
            self.pieces, self.pending = [], 0
            self.limit -= len(data)
            if self.limit < 0:
                raise UnreadableTable(TableProblem.TOO_MUCH_TEXT)
            _write(1, data)

    def tell(self, tables: Tables) -> None:
        """How far the reading is, now and then."""
        now = time.monotonic()
        if now - self._told > _TOLD_EVERY:
            self._told = now
            self.say({"progress": tables.progress()})

    def say(self, word: dict[str, Any]) -> None:
        """One word to the parent, behind everything collected."""
        self.flush()
        _write(2, (json.dumps(word, separators=(",", ":")) + "\n").encode("ascii"))


def _peak_reader() -> Callable[[], int]:
    """Reads this process's largest resident size later on. What the system tells the parent counts the parent too."""
    try:
        status = os.open("/proc/self/status", os.O_RDONLY)
    except OSError:
        return lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024

    def peak() -> int:
        found = _PEAK.search(os.pread(status, 8_192, 0))
        return int(found.group(1)) * 1024 if found else 0

    return peak


def _write(to: int, data: bytes) -> None:
    while data:
        data = data[os.write(to, data) :]


def opener_for(head: bytes) -> Opener:
    """Recognise the file by its first bytes, never by its name, and import its reader while files can be opened."""
    if head.startswith(ZIP_MAGIC):
        from anxiao.base.tables.xlsx import XlsxTables

        return XlsxTables
    if head.startswith(OLE_MAGIC):
        from anxiao.base.tables.xls import XlsTables

        return XlsTables
    if head.lstrip(b"\xef\xbb\xbf \r\n\t")[:1] == b"<":
        raise UnreadableTable(TableProblem.WEB_PAGE)
    return Delimited


def run(work: Callable[[Tables, Channel, Any, Limits], None], prepare: Callable[[], None] | None = None) -> None:
    """Do `work` with the file on standard input, under the limits in the first argument.

    `prepare` imports whatever the work will need later on; afterwards no file can be opened.
    """
    argument = json.loads(sys.argv[1])
    limits = Limits(**argument["limits"])
    channel = Channel(limits.output_bytes)
    peak = _peak_reader()
    try:
        with os.fdopen(0, "rb", closefd=False) as file:
            head = file.read(4096)
            file.seek(0)
            opener = opener_for(head)
            for encoding in (*ENCODINGS, "latin-1", "cp1252", "cp437", "gbk"):
                codecs.lookup(encoding)
            if prepare:
                prepare()
            size = os.fstat(0).st_size
            lock_in(limits)
            work(opener(file, size, limits), channel, argument["told"], limits)
        channel.say({"end": True, "memory_bytes": peak()})
        return
    except UnreadableTable as refused:
        problem: dict[str, Any] = {"problem": refused.problem.value, "params": refused.params}
    except (MemoryError, RecursionError):
        problem = {"problem": TableProblem.BOMB.value, "params": {}}
    channel.pieces = []
    channel.say({**problem, "memory_bytes": peak()})
