"""Every process is killed in the middle of submissions; every acknowledged report is there afterwards, once."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

import httpx
import psutil
import psycopg
import pytest

from anxiao.base.passes import COOKIE
from anxiao.config.embedded import BULK, EmbeddedServer
from tests.builders import answers

PEOPLE = 400
SENDERS = 8
CUTS = 2

SET_UP = """
import json, sys
from datetime import timedelta
import django; django.setup()
from django.core.management import call_command
call_command("migrate", database="owner", verbosity=0)
from anxiao.accounts.models import User
from anxiao.base.clock import now, day_of
from anxiao.base.passes import Pass, seal
from anxiao.base.tenancy import school_context
from django.conf import settings
from anxiao.reporting.commands.campaigns import ensure_rounds
from anxiao.reporting.commands.partitions import ensure_partitions
from tests.builders import add_account, add_people, counted
from tests.cast import assemble
cast = assemble()
ensure_partitions(day=day_of(now()))
with school_context("*"):
    people = add_people(cast.tongxin1, int(sys.argv[1]))
    counted(cast.anda.pk)
    rounds = ensure_rounds(day=day_of(now()))
    users = [User(username=f"p{p.pk}", display_name=p.name, person=p, home_school_id=p.school_id, password="!",
                  date_joined=now()) for p in people]
    User.objects.bulk_create(users)
held = [seal(settings.SECRET_KEY, Pass(u.pk, u.person_id, u.home_school_id, u.pass_version, now() + timedelta(days=1)))
        for u in User.objects.filter(username__startswith="p")]
print(json.dumps({"passes": held, "round": rounds[0].pk, "version": rounds[0].version_id, "school": cast.anda.pk}))
"""


@dataclass
class Deployment:
    """A real installation in a directory of its own, with the durability that real ones have."""

    data: Path
    port: int
    process: subprocess.Popen[bytes] | None = None
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        command = [sys.executable, "-m", "anxiao.config.cli", "serve"]
        with (self.data / "output").open("ab") as output:
            self.process = subprocess.Popen(
                [*command, "--data", str(self.data), "--port", str(self.port)], stdout=output, stderr=output
            )
        end = time.monotonic() + 90
        while time.monotonic() < end:
            assert self.process.poll() is None, (self.data / "output").read_text()[-3000:]
            try:
                if httpx.get(self.url + "/healthz", timeout=2).status_code == 200:
                    return
            except httpx.HTTPError:
                pass
            time.sleep(0.1)
        pytest.fail("the server did not come up")

    def cut_the_power(self) -> None:
        """Kill the supervisor, its workers and the whole database, hard and without warning."""
        assert self.process is not None
        ours = [psutil.Process(self.process.pid), *psutil.Process(self.process.pid).children(recursive=True)]
        for process in psutil.process_iter(["cmdline"]):
            if str(self.data / "pgdata") in " ".join(process.info["cmdline"] or []):
                ours += [process, *process.children(recursive=True)]
        for process in ours:
            try:
                process.send_signal(signal.SIGKILL)
            except psutil.NoSuchProcess:
                continue
        self.process.wait()

    def stop(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            self.process.wait(60)


@pytest.fixture
def deployment() -> Iterator[Deployment]:
    # not below pytest's own directory, which it keeps closed to the database's user
    data = Path(tempfile.mkdtemp(prefix="anxiao-cut-"))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    made = Deployment(data, port)
    yield made
    made.stop()
    shutil.rmtree(data, ignore_errors=True)


def test_every_acknowledged_report_survives_a_power_cut(deployment: Deployment) -> None:
    prepared = _prepare(deployment.data)
    waiting = list(prepared["passes"])
    acknowledged: dict[str, tuple[str, str]] = {}  # key -> (receipt number, pass)
    unanswered: list[tuple[str, str]] = []
    lock = threading.Lock()

    def send(pass_: str, key: str) -> httpx.Response:
        return httpx.post(
            deployment.url + "/intake/v1/reports",
            headers={"X-Anxiao": "1"},
            cookies={COOKIE: pass_},
            json={
                "round": prepared["round"],
                "form_version": prepared["version"],
                "key": key,
                "answers": answers(),
            },
            timeout=20,
        )

    def sender(stop: threading.Event) -> None:
        while not stop.is_set():
            with lock:
                if not waiting:
                    return
                pass_ = waiting.pop()
            key = str(uuid4())
            try:
                status, response = (answer := send(pass_, key)).status_code, answer
            except httpx.HTTPError:
                status = 503  # the web process died first; had the database, the door says "busy" itself
            if status == 503:
                with lock:
                    unanswered.append((key, pass_))
                continue
            assert status in (200, 201), response.text
            with lock:
                acknowledged[key] = (response.json()["receipt"]["number"], pass_)

    for _ in range(CUTS):
        deployment.start()
        stop = threading.Event()
        before = len(acknowledged)
        senders = [threading.Thread(target=sender, args=(stop,)) for _ in range(SENDERS)]
        for thread in senders:
            thread.start()
        end = time.monotonic() + 30
        while len(acknowledged) < before + 40 and time.monotonic() < end:
            time.sleep(0.005)
        deployment.cut_the_power()
        stop.set()
        for thread in senders:
            thread.join(30)
    assert len(acknowledged) >= 40 * CUTS
    assert unanswered, "some were under way when the power went"

    deployment.start()
    # whoever got no answer sends again under the same key: one report each, whether the first try arrived or not
    for key, pass_ in unanswered:
        response = send(pass_, key)
        assert response.status_code in (200, 201), response.text
        acknowledged[key] = (response.json()["receipt"]["number"], pass_)
    # a receipt asked for again is the receipt given before the cut
    for key, (number, pass_) in list(acknowledged.items())[:10]:
        assert send(pass_, key).json()["receipt"]["number"] == number
    deployment.stop()

    with EmbeddedServer(deployment.data) as server, psycopg.connect(server.dsn(BULK)) as bulk:
        stored = {str(key): n for key, n in bulk.execute("SELECT key, count(*) FROM report GROUP BY key")}
        (deltas,) = bulk.execute("SELECT sum(n) FROM tally_delta WHERE metric IN (10, 11)").fetchone() or (0,)
        (squashed,) = bulk.execute(
            "SELECT sum(t.n) FROM tally t JOIN organisation o ON o.id = t.node_id"
            " WHERE o.kind = 'school' AND t.metric IN (10, 11)"
        ).fetchone() or (0,)
    assert set(acknowledged) <= set(stored), "an acknowledged report is missing"
    assert set(stored.values()) == {1}
    assert (deltas or 0) + (squashed or 0) == len(stored), "the boards count what is stored"


def _prepare(data: Path) -> dict[str, object]:
    from anxiao.config.environment import surroundings

    kept = dict(os.environ)
    try:
        with surroundings(data):
            run = subprocess.run(
                [sys.executable, "-c", SET_UP, str(PEOPLE)],
                env={**os.environ, "DJANGO_SETTINGS_MODULE": "anxiao.config.settings"},
                capture_output=True,
                text=True,
                check=False,
                cwd=Path(__file__).parents[2],
            )
    finally:
        os.environ.clear()
        os.environ.update(kept)
    assert run.returncode == 0, run.stderr[-3000:]
    prepared: dict[str, object] = json.loads(run.stdout.splitlines()[-1])
    return prepared
