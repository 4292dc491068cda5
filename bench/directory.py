"""P4: the directories of all schools, a file for staff and one for students each, onto the database that holds them.

One in a hundred rows differs: most by their phone, some by their class.  The files are made from the database right
before they are imported, so every run finds the same work.  Measured is ``anxiao import-directory FOLDER``: from its
start to its end, with all that it and the database spend; meanwhile somebody reads boards and lists (P3).
"""

from __future__ import annotations

import csv
import http.client
import os
import subprocess
import sys
import tempfile
import threading
import time
import zipfile
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from html import escape
from itertools import cycle
from pathlib import Path
from typing import Any

import psutil
from plan import quantile, say
from reads import _read
from stand import ANXIAO, HERE, Broken, Stand, last_json, run, spent

FORMATS = ("csv", "xlsx")
STAFF = ("学校名称", "院系名称", "教工号", "姓名", "性别", "手机号", "教职工类别")
STUDENTS = (
    *("学校名称", "院系名称", "学号", "姓名", "性别", "手机号", "学生类别", "年级", "班级"),
    *("辅导员姓名", "辅导员工号", "辅导员手机号"),
)

_STAFF = """
SELECT s.name, o.name, p.number, p.name, CASE p.sex WHEN 'M' THEN '男' ELSE '女' END,
       CASE WHEN p.id %% 100 = %(turn)s THEN {phone} ELSE p.phone END, c.name
FROM person p JOIN school s ON s.id = p.school_id JOIN category c ON c.id = p.category_id
JOIN membership m ON m.school_id = p.school_id AND m.person_id = p.id AND m.superseded_at IS NULL
    AND m.valid_from <= %(day)s AND (m.valid_to IS NULL OR m.valid_to > %(day)s)
JOIN organisation o ON o.id = m.organisation_id
WHERE p.school_id = %(school)s AND p.audience = 2 ORDER BY p.id
"""

# every tenth of those who differ goes to the class of somebody else of the school
_STUDENTS = """
WITH classes AS MATERIALIZED (
    SELECT o.id, o.name, o.grade, u.name AS college, p.name AS counsellor, p.number, p.phone,
           coalesce(lead(o.id) OVER (ORDER BY o.id), min(o.id) OVER ()) AS next
    FROM organisation o JOIN organisation u ON u.id = o.parent_id
    JOIN class_counsellor l ON l.school_id = o.school_id AND l.organisation_id = o.id
        AND l.valid_from <= %(day)s AND (l.valid_to IS NULL OR l.valid_to > %(day)s)
    JOIN person p ON p.id = l.person_id
    WHERE o.school_id = %(school)s AND o.kind = 'class'
)
SELECT s.name, k.college, p.number, p.name, CASE p.sex WHEN 'M' THEN '男' ELSE '女' END,
       CASE WHEN p.id %% 100 = %(turn)s AND p.id %% 1000 >= 100 THEN {phone} ELSE p.phone END, c.name, k.grade, k.name,
       k.counsellor, k.number, k.phone
FROM person p JOIN school s ON s.id = p.school_id JOIN category c ON c.id = p.category_id
JOIN membership m ON m.school_id = p.school_id AND m.person_id = p.id AND m.superseded_at IS NULL
    AND m.valid_from <= %(day)s AND (m.valid_to IS NULL OR m.valid_to > %(day)s)
JOIN classes h ON h.id = m.organisation_id
JOIN classes k ON k.id = CASE WHEN p.id %% 100 = %(turn)s AND p.id %% 1000 < 100 THEN h.next ELSE h.id END
WHERE p.school_id = %(school)s AND p.audience = 1 ORDER BY p.id
"""
_PHONE = "'13' || lpad(((p.id::bigint * 7919 + %(turn)s * 104729) %% 1000000000)::text, 9, '0')"


def measure(stand: Stand) -> dict[str, Any]:
    """Both formats in turn: seconds, processor time, memory of reader and importer, and the pages asked meanwhile."""
    stand.reset()
    readers: dict[str, Any] = last_json(run([sys.executable, str(HERE / "inside.py"), str(stand.data), "readers"])[0])
    found: dict[str, Any] = {}
    for number, form in enumerate(FORMATS):
        with tempfile.TemporaryDirectory(prefix="anxiao-bench-", dir=stand.data) as room:
            folder = Path(room)
            rows, bytes_ = _files(stand, folder, form, turn=(int(time.time()) + 37 * number) % 100)
            say(f"P4: {rows:,} people from {form}, {bytes_ / 2**20:,.0f} MB")
            found[form] = {"rows": rows, "bytes": bytes_, **_import(stand, folder, readers)}
        made = found[form]
        changed = made["written"]
        if not 0.005 <= changed / rows <= 0.02:
            raise Broken(f"The import of {form} changed {changed:,} of {rows:,} people; it should be one in a hundred.")
        say(
            f"  {made['wall']:.1f} s, {made['cpu']:.1f} s of processor, {made['memory_mb']:.0f} MB;"
            f" slowest page meanwhile {made['pages_p95']:.0f} ms (p95)"
        )
    return found


def _files(stand: Stand, folder: Path, form: str, turn: int) -> tuple[int, int]:
    """A file for the staff and one for the students of every school that has people; rows and bytes in all."""
    write = _write_csv if form == "csv" else _write_xlsx
    rows = 0
    with stand.sql() as connection:
        connection.execute("SET timezone = 'Asia/Shanghai'")
        day = connection.execute("SELECT current_date").fetchone()[0]  # type: ignore[index]
        schools = connection.execute(
            "SELECT s.id, s.code FROM school s WHERE EXISTS (SELECT FROM person p WHERE p.school_id = s.id) ORDER BY 2"
        ).fetchall()
        for school, code in schools:
            for word, header, statement in (("staff", STAFF, _STAFF), ("students", STUDENTS, _STUDENTS)):
                found = connection.execute(
                    statement.format(phone=_PHONE),  # type: ignore[arg-type]
                    {"school": school, "day": day, "turn": turn},
                ).fetchall()
                rows += len(found)
                if found:
                    write(folder / f"{code}-{word}.{form}", header, found)
    return rows, sum(file.stat().st_size for file in folder.iterdir())


def _write_csv(path: Path, header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    with path.open("w", encoding="utf-8-sig", newline="") as out:
        csv.writer(out).writerows([header, *rows])


def _write_xlsx(path: Path, header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """As the usual programs save it: strings in a table of their own, one cell an index."""
    strings: dict[str, int] = {}
    main = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
    office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    package = "http://schemas.openxmlformats.org/package/2006"
    letters = "ABCDEFGHIJKL"[: len(header)]
    count = 0
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=4) as book:
        with book.open("xl/worksheets/sheet1.xml", "w") as sheet:
            sheet.write(f'<?xml version="1.0" encoding="UTF-8"?><worksheet {main}><sheetData>'.encode())
            for number, row in enumerate([header, *rows], 1):
                cells = "".join(
                    f'<c r="{letter}{number}" t="s"><v>{strings.setdefault(text, len(strings))}</v></c>'
                    for letter, text in zip(letters, row, strict=True)
                )
                count += len(row)
                sheet.write(f'<row r="{number}">{cells}</row>'.encode())
            sheet.write(b"</sheetData></worksheet>")
        texts = "".join(f"<si><t>{escape(text)}</t></si>" for text in strings)
        book.writestr("xl/sharedStrings.xml", f'<sst {main} count="{count}" uniqueCount="{len(strings)}">{texts}</sst>')
        book.writestr(
            "xl/workbook.xml",
            f'<workbook {main} xmlns:r="{office}"><sheets><sheet name="Sheet1" sheetId="1" r:id="rId1"/></sheets>'
            "</workbook>",
        )
        book.writestr(
            "xl/_rels/workbook.xml.rels",
            f'<Relationships xmlns="{package}/relationships">'
            f'<Relationship Id="rId1" Type="{office}/worksheet" Target="worksheets/sheet1.xml"/>'
            f'<Relationship Id="rId2" Type="{office}/sharedStrings" Target="sharedStrings.xml"/></Relationships>',
        )
        book.writestr(
            "_rels/.rels",
            f'<Relationships xmlns="{package}/relationships">'
            f'<Relationship Id="rId1" Type="{office}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
        )
        kind = "application/vnd.openxmlformats-officedocument.spreadsheetml"
        book.writestr(
            "[Content_Types].xml",
            f'<Types xmlns="{package}/content-types">'
            '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
            '<Default Extension="xml" ContentType="application/xml"/>'
            f'<Override PartName="/xl/workbook.xml" ContentType="{kind}.sheet.main+xml"/>'
            f'<Override PartName="/xl/worksheets/sheet1.xml" ContentType="{kind}.worksheet+xml"/>'
            f'<Override PartName="/xl/sharedStrings.xml" ContentType="{kind}.sharedStrings+xml"/></Types>',
        )


def _import(stand: Stand, folder: Path, readers: dict[str, Any]) -> dict[str, Any]:
    newest = stand.value("SELECT coalesce(max(id), 0) FROM directory_import")
    before = stand.cpu()
    with tempfile.TemporaryFile() as out:
        began = time.monotonic()
        process = subprocess.Popen(
            [*ANXIAO, "import-directory", str(folder), "--full-list", "--data", str(stand.data)],
            stdout=out,
            stderr=subprocess.STDOUT,
        )
        memory = _Memory(process.pid)
        pages = _Pages(stand, readers, lambda: process.poll() is None)
        _pid, status, usage = os.wait4(process.pid, 0)
        wall = time.monotonic() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        memory.join()
        pages.join()
        # a few invented numbers of other countries do not exist: their rows stay out, and the command says so with 1
        if process.returncode not in (0, 1):
            out.seek(0)
            raise Broken(f"The import ended with {process.returncode}: {out.read().decode(errors='replace')[-800:]}")
    database = sum(seconds for kind, seconds in spent(before, stand.cpu()).items() if kind.startswith("database"))
    own = usage.ru_utime + usage.ru_stime
    written = stand.value(
        "SELECT coalesce(sum((counts -> 'written' ->> 'changed')::int), 0) FROM directory_import WHERE id > %(newest)s",
        {"newest": newest},
    )
    files = stand.value("SELECT count(*) FROM directory_import WHERE id > %(newest)s", {"newest": newest})
    times = [taken for kind in pages.found.values() for taken in kind]
    return {
        "files": files,
        "wall": round(wall, 2),
        "cpu": round(own + database, 2),
        "cpu_importer": round(own, 2),
        "cpu_database": round(database, 2),
        "memory_mb": round(memory.most / 2**20, 1),
        "written": int(written),  # type: ignore[call-overload]
        "pages": len(times),
        "pages_p95": round(max((quantile(kind, 0.95) for kind in pages.found.values()), default=0.0), 1),
        "slowest_page": max(pages.found, key=lambda what: quantile(pages.found[what], 0.95), default=""),
        "pages_p50": round(quantile(times, 0.5), 1),
    }


class _Memory(threading.Thread):
    """The most that the importer and its readers held at one time: the sum of their high-water marks (VmHWM)."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self.most = 0
        self._root = psutil.Process(pid)
        self.start()

    def run(self) -> None:
        while True:
            try:
                alive = [self._root, *self._root.children(recursive=True)]
                if self._root.status() == psutil.STATUS_ZOMBIE:
                    return
            except psutil.Error:
                return
            self.most = max(self.most, sum(_high_water(one.pid) for one in alive))
            time.sleep(0.05)


def _high_water(pid: int) -> int:
    try:
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    return 0


class _Pages(threading.Thread):
    """Somebody who reads boards, lists and persons, one after the other, while it goes on."""

    def __init__(self, stand: Stand, readers: dict[str, Any], going_on: Callable[[], bool]) -> None:
        super().__init__(daemon=True)
        self.found: dict[str, list[float]] = defaultdict(list)
        self._stand, self._readers, self._going_on = stand, readers, going_on
        self.start()

    def run(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self._stand.console, timeout=60)
        for read in self._turns():
            if not self._going_on():
                return
            self.found[read["what"]].append(_read(connection, self._readers["cookie"], read))
            time.sleep(0.05)

    def _turns(self) -> Iterator[dict[str, Any]]:
        kinds: dict[str, list[dict[str, Any]]] = defaultdict(list)
        for read in self._readers["reads"]:
            kinds[read["what"]].append(read)
        turns = [cycle(reads) for reads in kinds.values()]
        while True:
            for turn in turns:
                yield next(turn)
