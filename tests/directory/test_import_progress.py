"""What a page says about a step that takes long: how far it is, how long it still takes, and what it waits for."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import translation

from anxiao.directory.importing.shown_progress import PATIENCE, shown_progress, time_left
from anxiao.directory.models import DirectoryImport
from tests.directory.import_cast import MORNING


def at_work(state: str, **told: Any) -> DirectoryImport:
    return DirectoryImport(state=state, template="students", created_at=MORNING, decided_at=MORNING, progress=told)


def told(phase: str, done: int = 0, total: int = 0, **more: Any) -> dict[str, Any]:
    return {"phase": phase, "done": done, "total": total, "started_at": MORNING.isoformat(), **more}


@pytest.mark.parametrize(
    ("done", "total", "seconds", "words"),
    [
        (0, 100, 60, ""),  # nothing to judge by
        (1, 100, 60, ""),
        (50, 100, 1, ""),
        (50, 100, 5, "a few seconds left"),
        (50, 100, 33, "about 40 seconds left"),
        (10, 100, 60, "about 9 minutes left"),
        (100, 100, 60, ""),
        (0, 0, 60, ""),
    ],
)
def test_time_left_is_said_once_it_can_be_known_and_never_too_exactly(
    done: int, total: int, seconds: int, words: str
) -> None:
    with translation.override("en"):
        assert time_left(done, total, timedelta(seconds=seconds)) == words


def test_reading_counts_the_file_and_writing_counts_its_steps() -> None:
    later = MORNING + timedelta(seconds=20)
    with translation.override("en"):
        reading = shown_progress(at_work("reading", **told("reading", 2_097_152, 8_388_608)), later)
        assert (reading.done, reading.total, reading.counts) == (2_097_152, 8_388_608, "2.0 MB of 8.0 MB")
        assert reading.time == "about 60 seconds left"
        comparing = shown_progress(at_work("reading", **told("comparing", 20_000, 20_000)), later)
        assert (comparing.total, comparing.counts, comparing.time) == (0, "20,000 rows", "for 20 seconds")
        writing = shown_progress(at_work("applying", **told("memberships")), later)
        assert (writing.done, writing.total, writing.counts) == (2, 6, "step 3 of 6")
        back = shown_progress(at_work("undoing", **told("counting")), later)
        assert (back.done, back.total) == (2, 3)


def test_a_step_that_nobody_begins_says_so_after_a_while() -> None:
    assert not shown_progress(at_work("reading"), MORNING + PATIENCE).stuck
    assert shown_progress(at_work("reading"), MORNING + PATIENCE + timedelta(seconds=1)).stuck
    assert shown_progress(at_work("applying"), MORNING + PATIENCE + timedelta(seconds=1)).stuck
    assert not shown_progress(at_work("applying", **told("waiting")), MORNING + timedelta(hours=1)).stuck


def test_a_phase_of_tomorrow_breaks_no_page() -> None:
    assert shown_progress(at_work("applying", **told("something new")), MORNING).label
