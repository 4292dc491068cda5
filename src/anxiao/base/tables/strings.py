"""The table of shared strings of a workbook, three million of them in the space of their letters."""

from __future__ import annotations

import re
from array import array
from collections.abc import Callable
from itertools import accumulate
from typing import IO

from anxiao.base.tables.markup import DEPTH, PIECE, character_data, is_utf8, local, new_parser, unescape
from anxiao.base.tables.model import Limits, TableProblem, UnreadableTable

_ITEM = re.compile(r'<si><t(?: xml:space="preserve")?>([^<]*)</t></si>')
_FIRST = re.compile(rb"<([A-Za-z0-9]{1,20}:)?si>")
_KEPT = 8_192
_SHORT = 64
_FAIR = 4 * 1024 * 1024


class Strings:
    """Strings by number, kept as one block of bytes: an object each would cost five times as much."""

    def __init__(self, limit: int) -> None:
        self._block = bytearray()
        self._starts = array("I", [0])
        self._limit = limit

    def __len__(self) -> int:
        return len(self._starts) - 1

    def extend(self, texts: list[str]) -> None:
        """Add strings at the end. Half surrogate pairs survive, for the judge to name them."""
        pieces = [text.encode("utf-8", "surrogatepass") for text in texts]
        lengths = accumulate(map(len, pieces), initial=self._starts[-1])
        next(lengths)
        if self._starts[-1] + sum(map(len, pieces)) + 4 * (len(self) + len(pieces)) > self._limit:
            raise UnreadableTable(TableProblem.TOO_MUCH_TEXT)
        self._starts.extend(lengths)
        self._block += b"".join(pieces)

    def getter(self, cut: int) -> Callable[[str], str]:
        """From a number as it is written in a cell to its string, at most `cut` characters of it.

        A function of its own, because it runs for every cell of every row. What stands often is kept; what stands
        once, such as people's numbers, soon finds no room and is made anew.
        """
        kept: dict[str, str] = {}
        block, starts, count = self._block, self._starts, len(self)
        look = kept.get

        def get(stored: str) -> str:
            text = look(stored)
            if text is None:
                number = int(stored)
                if not 0 <= number < count:
                    raise UnreadableTable(TableProblem.DAMAGED)
                piece = block[starts[number] : starts[number + 1]]
                try:
                    text = piece.decode()[:cut]
                except UnicodeDecodeError:
                    text = piece.decode("utf-8", "surrogatepass")[:cut]
                if len(kept) < _KEPT and len(text) < _SHORT:
                    kept[stored] = text
            return text

        return get


def read_strings(part: IO[bytes], limits: Limits, advance: Callable[[int], None]) -> Strings:
    """The table in `part`. `advance` is told how many bytes have been read."""
    strings = Strings(limits.string_bytes)
    head = rest = prefix = b""
    end = b"</si>"
    weighed = 0

    def more() -> bytes:
        nonlocal weighed
        piece = part.read(PIECE)
        weighed += len(piece)
        advance(len(piece))
        if weighed > _FAIR + len(strings) * limits.bytes_per_row:
            raise UnreadableTable(TableProblem.BOMB)
        return piece

    while piece := more():
        rest += piece
        if not head:
            found = _FIRST.search(rest)
            if not found:
                if len(rest) > PIECE:
                    break
                continue
            head, rest = rest[: found.start()], rest[found.start() :]
            if b"<!" in head or not is_utf8(head):
                break
            prefix = found.group(1) or b""
            end = b"</" + prefix + b"si>"
        cut = rest.rfind(end) + len(end)
        if cut < len(end):
            if len(rest) > limits.row_bytes:
                raise UnreadableTable(TableProblem.TOO_MUCH_TEXT)
            continue
        whole, rest = rest[:cut], rest[cut:]
        if b"<!" in whole or b"<?" in whole:
            rest = whole + rest
            break
        if prefix:
            # Without comments and the like, a bracket is always a tag's.
            whole = whole.replace(b"<" + prefix, b"<").replace(b"</" + prefix, b"</")
        _take(head, b"</" + prefix + b"sst>", whole.decode("utf-8"), strings)
    else:
        if not head or b"<" + prefix + b"si" in rest:
            # No string at all, markup of another dialect, or a part that is cut short.
            _parse(head + rest, b"", None, strings, limits)
        return strings
    _parse(head + rest, b"", more, strings, limits)
    return strings


def _take(head: bytes, end: bytes, text: str, strings: Strings) -> None:
    """A piece that begins and ends between two items."""
    found = _ITEM.split(text)
    if any(gap and not gap.isspace() for gap in found[::2]):
        # Formatted runs or phonetic guides somewhere: expat reads this piece.
        _parse(head + text.encode(), end, None, strings, None)
        return
    texts = found[1::2]
    if "&" in text or "\r" in text:
        texts = [character_data(one) for one in texts]
    if "_x" in text:
        texts = [unescape(one) for one in texts]
    strings.extend(texts)


def _parse(
    data: bytes,
    end: bytes,
    more: Callable[[], bytes] | None,
    strings: Strings,
    limits: Limits | None,
) -> None:
    """Read `data`, then `more` until it gives nothing, then `end`, with expat. Phonetic guides (rPh) are not shown."""
    pieces: list[str] = []
    inside = False
    phonetic = 0
    weight = 0
    depth = 0

    def start(tag: str, _attributes: dict[str, str]) -> None:
        nonlocal inside, phonetic, depth
        depth += 1
        if depth > DEPTH:
            raise UnreadableTable(TableProblem.BOMB)
        tag = local(tag)
        if tag == "t":
            inside = not phonetic
        elif tag == "rPh":
            phonetic += 1

    def finish(tag: str) -> None:
        nonlocal inside, phonetic, weight, depth
        depth -= 1
        tag = local(tag)
        if tag == "t":
            inside = False
        elif tag == "rPh":
            phonetic -= 1
        elif tag == "si":
            strings.extend([unescape("".join(pieces))])
            pieces.clear()
            weight = 0

    def characters(text: str) -> None:
        nonlocal weight
        if inside:
            weight += len(text)
            if limits and weight > limits.row_bytes:
                raise UnreadableTable(TableProblem.TOO_MUCH_TEXT)
            pieces.append(text)

    parser = new_parser()
    parser.StartElementHandler = start
    parser.EndElementHandler = finish
    parser.CharacterDataHandler = characters
    parser.Parse(data, False)
    while more is not None and (piece := more()):
        parser.Parse(piece, False)
    parser.Parse(end, True)
