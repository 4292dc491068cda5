"""The intake door alone, for installations where it has processes of its own: no Django is loaded here."""

from __future__ import annotations

from anxiao.intake.app import application

__all__ = ["application"]
