"""Lines put together from cells that were judged one by one: for files in which every row needs a word.

Schools write 2018级 where the notice says 18级, in every row. The verdict about such a cell, its note and its place in
`raw` are made once and remembered as text; a row costs a look-up for each cell. What depends on more than one cell
(empty ones, which may be merged; a name that is the number) goes the long way.
"""

from __future__ import annotations

from anxiao.base.tables.model import NumberText, Value, kind_of
from anxiao.directory.importing import text as tidying
from anxiao.directory.importing.faults import Fault, Note, NoteKind
from anxiao.directory.importing.reading.careful import CellJudge
from anxiao.directory.importing.reading.headers import Place, text_of
from anxiao.directory.importing.reading.lines import copied, copied_json
from anxiao.directory.importing.reading.shapes import PLAIN
from anxiao.directory.importing.templates import Field

Piece = tuple[str, str, str, str]
"""What a cell adds to a line: its value, its part of `raw`, its faults, its note; the last two may be empty."""
_REMEMBERED = 20_000
_SHORT = 64
_NOTHING = r"\N"


class Assembler:
    """Lines of the rows of one sheet, good or bad, as long as no required cell is empty."""

    def __init__(self, place: Place, cells: CellJudge) -> None:
        self.place, self.cells = place, cells
        template = place.template
        self.width = max(place.columns.values())
        self.fields = [(of, column - 1) for of, column in sorted(place.columns.items(), key=lambda item: item[1])]
        self.memos: dict[Field, dict[object, Piece]] = {of: {} for of in place.columns}
        positions = {of: position for position, (of, _index) in enumerate(self.fields)}
        self.order = [positions.get(of) for of in place.template.values]
        self.name, self.number = positions.get(Field.NAME), positions[Field.NUMBER]
        self.number_column = place.columns[Field.NUMBER] - 1
        self.sheet = copied(place.table.name)
        self.heads = {
            of: (template.header_of(of), place.letter(of), copied_json({template.header_of(of): ""})[1:-2])
            for of in place.columns
        }

    def line(self, number: int, values: list[Value]) -> tuple[str, bool, bool] | None:
        """(the row's line, whether it is rejected, whether there is nothing to say), or None: judge the whole row."""
        if len(values) < self.width:
            values = values + [None] * (self.width - len(values))
        pieces: list[Piece] = []
        for of, index in self.fields:
            value = values[index]
            piece = self.memos[of].get((value,) if type(value) is NumberText else value) or self.piece(of, value)
            if piece is None:
                return None
            pieces.append(piece)
        named = pieces[self.name][0] if self.name is not None else _NOTHING
        if named == pieces[self.number][0] != _NOTHING:
            return None
        faults = ",".join([piece[2] for piece in pieces if piece[2]])
        notes = ",".join([piece[3] for piece in pieces if piece[3]])
        parts = [self.sheet, str(number), "rejected" if faults else "accepted"]
        parts += [_NOTHING if position is None else pieces[position][0] for position in self.order]
        parts.append("n" if type(values[self.number_column]) is NumberText else "t")
        if faults or notes:
            parts.append("{" + ",".join([piece[1] for piece in pieces]) + "}")
            parts.append(f"[{faults}]" if faults else _NOTHING)
            parts.append(f"[{notes}]" if notes else _NOTHING)
        else:
            parts += (_NOTHING, _NOTHING, _NOTHING)
        return "\t".join(parts) + "\n", bool(faults), not faults and not notes

    def piece(self, of: Field, value: Value) -> Piece | None:
        """The piece of one cell; None for an empty one that must not be empty."""
        key: object = (value,) if type(value) is NumberText else value
        memo = self.memos[of]
        piece = memo.get(key) or self._new_piece(of, value)
        if piece and of not in PLAIN and len(text_of(value)) <= _SHORT:
            if len(memo) >= _REMEMBERED:
                memo.clear()
            memo[key] = piece
        return piece

    def _new_piece(self, of: Field, value: Value) -> Piece | None:
        header, letter, head = self.heads[of]
        plain = PLAIN.get(of)
        if plain and isinstance(value, str) and plain(value):
            return value, f'{head}{value}"', "", ""
        text = text_of(value)
        if value is None or not text or not tidying.tidy(text):
            return (_NOTHING, head + '"', "", "") if of in self.place.template.optional else None
        verdict = self.cells.judge(of, text, kind_of(value))
        faults = [Fault(kind, of.value, header, letter, text, params).as_json() for kind, params in verdict.faults]
        note = ""
        if verdict.note is not None:
            said = Note(NoteKind.NORMALISED, of.value, header, letter, text, {"after": verdict.note})
            note = copied_json(said.as_json())
        return (
            _NOTHING if verdict.value is None else copied(verdict.value),
            copied_json({header: text})[1:-1],
            copied_json(faults)[1:-1] if faults else "",
            note,
        )
