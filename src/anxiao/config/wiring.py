"""Who listens to which news.  Every event of the house stands here, also those nobody listens to yet."""

from __future__ import annotations

from anxiao.accounts.commands.grants import end_roles_the_roster_took_back
from anxiao.accounts.commands.mergers import move_roles_with_classes
from anxiao.accounts.commands.objecting import object_to_undo as accounts_object
from anxiao.accounts.commands.profiles import follow_names, follow_profile
from anxiao.base import events
from anxiao.directory.names import IMPORT_UNDO_ASKED, NAMES_CHANGED, NODES_MERGED, PROFILE_CHANGED, ROSTER_CHANGED
from anxiao.questionnaires.names import VERSION_PUBLISHED
from anxiao.reporting.commands.counting import recount_after_roster_change
from anxiao.reporting.commands.objecting import object_to_undo as reports_object
from anxiao.reporting.names import REPORT_ACCEPTED, SHEET_RETURNED, SHEET_SUBMITTED

WIRING: dict[str, list[events.Handler]] = {
    ROSTER_CHANGED: [recount_after_roster_change, end_roles_the_roster_took_back],
    IMPORT_UNDO_ASKED: [reports_object, accounts_object],
    NODES_MERGED: [move_roles_with_classes],
    PROFILE_CHANGED: [follow_profile],
    NAMES_CHANGED: [follow_names],
    REPORT_ACCEPTED: [],
    SHEET_SUBMITTED: [],
    SHEET_RETURNED: [],
    VERSION_PUBLISHED: [],
}


def connect() -> None:
    events.wire(WIRING)
