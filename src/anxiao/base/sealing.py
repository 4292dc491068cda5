"""Short signed texts: whole numbers in the open and a keyed seal behind them.

``1.20.3~MAC``: the numbers joined by dots, then HMAC-SHA256 (base64url) under a key derived from the deployment's
secret and the purpose, so that a ticket can never be shown as a pass. Letters, digits, ``.``, ``-``, ``_`` and one
``~``: fit for cookies and headers. Reading one costs three microseconds and no database.
"""

from __future__ import annotations

import hmac
from base64 import urlsafe_b64encode
from collections.abc import Iterable
from functools import lru_cache
from hashlib import sha256

_LONGEST = 400


def seal(secret: str, purpose: str, numbers: Iterable[int]) -> str:
    """The sealed text of some whole numbers."""
    body = ".".join(map(str, numbers))
    return f"{body}~{_mac(secret, purpose, body)}"


def unseal(secret: str, purpose: str, text: str, count: int) -> list[int] | None:
    """The ``count`` numbers of a sealed text, or None when it is forged, damaged or meant for something else."""
    body, mark, mac = text.rpartition("~")
    if not mark or len(text) > _LONGEST or not text.isascii():
        return None
    if not hmac.compare_digest(_mac(secret, purpose, body), mac):
        return None
    numbers = [int(number) for number in body.split(".")]
    return numbers if len(numbers) == count else None


def _mac(secret: str, purpose: str, body: str) -> str:
    mac = _keyed(secret, purpose).copy()
    mac.update(body.encode())
    return urlsafe_b64encode(mac.digest()).rstrip(b"=").decode()


@lru_cache(maxsize=16)
def _keyed(secret: str, purpose: str) -> hmac.HMAC:
    """The key's half of the work, done once."""
    return hmac.new(sha256(f"anxiao.{purpose}:{secret}".encode()).digest(), digestmod="sha256")
