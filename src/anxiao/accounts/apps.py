from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class AccountsConfig(AppConfig):
    name = "anxiao.accounts"
    label = "accounts"

    def ready(self) -> None:
        from anxiao.base.permissions import Permission
        from anxiao.ui import menu

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
