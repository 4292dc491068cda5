"""What this room calls things: verbs of the ledger and kinds of object."""

from __future__ import annotations

from enum import StrEnum

from django.db import models
from django.utils.translation import gettext_lazy as _


class Verb(StrEnum):
    """Acts of this room as the ledger writes them."""

    SIGNED_IN = "account.signed_in"
    SIGN_IN_FAILED = "account.sign_in_failed"
    SIGNED_OUT = "account.signed_out"
    SESSIONS_ENDED = "account.sessions_ended"
    PASSWORD_CHANGED = "account.password_changed"
    PASSWORD_RENEWED = "account.first_password_renewed"
    SECOND_FACTOR_RESET = "account.second_factor_reset"
    SECOND_FACTOR_ADDED = "account.second_factor_added"
    SECOND_FACTOR_REMOVED = "account.second_factor_removed"
    PROVISIONED = "account.provisioned"
    GRANT_GIVEN = "grant.given"
    GRANT_ENDED = "grant.ended"
    CODES_PRINTED = "activation.printed"
    CODES_DELIVERED = "activation.delivered"
    ACTIVATED = "activation.done"
    ACTIVATION_FAILED = "activation.failed"
    ALARM_RAISED = "activation.alarm"
    ALARM_SETTLED = "activation.alarm_settled"
    HANDED_OVER = "grant.handed_over"
    APPLIED = "onboarding.applied"
    APPROVED = "onboarding.approved"
    DECLINED = "onboarding.declined"


SECOND_FACTOR_SESSION_KEY = "anxiao_second_factor"
"""Set once the second factor of a session's account was seen, so that not every request asks for it."""


class Delivery(models.TextChoices):
    """What became of a printed code."""

    PRINTED = "printed", _("Printed")
    HANDED = "handed", _("Handed out")
    SENT = "sent", _("Sent")


class AlarmKind(models.TextChoices):
    """Why a code raised an alarm."""

    SOMEBODY_ELSE = "somebody_else", _("Tried by somebody else")
    TOO_OFTEN = "too_often", _("Tried too often")


class Stage(models.TextChoices):
    """Where people stand still on the way in; each begins where the one before ends."""

    IMPORTED = "imported", _("No code delivered")
    DELIVERED = "delivered", _("Not activated")
    ACTIVATED = "activated", _("No report yet")
