"""Words of the roster: what can happen to somebody's place in it."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _


class ChangeKind(models.TextChoices):
    TRANSFER = "transfer", _("Transfer")
    LEAVE = "leave", _("Leave from studies")
    RETURN = "return", _("Return from leave")
    GRADUATION = "graduation", _("Graduation")
    SENT = "sent", _("Exchange at another school")
    GUEST = "guest", _("Guest from another school")
    MERGER = "merger", _("Merger")
    RENAMING = "renaming", _("Renaming")


AWAY = (ChangeKind.LEAVE, ChangeKind.SENT)
"""Kinds after which somebody is expected back."""


class Side(models.TextChoices):
    """Which of the two schools of an exchange wrote the row."""

    HOME = "home", _("Home school")
    HOST = "host", _("Host school")
