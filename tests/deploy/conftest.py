"""The proxy configuration of ``deploy/``, really started: nginx, one console process, one intake process, TLS.

Only what differs between machines is replaced in the files (addresses, paths, user); whatever they promise is tested as
it stands there.
"""

from __future__ import annotations

import datetime
import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from tests.conftest import Database

HERE = Path(__file__).resolve().parent
DEPLOY = HERE.parents[1] / "deploy"
NAME = "anxiao.example.edu.cn"
REQUIRED = os.environ.get("ANXIAO_REQUIRE_JOURNEYS") == "1"
INSTALL = "no nginx here; install it with: apt-get install -y nginx"


def nginx() -> str | None:
    return shutil.which("nginx", path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if nginx() is not None or REQUIRED:
        return
    for item in items:
        if HERE in item.path.parents and "house" in getattr(item, "fixturenames", ()):
            # The name is in the reason: pytest folds equal reasons into one line and would hide what was skipped.
            item.add_marker(pytest.mark.skip(reason=f"{item.name}: {INSTALL}"))


@dataclass(frozen=True, slots=True)
class House:
    """The running proxy and what stands behind it."""

    port: int
    plain_port: int
    trust: ssl.SSLContext
    console: subprocess.Popen[bytes]
    intake: subprocess.Popen[bytes]
    home: Path

    def visitor(self, **options: object) -> httpx.Client:
        """A client that asks for our name and knows our certificate."""
        return httpx.Client(
            base_url=f"https://127.0.0.1:{self.port}",
            verify=self.trust,
            headers={"Host": NAME},
            timeout=15,
            **options,  # type: ignore[arg-type]
        )

    def connect(self, name: str = NAME) -> ssl.SSLSocket:
        """A bare connection, for what no well-behaved client would send."""
        return self.trust.wrap_socket(socket.create_connection(("127.0.0.1", self.port), 15), server_hostname=name)


class _ByName(ssl.SSLContext):
    """Connects to an address and checks the certificate of the name that lives there."""

    def wrap_bio(self, incoming, outgoing, server_side=False, server_hostname=None, session=None):  # type: ignore[no-untyped-def]
        return super().wrap_bio(incoming, outgoing, server_side, NAME, session)

    def wrap_socket(self, sock, *args, server_hostname=None, **options):  # type: ignore[no-untyped-def]
        named = server_hostname if server_hostname and not server_hostname[0].isdigit() else NAME
        return super().wrap_socket(sock, *args, server_hostname=named, **options)


@pytest.fixture(scope="module")
def house(module_database: Database) -> Iterator[House]:
    program = nginx()
    if program is None:
        pytest.fail(INSTALL)
    with ExitStack() as stack:
        # A short path: the address of a socket file holds about a hundred bytes.
        home = Path(tempfile.mkdtemp(prefix="anxiao-proxy-"))
        stack.callback(shutil.rmtree, home, ignore_errors=True)
        trust = _certificate(home)
        environment = {
            **os.environ,
            **module_database.environment,
            "DJANGO_SETTINGS_MODULE": "anxiao.config.settings",
            "ANXIAO_SECRET_KEY": "only-for-tests-" + "x" * 40,
            "ANXIAO_HTTPS": "1",
            "ANXIAO_HOSTS": NAME,
            "ANXIAO_COLLECTED": "1",
            "ANXIAO_STATIC": str(home / "static"),
        }
        collect = "import django; django.setup(); from anxiao.config import static; static.collect()"
        subprocess.run([sys.executable, "-c", collect], env=environment, check=True, timeout=120)
        console = stack.enter_context(_group(home, "console", environment))
        intake = stack.enter_context(_group(home, "intake", environment))
        port, plain_port = _free_port(), _free_port()
        configure(home, port, plain_port)
        stack.enter_context(_running(program, home, port))
        yield House(port, plain_port, trust, console, intake, home)


def configure(home: Path, port: int, plain_port: int) -> None:
    """The files of ``deploy/nginx`` with the addresses of this test."""
    own = "user root;" if os.geteuid() == 0 else ""
    rooms = "".join(
        f"    {kind}_temp_path {home}/{kind};\n" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    main = _replaced(
        (DEPLOY / "nginx" / "nginx.conf").read_text(encoding="utf-8"),
        {
            "user www-data;": own,
            "/run/nginx.pid": f"{home}/nginx.pid",
            "/var/log/nginx/": f"{home}/",
            "/etc/nginx/anxiao.conf": f"{home}/anxiao.conf",
            "http {\n": "http {\n" + rooms,
        },
    )
    site = _replaced(
        (DEPLOY / "nginx" / "anxiao.conf").read_text(encoding="utf-8"),
        {
            "/run/anxiao/": f"{home}/",
            "listen 443 ": f"listen 127.0.0.1:{port} ",
            "listen 80": f"listen 127.0.0.1:{plain_port}",
            "/etc/anxiao/tls/": f"{home}/",
            "/var/cache/nginx/anxiao": f"{home}/cache",
        },
    )
    (home / "nginx.conf").write_text(main, encoding="utf-8")
    (home / "anxiao.conf").write_text(site, encoding="utf-8")


def _replaced(text: str, changes: dict[str, str]) -> str:
    for old, new in changes.items():
        assert old in text, f"the configuration says {old!r} no longer"
        text = text.replace(old, new)
    return text


@contextmanager
def _group(home: Path, doors: str, environment: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """One process of a group, as the supervisor starts it."""
    ends, lifeline = os.pipe()
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener, (home / f"{doors}.log").open("wb") as log:
        listener.bind(str(home / f"{doors}.sock"))
        listener.listen(2048)
        command = [sys.executable, "-m", "anxiao.config.worker", str(listener.fileno()), str(ends), doors]
        process = subprocess.Popen(command, env=environment, pass_fds=[listener.fileno(), ends], stdout=log, stderr=log)
        try:
            yield process
        finally:
            process.send_signal(signal.SIGCONT)
            process.terminate()
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            os.close(lifeline)
            os.close(ends)
            sys.stderr.write((home / f"{doors}.log").read_text(encoding="utf-8", errors="replace")[-5000:])


@contextmanager
def _running(program: str, home: Path, port: int) -> Iterator[None]:
    with (home / "nginx.log").open("wb") as log:
        command = [program, "-p", str(home), "-c", str(home / "nginx.conf"), "-g", "daemon off;"]
        process = subprocess.Popen(command, stdout=log, stderr=log)
        try:
            _wait_for(port, process, home)
            yield
        finally:
            process.terminate()
            process.wait(15)


def _wait_for(port: int, process: subprocess.Popen[bytes], home: Path) -> None:
    end = time.monotonic() + 20
    while time.monotonic() < end and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    pytest.fail("nginx did not start: " + (home / "nginx.log").read_text(encoding="utf-8", errors="replace"))


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _certificate(home: Path) -> ssl.SSLContext:
    """A certificate for our name, signed by itself, and a context that trusts it alone."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, NAME)])
    day = datetime.timedelta(days=1)
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - day)
        .not_valid_after(now + day)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(NAME)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    chain = made.public_bytes(serialization.Encoding.PEM)
    (home / "fullchain.pem").write_bytes(chain)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (home / "privkey.pem").write_bytes(private)
    context = _ByName(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(cadata=chain.decode("ascii"))
    return context
