"""Words of the daily report."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

REPORT_ACCEPTED = "report.accepted"
SHEET_SUBMITTED = "sheet.submitted"
SHEET_RETURNED = "sheet.returned"


class Channel(models.IntegerChoices):
    """Through which door a report came."""

    PHONE = 1, _("Phone")
    FORM = 2, _("Web form")
    PROXY = 3, _("Filled in by somebody else")
    IMPORT = 4, _("Import")
    EXCHANGE = 5, _("Interface")


class ExemptionReason(models.TextChoices):
    LEAVE = "leave", _("Leave of absence")
    HOSPITAL = "hospital", _("In hospital")
    SUSPENDED = "suspended", _("Studies suspended")
    ABROAD = "abroad", _("Abroad")
    OTHER = "other", _("Other")


class SheetState(models.TextChoices):
    """Life of a school's day sheet.  ``missing`` and ``open`` are not stored: they follow from the clock."""

    SUBMITTED = "submitted", _("Submitted")
    RETURNED = "returned", _("Returned")


class ZeroCategory(models.TextChoices):
    """What a school states explicitly, zero included (零报告)."""

    SUSPECTED = "suspected", _("Suspected cases")
    CONFIRMED = "confirmed", _("Confirmed cases")
    ISOLATED = "isolated", _("In isolation")
    FEVER = "fever", _("Fever")
