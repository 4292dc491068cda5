"""How often one account may knock. By account and never by address: a campus of thirty thousand has one address."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

#: A person reports once and looks a few times; a phone that tries again every fifteen seconds stays far below.
BURST = 40
PER_SECOND = 0.5
_MOST_ACCOUNTS = 200_000


@dataclass(slots=True)
class _Bucket:
    left: float
    seen: float


class Limits:
    """A token bucket per account, in this process. Forgets who has not come for longest, whose bucket is full again."""

    def __init__(self) -> None:
        self._buckets: OrderedDict[int, _Bucket] = OrderedDict()

    def allows(self, account: int, at: float) -> bool:
        """Whether this account may be served at this moment (seconds of a clock that only goes forward)."""
        bucket = self._buckets.pop(account, None)
        if bucket is None:
            bucket = _Bucket(BURST, at)
        bucket.left = min(BURST, bucket.left + (at - bucket.seen) * PER_SECOND)
        bucket.seen = at
        self._buckets[account] = bucket
        if len(self._buckets) > _MOST_ACCOUNTS:
            self._buckets.popitem(last=False)
        if bucket.left < 1:
            return False
        bucket.left -= 1
        return True
