from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class PortalConfig(AppConfig):
    name = "anxiao.portal"
    label = "portal"

    def ready(self) -> None:
        from anxiao.ui import menu

        menu.register_phone("today", _("Today"), "portal:h5")
        menu.register_phone("history", _("History"), "portal:h5_history")
        menu.register_phone("notices", _("Notices"), "portal:h5_notices")
        menu.register_phone("me", _("Me"), "portal:h5_me")
