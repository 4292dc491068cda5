"""Accounts, the roles they hold, and the codes by which people take possession of theirs.

Accounts and grants are read *before* a scope exists (they make the scope), so they carry no school and no row-level
security; they hold no health data.  See ``docs/adr/0004-accounts-without-school.md``.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import ClassVar, Self

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.db import models
from django.db.models import Q
from django.db.models.functions import Upper
from django.utils.crypto import salted_hmac

from anxiao.accounts.names import AlarmKind, Delivery
from anxiao.base.permissions import Role
from anxiao.directory.models import Organisation, Person, Place, School


class UserManager(BaseUserManager["User"]):
    def get_by_natural_key(self, username: str | None) -> User:
        return self.get(username=username)


class User(AbstractBaseUser):
    """An account.  Belongs to a person of the directory, or to an officer above the schools.

    ``pass_version`` is part of every session, ``pass_serial`` of the phone's pass. The database raises the serial
    with the version and with whatever else ends a pass (disabled, moved, a role given or ended) and tells the doors
    at once.
    """

    username = models.CharField(max_length=80, unique=True)
    display_name = models.CharField(max_length=60)
    person = models.OneToOneField(Person, models.PROTECT, null=True, related_name="account")
    home_school = models.ForeignKey(School, models.PROTECT, null=True, related_name="+")
    is_active = models.BooleanField(default=True)
    is_demo = models.BooleanField(default=False)
    must_change_password = models.BooleanField(default=False, db_default=False)
    pass_version = models.IntegerField(default=1)
    pass_serial = models.IntegerField(default=1, db_default=1, help_text="moved by a trigger, never downwards")
    pass_changed_at = models.DateTimeField(null=True, help_text="when pass_serial moved last")
    date_joined = models.DateTimeField()

    USERNAME_FIELD = "username"
    REQUIRED_FIELDS: ClassVar[list[str]] = []
    objects = UserManager()

    class Meta:
        db_table = "account"
        indexes: ClassVar[list[models.Index]] = [
            models.Index(Upper("username"), name="account_upper_name"),
            models.Index("pass_changed_at", name="account_pass_changed", condition=Q(pass_changed_at__isnull=False)),
        ]

    def __str__(self) -> str:
        return self.username

    def get_full_name(self) -> str:
        return self.display_name

    def _get_session_auth_hash(self, secret: str | None = None) -> str:
        """Django's check of a session, with our ``pass_version`` in it: raising that number ends every session too.

        ``secret`` is Django's, for sessions that were signed with an older key.
        """
        return salted_hmac(
            "anxiao.accounts.session", f"{self.pass_version}:{self.password}", secret=secret, algorithm="sha256"
        ).hexdigest()


class GrantQuerySet(models.QuerySet["Grant"]):
    def valid_on(self, day: date) -> Self:
        return self.filter(Q(valid_to__isnull=True) | Q(valid_to__gt=day), valid_from__lte=day)


class Grant(models.Model):
    """A role on a node of the tree (optionally with a place of the grid), from a day to a day.

    A deputy holds the same role in the same place between two days; ``deputy_for`` is the role they stand in for.
    """

    id = models.AutoField(primary_key=True)
    user = models.ForeignKey(User, models.CASCADE, related_name="grants")
    role = models.CharField(max_length=20, choices=[(r.value, r.value) for r in Role])
    organisation = models.ForeignKey(Organisation, models.PROTECT, related_name="+")
    place = models.ForeignKey(Place, models.PROTECT, null=True, related_name="+")
    valid_from = models.DateField()
    valid_to = models.DateField(null=True)
    given_by = models.IntegerField(help_text="account; 0 = the house itself")
    given_at = models.DateTimeField()
    deputy_for = models.ForeignKey("self", models.PROTECT, null=True, related_name="deputies")

    objects = GrantQuerySet.as_manager()

    class Meta:
        db_table = "account_grant"
        indexes: ClassVar[list[models.Index]] = [models.Index("organisation", "role", name="grant_node")]

    @property
    def last_day(self) -> date | None:
        """The last day with the role, as people say it; None while it is open."""
        return self.valid_to - timedelta(days=1) if self.valid_to else None


class ActivationCode(models.Model):
    """A one-time code printed on a class sheet.  Only its keyed hash is kept; printing again makes a new one."""

    id = models.AutoField(primary_key=True)
    school_id = models.IntegerField()
    person = models.ForeignKey(Person, models.PROTECT, related_name="activation_codes")
    code_hash = models.CharField(max_length=64)
    made_by = models.IntegerField()
    made_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    attempts = models.SmallIntegerField(default=0)
    used_at = models.DateTimeField(null=True)
    replaced_at = models.DateTimeField(null=True)
    delivery = models.CharField(max_length=10, choices=Delivery, default=Delivery.PRINTED, db_default=Delivery.PRINTED)
    delivered_at = models.DateTimeField(null=True, help_text="when it was marked as handed out or sent")
    delivered_by = models.IntegerField(null=True)

    class Meta:
        db_table = "activation_code"
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(
                "school_id", "person", condition=Q(used_at=None, replaced_at=None), name="activation_one_open"
            ),
            models.UniqueConstraint("school_id", "code_hash", name="activation_one_hash"),
        ]


class Activation(models.Model):
    """How far a person has come on the way in: a code in hand, a password of their own, a report of their own.

    Kept beside the facts: ``activated`` by triggers on the account, ``delivered`` by the commands that make and mark
    codes, ``reported`` with the first report. Whoever has no row has not begun.
    """

    person = models.OneToOneField(Person, models.PROTECT, primary_key=True, related_name="activation")
    school_id = models.IntegerField()
    delivered = models.BooleanField(default=False, db_default=False, help_text="the code that is open was delivered")
    activated = models.BooleanField(default=False, db_default=False)
    reported = models.BooleanField(default=False, db_default=False, help_text="once, with one's own hand")

    class Meta:
        db_table = "activation"
        indexes: ClassVar[list[models.Index]] = [
            # what every report asks: empty once everybody has begun
            models.Index("school_id", "person", name="activation_unreported", condition=Q(reported=False)),
        ]


class ActivationAlarm(models.Model):
    """Somebody's code was tried by another person, or too often.  Open until somebody has looked into it."""

    id = models.AutoField(primary_key=True)
    school_id = models.IntegerField()
    person = models.ForeignKey(Person, models.PROTECT, related_name="activation_alarms", help_text="whose code it is")
    kind = models.CharField(max_length=15, choices=AlarmKind)
    tries = models.IntegerField(default=1)
    tried_by = models.ForeignKey(
        Person, models.PROTECT, null=True, related_name="+", help_text="whose number and name were typed"
    )
    raised_at = models.DateTimeField()
    last_at = models.DateTimeField()
    settled_at = models.DateTimeField(null=True)
    settled_by = models.IntegerField(null=True)

    class Meta:
        db_table = "activation_alarm"
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(
                "school_id", "person", "kind", condition=Q(settled_at=None), name="activation_alarm_one_open"
            ),
        ]
