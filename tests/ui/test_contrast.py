"""The colours of the tokens, measured as WCAG 2.2 measures them: text 4.5:1, signs and edges of controls 3:1."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path

import pytest

import anxiao

TOKENS = (Path(anxiao.__file__).parent / "ui/static/ui/tokens.css").read_text(encoding="utf-8")
STATES = ("good", "late", "missing", "ill", "exempt", "info")


def _palette(selector: str) -> dict[str, str]:
    block = re.search(re.escape(selector) + r"\s*{(.*?)}", TOKENS, re.DOTALL)
    assert block is not None
    return dict(re.findall(r"--ax-([a-z0-9-]+):\s*(#[0-9a-f]{6});", block[1]))


LIGHT = _palette(":root")
DARK = LIGHT | _palette(".ax-dark")


def _luminance(colour: str) -> float:
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    """Contrast ratio of two colours, 1 to 21."""
    bright, dim = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (bright + 0.05) / (dim + 0.05)


TEXT = [
    *[(ink, ground) for ink in ("ink", "ink-2", "ink-3", "brand") for ground in ("paper", "ground")],
    *[(state, state + "-tint") for state in STATES],
    *[(state, "paper") for state in STATES],
    *[("ink", state + "-tint") for state in STATES],
    ("danger", "danger-tint"),
    ("danger", "paper"),
    ("on-brand", "brand"),
    ("brand-dark", "brand-tint"),
    ("brand-dark", "info-tint"),
]
SIGNS = [
    ("line-strong", "paper"),
    ("focus", "paper"),
    ("focus", "ground"),
    *[(s + "-fill", "paper") for s in ("good", "missing", "ill")],
]


@pytest.mark.parametrize(("front", "back"), TEXT, ids="-on-".join)
@pytest.mark.parametrize("palette", [LIGHT, DARK], ids=["light", "dark"])
def test_text_is_readable(palette: dict[str, str], front: str, back: str) -> None:
    assert contrast(palette[front], palette[back]) >= 4.5


@pytest.mark.parametrize(("front", "back"), SIGNS, ids="-on-".join)
@pytest.mark.parametrize("palette", [LIGHT, DARK], ids=["light", "dark"])
def test_signs_are_visible(palette: dict[str, str], front: str, back: str) -> None:
    assert contrast(palette[front], palette[back]) >= 3


def _deuteranope(colour: str) -> tuple[float, float, float]:
    """What somebody without green cones sees of a colour (Viénot, Brettel and Mollon 1999), in linear RGB."""
    red, green, blue = (int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in (red, green, blue))
    long = 0.29275 * red + 0.70725 * green
    return long, long, -0.02234 * red + 0.02234 * green + blue


@pytest.mark.parametrize("palette", [LIGHT, DARK], ids=["light", "dark"])
def test_states_that_stand_side_by_side_differ_without_green(palette: dict[str, str]) -> None:
    bar = ["good", "late", "missing", "exempt"]  # the order in which state_bar draws them
    for one, other in pairwise(bar):
        seen = zip(_deuteranope(palette[one + "-fill"]), _deuteranope(palette[other + "-fill"]), strict=True)
        assert sum((a - b) ** 2 for a, b in seen) ** 0.5 > 0.1, f"{one} and {other} look alike"
