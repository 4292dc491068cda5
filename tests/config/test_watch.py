"""Health and metrics: what the machine room sees, from the table of the processes to the answer on the private port."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg
import pytest

from anxiao.config import watch
from anxiao.config.watch import Database, View
from anxiao.intake import meters
from tests import conftest

GOOD = Database(up=True, skew=0.01)


@pytest.fixture
def table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A table for two processes; this one writes into the first row."""
    path = tmp_path / "table"
    meters.prepare(path, 2)
    monkeypatch.setenv(meters.FILE, str(path))
    monkeypatch.setenv(meters.ROW, "0")
    meters.join()
    meters.listener(True)
    yield path
    meters.leave()


def view(table: Path | None, database: Database = GOOD) -> View:
    return View(database, meters.read(table) if table else None, now=1000.0, since=990.0)


def other_process(table: Path, does: str) -> None:
    """The second process says something and ends."""
    script = "from anxiao.intake import meters; meters.join(); " + does
    environment = {**os.environ, meters.FILE: str(table), meters.ROW: "1"}
    subprocess.run([sys.executable, "-c", script], env=environment, check=True)


def values(text: str) -> dict[str, float]:
    """Every line of an exposition, held to the format."""
    found: dict[str, float] = {}
    typed: set[str] = set()
    for line in text.splitlines():
        if line.startswith("# "):
            assert re.fullmatch(r"# (HELP [a-z_]+ .+|TYPE [a-z_]+ (gauge|counter|histogram))", line), line
            typed.add(line.split()[2])
            continue
        match = re.fullmatch(r'(([a-z_]+)(?:\{[a-z]+="[^"{}]+"\})?) (-?[0-9.e+-]+)', line)
        assert match, line
        assert re.sub("_(bucket|sum|count)$", "", match[2]) in typed or match[2] in typed, line
        assert match[1] not in found, "said twice"
        found[match[1]] = float(match[3])
    return found


def test_the_counts_of_all_processes_are_one_answer(table: Path) -> None:
    meters.accepted(3)
    meters.batch(3, 0.004)
    meters.refused("ticket_wrong")
    other_process(
        table, "meters.accepted(4); meters.repeated(); meters.batch(4, 0.3); meters.refused('no such reason', 2)"
    )
    seen = values(watch.exposition(view(table)))
    assert seen["anxiao_reports_accepted_total"] == 7
    assert seen["anxiao_reports_repeated_total"] == 1
    assert seen['anxiao_requests_refused_total{reason="ticket_wrong"}'] == 1
    assert seen['anxiao_requests_refused_total{reason="other"}'] == 2
    assert (seen["anxiao_batch_reports_sum"], seen["anxiao_batch_reports_count"]) == (7, 2)
    assert seen['anxiao_batch_reports_bucket{le="2"}'] == 0
    assert seen['anxiao_batch_reports_bucket{le="4"}'] == seen['anxiao_batch_reports_bucket{le="+Inf"}'] == 2
    assert seen['anxiao_batch_seconds_bucket{le="0.005"}'] == 1
    assert seen["anxiao_batch_seconds_sum"] == pytest.approx(0.304)


def test_a_process_that_is_started_again_goes_on_with_its_counters_and_forgets_what_it_knew(table: Path) -> None:
    other_process(table, "meters.accepted(4); meters.queue_depth(9); meters.listener(True)")
    other_process(table, "meters.accepted(1)")
    again = meters.read(table)[1]
    assert again.accepted == 5
    assert again.queue == 0
    assert again.facts["listener"] != 1


def test_an_ended_process_is_neither_up_nor_waiting(table: Path) -> None:
    other_process(table, "meters.queue_depth(9); meters.listener(False)")
    assert watch.reasons(view(table)) == []
    seen = values(watch.exposition(view(table)))
    assert (seen["anxiao_intake_processes"], seen["anxiao_queue_depth"]) == (1, 0)


def test_a_door_that_never_heard_of_withdrawn_passes_is_not_healthy(table: Path) -> None:
    meters.join()
    assert watch.reasons(view(table)) == ["listener_down"]


def test_each_reason_shuts_the_door(table: Path) -> None:
    assert watch.reasons(view(table)) == []
    assert watch.reasons(view(table, Database(up=False))) == ["database_away"]
    assert watch.reasons(view(table, replace(GOOD, unsafe=("fsync",)))) == ["unsafe:fsync"]
    assert watch.reasons(view(table, replace(GOOD, skew=-2.1))) == ["clock_skew"]
    meters.health("skew", 2.1)
    meters.health("durable", False)
    meters.health("database", False)
    meters.listener(False)
    assert set(watch.reasons(view(table))) == {"clock_skew", "unsafe:connection", "database_away", "listener_down"}
    assert values(watch.exposition(view(table)))["anxiao_door_open"] == 0


def test_a_group_without_the_door_is_not_asked_for_one(table: Path) -> None:
    body = watch.health(view(None))
    assert (body["status"], body["intake"]) == ("ok", None)
    assert "anxiao_queue_depth" not in values(watch.exposition(view(None)))


def test_a_door_without_a_process_is_not_healthy(tmp_path: Path) -> None:
    meters.prepare(tmp_path / "table", 1)
    assert watch.reasons(view(tmp_path / "table")) == ["no_intake_process"]


def test_labels_come_from_closed_lists_and_every_metric_is_described(table: Path) -> None:
    for number in range(1000):
        meters.refused(f"reason {number}")
    text = watch.exposition(view(table))
    assert len(text.splitlines()) < 120
    described = (Path(__file__).parents[2] / "docs" / "operate" / "watch.md").read_text(encoding="utf-8")
    for name in re.findall(r"# TYPE ([a-z_]+)", text):
        assert f"`{name}" in described, name


def test_a_setting_turned_off_for_the_role_alone_is_seen(database: conftest.Database) -> None:
    # The test server gives durability up; what the role says of its own comes on top.
    with psycopg.connect(database.superuser_url, autocommit=True) as superuser:
        superuser.execute("ALTER ROLE anxiao_app SET synchronous_commit = on")
        try:
            assert "synchronous_commit" not in watch.look(database.app_url).unsafe
            superuser.execute("ALTER ROLE anxiao_app SET synchronous_commit = off")
            found = watch.look(database.app_url)
        finally:
            superuser.execute("ALTER ROLE anxiao_app RESET synchronous_commit")
    assert found.up and "synchronous_commit" in found.unsafe
    assert abs(found.skew) < 2.0
    assert not watch.look("postgresql://nobody@127.0.0.1:1/none").up


def test_the_private_port_answers_monitors(table: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[int] = []

    def look(_url: str) -> Database:
        looks.append(1)
        return GOOD

    monkeypatch.setattr(watch, "look", look)
    monkeypatch.setenv("DATABASE_URL", "never asked")
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        server = watch.start(listener.detach())
    try:
        port = server.socket.getsockname()[1]
        assert ask(port, "/health") == (200, "ok")
        meters.listener(False)
        assert ask(port, "/health") == (503, "unavailable")
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
            assert answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
            assert values(answer.read().decode())["anxiao_door_open"] == 0
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5)
        refused.value.close()
        assert len(looks) == 1, "a curious monitor does not trouble the database"
    finally:
        server.shutdown()
        server.server_close()
    assert threading.active_count() < 50


def ask(port: int, path: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
            body: dict[str, Any] = json.load(answer)
            return answer.status, body["status"]
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)["status"]
