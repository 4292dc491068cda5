"""The error workbook goes out, somebody mends it in a spreadsheet program, and it comes back as it is."""

from __future__ import annotations

import io
import shutil
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

import openpyxl
import pytest

from anxiao.directory.importing import plan
from anxiao.directory.importing.commands import apply_at_once, preview_import
from anxiao.directory.importing.report import stream_errors
from anxiao.directory.importing.templates import STUDENTS
from anxiao.directory.models import DirectoryImport, Person
from anxiao.directory.names import Audience, ImportState
from tests.directory import import_sheets as make
from tests.directory.import_cast import MORNING, Cast, acting, make_cast

pytestmark = pytest.mark.usefixtures("database")
OFFICE = shutil.which("soffice") or shutil.which("libreoffice")
Edit = Callable[[Path, Mapping[str, str]], bytes]


def by_openpyxl(path: Path, mended: Mapping[str, str]) -> bytes:
    """Replace cells that hold exactly a text, and save."""
    book = openpyxl.load_workbook(path)
    for line in book.worksheets[0].iter_rows():
        for cell in line:
            cell.value = mended.get(str(cell.value), cell.value)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def by_libreoffice(path: Path, mended: Mapping[str, str]) -> bytes:
    """Open in LibreOffice, replace the texts of cells in its own flat format, and save as a workbook again."""
    assert OFFICE is not None

    def convert(file: Path, kind: str) -> Path:
        profile = f"-env:UserInstallation=file://{path.parent}/profile"
        command = [OFFICE, profile, "--headless", "--convert-to", kind, "--outdir", str(path.parent), str(file)]
        subprocess.run(command, check=True, capture_output=True, timeout=120)
        return file.with_suffix(f".{kind}")

    flat = convert(path, "fods")
    text = flat.read_text(encoding="utf-8")
    for before, after in mended.items():
        assert f">{before}<" in text
        text = text.replace(f"<text:p>{before}<", f"<text:p>{after}<")
    flat.write_text(text, encoding="utf-8")
    path.unlink()
    return convert(flat, "xlsx").read_bytes()


@pytest.fixture
def cast(database: object) -> Cast:
    cast = make_cast()
    bring(cast, make.staff_sheet(), Audience.STAFF)
    return cast


def bring(cast: Cast, data: bytes, kind: Audience = Audience.STUDENT) -> DirectoryImport:
    with acting(cast.admin) as who:
        staged = preview_import(by=who, school=cast.school, kind=kind, file=data, filename="名单.xlsx", now=MORNING)
        applied = apply_at_once(by=who, import_=staged, now=MORNING)
    assert applied.state == ImportState.APPLIED
    return applied


@pytest.mark.parametrize(
    "edit",
    [
        pytest.param(by_openpyxl, id="openpyxl"),
        pytest.param(
            by_libreoffice,
            id="libreoffice",
            marks=pytest.mark.skipif(
                OFFICE is None,
                reason="the round trip through LibreOffice: no soffice here; apt-get install libreoffice-calc",
            ),
        ),
    ],
)
def test_mended_rows_come_back_with_everything_that_was_right(cast: Cast, tmp_path: Path, edit: Edit) -> None:
    rows = [make.student_row(index) for index in range(12)]
    rows[2][2], rows[2][7] = "00042", "大一"
    rows[5][5], rows[5][8] = "+852-91234567", "=1+1"
    rows[9][5] = "1391234567"
    applied = bring(cast, _as_text(rows))
    assert applied.counts["rejected"] == 3
    with acting(cast.admin) as who:
        bad = plan.rejected_rows(who, applied)
        categories = plan.categories_of(who, cast.school, Audience.STUDENT)
        path = tmp_path / "待修改.xlsx"
        path.write_bytes(b"".join(stream_errors(STUDENTS, bad, categories, make.SCHOOL)))
    again = bring(cast, edit(path, {"大一": "24级", "=1+1": "通信1班", "1391234567": "13912345670"}))
    assert (again.counts["rejected"], again.counts["joins"]) == (0, 3)
    with acting(cast.admin):
        found = dict(Person.objects.filter(audience=Audience.STUDENT).values_list("number", "phone"))
        assert len(found) == 12
        assert "00042" in found, "leading zeros survive every hand"
        assert found[rows[5][2]] == "+852-91234567"
        assert found[rows[9][2]] == "13912345670"


def _as_text(rows: list[list[object]]) -> bytes:
    book = openpyxl.load_workbook(io.BytesIO(make.sheet_of(STUDENTS, rows)))
    for line in book.active.iter_rows():
        for cell in line:
            cell.data_type = "s"
    return make.save(book)
