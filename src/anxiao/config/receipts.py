"""``anxiao verify-receipt``: the check of ``reporting.rules_receipts`` in sentences."""

from __future__ import annotations

from pathlib import Path

from anxiao.config.environment import NotReady
from anxiao.reporting.rules_receipts import LARGEST, Checked, Verdict, check

_PARTS = {
    "digest": "the record was altered: it no longer fits its digest",
    "number": "the number was altered: it does not belong to this record",
    "received_at": "the time of receipt was altered: the record says another one",
    "late": "whether it was late was altered: the record says otherwise",
    "version": "the version was altered: the record says another one",
}


def verify(file: Path, key: str | None) -> tuple[bool, list[str]]:
    """Whether the file is a valid receipt, and what to tell. Raises NotReady where there is no file to read."""
    if not file.is_file():
        raise NotReady(f"There is no file {file}.")
    if file.stat().st_size > LARGEST:
        return False, [f"{file}: not a receipt: it is too large."]
    try:
        text = file.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return False, [f"{file}: not a receipt: it is no text."]
    # `receipt-key` prints key and id; whoever copies the whole line means the key.
    checked = check(text, key.split()[0] if key and key.strip() else None)
    return checked.verdict is Verdict.VALID, [f"{file}: {line}" for line in _told(checked)]


def _told(checked: Checked) -> list[str]:
    match checked.verdict:
        case Verdict.VALID if checked.own_word:
            return [
                f"valid: {checked.number}, received {checked.received_at}, signed by key {checked.key_id}.",
                "The key came from the file itself: compare its id with the one the platform publishes, or use --key.",
            ]
        case Verdict.VALID:
            return [f"valid: {checked.number}, received {checked.received_at}, signed by key {checked.key_id}."]
        case Verdict.ALTERED:
            return [f"not valid: {_PARTS[checked.detail]}."]
        case Verdict.FORGED:
            return [f"not valid: the signature is wrong; key {checked.key_id} did not sign this record."]
        case Verdict.UNKNOWN_KEY:
            return [f"cannot be checked: it names the key {checked.key_id or '(none)'}, which is not the key given."]
        case Verdict.UNSIGNED:
            return ["cannot be checked: it carries no signature."]
        case Verdict.NOT_A_RECEIPT:
            return [f"not a receipt: {checked.detail}."]
