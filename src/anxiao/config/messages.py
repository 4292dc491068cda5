"""The catalogue of Chinese messages: gathered from the code, merged from the rooms' pairs, compiled without gettext.

Message ids are English and stand in the code; each room keeps its translations beside the others in
``locale/zh_Hans/pairs/<room>.tsv``, one ``English<TAB>中文`` a line, ``\\n`` for a line break. The catalogue is made
from both, so that a message without a translation, or a translation that lost a placeholder, cannot be committed.

``python -m anxiao.config.messages``             merge into ``django.po`` and compile
``python -m anxiao.config.messages --check``     complain about what is missing or out of date, write nothing
``python -m anxiao.config.messages --compile``   compile ``django.po`` only
"""

from __future__ import annotations

import ast
import io
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import extract
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

PACKAGE = Path(__file__).resolve().parent.parent
HOME = PACKAGE / "locale" / "zh_Hans"
PO, MO = HOME / "LC_MESSAGES" / "django.po", HOME / "LC_MESSAGES" / "django.mo"
PAIRS = HOME / "pairs"

# gettext's notation: which argument is the message, which the plural, which the context ("c").
KEYWORDS: dict[str, tuple[int | tuple[int, str], ...] | None] = {
    "_": None,
    "gettext": None,
    "gettext_lazy": None,
    "gettext_noop": None,
    "ngettext": (1, 2),
    "ngettext_lazy": (1, 2),
    "pgettext": ((1, "c"), 2),
    "pgettext_lazy": ((1, "c"), 2),
    "npgettext": ((1, "c"), 2, 3),
    "npgettext_lazy": ((1, "c"), 2, 3),
}
_STRING = r"""u?(?:'(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*")"""
TEMPLATE_CALL = re.compile(rf"\b(?:_|n?p?gettext)\(\s*{_STRING}(?:\s*,\s*{_STRING})*", re.DOTALL)
PLACEHOLDER = re.compile(r"%\(\w+\)[sd]|%[sd]|\{\w*\}")

# No dates and no names: the file changes only when a message does.
HEADER = """\
# Chinese (simplified) messages of Anxiao. Made by `make messages` from pairs/*.tsv: change those, not this file.
msgid ""
msgstr ""
"Project-Id-Version: anxiao\\n"
"Language: zh_Hans\\n"
"MIME-Version: 1.0\\n"
"Content-Type: text/plain; charset=UTF-8\\n"
"Content-Transfer-Encoding: 8bit\\n"
"Plural-Forms: nplurals=1; plural=0;\\n"

"""


@dataclass(frozen=True, slots=True)
class Message:
    """A message of the code: its id, its plural and its context, where it has them."""

    text: str
    plural: str | None = None
    context: str | None = None


@dataclass(slots=True)
class Merger:
    """What came of bringing code and pairs together."""

    catalog: Catalog
    missing: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    unused: list[str] = field(default_factory=list)


def main() -> int:
    """Exit code for make: 1 when a message has no translation or a translation is faulty."""
    mode = sys.argv[1] if len(sys.argv) > 1 else ""
    if mode == "--compile":
        compile_catalogue()
        return 0
    pairs, wrong = read_pairs(PAIRS)
    merged = merge(spoken_later(PACKAGE, pairs) | gather(PACKAGE), pairs, wrong)
    for line in merged.wrong:
        sys.stderr.write(f"wrong: {line}\n")
    for line in merged.missing:
        sys.stderr.write(f"without translation: {line}\n")
    text = as_po(merged.catalog)
    if mode == "--check":
        stale = not PO.exists() or PO.read_text(encoding="utf-8") != text
        if stale:
            sys.stderr.write("django.po is out of date; run: make messages\n")
        return 1 if stale or merged.missing or merged.wrong else 0
    for line in merged.unused:
        sys.stderr.write(f"note, no longer used: {line}\n")
    PO.parent.mkdir(parents=True, exist_ok=True)
    PO.write_text(text, encoding="utf-8")
    compile_catalogue()
    return 1 if merged.missing or merged.wrong else 0


def gather(package: Path) -> dict[Message, set[str]]:
    """Every message of the code and the templates, with the files that use it."""
    found: dict[Message, set[str]] = {}
    for path in sorted([*package.rglob("*.py"), *package.rglob("*.html"), *package.rglob("*.txt")]):
        place = path.relative_to(package)
        if {"locale", "vendor", "__pycache__"} & set(place.parts):
            continue
        if path.suffix != ".py" and "templates" not in place.parts:
            continue
        for message in _messages_of(path):
            found.setdefault(message, set()).add(place.as_posix())
    return found


def spoken_later(package: Path, pairs: dict[str, str]) -> dict[Message, set[str]]:
    """Messages which pure code keeps as plain text and a door translates when it knows the reader's language.

    Rules may not import Django, so no call marks them; a pair whose English stands in the code as a whole string does.
    """
    found: dict[Message, set[str]] = {}
    for path in sorted(package.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_bytes())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value in pairs:
                found.setdefault(Message(node.value), set()).add(path.relative_to(package).as_posix())
    return found


def _messages_of(path: Path) -> Iterator[Message]:
    text = path.read_text(encoding="utf-8")
    if path.suffix != ".py":
        # Django's own reader of templates, the one its makemessages uses. It blanks everything but the calls.
        from django.utils.translation.template import templatize

        calls = TEMPLATE_CALL.finditer(templatize(text, origin=str(path)))
        text = "\n".join(call.group() + ")" for call in calls)
    method = "babel.messages.extract:extract_python"
    file = io.BytesIO(text.encode("utf-8"))
    for _line, message, _comments, context in extract(method, file, KEYWORDS, options={"encoding": "utf-8"}):
        single, plural = message if isinstance(message, tuple) else (message, None)
        if single:
            yield Message(single, plural, context)


def read_pairs(directory: Path) -> tuple[dict[str, str], list[str]]:
    """All pairs, and what is wrong with them. The same message in two rooms must have the same translation."""
    pairs: dict[str, str] = {}
    origin: dict[str, str] = {}
    wrong = []
    for path in sorted(directory.glob("*.tsv")):
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
            if not line.strip() or line.startswith("#"):
                continue
            english, tab, chinese = line.partition("\t")
            if not tab or not chinese.strip():
                wrong.append(f"{path.name}:{number} is not English<TAB>Chinese: {line!r}")
                continue
            english, chinese = _unescaped(english), _unescaped(chinese)
            if pairs.setdefault(english, chinese) != chinese:
                wrong.append(
                    f"{english!r} is {pairs[english]!r} in {origin[english]} and {chinese!r} in {path.name}:{number}"
                )
            origin.setdefault(english, path.name)
    return pairs, wrong


def merge(found: dict[Message, set[str]], pairs: dict[str, str], wrong: list[str]) -> Merger:
    """The catalogue of all messages of the code with the translations of the pairs."""
    merger = Merger(Catalog(locale="zh_Hans"), wrong=list(wrong))
    used: set[str] = set()
    for message, places in sorted(found.items(), key=lambda item: (item[0].text, item[0].context or "")):
        chinese = _translation(message, pairs, used)
        if chinese is None:
            merger.missing.append(f"{message.text!r} ({', '.join(sorted(places))})")
            continue
        wanted = set(PLACEHOLDER.findall(message.text)) | set(PLACEHOLDER.findall(message.plural or ""))
        if not set(PLACEHOLDER.findall(chinese)) <= wanted:
            merger.wrong.append(f"{chinese!r} has placeholders which {message.text!r} has not")
            continue
        lost = wanted - set(PLACEHOLDER.findall(chinese))
        if lost and message.plural is None:
            merger.wrong.append(f"{chinese!r} lost {', '.join(sorted(lost))} of {message.text!r}")
            continue
        merger.catalog.add(
            (message.text, message.plural) if message.plural else message.text,
            (chinese,) if message.plural else chinese,
            locations=[(place, 0) for place in sorted(places)],
            context=message.context,
        )
    merger.unused = sorted(repr(english) for english in pairs.keys() - used)
    return merger


def _translation(message: Message, pairs: dict[str, str], used: set[str]) -> str | None:
    for key in (message.text, message.plural):
        if key is not None and key in pairs:
            used.add(key)
            return pairs[key]
    # A template doubles a bare per cent sign; whoever translates sees and writes a single one.
    single = message.text.replace("%%", "%")
    if single != message.text and single in pairs:
        used.add(single)
        return re.sub(r"%(?!\(\w+\)[sd])", "%%", pairs[single])
    return None


def as_po(catalog: Catalog) -> str:
    """The text of the catalogue, in an order that makes small changes small."""
    out = io.BytesIO()
    write_po(out, catalog, width=0, omit_header=True, sort_output=True, no_location=True)
    return HEADER + out.getvalue().decode("utf-8").strip() + "\n"


def compile_catalogue() -> None:
    """``django.po`` to ``django.mo``, which Django reads. Pure Python: gettext's tools may be absent."""
    with PO.open("rb") as source:
        catalog = read_po(source, locale="zh_Hans", abort_invalid=True)
    out = io.BytesIO()
    write_mo(out, catalog)
    MO.write_bytes(out.getvalue())


def _unescaped(text: str) -> str:
    # Spaces count: ", " between the items of a list is a message too.
    return text.strip("\r\n").replace("\\n", "\n")


if __name__ == "__main__":
    sys.exit(main())
