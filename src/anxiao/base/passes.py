"""The phone's pass: who holds this phone, in a sealed cookie that the intake door checks without a database.

The pass names the account's ``pass_serial``. The database raises that number whenever the account is disabled, signed
out everywhere, moved to another school or given or refused a role, and tells every door at once (``NOTIFY
anxiao_passes``).
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from anxiao.base import sealing

COOKIE = "anxiao_pass"
CHANNEL = "anxiao_passes"
"""Where the database says ``account:serial`` when the passes of an account end."""

LIFETIME = timedelta(days=30)
_PURPOSE = "pass.2"


class Pass(NamedTuple):
    user_id: int
    person_id: int
    school_id: int
    serial: int
    expires_at: datetime


def seal(secret: str, held: Pass) -> str:
    """The cookie's text."""
    expires = int(held.expires_at.timestamp())
    return sealing.seal(secret, _PURPOSE, (held.user_id, held.person_id, held.school_id, held.serial, expires))


def unseal(secret: str, text: str, now: datetime) -> Pass | None:
    """The pass, or None when it is forged, damaged or expired."""
    numbers = sealing.unseal(secret, _PURPOSE, text, 5)
    if numbers is None or numbers[4] <= now.timestamp():
        return None
    user_id, person_id, school_id, serial, expires = numbers
    return Pass(user_id, person_id, school_id, serial, datetime.fromtimestamp(expires, UTC))
