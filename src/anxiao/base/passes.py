"""The phone's pass: who holds this phone, in a signed cookie that the intake door can check without Django.

``HMAC-SHA256`` over the compact JSON, keyed by a key derived from the deployment's secret.  The pass names the
account's ``pass_version``; whoever checks a pass compares it with the account, in the transaction that uses it, so
that signing out everywhere or being disabled ends every pass at once.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

COOKIE = "anxiao_pass"
LIFETIME = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Pass:
    user_id: int
    person_id: int
    school_id: int
    version: int
    expires_at: datetime


def seal(secret: str, held: Pass) -> str:
    """The cookie's text: base64url(JSON) ``.`` base64url(MAC); letters, digits, ``-``, ``_`` and one dot."""
    body = _encode(
        json.dumps(
            [held.user_id, held.person_id, held.school_id, held.version, int(held.expires_at.timestamp())],
            separators=(",", ":"),
        ).encode()
    )
    return f"{body}.{_encode(_mac(secret, body))}"


def unseal(secret: str, text: str, now: datetime) -> Pass | None:
    """The pass, or None when it is forged, damaged or expired."""
    body, dot, mac = text.partition(".")
    if not dot:
        return None
    try:
        if not hmac.compare_digest(_mac(secret, body), _decode(mac)):
            return None
        user_id, person_id, school_id, version, expires = json.loads(_decode(body))
    except (ValueError, TypeError, binascii.Error):
        return None
    held = Pass(user_id, person_id, school_id, version, datetime.fromtimestamp(expires, UTC))
    return held if now < held.expires_at else None


def _mac(secret: str, body: str) -> bytes:
    key = hashlib.sha256(b"anxiao.pass.1:" + secret.encode()).digest()
    return hmac.new(key, body.encode(), hashlib.sha256).digest()


def _encode(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _decode(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
