"""Reading a workbook from a stranger in a child process that may die alone.

The child gets the open file and nothing else: no environment, no sockets, hard limits on memory and processor time
(`child.lock_in`). The parent watches the clock and the amount of output. Whatever happens in there ends here as a
`Workbook` or as an `UnreadableTable` with a sentence for the sender.
"""

from __future__ import annotations

import json
import os
import selectors
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict
from pathlib import Path
from typing import IO, BinaryIO

import anxiao
from anxiao.base.tables.model import (
    Cell,
    CellKind,
    Limits,
    Row,
    Sheet,
    TableProblem,
    UnreadableTable,
    Workbook,
)

_SOURCE = str(Path(anxiao.__file__).resolve().parent.parent)
_START = "import sys; sys.path.insert(0, sys.argv.pop(1)); from anxiao.base.tables.child import main; main()"
_KINDS = {kind.value: kind for kind in CellKind}


def read_workbook(source: BinaryIO | bytes | Path, limits: Limits | None = None) -> Workbook:
    """Read an .xlsx or .csv file. Raises `UnreadableTable` and nothing else for anything wrong with the file."""
    limits = limits or Limits()
    with _as_file(source, limits) as file:
        size = os.fstat(file.fileno()).st_size
        if not size:
            raise UnreadableTable(TableProblem.EMPTY)
        if size > limits.file_bytes:
            raise _too_large(limits)
        file.seek(0)
        return _parse(_run(file, limits))


def _too_large(limits: Limits) -> UnreadableTable:
    return UnreadableTable(TableProblem.TOO_LARGE, megabytes=limits.file_bytes // (1024 * 1024))


def _as_file(source: BinaryIO | bytes | Path, limits: Limits) -> IO[bytes]:
    """The source as a real, nameless file, so that an upload never lies readable on a disk."""
    if isinstance(source, Path):
        return source.open("rb")
    if hasattr(os, "memfd_create"):
        copy: IO[bytes] = os.fdopen(os.memfd_create("upload", os.MFD_CLOEXEC), "w+b")
    else:
        copy = tempfile.TemporaryFile()  # noqa: SIM115
    if isinstance(source, bytes):
        copy.write(source)
    else:
        source.seek(0)
        left = limits.file_bytes
        while piece := source.read(262_144):
            left -= len(piece)
            if left < 0:
                copy.close()
                raise _too_large(limits)
            copy.write(piece)
    copy.flush()
    return copy


def _run(file: IO[bytes], limits: Limits) -> bytes:
    """The child's whole output, or the reason why there is none."""
    child = subprocess.Popen(
        [sys.executable, "-I", "-X", "utf8", "-c", _START, _SOURCE, json.dumps(asdict(limits))],
        stdin=file,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={"LANG": "C.UTF-8"},
        close_fds=True,
        start_new_session=True,
    )
    assert child.stdout is not None
    deadline = time.monotonic() + limits.wall_seconds
    collected: list[bytes] = []
    total = 0
    try:
        with selectors.DefaultSelector() as ready:
            ready.register(child.stdout, selectors.EVENT_READ)
            while True:
                left = deadline - time.monotonic()
                if left <= 0 or not ready.select(left):
                    raise UnreadableTable(TableProblem.TOO_SLOW)
                piece = os.read(child.stdout.fileno(), 262_144)
                if not piece:
                    break
                total += len(piece)
                if total > limits.output_bytes + 65_536:
                    raise UnreadableTable(TableProblem.TOO_MUCH_TEXT)
                collected.append(piece)
        child.wait(timeout=max(deadline - time.monotonic(), 0.1))
    except subprocess.TimeoutExpired:
        raise UnreadableTable(TableProblem.TOO_SLOW) from None
    finally:
        child.kill()
        child.wait()
        child.stdout.close()
    if child.returncode in (-24, -9):
        # SIGXCPU or, a second later, SIGKILL: the processor limit.
        raise UnreadableTable(TableProblem.TOO_SLOW)
    if child.returncode != 0:
        raise UnreadableTable(TableProblem.READER_DIED)
    return b"".join(collected)


def _parse(output: bytes) -> Workbook:
    """The child's lines as objects. The child is not trusted either: anything unexpected means that it died."""
    book = Workbook()
    ended = False
    try:
        for line in output.splitlines():
            item = json.loads(line)
            if isinstance(item, list):
                number, cells = item
                row = {column: Cell(column, text, _KINDS[kind]) for column, text, kind in cells}
                book.sheets[-1].rows.append(Row(number, row))
            elif "sheet" in item:
                book.sheets.append(Sheet(str(item["sheet"]), bool(item["hidden"])))
            elif "merged" in item:
                book.sheets[-1].merged = [(a, b, c, d) for a, b, c, d in item["merged"]]
            elif "problem" in item:
                raise UnreadableTable(TableProblem(item["problem"]), **item["params"])
            elif "end" in item:
                ended = True
    except (ValueError, KeyError, IndexError, TypeError) as error:
        raise UnreadableTable(TableProblem.READER_DIED) from error
    if not ended:
        raise UnreadableTable(TableProblem.READER_DIED)
    return book
