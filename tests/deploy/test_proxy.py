"""What the proxy of a large installation promises: limits, patience with the slow, nothing smuggled, nothing leaked."""

from __future__ import annotations

import re
import signal
import ssl
import statistics
import time
from contextlib import ExitStack

import httpx
import pytest

from tests.deploy.conftest import NAME, House

REPORTS = "/intake/v1/reports"


def test_intake_and_console_are_reached_through_one_name(house: House) -> None:
    with house.visitor() as visitor:
        assert visitor.get("/healthz").json()["status"] == "ok"
        answer = visitor.get("/intake/v1/today")
    assert answer.status_code == 401
    assert answer.json()["code"] == "signed_out"


def test_plain_http_leads_to_https_and_other_names_to_nothing(house: House) -> None:
    moved = httpx.get(f"http://127.0.0.1:{house.plain_port}/h5/?a=1", headers={"Host": NAME})
    assert (moved.status_code, moved.headers["location"]) == (301, f"https://{NAME}/h5/?a=1")
    with pytest.raises(httpx.RemoteProtocolError):
        httpx.get(f"http://127.0.0.1:{house.plain_port}/", headers={"Host": "elsewhere.example"})
    with pytest.raises(ssl.SSLError):
        house.connect("elsewhere.example")


def test_a_page_says_each_security_header_once(house: House) -> None:
    with house.visitor() as visitor:
        answer = visitor.get("/accounts/login/")
    assert answer.status_code == 200
    names = [name.lower() for name, _ in answer.headers.multi_items()]
    for name in (
        "strict-transport-security",
        "content-security-policy",
        "permissions-policy",
        "x-content-type-options",
        "referrer-policy",
        "cross-origin-opener-policy",
    ):
        assert names.count(name) == 1, name
    assert answer.headers["server"] == "nginx"
    # The house knows that the visitor came by https: its cookies are closed to http.
    assert all("Secure" in cookie for cookie in answer.headers.get_list("set-cookie"))


def test_answers_are_compressed(house: House) -> None:
    with house.visitor() as visitor:
        for path in ("/accounts/login/", "/intake/v1/openapi.json"):
            answer = visitor.get(path, headers={"Accept-Encoding": "gzip"})
            assert answer.headers["content-encoding"] == "gzip", path
            assert "accept-encoding" in answer.headers["vary"].lower()


def test_static_files_are_kept_for_ever_and_asked_of_the_house_once(house: House) -> None:
    with house.visitor() as visitor:
        page = visitor.get("/accounts/login/").text
        found = re.search(r'"(/static/[^"]+\.[0-9a-f]{12}\.css)"', page)
        assert found, "a page names its files by their content"
        for coding in ("br", "gzip"):
            file = visitor.get(found[1], headers={"Accept-Encoding": f"{coding};q=0.9", "Cookie": "a=b"})
            assert file.status_code == 200
            assert file.headers.get("content-encoding") == coding
            assert "immutable" in file.headers["cache-control"]
            assert "set-cookie" not in file.headers
        with stopped(house.console):
            again = visitor.get(found[1], headers={"Accept-Encoding": "br"})
            assert (again.status_code, again.headers.get("content-encoding")) == (200, "br")


@pytest.mark.parametrize("stated", [True, False])
def test_a_body_over_the_limit_is_refused_at_the_door(house: House, stated: bool) -> None:
    with house.visitor() as visitor:
        body = b"x" * (64 * 1024 + 1)
        english = {"Accept-Language": "en"}
        answer = visitor.post(REPORTS, content=body if stated else iter([body]), headers=english)
    assert answer.status_code == 413
    assert answer.headers["content-type"].startswith("application/json")
    assert answer.json() == {"code": "too_large", "message": "The request is too large."}


def test_only_imports_may_be_large(house: House) -> None:
    body = b"x" * (2 * 1024 * 1024)
    with house.visitor() as visitor:
        assert visitor.post("/accounts/login/", content=body).status_code == 413
        # Nobody is signed in: the house answers, the proxy let it through.
        assert visitor.post("/console/people/import/", content=body).status_code in (302, 403)


def test_the_machine_room_is_not_reached_from_outside(house: House) -> None:
    with house.visitor() as visitor:
        for path in ("/metrics", "/health"):
            assert visitor.get(path).status_code == 404
        assert "anxiao_" not in visitor.get("/metrics").text


def test_what_a_visitor_says_about_where_they_come_from_is_not_believed(house: House) -> None:
    # Were the visitor's own words believed, the house would take this for a request by http and forbid nothing.
    lies = {"X-Forwarded-Proto": "http", "X-Forwarded-For": "10.0.0.1", "X-Forwarded-Host": "evil.example"}
    with house.visitor() as visitor:
        answer = visitor.get("/accounts/login/", headers=lies)
    assert answer.status_code == 200
    assert "evil.example" not in answer.text
    assert "strict-transport-security" in answer.headers


SMUGGLED = {
    "two lengths of two kinds": b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET / HTTP/1.1\r\n",
    "two lengths": b"Content-Length: 4\r\nContent-Length: 5\r\n\r\nabcde",
    "a length with a sign": b"Content-Length: +4\r\n\r\nabcd",
    "an odd coding": b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "a coding twice": b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "a space before the colon": b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
    "a chunk of no size": b"Transfer-Encoding: chunked\r\n\r\nzz\r\nabcd\r\n0\r\n\r\n",
    "a bare line end in a header": b"X-A: b\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n",
}


@pytest.mark.parametrize("trick", SMUGGLED.values(), ids=SMUGGLED.keys())
def test_no_second_request_is_smuggled_inside_a_first(house: House, trick: bytes) -> None:
    head = f"POST {REPORTS} HTTP/1.1\r\nHost: {NAME}\r\nX-Anxiao: 1\r\nContent-Type: application/json\r\n"
    with house.connect() as connection:
        connection.sendall(head.encode() + trick)
        answers = read_all(connection)
    statuses = re.findall(rb"^HTTP/1\.[01] (\d+)", answers, re.MULTILINE)
    assert len(statuses) <= 1, answers
    assert all(status in (b"400", b"501") for status in statuses), answers


def test_three_hundred_slow_visitors_hinder_nobody(house: House) -> None:
    seconds = 6.0
    # The form is one whose view reads the body before it decides anything, and so would wait for it.
    heads = [
        f"POST {REPORTS} HTTP/1.1\r\nHost: {NAME}\r\nX-Anxiao: 1\r\nContent-Type: application/json\r\n",
    ]
    heads.append(
        f"POST /accounts/login/ HTTP/1.1\r\nHost: {NAME}\r\nOrigin: https://{NAME}\r\n"
        f"Cookie: __Host-anxiao-csrf={'a' * 32}\r\nContent-Type: application/x-www-form-urlencoded\r\n"
    )
    with ExitStack() as stack, house.visitor() as visitor:
        slow: list[ssl.SSLSocket] = []
        for number in range(300):
            connection = stack.enter_context(house.connect())
            # Half of them never end their headers, half send their body byte by byte; both doors get both.
            rest = "X-Slow: " if number % 4 < 2 else "Content-Length: 5000\r\n\r\n"
            connection.sendall((heads[number % 2] + rest).encode())
            slow.append(connection)
        end = time.monotonic() + seconds
        taken: list[float] = []
        while time.monotonic() < end:
            for connection in slow[:: max(1, len(slow) // 40)]:
                drip(connection)
            taken += [timed(visitor, "/intake/v1/today", 401), timed(visitor, "/healthz", 200)]
            time.sleep(0.05)
    assert len(taken) > 40
    assert statistics.quantiles(taken, n=20)[-1] < 1.0, "a good visitor's p95"


def test_headers_that_never_end_are_given_up(house: House) -> None:
    with house.connect() as connection:
        connection.settimeout(20)
        connection.sendall(f"GET / HTTP/1.1\r\nHost: {NAME}\r\nX-Slow: ".encode())
        began = time.monotonic()
        try:
            left = connection.recv(100)
        except (ConnectionResetError, ssl.SSLError):
            left = b""
        assert left in (b"",) or b"408" in left
    assert 5 < time.monotonic() - began < 18


def test_a_busy_console_does_not_slow_the_intake(house: House) -> None:
    with stopped(house.console), house.visitor() as visitor:
        # This is what both would be like in one group of processes.
        with pytest.raises(httpx.ReadTimeout):
            visitor.get("/healthz", timeout=1.0)
        taken = [timed(visitor, "/intake/v1/today", 401) for _ in range(40)]
    assert statistics.quantiles(taken, n=20)[-1] < 1.0
    with house.visitor() as visitor:
        assert visitor.get("/healthz").status_code == 200


def test_an_intake_that_is_away_asks_phones_to_come_again(house: House) -> None:
    """Last of all: the door does not come back."""
    house.intake.terminate()
    house.intake.wait(15)
    (house.home / "intake.sock").unlink()
    with house.visitor() as visitor:
        answer = visitor.post(REPORTS, content=b"{}", headers={"Accept-Language": "zh-CN"})
        assert answer.status_code == 503
        assert answer.headers["retry-after"] == "5"
        assert answer.json() == {"code": "busy", "message": "平台繁忙，请稍后再试。"}
        assert visitor.get("/healthz").status_code == 200, "the console is open all the same"


class stopped:
    """A process that stands still while the block runs, as if it were busy with something long."""

    def __init__(self, process: object) -> None:
        self._process = process

    def __enter__(self) -> None:
        self._process.send_signal(signal.SIGSTOP)  # type: ignore[attr-defined]

    def __exit__(self, *_: object) -> None:
        self._process.send_signal(signal.SIGCONT)  # type: ignore[attr-defined]


def timed(visitor: httpx.Client, path: str, expected: int) -> float:
    began = time.monotonic()
    assert visitor.get(path).status_code == expected
    return time.monotonic() - began


def drip(connection: ssl.SSLSocket) -> None:
    try:
        connection.sendall(b"x")
    except (OSError, ssl.SSLError):
        return


def read_all(connection: ssl.SSLSocket) -> bytes:
    connection.settimeout(3)
    found = b""
    try:
        while part := connection.recv(65536):
            found += part
    except (TimeoutError, ConnectionResetError, ssl.SSLError):
        pass
    return found
