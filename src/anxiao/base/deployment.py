"""What every process of a deployment shares: its data directory, its secret, its receipt key.

From the environment, which ``anxiao`` fills in before it starts a process, or from the files behind it. Knows no
Django, so that both doors and the tools read the same.
"""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path

from anxiao.base.signatures import Signer

RECEIPT_KEY_FILE = "receipt_key"


def data_dir() -> Path:
    """Where this deployment keeps its files."""
    return Path(os.environ.get("ANXIAO_DATA", "var/data")).resolve()


def secret() -> str:
    """The secret under which passes and tickets are sealed. Empty means: none can be valid."""
    return os.environ.get("ANXIAO_SECRET_KEY") or _file(data_dir() / "secret_key")


def receipt_signer() -> Signer:
    """The deployment's signature under receipts. Raises LookupError where there is no key."""
    private = os.environ.get("ANXIAO_RECEIPT_KEY") or _file(data_dir() / RECEIPT_KEY_FILE)
    if not private:
        raise LookupError("this deployment has no receipt key")
    return _signer(private)


@cache
def _signer(private: str) -> Signer:
    return Signer(private)


@cache
def _file(path: Path) -> str:
    return path.read_text(encoding="ascii").strip() if path.exists() else ""
