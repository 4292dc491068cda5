"""Which doors of a room others may use.  import-linter holds the floors; these guards hold what it cannot say."""

from __future__ import annotations

import re

import grimp
import pytest
from django.apps import apps

from tests.house.plan import PACKAGE, height, rooms, settle

PRIVATE_SHELVES = ("metrics", "jobs", "forms", "api", "views", "urls")
"""Also with an ending that says for whom: ``views_h5``, ``urls_console``."""

SHELVES = (
    ("names",),
    ("rules",),
    ("storage",),
    ("models",),
    ("queries",),
    ("access",),
    ("metrics",),
    ("commands",),
    ("forms", "jobs"),
    ("views", "api"),
    ("urls",),
)
"""From bottom to top; a shelf may use those beneath it and its own kind."""

UPSTAIRS: dict[str, str] = {}
"""Imports from a shelf to a higher one."""

BESIDE_THE_SHELVES = {
    "accounts.adapters": "what allauth asks of us, in the form in which it asks",
    "accounts.backends": "Django's hook for signing in",
    "accounts.gate": "the second factor before every staff page",
    "accounts.middleware": "Django's hook around every request",
    "accounts.qr": "draws the code of an activation slip, nothing else",
    "accounts.second_factor": "puts the ledger around allauth's pages that change a second factor",
    "directory.crumbs": "the breadcrumb that every console page shows",
    "directory.importing": "a small house of its own: templates, reading, plan, report",
    "directory.register": "loads the public register of schools",
    "portal.shown_boards": "the figures of a board in words, for its page and its stream alike",
    "portal.shown_schools": "the words of the list of schools, for its page and its workbook alike",
    "portal.shown_wall": "the wall in words, for its page, its poll and its stream alike",
    "portal.streams": "a small house of its own: live figures, served by ASGI beside the pages",
    "questionnaires.compiled": "the definition language, beneath the rules",
    "questionnaires.concepts": "the provincial standard, beneath the rules",
    "questionnaires.provincial": "the questionnaire of the notice",
    "questionnaires.regions": "regions by GB/T 2260, beneath the rules",
    "reporting.shown_sheets": "how the parts of a day sheet are shown, for the wall and the console alike",
    "portal.templatetags": "where Django looks for tags; rows of a board's table are put together there",
}
"""Modules of the rooms that are named after no shelf."""

EVERYWHERE = "config"
"""The roof may open every door: it wires, it includes URLs, it runs jobs."""

PRIVATE_DOORS: dict[str, str] = {}

INTAKE_MAY_USE = re.compile(
    r"anxiao\.(base(\.\w+)?|questionnaires\.(rules|compiled|concepts|regions|names)|reporting\.(rules|storage)|"
    r"statistics\.rules|ledger\.rules)$"
)

UPWARD_KEYS: dict[str, str] = {}


@pytest.fixture(scope="module")
def graph() -> grimp.ImportGraph:
    return grimp.build_graph("anxiao", cache_dir=None)


def test_every_room_has_a_floor() -> None:
    for room in rooms():
        height(room)


def test_private_doors_stay_shut(graph: grimp.ImportGraph) -> None:
    found = []
    for module in graph.modules:
        parts = module.split(".")
        if len(parts) < 3 or not _is_private(parts[2]):
            continue
        for importer in graph.find_modules_that_directly_import(module):
            room = importer.partition(".")[2].partition(".")[0]
            if room not in (parts[1], EVERYWHERE):
                found.append(f"{importer} -> {module}")
    settle(found, PRIVATE_DOORS, "metrics, jobs, forms, api, views and urls belong to their room alone")


def test_the_intake_door_uses_only_pure_modules(graph: grimp.ImportGraph) -> None:
    foreign = {
        f"{module} -> {imported}"
        for module in graph.modules
        if module.startswith("anxiao.intake")
        for imported in graph.find_modules_directly_imported_by(module)
        if not imported.startswith("anxiao.intake") and not INTAKE_MAY_USE.match(imported)
    }
    settle(foreign, {}, "intake uses base and pure rules, nothing else")


def test_every_foreign_key_points_down() -> None:
    """A reference by string ("room.Model") escapes the linter, so the tables themselves are asked."""
    found = []
    for model in apps.get_models():
        room = _room_of(model)
        if room is None:
            continue
        for field in (*model._meta.get_fields(), *model._meta.many_to_many):
            if not (field.is_relation and field.concrete) or field.related_model is None:
                continue
            target = _room_of(field.related_model)
            if target is not None and target != room and height(target) >= height(room):
                found.append(f"{model._meta.label}.{field.name} -> {field.related_model._meta.label}")
    settle(found, UPWARD_KEYS, "a foreign key points to the same room or one below")


def test_models_have_no_save_and_there_are_no_signals() -> None:
    """What happens on a write stands in the command, not behind its back."""
    found = []
    for path in PACKAGE.rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        if path.name.startswith("models") and re.search(r"^\s+def (save|delete)\(", text, re.MULTILINE):
            found.append(f"{path.relative_to(PACKAGE)}: save() or delete()")
        if re.search(r"db\.models\.signals|django\.dispatch", text):
            found.append(f"{path.relative_to(PACKAGE)}: signals")
    settle(found, {}, "no save() overrides, no signals")


def test_every_module_stands_on_a_shelf(graph: grimp.ImportGraph) -> None:
    """Whoever looks for something knows the file's name; what has another name says why."""
    found = {
        f"{room}.{module}"
        for room in rooms()
        if room not in ("base", "ui", "intake", "config")
        for module in _modules(graph, room)
        if _rank(module) is None and module not in ("apps", "migrations")
    }
    settle(found, BESIDE_THE_SHELVES, "a module is named after its shelf, with an ending if need be")


def test_no_shelf_uses_a_higher_one(graph: grimp.ImportGraph) -> None:
    found = set()
    for module in graph.modules:
        parts = module.split(".")
        mine = _rank(parts[2]) if len(parts) > 2 else None
        if mine is None:
            continue
        for imported in graph.find_modules_directly_imported_by(module):
            others = imported.split(".")
            theirs = _rank(others[2]) if others[:2] == parts[:2] and len(others) > 2 else None
            if theirs is not None and theirs > mine:
                found.add(f"{module} -> {imported}")
    settle(found, UPSTAIRS, "a shelf uses the shelves beneath it")


def _modules(graph: grimp.ImportGraph, room: str) -> set[str]:
    return {child.rpartition(".")[2] for child in graph.find_children(f"anxiao.{room}")}


def _rank(module: str) -> int | None:
    """The height of the shelf after which a module is named."""
    for rank, names in enumerate(SHELVES):
        if any(module == name or module.startswith(name + "_") for name in names):
            return rank
    return None


def _is_private(shelf: str) -> bool:
    return any(shelf == name or shelf.startswith(name + "_") for name in PRIVATE_SHELVES)


def _room_of(model: type) -> str | None:
    parts = model.__module__.split(".")
    return parts[1] if parts[0] == "anxiao" else None
