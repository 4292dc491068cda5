"""The few ways in which the house says no.  Messages are lazy translations, written for the person who reads them."""

from __future__ import annotations

from collections.abc import Mapping


class Refused(Exception):
    """The rules do not allow this now.  The message says what happened, what is safe and what to do."""

    def __init__(self, message: object, code: str = "refused") -> None:
        super().__init__(message)
        self.message = message
        self.code = code

    def __str__(self) -> str:
        return str(self.message)


class Invalid(Refused):
    """Something typed is wrong; ``fields`` maps each field to its message.  Nothing typed is lost."""

    def __init__(self, fields: Mapping[str, object]) -> None:
        super().__init__("; ".join(str(m) for m in fields.values()), code="invalid")
        self.fields = dict(fields)


class NotYours(Exception):
    """Absent or not yours: both answer alike (404), so that nobody learns what exists."""


class StepUpNeeded(Exception):
    """The act needs the password or one-time code again."""
