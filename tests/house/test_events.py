"""Every piece of news has its line in ``config/wiring.py``, also when nobody listens yet."""

from __future__ import annotations

import ast
import importlib
import re

from anxiao.base import events
from anxiao.config.wiring import WIRING
from tests.house.plan import PACKAGE, rooms

NAME = re.compile(r"[a-z_]+\.[a-z_]+\Z")


def declared() -> dict[str, str]:
    """Event names (``room.happened``) of every ``names.py``, with where they stand."""
    found = {}
    for room in rooms():
        if not (PACKAGE / room / "names.py").exists():
            continue
        module = importlib.import_module(f"anxiao.{room}.names")
        for constant, value in vars(module).items():
            if constant.isupper() and isinstance(value, str) and NAME.match(value):
                found[value] = f"{room}.names.{constant}"
    return found


def test_every_event_is_wired() -> None:
    missing = {where for name, where in declared().items() if name not in WIRING}
    assert not missing, f"not in config/wiring.py (write [] when nobody listens): {sorted(missing)}"


def test_no_wire_hangs_loose() -> None:
    assert set(WIRING) <= set(declared()), "wired, but no names.py declares it"


def test_the_wiring_is_connected_when_django_is_up() -> None:
    assert events.wired_names() == frozenset(WIRING)


def test_events_are_published_by_their_constant() -> None:
    """A name written out at the place of publishing would escape the two tests above."""
    literal = []
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
                called = node.func
                name = called.id if isinstance(called, ast.Name) else getattr(called, "attr", "")
                owner = (
                    called.value.id if isinstance(called, ast.Attribute) and isinstance(called.value, ast.Name) else ""
                )
                if name == "publish" and owner in ("", "events"):
                    literal.append(f"{path.relative_to(PACKAGE)}:{node.lineno}")
    assert not literal
