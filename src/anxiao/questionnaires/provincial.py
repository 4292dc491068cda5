"""The questionnaire of the notice, version 1, as the file beside this module states it."""

import json
from functools import cache
from pathlib import Path
from typing import Any

from anxiao.questionnaires.compiled import Compiled, compile

_FILE = Path(__file__).with_name("data") / "provincial_daily_v1.json"


def provincial_daily_definition() -> dict[str, Any]:
    """A fresh copy of the definition."""
    definition: dict[str, Any] = json.loads(_FILE.read_text(encoding="utf-8"))
    return definition


@cache
def provincial_daily() -> Compiled:
    """The compiled form."""
    return compile(provincial_daily_definition())
