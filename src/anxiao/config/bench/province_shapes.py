"""How a province's people are spread over its universities.  Pure: a register and a seed in, sizes out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from anxiao.config.demo import words
from anxiao.config.demo.shape import COLLEGES, TECHNICAL, VOCATIONAL, Shape

FEWEST = 24
"""People of the smallest university: four of staff and one class, because nobody studies alone."""

_WEIGHTS = {("本科", "0"): 24.0, ("本科", "1"): 13.0, ("专科", "0"): 9.0, ("专科", "1"): 5.0}
"""Thousands of people of an ordinary university, by level and whether it is private; the register knows no sizes."""

_TECHNICAL_WORDS = ("科技", "工程", "工业", "理工", "建筑", "机电", "电子", "交通", "电气", "水利", "矿业", "冶金")
_CAMPUSES = ("东校区", "西校区")


def sizes(register: Sequence[Mapping[str, str]], people: int, seed: int) -> dict[str, int]:
    """People of every university by school code; they add up to ``people``.

    Needs ``FEWEST`` for each. Large and small ones differ as real ones do: by level first, then by chance.
    """
    spare = people - FEWEST * len(register)
    if spare < 0:
        raise ValueError(f"{len(register)} universities need at least {FEWEST * len(register)} people")
    chance = words.stream(seed, "province/sizes")
    weights = {row["code"]: _WEIGHTS[row["level"], row["private"]] * chance.lognormvariate(0, 0.35) for row in register}
    whole = sum(weights.values())
    found = {code: FEWEST + int(spare * weight / whole) for code, weight in weights.items()}
    left = people - sum(found.values())
    for code in sorted(found, key=lambda c: -weights[c])[:left]:
        found[code] += 1
    return found


def shape_of(row: Mapping[str, str]) -> Shape:
    """Colleges, grades and campuses of a university of the register, guessed from its level and its name."""
    vocational = row["level"] == "专科"
    technical = any(word in row["name"] for word in _TECHNICAL_WORDS)
    colleges = TECHNICAL if technical else {**VOCATIONAL, **_ARTS} if vocational else COLLEGES
    return Shape(
        code=row["code"],
        prefix="",
        share=0.0,
        colleges=colleges,
        campuses=_CAMPUSES[:1] if vocational else _CAMPUSES,
        grades=3 if vocational else 4,
        vocational=vocational,
    )


_ARTS = {name: COLLEGES[name] for name in ("外语学院", "艺术学院", "管理学院", "计算机科学与技术学院")}
