"""The deployment's signature under receipts: Ed25519 (RFC 8032) over a small Merkle tree (RFC 9162, section 2.1).

Reports that are committed together are signed together: one signature under the root of their digests, and each receipt
carries its path to that root. A single receipt is a tree of one leaf. Who has the public key needs nothing else.

Signature text: ``1:KEY:SIGNATURE:INDEX/SIZE:PATH`` with the key's id (8 hex digits), the 64 bytes of the signature
and the 32-byte steps of the path in base64url. Signed is ``anxiao receipts 1\\0``, the size (8 bytes, big-endian) and
the root.
"""

from __future__ import annotations

import binascii
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from hashlib import sha256

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

_DOMAIN = b"anxiao receipts 1\0"
_MOST_STEPS = 32


def new_key() -> str:
    """A fresh private key: 32 bytes, base64url."""
    return _text(Ed25519PrivateKey.generate().private_bytes_raw())


class Signer:
    """Signs with one private key, given as text (``new_key``)."""

    def __init__(self, private: str) -> None:
        self._key = Ed25519PrivateKey.from_private_bytes(_bytes(private))
        self.public = _text(self._key.public_key().public_bytes_raw())
        self.key_id = key_id(self.public)

    def sign(self, digests: Sequence[str]) -> tuple[str, list[str]]:
        """Sign digests (hexadecimal SHA-256) together; returns the root (hexadecimal) and a signature text for each."""
        levels = [[sha256(b"\0" + bytes.fromhex(digest)).digest() for digest in digests]]
        while len(levels[-1]) > 1:
            levels.append(_above(levels[-1]))
        root = levels[-1][0]
        size = len(digests)
        signature = _text(self._key.sign(_DOMAIN + size.to_bytes(8, "big") + root))
        head = f"1:{self.key_id}:{signature}"
        return root.hex(), [f"{head}:{i}/{size}:{_text(b''.join(_path(levels, i)))}" for i in range(size)]


def verify(public: str, digest: str, signature: str) -> bool:
    """Whether the holder of a public key (base64url) signed this digest (hexadecimal)."""
    try:
        version, _, signed, place, path = signature.split(":")
        index, _, size = place.partition("/")
        steps = _bytes(path)
        if version != "1" or len(steps) % 32 or len(steps) > 32 * _MOST_STEPS:
            return False
        root = _root(sha256(b"\0" + bytes.fromhex(digest)).digest(), int(index), int(size), steps)
        if root is None:
            return False
        key = Ed25519PublicKey.from_public_bytes(_bytes(public))
        key.verify(_bytes(signed), _DOMAIN + int(size).to_bytes(8, "big") + root)
    except (ValueError, OverflowError, binascii.Error, InvalidSignature):
        return False
    return True


def key_id(public: str) -> str:
    """The first 8 hexadecimal digits of the SHA-256 of a public key: enough to say which key is meant."""
    return sha256(_bytes(public)).hexdigest()[:8]


def signed_by(signature: str) -> str:
    """The id of the key that a signature text names, or ``""``."""
    parts = signature.split(":")
    return parts[1] if len(parts) == 5 else ""


def _above(level: Sequence[bytes]) -> list[bytes]:
    # A last one without a neighbour moves up as it is: the same tree as RFC 9162 builds from the top.
    paired = [sha256(b"\1" + level[i] + level[i + 1]).digest() for i in range(0, len(level) - 1, 2)]
    return paired + list(level[len(level) - len(level) % 2 :])


def _path(levels: Sequence[Sequence[bytes]], index: int) -> list[bytes]:
    steps = []
    for level in levels[:-1]:
        neighbour = index ^ 1
        if neighbour < len(level):
            steps.append(level[neighbour])
        index >>= 1
    return steps


def _root(leaf: bytes, index: int, size: int, steps: bytes) -> bytes | None:
    """The root that a leaf and its path lead to (RFC 9162, 2.1.3.2); None when the path has the wrong length."""
    if not 0 <= index < size:
        return None
    found, last, at = leaf, size - 1, 0
    while last:
        if index % 2 or index < last:
            step = steps[at : at + 32]
            if len(step) != 32:
                return None
            found = sha256(b"\1" + (step + found if index % 2 else found + step)).digest()
            at += 32
        index >>= 1
        last >>= 1
    return found if at == len(steps) else None


def _text(raw: bytes) -> str:
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


def _bytes(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))
