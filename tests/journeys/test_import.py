"""A school's whole roster in the browser: 20,000 rows, looked at, confirmed in words, applied, and taken back.

安徽大学 has 1,000 students. Its administrator uploads the full list of the new term: most are new, some have moved, 150
are not in the file, and 40 rows are wrong. A worker runs beside the server as it does in an installation.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from playwright.sync_api import Error

from anxiao.base.clock import now
from anxiao.base.permissions import Role
from anxiao.base.tables.stream import Line, StreamedSheet, stream_workbook
from anxiao.base.tenancy import school_context
from anxiao.directory.importing.commands import apply_at_once, preview_import
from anxiao.directory.importing.templates import STUDENTS
from anxiao.directory.models import Membership, School
from anxiao.directory.names import Audience
from anxiao.ledger.models import Entry
from tests.builders import HOUSE, add_account
from tests.directory import import_sheets as make
from tests.directory.import_cast import make_cast

pytestmark = pytest.mark.journey

PASSWORD = "correct horse 2026"
SCHOOL = "安徽大学"
BEFORE, GONE, MOVED, ROWS, WRONG = 1_000, 150, 60, 20_000, 40


def workbook(rows: list[list[str]]) -> bytes:
    return b"".join(stream_workbook([StreamedSheet(STUDENTS.title, STUDENTS.headers, map(Line, rows))]))


def new_term() -> list[list[str]]:
    """The full list of the new term, with the file's own mistakes."""
    rows = [make.student_row(index) for index in range(GONE, GONE + ROWS)]
    for row in rows[:MOVED]:
        row[8] = "转入班"
    for row in rows[-WRONG:]:
        row[5] = row[5][:-1]
    return rows


@pytest.fixture(scope="module")
def stage(module_database: Any, worker: None) -> School:
    cast = make_cast()
    add_account("admin", role=Role.SCHOOL_ADMIN, node=cast.node)
    before = [make.student_row(index) for index in range(BEFORE)]
    with school_context("*"):
        for kind, data in ((Audience.STAFF, make.staff_sheet()), (Audience.STUDENT, workbook(before))):
            import_ = preview_import(by=HOUSE, school=cast.school, kind=kind, file=data, filename="x", now=now())
            apply_at_once(by=HOUSE, import_=import_, now=now())
    return cast.school


def sign_in(page: Any) -> None:
    page.goto("/console/people/import/")
    page.get_by_label("用户名").fill("admin")
    page.get_by_label("密码", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="登录", exact=True).click()
    page.wait_for_url("**/people/import/")


def tiles(page: Any) -> dict[str, int]:
    found = {}
    for tile in page.locator(".ax-tile").all():
        label = tile.locator(".ax-tile__label").inner_text().strip()
        found[label] = int(tile.locator(".ax-tile__number").inner_text().replace(",", ""))
    return found


def reads(page: Any, read: Callable[[Any], object], wanted: object) -> None:
    """What a person reads there once the page they asked for has come."""
    found: object = None
    for _ in range(100):
        try:
            found = read(page)
        except (Error, ValueError) as not_yet:
            found = not_yet
        if found == wanted:
            return
        page.wait_for_timeout(100)
    assert found == wanted


def on_the_list() -> int:
    with school_context("*"):
        return Membership.objects.filter(superseded_at=None, valid_to=None, person__audience=Audience.STUDENT).count()


def test_a_new_term(page: Any, stage: School, live_server_url: str, shot: Any, tmp_path: Path) -> None:
    file = tmp_path / "2026 秋季学生.xlsx"
    file.write_bytes(workbook(new_term()))
    sign_in(page)
    page.get_by_label("学生", exact=True).check()
    page.get_by_label(re.compile("完整名单")).check()
    page.get_by_label("文件", exact=True).set_input_files(file)
    shot(page, "import-01-upload")
    page.get_by_role("button", name="上传并预览").click()
    page.wait_for_selector("#import-job, #decide")
    here = page.url

    # The page may be closed meanwhile; whoever comes back finds the import where it is.
    page.goto("/console/people/import/")
    page.get_by_role("link", name="继续处理").click()
    page.wait_for_selector("#decide", timeout=60_000)
    assert page.url == here
    joins = ROWS + GONE - BEFORE - WRONG
    numbers = {"未通过": WRONG, "不在文件中": GONE, "新增": joins, "调动": MOVED, "有变化": 0}
    reads(page, lambda page: {name: tiles(page)[name] for name in numbers}, numbers)
    shot(page, "import-02-preview")
    cell = page.locator("#rows tbody tr").first
    for word in ("手机号", "F19962", "位数不足"):
        assert word in cell.inner_text()

    # Nobody leaves by himself; whoever chooses all of them is asked for the school's name.
    assert page.locator("#confirmation").count() == 0
    page.get_by_role("link", name="选择移出的人").click()
    reads(page, lambda page: page.locator("input[name=row]").count(), 50)
    shot(page, "import-03-who-leaves")
    page.get_by_role("button", name="全部移出").click()
    page.wait_for_selector("#confirmation")
    page.locator("#confirmation").fill("安大")
    apply = page.get_by_role("button", name=re.compile("^确认导入"))
    apply.click()
    page.wait_for_selector("#confirmation-error")
    shot(page, "import-04-surprise")
    page.locator("#confirmation").fill(SCHOOL)
    apply.click()
    page.wait_for_selector("#import-job, #undo")
    shot(page, "import-05-applying")
    page.wait_for_selector("#undo", timeout=60_000)
    assert "导入完成，但有例外" in page.inner_text("main")
    shot(page, "import-06-result")
    assert on_the_list() == ROWS - WRONG

    # The rejected rows as a workbook.
    with page.expect_download() as coming:
        page.get_by_role("link", name="下载未通过的行").first.click()
    kept = tmp_path / coming.value.suggested_filename
    coming.value.save_as(kept)
    sheet = openpyxl.load_workbook(kept).worksheets[0]
    assert sheet.max_row == WRONG + 1
    assert sheet["F2"].comment is not None
    assert sheet["F2"].fill.fill_type == "solid"

    # And everything back again.
    page.get_by_role("link", name="撤销此次导入").click()
    page.wait_for_selector(".ax-confirm")
    shot(page, "import-07-undo")
    page.get_by_role("button", name="撤销", exact=True).click()
    page.wait_for_selector("text=导入已撤销", timeout=60_000)
    shot(page, "import-08-undone")
    assert on_the_list() == BEFORE
    with school_context("*"):
        verbs = set(Entry.objects.filter(object_type="directory_import").values_list("verb", flat=True))
    assert {"import.uploaded", "import.previewed", "import.leavers_chosen", "import.decided", "import.applied"} <= verbs
    assert {"import.errors_exported", "import.undo_asked", "import.undone"} <= verbs
