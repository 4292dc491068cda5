"""The house's message catalogue, read without Django."""

from __future__ import annotations

import gettext as catalogues
from collections.abc import Callable
from functools import cache
from pathlib import Path

_LOCALE = Path(__file__).resolve().parent.parent / "locale"


def language_of(accept: str) -> str:
    """``zh-hans`` or ``en``, from an Accept-Language header; Chinese unless English is named first."""
    for part in accept.lower().split(",")[:10]:
        tag = part.split(";")[0].strip()
        if tag.startswith("zh"):
            return "zh-hans"
        if tag.startswith("en"):
            return "en"
    return "zh-hans"


def translator(language: str) -> Callable[[str], str]:
    """gettext for a language."""
    return _catalogue("zh_Hans" if language.startswith("zh") else "en").gettext


@cache
def _catalogue(name: str) -> catalogues.NullTranslations:
    path = _LOCALE / name / "LC_MESSAGES" / "django.mo"
    if not path.exists():
        return catalogues.NullTranslations()
    with path.open("rb") as file:
        return catalogues.GNUTranslations(file)
