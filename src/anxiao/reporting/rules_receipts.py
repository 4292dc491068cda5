"""A receipt as a file: what the reporter takes home, and how anybody checks it without asking the platform.

    {"record": {...}, "receipt": {"number", "received_at", "digest", "late", "version", "signature", "key_id"},
     "public_key": "..."}

``record`` is the canonical record as an object; its bytes are sorted and compact again before they are digested, so a
file that was indented or reordered still fits. Checking needs no database and no Django.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from anxiao.base import signatures
from anxiao.base.signatures import Signer
from anxiao.reporting.rules import canonical_record, encode, number_of, receipt_of

LARGEST = 256 * 1024


class Verdict(StrEnum):
    """What became of a check."""

    VALID = "valid"
    NOT_A_RECEIPT = "not_a_receipt"
    ALTERED = "altered"
    UNSIGNED = "unsigned"
    UNKNOWN_KEY = "unknown_key"
    FORGED = "forged"


@dataclass(frozen=True, slots=True)
class Checked:
    """``key_id`` names the key that was used; ``own_word`` says that it came from the file itself, which proves little.

    ``detail`` is for ``NOT_A_RECEIPT`` and ``ALTERED``: which part does not fit.
    """

    verdict: Verdict
    number: str = ""
    received_at: str = ""
    key_id: str = ""
    own_word: bool = False
    detail: str = ""


def receipt_file(row: Mapping[str, Any], signer: Signer) -> str:
    """The file for a stored report (``row`` has the columns of the table), signed now."""
    receipt = receipt_of(row)
    record = json.loads(canonical_record(row))
    _, (signature,) = signer.sign([receipt.digest])
    document = {
        "record": record,
        "receipt": {
            "number": receipt.number,
            "received_at": record["received_at"],
            "digest": receipt.digest,
            "late": receipt.late,
            "version": receipt.version,
            "signature": signature,
            "key_id": signer.key_id,
        },
        "public_key": signer.public,
    }
    return json.dumps(document, ensure_ascii=False, indent=2) + "\n"


def check(text: str, public_key: str | None) -> Checked:
    """Check a receipt file; ``public_key`` (base64url) is the deployment's, from a source that one trusts.

    Without it the file's own key is used: that shows only that the file fits itself.
    """
    try:
        record, receipt, own_key = _parts(text)
    except _NotAReceipt as fault:
        return Checked(Verdict.NOT_A_RECEIPT, detail=str(fault))
    named = {"number": receipt["number"], "received_at": receipt["received_at"]}
    digest = hashlib.sha256(encode(record)).hexdigest()
    if digest != receipt["digest"]:
        return Checked(Verdict.ALTERED, **named, detail="digest")
    for part, told in _retold(record, digest).items():
        if part in receipt and receipt[part] != told:
            return Checked(Verdict.ALTERED, **named, detail=part)
    signature = receipt.get("signature")
    if not isinstance(signature, str) or not signature:
        return Checked(Verdict.UNSIGNED, **named)
    own_word = public_key is None
    key = own_key if public_key is None else public_key
    signed_by = signatures.signed_by(signature)
    if not key or _id_of(key) != signed_by:
        return Checked(Verdict.UNKNOWN_KEY, **named, key_id=signed_by)
    good = signatures.verify(key, digest, signature)
    return Checked(Verdict.VALID if good else Verdict.FORGED, **named, key_id=signed_by, own_word=own_word)


class _NotAReceipt(Exception):
    pass


def _parts(text: str) -> tuple[dict[str, Any], dict[str, Any], str]:
    try:
        document = json.loads(text, object_pairs_hook=_once, parse_constant=_refuse)
    except (ValueError, RecursionError):
        raise _NotAReceipt("it is not JSON") from None
    if not isinstance(document, dict):
        raise _NotAReceipt("it is no object")
    record, receipt, key = document.get("record"), document.get("receipt"), document.get("public_key", "")
    if not isinstance(record, dict) or not isinstance(receipt, dict):
        raise _NotAReceipt("it has no record and no receipt")
    if not all(isinstance(receipt.get(name), str) for name in ("number", "received_at", "digest")):
        raise _NotAReceipt("its receipt is incomplete")
    if not isinstance(record.get("day"), str) or not isinstance(key, str):
        raise _NotAReceipt("its record is incomplete")
    try:
        encode(record)
    except UnicodeEncodeError:
        raise _NotAReceipt("it is not Unicode") from None
    return record, receipt, key


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A name that stands twice would be shown with one value and digested with the other."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError
    return found


def _refuse(_constant: str) -> None:
    raise ValueError


def _retold(record: Mapping[str, Any], digest: str) -> dict[str, Any]:
    """What the receipt repeats of the record, for whoever reads only the receipt."""
    return {
        "number": number_of(record["day"], digest),
        "received_at": record.get("received_at"),
        "late": record.get("late"),
        "version": record.get("version"),
    }


def _id_of(key: str) -> str:
    try:
        return signatures.key_id(key)
    except ValueError:
        return ""
