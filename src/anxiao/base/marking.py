"""Marks a text as a message of the catalogue where it is written, without Django; translated where it is shown."""

from __future__ import annotations


def gettext_noop(message: str) -> str:
    """The message itself; ``make messages`` finds it by this call."""
    return message
