"""The drawing itself, by matplotlib. Only the process that draws imports this: it is large."""

import io
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import matplotlib as mpl
from matplotlib import dates
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from bot.charts.evidence import draw_ends, draw_groups, draw_work
from bot.charts.rows import Timeline, span_of
from bot.charts.style import BLUE, CYCLE, DASHES, INK, ORANGE, SHADE, VERMILLION, cut, day_and_zone, number

_DPI = 120
_WIDTH_IN = 11.0


def timeline(**asked: Any) -> bytes:
    """Draw what `bot.charts.timeline` was asked for."""
    drawing = Timeline(**asked)
    figure, axes = _canvas(asked["title"], 1.9 + 0.44 * len(asked["rows"]))
    drawing.draw(axes)
    _over_time(axes, asked["zone"], drawing.shown[0], drawing.shown[1])
    figure.legend(handles=drawing.legend(), loc="outside lower center", ncols=5, frameon=False, fontsize=9)
    return _png(figure)


def bars(title: str, items: Sequence[tuple[str, float]], unit: str, limit: float | None) -> bytes:
    """Draw what `bot.charts.bars` was asked for."""
    figure, axes = _canvas(title, 1.3 + 0.36 * max(len(items), 1))
    names, values = [cut(name) for name, _ in items], [value for _, value in items]
    over = [limit is not None and value > limit for value in values]
    drawn = axes.barh(range(len(values)), values, color=[ORANGE if one else BLUE for one in over], height=0.62)
    for bar, one in zip(drawn, over, strict=True):
        bar.set_hatch("///" if one else "")
        bar.set_edgecolor(INK)
    axes.bar_label(drawn, labels=[f"{_short(value)} {unit}" for value in values], padding=4, fontsize=9)
    axes.set_yticks(range(len(names)), names)
    axes.invert_yaxis()
    axes.margins(x=0.16)
    axes.set_xlabel(unit)
    if limit is not None:
        axes.axvline(limit, color=VERMILLION, linestyle="--")
        handles = [Line2D([], [], color=VERMILLION, linestyle="--", label=f"limit: {_short(limit)} {unit}")]
        figure.legend(handles=handles, loc="outside lower center", frameon=False, fontsize=9)
    return _png(figure)


def lines(
    title: str, series: dict[str, list[tuple[str, float]]], unit: str, zone: str, shaded: list[tuple[str, str]]
) -> bytes:
    """Draw what `bot.charts.lines` was asked for."""
    figure, axes = _canvas(title, 4.6)
    spans = [span_of(span) for span in shaded]
    for since, to in spans:
        axes.axvspan(number(since), number(to), color=SHADE, zorder=0)
    moments: list[datetime] = [moment for span in spans for moment in span]
    for place, (name, points) in enumerate(series.items()):
        at = [datetime.fromisoformat(moment) for moment, _ in points]
        moments += at
        style: dict[str, Any] = {"color": CYCLE[place % len(CYCLE)], "linestyle": DASHES[place % len(DASHES)]}
        axes.plot(
            [number(moment) for moment in at], [value for _, value in points], label=cut(name), linewidth=1.8, **style
        )
    axes.set_ylabel(unit)
    axes.set_ylim(bottom=0)
    axes.grid(axis="y", color=SHADE)
    if moments:
        _over_time(axes, zone, min(moments), max(moments))
    figure.legend(loc="outside lower center", ncols=4, frameon=False, fontsize=9)
    return _png(figure)


def work(**asked: Any) -> bytes:
    """Draw what `bot.charts.work` was asked for."""
    since, ended, zone = asked["done"][0][0], asked["ended"], asked["zone"]
    figure, upper, lower = _two(asked["title"])
    draw_work(upper, asked["done"], asked["total"], asked["unit"])
    draw_ends(lower, asked["ends"], ended, since, zone)
    _over_time(lower, zone, datetime.fromisoformat(since), datetime.fromisoformat(ended))
    figure.legend(loc="outside lower center", ncols=5, frameon=False, fontsize=9)
    return _png(figure)


def groups(title: str, rows: list[dict[str, Any]], series: list[str], unit: str, limit: str) -> bytes:
    """Draw what `bot.charts.groups` was asked for."""
    figure, axes = _canvas(title, 1.6 + (0.2 + 0.26 * len(series)) * len(rows))
    handles = draw_groups(axes, rows, series, unit)
    handles.append(Line2D([], [], color=VERMILLION, linestyle="--", label=limit))
    figure.legend(handles=handles, loc="outside lower center", ncols=4, frameon=False, fontsize=9)
    return _png(figure)


DRAWINGS: dict[str, Callable[..., bytes]] = {
    "timeline": timeline,
    "bars": bars,
    "lines": lines,
    "work": work,
    "groups": groups,
}


def _canvas(title: str, height_in: float) -> tuple[Figure, Axes]:
    figure = _sheet(height_in)
    axes = figure.add_subplot()
    _titled(axes, title)
    return figure, axes


def _two(title: str) -> tuple[Figure, Axes, Axes]:
    figure = _sheet(6.4)
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(3, 2))
    _titled(upper, title)
    _titled(lower, "")
    return figure, upper, lower


def _sheet(height_in: float) -> Figure:
    # What people write is shown as it is: a dollar sign begins no formula.
    mpl.rcParams.update({"text.parse_math": False, "font.size": 10, "hatch.linewidth": 0.6})
    return Figure(figsize=(_WIDTH_IN, min(height_in, 40.0)), dpi=_DPI, layout="constrained", facecolor="white")


def _titled(axes: Axes, title: str) -> None:
    axes.set_title(cut(title, 100), loc="left", fontweight="bold")
    axes.spines[["top", "right"]].set_visible(False)


def _over_time(axes: Axes, zone: str, since: datetime, to: datetime) -> None:
    place = ZoneInfo(zone)
    locator = dates.AutoDateLocator(tz=place, maxticks=12)  # type: ignore[no-untyped-call]
    axes.xaxis.set_major_locator(locator)
    formatter = dates.ConciseDateFormatter(locator, tz=place, show_offset=False)  # type: ignore[no-untyped-call]
    axes.xaxis.set_major_formatter(formatter)
    axes.set_xlim(number(since), number(to))
    axes.set_xlabel(day_and_zone(since, to, zone))


def _short(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"  # noqa: PLR2004 - three digits


def _png(figure: Figure) -> bytes:
    out = io.BytesIO()
    figure.savefig(out, format="png")
    return out.getvalue()
