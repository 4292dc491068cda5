"""Workbooks (.xlsx): the parts around the sheets, read with expat; the sheets themselves are `worksheet`'s."""

from __future__ import annotations

import posixpath
import zipfile
from collections.abc import Callable
from typing import BinaryIO

from anxiao.base.tables.archive import open_checked
from anxiao.base.tables.markup import DEPTH, damage_is_said, local, new_parser
from anxiao.base.tables.model import Limits, Table, TableProblem, UnreadableTable
from anxiao.base.tables.strings import Strings, read_strings
from anxiao.base.tables.worksheet import Style, Worksheet

_XML_LIMIT = 32 * 1024 * 1024
_KEPT = 70_000

_BUILTIN_CODES = {0: "General", 1: "0", 2: "0.00", 3: "#,##0", 4: "#,##0.00", 49: "@"}


def _elements(archive: zipfile.ZipFile, name: str, *tags: str) -> list[tuple[str, dict[str, str]]]:
    """The start tags of these names in a part beside the sheets, in order."""
    if archive.getinfo(name).file_size > _XML_LIMIT:
        raise UnreadableTable(TableProblem.BOMB)
    found: list[tuple[str, dict[str, str]]] = []
    parser = new_parser()

    depth = 0

    def start(tag: str, attributes: dict[str, str]) -> None:
        nonlocal depth
        depth += 1
        if depth > DEPTH:
            raise UnreadableTable(TableProblem.BOMB)
        tag = local(tag)
        if tag in tags:
            if len(found) >= _KEPT:
                raise UnreadableTable(TableProblem.BOMB)
            found.append((tag, {local(key): value for key, value in attributes.items()}))

    def end(_tag: str) -> None:
        nonlocal depth
        depth -= 1

    parser.StartElementHandler = start
    parser.EndElementHandler = end
    with archive.open(name) as part:
        parser.ParseFile(part)
    return found


def _relations(archive: zipfile.ZipFile, of: str) -> dict[str, tuple[str, str]]:
    """Relation id -> (last word of its type, full name of the part)."""
    folder, file = posixpath.split(of)
    name = posixpath.join(folder, "_rels", file + ".rels")
    if name not in archive.NameToInfo:
        return {}
    out = {}
    for _tag, attributes in _elements(archive, name, "Relationship"):
        if attributes.get("TargetMode") != "External":
            target = attributes.get("Target", "")
            path = target.lstrip("/") if target.startswith("/") else posixpath.normpath(posixpath.join(folder, target))
            out[attributes.get("Id", "")] = (attributes.get("Type", "").rpartition("/")[2], path)
    return out


def _formats(archive: zipfile.ZipFile, name: str) -> list[Style]:
    """Number format (id, code) per cell style."""
    codes = dict(_BUILTIN_CODES)
    styles: list[Style] = []
    in_cells = False
    for tag, attributes in _elements(archive, name, "numFmt", "cellXfs", "cellStyles", "dxfs", "cellStyleXfs", "xf"):
        if tag == "numFmt":
            codes[int(attributes.get("numFmtId", "0"))] = attributes.get("formatCode", "General")
        elif tag == "cellXfs":
            in_cells = True
        elif tag in ("cellStyles", "dxfs", "cellStyleXfs"):
            in_cells = False
        elif tag == "xf" and in_cells:
            format_id = int(attributes.get("numFmtId", "0"))
            styles.append((format_id, codes.get(format_id, "General")))
    return styles


class XlsxTables:
    """The `Tables` of a workbook. Shared strings are read when the first sheet with cells needs them."""

    def __init__(self, file: BinaryIO, size: int, limits: Limits) -> None:
        self.limits = limits
        self.sheets: list[Table] = []
        self._done = self._total = 0
        self._strings: Strings | None = None
        with damage_is_said():
            self.archive = open_checked(file, size, limits)
            self._open()

    def progress(self) -> tuple[int, int]:
        """See `Tables.progress`."""
        return min(self._done, self._total), self._total

    def _advance(self, size: int) -> None:
        self._done += size

    def _open(self) -> None:
        archive = self.archive
        roots = dict(_relations(archive, "").values())
        book = roots.get("officeDocument", "xl/workbook.xml")
        if book not in archive.NameToInfo:
            # Some other zip: a document, an archive of files.
            raise UnreadableTable(TableProblem.NOT_A_TABLE)
        if "[Content_Types].xml" in archive.NameToInfo and any(
            "macroEnabled" in attributes.get("ContentType", "")
            for _tag, attributes in _elements(archive, "[Content_Types].xml", "Default", "Override")
        ):
            raise UnreadableTable(TableProblem.MACROS)
        relations = _relations(archive, book)
        by_kind = {kind: path for kind, path in relations.values() if path in archive.NameToInfo}
        styles = _formats(archive, by_kind["styles"]) if "styles" in by_kind else []
        strings = self._strings_of(by_kind.get("sharedStrings"))
        since_1904 = False
        for tag, attributes in _elements(archive, book, "workbookPr", "sheet"):
            if tag == "workbookPr":
                since_1904 = attributes.get("date1904", "0") in ("1", "true")
            elif tag == "sheet":
                kind, path = relations.get(attributes.get("id", ""), ("", ""))
                if kind != "worksheet" or path not in archive.NameToInfo:
                    continue
                hidden = attributes.get("state", "visible") != "visible"
                self.sheets.append(
                    Worksheet(
                        attributes.get("name", ""),
                        hidden,
                        archive,
                        path,
                        strings,
                        styles,
                        since_1904,
                        self.limits,
                        self._advance,
                    )
                )
                self._total += archive.getinfo(path).file_size
        if not self.sheets:
            raise UnreadableTable(TableProblem.NOT_A_TABLE)
        if len(self.sheets) > self.limits.sheets:
            raise UnreadableTable(TableProblem.TOO_MANY_SHEETS, sheets=self.limits.sheets)

    def _strings_of(self, path: str | None) -> Callable[[], Strings]:
        if path is not None:
            self._total += self.archive.getinfo(path).file_size

        def strings() -> Strings:
            if self._strings is None:
                if path is None:
                    self._strings = Strings(0)
                else:
                    with damage_is_said(), self.archive.open(path) as part:
                        self._strings = read_strings(part, self.limits, self._advance)
            return self._strings

        return strings
