"""Words about single people: whether they are here, and what they may ask to be corrected."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _


class Presence(models.TextChoices):
    """Where somebody stands in time, as a filter of the people page."""

    HERE = "here", _("here now")
    COMING = "coming", _("coming later")
    LEFT = "left", _("left")


class ProfileField(models.TextChoices):
    """Facts that somebody else confirms before they change."""

    NAME = "name", _("Name")
    NUMBER = "number", _("Number")
    CATEGORY = "category", _("Category")
    CLASS = "class", _("Class or unit")


class ProposalState(models.TextChoices):
    OPEN = "open", _("Waiting to be confirmed")
    CONFIRMED = "confirmed", _("Confirmed as asked")
    DECLINED = "declined", _("Declined")
    WITHDRAWN = "withdrawn", _("Taken back")


LOOKED_AT = "person.opened"
"""Ledger: the page of a person was opened."""

LOOKING = (LOOKED_AT, "person.viewed", "phone.revealed")
"""Ledger: every way of looking at a person: the page, the answers, the phone number."""
