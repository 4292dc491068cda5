from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class PortalConfig(AppConfig):
    name = "anxiao.portal"
    label = "portal"

    def ready(self) -> None:
        from anxiao.base.permissions import Permission
        from anxiao.ui import menu

        menu.register("today", _("Today"), "portal:console")
        menu.register(
            "wall", _("Wall screen"), "portal:wall", icon="screen", permission=Permission.SHEET_VIEW, order=75
        )
        menu.register_phone("today", _("Today"), "portal:h5")
        menu.register_phone("history", _("History"), "portal:h5_history")
        menu.register_phone("notices", _("Notices"), "portal:h5_notices")
        menu.register_phone("me", _("Me"), "portal:h5_me")
