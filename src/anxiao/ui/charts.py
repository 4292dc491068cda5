"""What a chart shows, without saying how: numbers, names, tones. `static/ui/charts.js` draws it, a table repeats it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

Tone = Literal["brand", "good", "late", "missing", "ill", "exempt", "info"]


@dataclass(frozen=True, slots=True)
class Series:
    """One line or one set of bars. A value of None is a gap: not yet known, which is not zero."""

    name: str
    values: Sequence[float | None]
    tone: Tone = "brand"
    kind: Literal["line", "bar"] = "line"
    dashed: bool = False
    stack: str = ""


@dataclass(frozen=True, slots=True)
class Chart:
    """A chart over one axis of labels (hours, days, names of units)."""

    key: str
    title: str
    labels: Sequence[str]
    series: Sequence[Series]
    unit: str = ""
    axis: str = ""
    mark: str = ""
    mark_label: str = ""
    horizontal: bool = False

    @property
    def rows(self) -> list[tuple[str, list[float | None]]]:
        """The same numbers as table rows."""
        return [
            (label, [s.values[i] if i < len(s.values) else None for s in self.series])
            for i, label in enumerate(self.labels)
        ]

    @property
    def spec(self) -> dict[str, Any]:
        """What the script reads; plain JSON."""
        return asdict(self)


def hour_curve(
    key: str,
    title: str,
    today: Sequence[int | None],
    earlier: Mapping[str, Sequence[int | None]],
    *,
    today_name: str,
    unit: str = "",
    deadline: int = 14,
    deadline_label: str = "",
) -> Chart:
    """Reports per hour of the day: today as bars, earlier days as dashed lines, the deadline as an upright mark."""
    labels = [f"{hour:02d}:00" for hour in range(24)]
    series = [Series(today_name, list(today), kind="bar")]
    tones: tuple[Tone, ...] = ("late", "exempt", "info")
    series += [
        Series(name, list(values), tone=tones[i % len(tones)], dashed=True)
        for i, (name, values) in enumerate(earlier.items())
    ]
    return Chart(
        key=key,
        title=title,
        labels=labels,
        series=series,
        unit=unit,
        mark=labels[deadline],
        mark_label=deadline_label,
    )
