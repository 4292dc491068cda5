"""A blind index: finds a row by something short that the database must not know, such as the end of a phone number.

Stored is HMAC-SHA-256 under a key of the deployment, cut to 63 bits. Four digits are only ten thousand possibilities,
so whoever has the key has the digits; whoever has only the database has nothing, because the key is not in it. Field
and school are part of what is hashed: the same digits look different in two schools and two fields.
"""

from __future__ import annotations

import hmac
from functools import lru_cache
from hashlib import sha256

_BITS = (1 << 63) - 1


class BlindIndex:
    """The index of one field. ``key_id`` tells rows made under another key, which are to be made again."""

    def __init__(self, secret: str, field: str) -> None:
        if not secret:
            raise LookupError("this deployment has no secret, so nothing can be indexed under it")
        self._key = sha256(f"anxiao.blind.{field}:{secret}".encode()).digest()
        self.key_id = int.from_bytes(sha256(b"id:" + self._key).digest()[:4], "big") >> 1

    def of(self, school_id: int, text: str) -> int:
        """The index value of a text in a school: 0 to 2**63 - 1."""
        mac = hmac.digest(self._key, f"{school_id}:{text}".encode(), "sha256")
        return int.from_bytes(mac[:8], "big") & _BITS


@lru_cache(maxsize=4)
def blind_index(secret: str, field: str) -> BlindIndex:
    """The index of a field under a secret; remembered, because the key costs more than a value."""
    return BlindIndex(secret, field)
