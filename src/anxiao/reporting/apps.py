from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class ReportingConfig(AppConfig):
    name = "anxiao.reporting"
    label = "reporting"

    def ready(self) -> None:
        from anxiao.base.permissions import Permission
        from anxiao.ui import menu

        menu.register(
            "sheets", _("Day sheets"), "reporting:home", icon="shield", permission=Permission.SHEET_VIEW, order=15
        )
