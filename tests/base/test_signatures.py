"""Receipts are signed together and each is checked alone."""

from __future__ import annotations

import hashlib
from base64 import urlsafe_b64decode, urlsafe_b64encode

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from anxiao.base.signatures import Signer, key_id, new_key, signed_by, verify

SIGNER = Signer("t" * 43)


def digests(count: int) -> list[str]:
    return [hashlib.sha256(str(n).encode()).hexdigest() for n in range(count)]


def tree_hash(leaves: list[bytes]) -> bytes:
    """MTH of RFC 9162, 2.1.1, word for word."""
    n = len(leaves)
    if n == 1:
        return hashlib.sha256(b"\x00" + leaves[0]).digest()
    k = 1
    while k * 2 < n:
        k *= 2
    return hashlib.sha256(b"\x01" + tree_hash(leaves[:k]) + tree_hash(leaves[k:])).digest()


def path(m: int, leaves: list[bytes]) -> list[bytes]:
    """PATH of RFC 9162, 2.1.3.1, word for word."""
    n = len(leaves)
    if n == 1:
        return []
    k = 1
    while k * 2 < n:
        k *= 2
    if m < k:
        return [*path(m, leaves[:k]), tree_hash(leaves[k:])]
    return [*path(m - k, leaves[k:]), tree_hash(leaves[:k])]


def raw(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))


@pytest.mark.parametrize("size", range(1, 131))
def test_the_tree_is_the_one_of_rfc_9162(size: int) -> None:
    given = digests(size)
    leaves = [bytes.fromhex(digest) for digest in given]
    root, texts = SIGNER.sign(given)
    assert root == tree_hash(leaves).hex()
    for m in {0, size // 3, size // 2, max(size - 2, 0), size - 1}:
        assert texts[m].split(":")[4] == urlsafe_b64encode(b"".join(path(m, leaves))).rstrip(b"=").decode()
        assert verify(SIGNER.public, given[m], texts[m])
        assert not verify(SIGNER.public, given[m - 1], texts[m]) or size == 1


def test_the_root_is_signed_as_the_description_says() -> None:
    """What somebody with another program would do."""
    root, (text, *_) = SIGNER.sign(digests(5))
    signed = b"anxiao receipts 1\0" + (5).to_bytes(8, "big") + bytes.fromhex(root)
    Ed25519PublicKey.from_public_bytes(raw(SIGNER.public)).verify(raw(text.split(":")[2]), signed)


def test_every_part_of_a_signature_counts() -> None:
    given = digests(7)
    _, texts = SIGNER.sign(given)
    version, key, signature, _, steps = texts[2].split(":")
    flipped = ("A" if steps[0] != "A" else "B") + steps[1:]
    forged = ("A" if signature[0] != "A" else "B") + signature[1:]
    for text in (
        f"2:{key}:{signature}:2/7:{steps}",
        f"{version}:{key}:{forged}:2/7:{steps}",
        f"{version}:{key}:{signature}:3/7:{steps}",
        f"{version}:{key}:{signature}:2/8:{steps}",
        f"{version}:{key}:{signature}:2/6:{steps}",
        f"{version}:{key}:{signature}:-1/7:{steps}",
        f"{version}:{key}:{signature}:2/{10**40}:{steps}",
        f"{version}:{key}:{signature}:2/7:{flipped}",
        f"{version}:{key}:{signature}:2/7:{steps[:43]}",
        f"{version}:{key}:{signature}:2/7:{steps}AAAA",
        f"{version}:{key}:{signature}:2/7:",
        f"{version}:{key}:{signature}:x/7:{steps}",
        f"{key}:{signature}:2/7:{steps}",
        "",
        "Ä" * 100,
    ):
        assert not verify(SIGNER.public, given[2], text), text
    assert verify(SIGNER.public, given[2], texts[2])


def test_another_key_signs_for_nobody_else() -> None:
    other = Signer(new_key())
    (digest,) = digests(1)
    _, (text,) = other.sign([digest])
    assert verify(other.public, digest, text)
    assert not verify(SIGNER.public, digest, text)
    assert not verify("no key", digest, text)
    assert signed_by(text) == other.key_id == key_id(other.public)
    assert signed_by("") == ""
