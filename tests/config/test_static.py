"""Static files: collected and compressed once, again only when a source changes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

SCRIPT = """
import django; django.setup()
from anxiao.config import static
print(static.collect(), static.collect())
"""


def test_static_files_are_collected_once_and_compressed(tmp_path: Path) -> None:
    root = tmp_path / "static"
    run = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        env={
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "anxiao.config.settings",
            "ANXIAO_COLLECTED": "1",
            "ANXIAO_STATIC": str(root),
        },
        capture_output=True,
        text=True,
        check=True,
    )
    assert run.stdout.split() == ["True", "False"]
    named = list((root / "ui").glob("tokens.*.css"))
    assert named, "named by content"
    assert named[0].with_name(named[0].name + ".gz").exists()
    together = next((root / "ui").glob("phone.*.css")).read_text(encoding="utf-8")
    marks = ["--ax-ink:", ".h5-top", ".ac-form", ".ph-q"]
    places = [together.index(mark) for mark in marks]
    assert places == sorted(places), "the phone's styles are one file, in their order"
    assert "/*" not in together
