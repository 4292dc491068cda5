"""``anxiao serve``: the database first, then the web workers; at the end the workers first, the database last.

A large installation runs two of these side by side, one with the intake door and one with everything else, so that a
busy console takes nothing from the morning peak.
"""

from __future__ import annotations

import contextlib
import http.client
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from anxiao.config.embedded import EmbeddedServer
from anxiao.config.environment import NotReady, role_urls, surroundings
from anxiao.config.readying import TOLD
from anxiao.config.watch import SINCE, alive
from anxiao.intake import meters

DRAIN_SECONDS = 30.0
READY_SECONDS = 90.0
# A worker that ends this soon after its start did not serve: it could not begin.
STILLBORN_SECONDS = 10.0
STILLBORN_LIMIT = 3


class Doors(StrEnum):
    """Which doors a group of processes serves."""

    BOTH = "both"
    CONSOLE = "console"
    INTAKE = "intake"
    WORKER = "worker"


@dataclass(slots=True)
class Child:
    """A process we keep alive."""

    name: str
    command: list[str]
    fds: tuple[int, ...]
    environment: dict[str, str] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    stillborn: int = 0


@dataclass(slots=True)
class Household:
    """The web workers and the housekeeper, started together and ended together."""

    children: list[Child] = field(default_factory=list)

    def start(self, child: Child) -> None:
        child.process = subprocess.Popen(
            child.command,
            stdin=subprocess.DEVNULL,
            pass_fds=child.fds,
            env={**os.environ, **child.environment},
            # Ctrl-C at the terminal goes to the supervisor alone, which then says goodbye in the right order.
            start_new_session=True,
        )
        child.started = time.monotonic()

    def mend(self) -> None:
        """Start again whatever ended by itself; give up on what cannot even begin."""
        for child in self.children:
            if child.process is None or child.process.poll() is None:
                continue
            lived = time.monotonic() - child.started
            # SIGKILL comes from outside (an operator, a machine short of memory) and says nothing about the start.
            if child.process.returncode != -signal.SIGKILL:
                child.stillborn = child.stillborn + 1 if lived < STILLBORN_SECONDS else 0
            if child.stillborn >= STILLBORN_LIMIT:
                raise NotReady(f"The {child.name} ends as soon as it is started; its complaint stands above.")
            say(f"The {child.name} ended (code {child.process.returncode}) and is started again.")
            self.start(child)

    def stop(self, *, hurry: Callable[[], bool]) -> None:
        """Ask all to finish what they are doing, then wait; a second Ctrl-C or the clock ends the waiting."""
        for child in self.children:
            if child.process is not None and child.process.poll() is None:
                child.process.terminate()
        end = time.monotonic() + DRAIN_SECONDS
        while any(c.process is not None and c.process.poll() is None for c in self.children):
            if time.monotonic() > end or hurry():
                for child in self.children:
                    if child.process is not None and child.process.poll() is None:
                        child.process.kill()
                        child.process.wait()
                return
            time.sleep(0.05)


class Signals:
    """Counts SIGINT and SIGTERM instead of being thrown out of the middle of something."""

    def __init__(self) -> None:
        self.count = 0

    def __enter__(self) -> Signals:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._heard)
        return self

    def __exit__(self, *_: object) -> None:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)

    def _heard(self, *_: object) -> None:
        self.count += 1


def serve(
    *,
    host: str,
    port: int,
    workers: int,
    data_dir: Path,
    doors: Doors = Doors.BOTH,
    socket_file: Path | None = None,
    metrics: tuple[str, int] | None = None,
) -> None:
    """Serve until asked to stop. Raises what ``cli`` explains when it cannot begin.

    ``socket_file`` replaces host and port; ``metrics`` is where the machine room may ask (``watch``).
    """
    if doors is Doors.WORKER:
        _serve_worker(data_dir)
        return
    with contextlib.ExitStack() as stack:
        signals = stack.enter_context(Signals())
        place = listening_at(socket_file) if socket_file is not None else listening(host, port)
        listener = stack.enter_context(place)
        monitor = stack.enter_context(listening(*metrics)) if metrics is not None else None
        _allow_host(host)
        joining = doors is Doors.INTAKE
        server = stack.enter_context(surroundings(data_dir, exclusive=not joining, joining=joining))
        if doors is Doors.INTAKE:
            # These processes accept reports and nothing else; what they do not have cannot be taken from them.
            for name in ("ANXIAO_OWNER_URL", "ANXIAO_BULK_URL"):
                os.environ.pop(name, None)
            _must_be_durable({"application": os.environ["DATABASE_URL"]})
            _must_be_prepared(wait=server is not None, signals=signals)
        else:
            _must_be_durable(role_urls())
            _make_ready(server)
        if signals.count == 0:
            _run(listener, monitor, workers, None if joining else server, signals, data_dir.absolute(), doors)


def _serve_worker(data_dir: Path) -> None:
    """The worker alone, on another machine or beside a console without one; it opens no door."""
    with Signals() as signals, surroundings(data_dir, exclusive=False, joining=True):
        _must_be_durable({"application": os.environ["DATABASE_URL"]})
        _must_be_prepared(wait=True, signals=signals)
        ends, lifeline = os.pipe()
        household = Household([_worker(ends)])
        try:
            for child in household.children:
                household.start(child)
            say("The worker is ready. Ctrl-C stops it.")
            while signals.count == 0:
                household.mend()
                time.sleep(0.2)
        finally:
            heard = signals.count
            household.stop(hurry=lambda: signals.count > heard)
            os.close(lifeline)
            os.close(ends)
    say("Stopped.")


def _worker(ends: int) -> Child:
    return Child("worker", [sys.executable, "-m", "anxiao.config.jobs", str(ends)], (ends,))


def _must_be_durable(urls: Mapping[str, str]) -> None:
    from anxiao.config import doctor

    weak = [finding for finding in doctor.durability(urls) if not finding.good]
    if weak:
        raise NotReady(
            "The database may lose reports it has confirmed, so nothing is served: "
            + "; ".join(f"{finding.name} is {finding.value}" for finding in weak)
            + "."
        )


def _must_be_prepared(*, wait: bool, signals: Signals) -> None:
    """See in a passing process that the tables are there: Django, once loaded, would stay in this one for good."""
    command = [sys.executable, "-W", "ignore::RuntimeWarning", "-m", "django", "migrate", "--check"]
    end = time.monotonic() + (READY_SECONDS if wait else 0.0)
    while subprocess.run(command, capture_output=True, check=False).returncode != 0:
        if time.monotonic() >= end or signals.count:
            raise NotReady("The database has pending migrations; the console's processes or `anxiao migrate` do them.")
        time.sleep(1.0)


def _make_ready(server: EmbeddedServer | None) -> None:
    os.environ["ANXIAO_COLLECTED"] = "1"
    own = ["own"] if server is not None else []
    command = [sys.executable, "-W", "ignore::RuntimeWarning", "-m", "anxiao.config.readying", *own]
    done = subprocess.run(command, stderr=subprocess.PIPE, text=True, check=False)
    if done.returncode == TOLD:
        raise NotReady(done.stderr.strip())
    sys.stderr.write(done.stderr)
    if done.returncode != 0:
        raise NotReady("The database could not be prepared; what went wrong stands above.")


def _run(
    listener: socket.socket,
    monitor: socket.socket | None,
    workers: int,
    server: EmbeddedServer | None,
    signals: Signals,
    data_dir: Path,
    doors: Doors,
) -> None:
    ends, lifeline = os.pipe()
    os.environ[SINCE] = repr(time.time())
    with _meters(data_dir, workers, doors):
        household = Household(_children(listener, monitor, ends, workers, doors))
        try:
            for child in household.children:
                household.start(child)
            _wait_until_answered(listener, household, signals)
            if signals.count == 0:
                announce(listener, monitor, data_dir, doors)
            while signals.count == 0:
                household.mend()
                if server is not None and not server.running:
                    say("The database ended by itself and is started again.")
                    server.revive()
                time.sleep(0.2)
            say("Stopping: first the doors, then the database ...")
        finally:
            heard = signals.count
            household.stop(hurry=lambda: signals.count > heard)
            os.close(lifeline)
            os.close(ends)
    say("Stopped.")


def _children(
    listener: socket.socket, monitor: socket.socket | None, ends: int, workers: int, doors: Doors
) -> list[Child]:
    fd = listener.fileno()
    children = []
    for number in range(workers):
        command = [sys.executable, "-m", "anxiao.config.worker", str(fd), str(ends), doors.value]
        name = "intake worker" if doors is Doors.INTAKE else "web worker"
        children.append(Child(f"{name} {number + 1}", command, (fd, ends), {meters.ROW: str(number)}))
    asked = () if monitor is None else (monitor.fileno(),)
    watching = [str(ends), *map(str, asked)]
    if doors is not Doors.INTAKE:
        # The chores are done once for the whole installation, by the group that has Django loaded anyway.
        command = [sys.executable, "-m", "anxiao.config.keeper", *watching]
        children.append(Child("housekeeper", command, (ends, *asked)))
        children.append(_worker(ends))
    elif asked:
        command = [sys.executable, "-m", "anxiao.config.watch", *watching]
        children.append(Child("watch", command, (ends, *asked)))
    return children


@contextlib.contextmanager
def _meters(data_dir: Path, workers: int, doors: Doors) -> Iterator[None]:
    """The table in which the intake processes of this group count; those that killed groups left are removed."""
    if doors is Doors.CONSOLE:
        yield
        return
    room = data_dir / "meters"
    room.mkdir(parents=True, exist_ok=True, mode=0o700)
    for left in room.iterdir():
        if left.name.isdigit() and not alive(int(left.name)):
            left.unlink(missing_ok=True)
    table = room / str(os.getpid())
    meters.prepare(table, workers)
    os.environ[meters.FILE] = str(table)
    try:
        yield
    finally:
        os.environ.pop(meters.FILE, None)
        table.unlink(missing_ok=True)


@contextlib.contextmanager
def listening(host: str, port: int) -> Iterator[socket.socket]:
    """The socket of all workers. Opened first, so that a port in use is told before a database is started."""
    try:
        family, _kind, _protocol, _name, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, socket.SOCK_STREAM)
    except OSError as error:
        raise NotReady(f"{host} is not an address of this machine: {error.strerror}.") from error
    with listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(address)
        except OSError as error:
            raise NotReady(f"Port {port} on {host} cannot be opened: {error.strerror}.") from error
        # The morning peak comes all at once: a short queue would turn phones away at the door.
        listener.listen(2048)
        yield listener


@contextlib.contextmanager
def listening_at(path: Path) -> Iterator[socket.socket]:
    """The same on a socket file, for a proxy on this machine: reached by our user and our group, by no port."""
    path = path.absolute()
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        try:
            if path.is_socket():
                _must_be_left_over(path)
            listener.bind(str(path))
            path.chmod(0o660)
            listener.listen(2048)
        except OSError as error:
            raise NotReady(f"The socket {path} cannot be opened: {error.strerror or error}.") from error
        try:
            yield listener
        finally:
            path.unlink(missing_ok=True)


def _must_be_left_over(path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            path.unlink()
        else:
            raise NotReady(f"The socket {path} is served by another process.")


def announce(listener: socket.socket, monitor: socket.socket | None, data_dir: Path, doors: Doors) -> None:
    """Where to look, and in a demo, as whom."""
    base = _base_url(listener)
    say("")
    say(f"Anxiao 安校 is open: {base}/")
    shown = [("/intake/v1/", "intake 上报")] if doors is Doors.INTAKE else []
    if doors is not Doors.INTAKE:
        shown += [("/h5/", "phone 手机"), ("/console/", "PC 电脑"), ("/wall/", "wall screen 大屏")]
    for door, meaning in shown:
        say(f"  {base + door:<40} {meaning}")
    if monitor is not None:
        for door, meaning in (("/health", "health 健康"), ("/metrics", "metrics 指标")):
            say(f"  {_base_url(monitor) + door:<40} {meaning}")
    accounts = data_dir / "accounts.json"
    if accounts.exists() and doors is not Doors.INTAKE:
        for line in account_lines(accounts):
            say(line)
    say("")
    say("Ctrl-C stops it.")


def account_lines(path: Path) -> list[str]:
    """One line per account of the first school; the outsiders of the second are in the file."""
    import json

    accounts = json.loads(path.read_text(encoding="utf-8"))
    shown = [account for account in accounts if not account["name"].startswith("demo2-")]
    lines = ["", f"Demo accounts (all in {path}):"]
    for account in shown:
        where = account.get("node") or account.get("school") or ""
        lines.append(f"  {account['name']:<18} {account['password']:<14} {account['role']:<17} {where}")
    return lines


def say(line: str) -> None:
    """A line for the person at the terminal, at once even when the output is a pipe."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def _base_url(listener: socket.socket) -> str:
    if listener.family == socket.AF_UNIX:
        return f"unix:{listener.getsockname()}"
    host, port = listener.getsockname()[:2]
    if host in ("0.0.0.0", "::"):  # noqa: S104 - compared, not opened
        host = "127.0.0.1"
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _wait_until_answered(listener: socket.socket, household: Household, signals: Signals) -> None:
    end = time.monotonic() + READY_SECONDS
    while signals.count == 0 and time.monotonic() < end:
        household.mend()
        connection = http.client.HTTPConnection("localhost", timeout=2)
        try:
            connection.sock = _connected(listener)
            connection.request("GET", "/healthz")
            connection.getresponse().read()
        except (OSError, http.client.HTTPException):
            time.sleep(0.1)
        else:
            return
        finally:
            connection.close()
    if signals.count == 0:
        raise NotReady("The application did not answer within a minute and a half.")


def _connected(listener: socket.socket) -> socket.socket:
    """A connection to our own door."""
    if listener.family == socket.AF_UNIX:
        visitor = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        visitor.settimeout(2)
        try:
            visitor.connect(listener.getsockname())
        except OSError:
            visitor.close()
            raise
        return visitor
    host, port = listener.getsockname()[:2]
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - compared, not opened
    return socket.create_connection((host, port), timeout=2)


def _allow_host(host: str) -> None:
    """A host named at the command line is one that visitors will name too."""
    names = os.environ.get("ANXIAO_HOSTS", "127.0.0.1,localhost,[::1]").split(",")
    bare = f"[{host}]" if ":" in host else host
    if host not in ("0.0.0.0", "::") and bare not in names:  # noqa: S104 - compared, not opened
        os.environ["ANXIAO_HOSTS"] = ",".join([*names, bare])
