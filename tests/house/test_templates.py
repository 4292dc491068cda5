"""The content policy of every page is strict; a template that it would break is found here and not by a user."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import anxiao

PACKAGE = Path(anxiao.__file__).parent
TEMPLATES = sorted(PACKAGE.glob("*/templates/**/*.html"))
SCRIPTS = sorted(p for p in PACKAGE.glob("*/static/**/*.js") if "vendor" not in p.parts)

_COMMENT = re.compile(r"{%\s*comment.*?%}.*?{%\s*endcomment\s*%}|{#.*?#}|<!--.*?-->", re.DOTALL)
_TAG = re.compile(r"{%.*?%}|{{.*?}}", re.DOTALL)
_ELEMENT = re.compile(r"<[a-zA-Z][^<>]*>", re.DOTALL)
_SCRIPT = re.compile(r"<script\b([^>]*)>", re.DOTALL | re.IGNORECASE)


def _name(path: Path) -> str:
    return str(path.relative_to(PACKAGE))


def _source(path: Path) -> str:
    return _COMMENT.sub("", path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("path", TEMPLATES, ids=_name)
def test_no_inline_style_and_no_inline_handler(path: Path) -> None:
    for element in _ELEMENT.findall(_TAG.sub("", _source(path))):
        assert not re.search(r"\sstyle\s*=", element, re.IGNORECASE), f"style attribute: {element}"
        assert not re.search(r"\son[a-z]+\s*=", element, re.IGNORECASE), f"inline handler: {element}"
        assert not re.search(r"\shx-on|\sx-on:[a-z]+=|=\s*[\"']?javascript:", element, re.IGNORECASE), (
            f"evaluated: {element}"
        )
        assert not element.lower().startswith("<style"), f"style element: {element}"


@pytest.mark.parametrize("path", TEMPLATES, ids=_name)
def test_every_script_has_the_nonce_and_comes_from_here(path: Path) -> None:
    for attributes in _SCRIPT.findall(_source(path)):
        if "application/json" in attributes:
            continue  # data, never executed
        assert "nonce=" in attributes, f"without nonce: <script{attributes}>"
        source = re.search(r"src\s*=\s*[\"'](.*?)[\"']\s", attributes + " ", re.DOTALL)
        assert source is None or "{%" in source[1], f"not through static: <script{attributes}>"


@pytest.mark.parametrize("path", TEMPLATES, ids=_name)
def test_nothing_is_fetched_from_another_host(path: Path) -> None:
    for element in _ELEMENT.findall(_source(path)):
        if element.lower().startswith(("<link", "<script", "<img", "<iframe", "<form", "<source", "<video", "<audio")):
            assert not re.search(r"(src|href|action)\s*=\s*[\"']?(https?:)?//", element), element


@pytest.mark.parametrize("path", SCRIPTS, ids=_name)
def test_scripts_evaluate_nothing(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert not re.search(r"\beval\(|new Function\(|document\.write\(|setAttribute\(\s*[\"']style", text)
    assert not re.search(r"set(Timeout|Interval)\(\s*[\"'`]", text)
