from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class DirectoryConfig(AppConfig):
    name = "anxiao.directory"
    label = "directory"

    def ready(self) -> None:
        from anxiao.base.clock import day_of, now
        from anxiao.base.permissions import Permission
        from anxiao.directory.queries_profile import open_count
        from anxiao.ui import menu

        menu.register("people", _("People"), "directory:people", permission=Permission.PEOPLE_VIEW)
        menu.register(
            "roster",
            _("Roster changes"),
            "directory:roster",
            icon="exchange",
            permission=Permission.ROSTER_MANAGE,
            order=22,
        )
        menu.register(
            "proposals",
            _("Corrections asked for"),
            "directory:proposals",
            icon="edit",
            permission=Permission.PROFILE_CONFIRM,
            order=25,
            badge=lambda scope: open_count(scope, day_of(now())),
        )
