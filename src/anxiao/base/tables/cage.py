"""Reading a file from a stranger in a child process that may die alone.

The child gets the open file and nothing else: no environment, no sockets, hard limits on memory and processor time
(`child.lock_in`). The parent watches the clock and the amount of output. Whatever happens in there ends here as lines
and words, or as an `UnreadableTable` with a sentence for the sender.
"""

from __future__ import annotations

import json
import os
import selectors
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import IO, Any, BinaryIO

import anxiao
from anxiao.base.tables.model import Limits, TableProblem, UnreadableTable

_SOURCE = str(Path(anxiao.__file__).resolve().parent.parent)
_START = "import sys; sys.path.insert(0, sys.argv.pop(1)); from {} import main; main()"
_WORDS_LIMIT = 4 * 1024 * 1024


def open_source(source: BinaryIO | bytes | Path, limits: Limits) -> IO[bytes]:
    """The source as a real file, never a readable name on a disk; `UnreadableTable` when empty or too large."""
    file = _as_file(source, limits)
    size = os.fstat(file.fileno()).st_size
    if not size or size > limits.file_bytes:
        file.close()
        raise UnreadableTable(TableProblem.EMPTY) if not size else _too_large(limits)
    file.seek(0)
    return file


def _too_large(limits: Limits) -> UnreadableTable:
    return UnreadableTable(TableProblem.TOO_LARGE, megabytes=limits.file_bytes // (1024 * 1024))


def _as_file(source: BinaryIO | bytes | Path, limits: Limits) -> IO[bytes]:
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


class Caged:
    """One child at work on one open file.

    `entry` is the module whose `main` the child runs, `told` the JSON value it is told. `pieces` gives what it writes;
    `words` are the other things it said, `progress` its last (bytes read, bytes to read). `limits.wall_seconds` counts
    only the time in which the parent waits for the child, not what the parent does with a piece.
    """

    def __init__(self, file: IO[bytes], entry: str, told: object, limits: Limits) -> None:
        self.limits = limits
        self.words: list[dict[str, Any]] = []
        self.progress = (0, 0)
        self.cpu_seconds = 0.0
        self.memory_bytes = 0
        self._unheard = b""
        self._heard = 0
        self.child = subprocess.Popen(
            [
                sys.executable,
                *("-I", "-X", "utf8", "-c", _START.format(entry), _SOURCE),
                json.dumps({"limits": asdict(limits), "told": told}),
            ],
            stdin=file,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={"LANG": "C.UTF-8"},
            close_fds=True,
            start_new_session=True,
        )

    def pieces(self) -> Iterator[bytes]:
        """Everything the child writes, in order; `UnreadableTable` when it said a problem, or died."""
        out, said = self.child.stdout, self.child.stderr
        assert out is not None
        assert said is not None
        waited = 0.0
        total = 0
        try:
            with selectors.DefaultSelector() as ready:
                ready.register(out, selectors.EVENT_READ)
                ready.register(said, selectors.EVENT_READ)
                while ready.get_map():
                    started = time.monotonic()
                    left = self.limits.wall_seconds - waited
                    found = ready.select(left) if left > 0 else []
                    waited += time.monotonic() - started
                    if not found:
                        raise UnreadableTable(TableProblem.TOO_SLOW)
                    for key, _events in found:
                        piece = os.read(key.fd, 262_144)
                        if not piece:
                            ready.unregister(key.fileobj)
                        elif key.fileobj is said:
                            self._hear(piece)
                        else:
                            total += len(piece)
                            if total > self.limits.output_bytes + 65_536:
                                raise UnreadableTable(TableProblem.TOO_MUCH_TEXT)
                            yield piece
            self._end(max(self.limits.wall_seconds - waited, 0.1))
        finally:
            self.close()

    def close(self) -> None:
        """End the child, whatever it is doing. Harmless when it has ended."""
        if self.child.returncode is None:
            self.child.kill()
            self._reap()
        for pipe in (self.child.stdout, self.child.stderr):
            if pipe is not None:
                pipe.close()

    def _reap(self) -> None:
        """Wait, and keep what the child has used."""
        try:
            _pid, status, used = os.wait4(self.child.pid, 0)
        except ChildProcessError:
            self.child.wait()
            return
        self.child.returncode = os.waitstatus_to_exitcode(status)
        self.cpu_seconds, self.memory_bytes = used.ru_utime + used.ru_stime, used.ru_maxrss * 1024

    def _hear(self, piece: bytes) -> None:
        self._heard += len(piece)
        lines = (self._unheard + piece).split(b"\n")
        self._unheard = lines.pop()
        for line in lines:
            try:
                word = json.loads(line)
            except ValueError:
                # The child is not trusted: what is no word is dropped, and its end will say what happened.
                continue
            if isinstance(word, dict) and isinstance(word.get("progress"), list) and len(word["progress"]) == 2:
                done, of = word["progress"]
                self.progress = (int(done), int(of))
                self._heard = 0
            elif isinstance(word, dict):
                self.words.append(word)
        if self._heard > _WORDS_LIMIT:
            raise UnreadableTable(TableProblem.TOO_MUCH_TEXT)

    def _end(self, patience: float) -> None:
        """What the child's end means."""
        deadline = time.monotonic() + patience
        while os.waitid(os.P_PID, self.child.pid, os.WEXITED | os.WNOWAIT | os.WNOHANG) is None:
            if time.monotonic() > deadline:
                raise UnreadableTable(TableProblem.TOO_SLOW)
            time.sleep(0.002)
        self._reap()
        for word in self.words:
            if isinstance(word.get("memory_bytes"), int):
                self.memory_bytes = word["memory_bytes"]
            if "problem" in word:
                try:
                    raise UnreadableTable(TableProblem(word["problem"]), **word["params"])
                except (ValueError, TypeError, KeyError):
                    raise UnreadableTable(TableProblem.READER_DIED) from None
        if self.child.returncode in (-24, -9):
            # SIGXCPU or, a second later, SIGKILL: the processor limit.
            raise UnreadableTable(TableProblem.TOO_SLOW)
        if self.child.returncode != 0 or not any("end" in word for word in self.words):
            raise UnreadableTable(TableProblem.READER_DIED)
