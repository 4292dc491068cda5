"""The systemd units start what the command line knows, where the proxy looks for it."""

from __future__ import annotations

import configparser
import shlex

import pytest
from typer.main import get_command

from anxiao.config.cli import app
from tests.deploy.conftest import DEPLOY

GROUPS = ("console", "intake")


def command_of(group: str) -> list[str]:
    unit = configparser.RawConfigParser(strict=False, interpolation=None)
    unit.optionxform = str  # type: ignore[assignment, method-assign]
    unit.read(DEPLOY / "systemd" / f"anxiao-{group}.service", encoding="utf-8")
    return shlex.split(unit["Service"]["ExecStart"])


@pytest.mark.parametrize("group", GROUPS)
def test_a_unit_starts_its_group_on_the_socket_of_the_proxy(group: str) -> None:
    _program, name, *arguments = command_of(group)
    serve = get_command(app).commands[name]  # type: ignore[attr-defined]
    given = serve.make_context(name, arguments, resilient_parsing=False).params
    assert given["only"].value == group
    upstream = f"server unix:{given['socket']} "
    assert upstream in (DEPLOY / "nginx" / "anxiao.conf").read_text(encoding="utf-8")


def test_the_two_groups_do_not_meet() -> None:
    ports = {command_of(group)[-1] for group in GROUPS}
    assert len(ports) == len(GROUPS), "each has a private port of its own"


def test_the_proxy_closes_idle_connections_before_the_house_does() -> None:
    from anxiao.config.worker import KEEP_ALIVE_SECONDS

    text = (DEPLOY / "nginx" / "anxiao.conf").read_text(encoding="utf-8")
    assert text.count("keepalive_timeout 60s;") == len(GROUPS)
    assert KEEP_ALIVE_SECONDS > 60
