"""The console's boards and what is done from them, one file a subject."""

from anxiao.portal.views_console.boards import activation, node, place, today
from anxiao.portal.views_console.exemptions import cancel, exempt, exemptions
from anxiao.portal.views_console.history import person_history
from anxiao.portal.views_console.lists import mine_list, node_list, place_list, remind_mine, remind_node, remind_place
from anxiao.portal.views_console.persons import answers, correct, person_reports, proxy, remind_one
from anxiao.portal.views_console.schools import school_list, school_list_export

__all__ = [
    "activation",
    "answers",
    "cancel",
    "correct",
    "exempt",
    "exemptions",
    "mine_list",
    "node",
    "node_list",
    "person_history",
    "person_reports",
    "place",
    "place_list",
    "proxy",
    "remind_mine",
    "remind_node",
    "remind_one",
    "remind_place",
    "school_list",
    "school_list_export",
    "today",
]
