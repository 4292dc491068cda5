"""What the ledger calls things."""

from enum import StrEnum


class Outcome(StrEnum):
    DONE = "done"
    DENIED = "denied"
