"""A maintenance as bars over time: what was planned above what it was, with what held it up."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from bot.charts.style import BLUE, FAINT, GREEN, INK, ORANGE, PLANNED, PURPLE, SHADE, SKY, VERMILLION, cut, number

Moments = tuple[datetime, datetime]

_MARKS = {
    "approved": ("^", GREEN, "approved"),
    "rejected": ("v", PURPLE, "rejected"),
    "failed": ("X", VERMILLION, "failed"),
    "retried": ("D", SKY, "retried"),
}
_MARGIN = 0.02
_ROOM = 4  # times the margin on the right, where lengths are written behind the bars
_MINUTES = 60
_SHORT_S = 100
_LEAST = timedelta(seconds=1)


def span_of(span: Any) -> Moments:
    """Return two ISO 8601 moments as such."""
    return datetime.fromisoformat(span[0]), datetime.fromisoformat(span[1])


class Timeline:
    """One timeline, from what JSON says of it. `shown` is what of time it shows: all but what long went before."""

    def __init__(
        self, *, rows: list[Mapping[str, Any]], window: Any, marks: list[Mapping[str, Any]], pauses: list[Any], **_: Any
    ) -> None:
        self._rows = rows
        self._window = span_of(window)
        self._marks = marks
        self._pauses = [span_of(pause) for pause in pauses]
        spans = [span_of(row[kind]) for row in rows for kind in ("planned", "actual") if row[kind]]
        since = min([self._window[0], *(span[0] for span in spans)])
        to = max([self._window[1], *(span[1] for span in spans)])
        margin = (to - since) * _MARGIN
        self.shown: Moments = (since - margin, to + _ROOM * margin)

    def draw(self, axes: Axes) -> None:
        """Put everything on the axes; the first row on top."""
        axes.axvspan(number(self._window[0]), number(self._window[1]), color=SHADE, zorder=0)
        axes.axvline(number(self._window[1]), color=INK, linewidth=1, linestyle="--", zorder=1)
        for since, to in self._pauses:
            axes.axvspan(number(since), number(to), facecolor="none", edgecolor=FAINT, hatch="..", zorder=1)
        for place, row in enumerate(self._rows):
            self._draw_row(axes, place, row)
        for mark in self._marks:
            shape, colour, _ = _MARKS[mark["kind"]]
            at = number(datetime.fromisoformat(mark["at"]))
            axes.plot([at], [mark["row"] + 0.18], shape, color=colour, markeredgecolor=INK, markersize=8, zorder=5)
        axes.set_yticks(range(len(self._rows)), [cut(row["label"]) for row in self._rows])
        axes.set_ylim(len(self._rows) - 0.4, -0.6)
        axes.tick_params(axis="y", length=0)

    def legend(self) -> list[Any]:
        """Return what explains the marks that are there."""
        handles: list[Any] = [
            Patch(color=PLANNED, label="planned"),
            Patch(color=BLUE, label="actual"),
            Patch(facecolor=ORANGE, edgecolor=INK, hatch="///", label="longer than planned"),
            Patch(color=SHADE, label="announced window"),
            Line2D([], [], color=INK, linewidth=1, linestyle="--", label="its end"),
        ]
        states = {row["state"] for row in self._rows if row["actual"]}
        if "failed" in states:
            handles.append(Patch(facecolor=VERMILLION, edgecolor=INK, hatch="xx", label="did not succeed"))
        if "alongside" in states:
            handles.append(Patch(facecolor=SKY, label="alongside"))
        if any(row["waited"] for row in self._rows):
            handles.append(Line2D([], [], color=FAINT, linestyle=":", linewidth=2, label="waited for approval"))
        if any(row["stood"] for row in self._rows):
            handles.append(Patch(facecolor="white", edgecolor=FAINT, label="stood still"))
        if self._pauses:
            handles.append(Patch(facecolor="none", edgecolor=FAINT, hatch="..", label="paused"))
        for kind in dict.fromkeys(mark["kind"] for mark in self._marks):
            shape, colour, word = _MARKS[kind]
            look: dict[str, Any] = {
                "marker": shape,
                "color": colour,
                "markeredgecolor": INK,
                "markersize": 8,
                "linestyle": "none",
            }
            handles.append(Line2D([], [], label=word, **look))
        return handles

    def _draw_row(self, axes: Axes, place: int, row: Mapping[str, Any]) -> None:
        if row["planned"]:
            _bar(axes, place - 0.18, span_of(row["planned"]), height=0.24, color=PLANNED)
        if row["waited"]:
            since, to = span_of(row["waited"])
            ends = [number(max(since, self.shown[0])), number(to)]
            axes.plot(ends, [place + 0.18] * 2, linestyle=":", linewidth=2, color=FAINT, zorder=2)
        if row["actual"]:
            self._draw_actual(axes, place + 0.18, row)
            for span in row["stood"]:
                _bar(axes, place + 0.18, span_of(span), height=0.2, order=4, facecolor="white", edgecolor=FAINT)
        elif row["state"] == "skipped":
            since = span_of(row["planned"])[0] if row["planned"] else self.shown[0]
            axes.text(number(since), place + 0.2, "skipped", va="center", fontsize=8, color=FAINT)

    def _draw_actual(self, axes: Axes, at: float, row: Mapping[str, Any]) -> None:
        since, to = span_of(row["actual"])
        to = max(to, since + _LEAST)
        if row["state"] == "failed":
            _bar(axes, at, (since, to), facecolor=VERMILLION, edgecolor=INK, hatch="xx")
            return
        if row["state"] == "alongside":
            _bar(axes, at, (since, to), height=0.16, color=SKY)
            return
        axes.text(number(to), at, f"  {_length(to - since)}", va="center", fontsize=8, color=INK, zorder=6)
        planned = span_of(row["planned"]) if row["planned"] else None
        due = since + (planned[1] - planned[0]) if planned else to
        _bar(axes, at, (since, min(to, due)), color=BLUE)
        if to > due:
            _bar(axes, at, (due, to), facecolor=ORANGE, edgecolor=INK, hatch="///", linewidth=0.6)


def _bar(axes: Axes, at: float, span: Moments, *, height: float = 0.34, order: int = 3, **look: Any) -> None:
    since, to = number(span[0]), number(span[1])
    axes.barh(at, to - since, left=since, height=height, zorder=order, **look)


def _length(span: timedelta) -> str:
    seconds = round(span.total_seconds())
    minutes = round(seconds / 60)
    if minutes >= _MINUTES:
        return f"{minutes // _MINUTES} h {minutes % _MINUTES:02} min"
    return f"{minutes} min" if seconds >= _SHORT_S else f"{seconds} s"
