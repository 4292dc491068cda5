"""Files that are built to harm: each ends as a sentence, soon and small."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anxiao.base.errors import Refused
from anxiao.base.tables import child
from anxiao.base.tables.model import UnreadableTable
from anxiao.directory.importing.reading import NeedsMapping, read
from anxiao.directory.importing.reading.parent import LIMITS
from anxiao.directory.importing.templates import STUDENTS
from tests.data.directory import corpus
from tests.directory import import_sheets as make
from tests.directory.reading_cast import read_file, told

ROOT = Path(__file__).resolve().parents[2]
WIDE = 5
"""How much more time a busy machine may take than the two seconds of processor that are promised."""


@pytest.mark.parametrize("name", corpus.HOSTILE)
def test_hostile_files_end_as_a_sentence_soon_and_small(name: str) -> None:
    build, code = corpus.HOSTILE[name]
    data = build()
    started = time.monotonic()
    with read(data, told()) as reading, pytest.raises(Refused) as refused:
        list(reading.lines())
    assert refused.value.code == code
    assert len(str(refused.value)) > 5
    seconds, size = reading.used
    assert seconds < 2 * WIDE
    assert time.monotonic() - started < 2 * WIDE * 2
    assert size < 200 * 1024 * 1024


def test_a_line_of_a_gigabyte_is_not_even_opened(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    with path.open("wb") as file:
        file.truncate(1024 * 1024 * 1024)
    with read(path, told()) as reading, pytest.raises(Refused) as refused:
        list(reading.lines())
    assert refused.value.code == "too_large"
    assert reading.used == (0.0, 0)


def test_without_the_look_at_the_zip_the_bomb_would_go_off() -> None:
    """Negative control: with a ceiling high enough the same file is inflated and its rows are read."""
    rows = [list(STUDENTS.headers), *(make.student_row(1) for _ in range(4_000))]
    data = corpus.inline_book(rows)
    with pytest.raises(Refused) as refused:
        read_file(data, limits=replace(LIMITS, ratio=5))
    assert refused.value.code == "bomb"
    assert len(read_file(data).lines) == 4_000


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"rows": 100}, "too_many_rows"),
        ({"output_bytes": 1_000}, "too_much_text"),
        ({"wall_seconds": 0.02}, "too_slow"),
        ({"file_bytes": 1_000}, "too_large"),
        ({"sheets": 0}, "too_many_sheets"),
    ],
)
def test_every_limit_has_its_sentence(change: dict[str, float], code: str) -> None:
    data = corpus.inline_book([list(STUDENTS.headers), *(make.student_row(n) for n in range(300))])
    with pytest.raises(Refused) as refused:
        read_file(data, limits=replace(LIMITS, **change))  # type: ignore[arg-type]
    assert refused.value.code == code


def test_a_child_that_dies_of_hunger_is_said_and_the_parent_lives() -> None:
    with pytest.raises(Refused) as refused:
        read_file(b"a,b\n1,2\n", limits=replace(LIMITS, memory_bytes=20 * 1024 * 1024))
    assert refused.value.code in ("reader_died", "bomb")


def test_the_child_knows_neither_django_nor_a_database() -> None:
    code = (
        "import sys; sys.path.insert(0, 'src'); from anxiao.directory.importing.reading import child; child.prepare();"
        "print(sorted({'django', 'psycopg', 'openpyxl', 'ssl', 'socket'} & set(sys.modules)))"
    )
    said = subprocess.run([sys.executable, "-I", "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert said.stdout == "[]\n"


def test_the_child_can_open_nothing_and_start_nothing() -> None:
    """In a process of its own, because no limit that was lowered can be raised again."""
    attempts = {
        "a file": "open('/etc/passwd')",
        "a socket": "import _socket; _socket.socket()",
        "a process": "import os; os.fork()",
    }
    for attempt in attempts.values():
        pid = os.fork()
        if not pid:
            try:
                import _socket  # noqa: F401

                child.lock_in(replace(LIMITS, memory_bytes=4 * 1024**3))
                exec(attempt)
            except OSError:
                os._exit(7)
            except BaseException:
                os._exit(8)
            os._exit(0)
        _pid, status = os.waitpid(pid, 0)
        code = os.waitstatus_to_exitcode(status)
        # Root may start processes whatever the limit says; the other two hold for everybody.
        assert code == 7 or (os.geteuid() == 0 and "fork" in attempt)


@settings(max_examples=6, deadline=None)
@given(st.data())
def test_a_damaged_file_of_any_kind_is_read_or_refused_and_nothing_else(data: st.DataObject) -> None:
    rows = [list(STUDENTS.headers), *(make.student_row(n) for n in range(20))]
    whole = bytearray(
        data.draw(
            st.sampled_from(
                [corpus.shared_book(rows), corpus.xls_of(corpus.OldSheet(rows)), corpus.csv_of(rows, "gb18030")]
            )
        )
    )
    for _ in range(data.draw(st.integers(1, 12))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(Refused, NeedsMapping):
        read_file(bytes(whole))


def test_every_refusal_of_a_table_has_its_sentence() -> None:
    from anxiao.base.tables import TableProblem

    for problem in TableProblem:
        assert len(UnreadableTable(problem, megabytes=1, rows=1, sheets=1).message) > 5
