"""Bytes that only this deployment can read again: AES-256-GCM under a key derived from its secret and the purpose.

A box is bound to its context (which table, which school, which row, which piece): moved elsewhere it does not open.
"""

from __future__ import annotations

import os
import zlib
from hashlib import sha256

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_NONCE = 12
_PLAIN, _SMALLER = b"\x00", b"\x01"


class Unopened(Exception):
    """A box that was altered, moved, or sealed under another secret."""


class Boxes:
    """Seals and opens the boxes of one purpose."""

    def __init__(self, secret: str, purpose: str) -> None:
        self._cipher = AESGCM(sha256(f"anxiao.box.{purpose}:{secret}".encode()).digest())

    def seal(self, content: bytes, context: str) -> bytes:
        """Content of any length but best of a megabyte, made smaller where that is worth it."""
        smaller = zlib.compress(content, 1)
        inside = _SMALLER + smaller if len(smaller) < len(content) * 0.9 else _PLAIN + content
        nonce = os.urandom(_NONCE)
        return nonce + self._cipher.encrypt(nonce, inside, context.encode())

    def open(self, box: bytes, context: str) -> bytes:
        """What was sealed; raises `Unopened`."""
        try:
            inside = self._cipher.decrypt(box[:_NONCE], box[_NONCE:], context.encode())
        except (InvalidTag, ValueError) as error:
            raise Unopened from error
        return zlib.decompress(inside[1:]) if inside[:1] == _SMALLER else inside[1:]
