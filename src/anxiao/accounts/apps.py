from typing import Any

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class AccountsConfig(AppConfig):
    name = "anxiao.accounts"
    label = "accounts"

    def ready(self) -> None:
        from allauth.mfa.models import Authenticator
        from django.db.models.signals import post_delete, post_save

        from anxiao.base.permissions import Permission
        from anxiao.ui import menu

        # allauth's own signals come after its commit, where a broken ledger would keep the authenticator
        post_save.connect(_note_added, sender=Authenticator, dispatch_uid="ledger")
        post_delete.connect(_note_removed, sender=Authenticator, dispatch_uid="ledger")

        menu.register(
            "activation",
            _("Activation"),
            "settings:activation",
            icon="key",
            permission=Permission.ACTIVATION_PRINT,
            order=25,
        )
        menu.register(
            "schools",
            _("Schools"),
            "settings:onboarding",
            icon="building",
            permission=Permission.ONBOARDING_APPROVE,
            order=26,
        )
        menu.register("settings", _("Settings"), "settings:grants", permission=Permission.GRANT_MANAGE)


def _note_added(instance: Any, created: bool, **_kwargs: Any) -> None:
    if created:
        _note(instance, added=True)


def _note_removed(instance: Any, **_kwargs: Any) -> None:
    _note(instance, added=False)


def _note(authenticator: Any, *, added: bool) -> None:
    from anxiao.accounts.commands.sessions import note_second_factor
    from anxiao.accounts.queries import bare_scope
    from anxiao.base.clock import now

    note_second_factor(by=bare_scope(authenticator.user), now=now(), kind=authenticator.type, added=added)
