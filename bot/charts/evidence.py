"""Work against its forecast, and the same things measured several times, side by side."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from matplotlib import dates
from matplotlib.axes import Axes
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter

from bot.charts.style import BLUE, GREEN, INK, ORANGE, SHADE, SKY, VERMILLION, cut, number

_HELD = 0.15  # a forecast holds that is off by at most this share of the time that is left
_SHOWN = 0.6  # of the whole time, above and below the end: what was predicted beyond is cut off
_LOG_FROM = 20  # times the smallest value, from which on it cannot be seen on a linear axis
_FIRST, _BETWEEN, _LAST = (BLUE, ""), ((ORANGE, "///"), (SKY, "xx")), (GREEN, "...")
_HEIGHT = 0.8

Points = Sequence[tuple[str, Any]]


def draw_work(axes: Axes, done: Points, total: float, unit: str) -> None:
    """Draw how much was done by when, and how much there was."""
    at = [number(datetime.fromisoformat(moment)) for moment, _ in done]
    values = [value for _, value in done]
    axes.fill_between(at, values, color=SKY, alpha=0.35, linewidth=0)
    axes.plot(at, values, color=BLUE, linewidth=2, label="done")
    axes.axhline(total, color=INK, linewidth=1, linestyle=":", label="all there is")
    axes.set_ylim(0, total * 1.08)
    axes.set_ylabel(f"{unit} done")
    axes.grid(axis="y", color=SHADE)


def draw_ends(axes: Axes, ends: Points, ended: str, since: str, zone: str) -> None:
    """Draw which end was predicted when, the end that came, and around it how near a forecast had to be to hold."""
    begun, came = number(datetime.fromisoformat(since)), number(datetime.fromisoformat(ended))
    reach = (came - begun) * _SHOWN
    axes.fill_between(
        [begun, came],
        [came - _HELD * (came - begun), came],
        [came + _HELD * (came - begun), came],
        color=SHADE,
        label=f"within {_HELD:.0%} of the time left",
    )
    at = [number(datetime.fromisoformat(moment)) for moment, _ in ends]
    axes.plot(
        at,
        [number(datetime.fromisoformat(end)) for _, end in ends],
        color=VERMILLION,
        linewidth=2,
        linestyle="-.",
        label="predicted end",
    )
    axes.axhline(came, color=INK, linewidth=1.4, linestyle="--", label="end that came")
    axes.set_ylim(came - reach, came + reach)
    locator = dates.AutoDateLocator(tz=ZoneInfo(zone), minticks=3, maxticks=6)  # type: ignore[no-untyped-call]
    axes.yaxis.set_major_locator(locator)
    axes.yaxis.set_major_formatter(dates.DateFormatter("%H:%M:%S", tz=ZoneInfo(zone)))  # type: ignore[no-untyped-call]
    axes.set_ylabel("predicted end")
    axes.grid(axis="y", color=SHADE)


def draw_groups(axes: Axes, rows: Sequence[Mapping[str, Any]], series: Sequence[str], unit: str) -> list[Any]:
    """Draw the bars of each row below one another, and a line at its limit; return what explains them."""
    values = [bar["value"] for row in rows for bar in row["bars"]]
    logarithmic = max(values) > _LOG_FROM * max(min(values), 1e-6)
    if logarithmic:
        axes.set_xscale("log")
    looks = [_FIRST, *_BETWEEN[: len(series) - 2], _LAST] if len(series) > 1 else [_FIRST]
    thick = _HEIGHT / len(series)
    for place, row in enumerate(rows):
        for bar in row["bars"]:
            nth = series.index(bar["series"])
            colour, hatch = looks[nth]
            at = place - _HEIGHT / 2 + (nth + 0.5) * thick
            axes.barh(at, bar["value"], height=thick * 0.9, color=colour, hatch=hatch, edgecolor=INK, linewidth=0.5)
            axes.annotate(
                bar["text"],
                (bar["value"], at),
                (5, 0),
                textcoords="offset points",
                va="center",
                fontsize=9,
                zorder=5,
                bbox={"facecolor": "white", "edgecolor": "none", "pad": 1.0},
            )
        if row["limit"] is not None:
            axes.vlines(row["limit"], place - 0.48, place + 0.48, color=VERMILLION, linestyle="--", linewidth=1.6)
    low, high = min(values), max([*values, *(row["limit"] or 0 for row in rows)])
    axes.set_xlim((low / 3, high * 20) if logarithmic else (0, high * 1.4))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.10g}"))
    axes.set_yticks(range(len(rows)), [cut(row["label"]) for row in rows])
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.tick_params(axis="y", length=0)
    axes.set_xlabel(f"{unit}, on a logarithmic scale" if logarithmic else unit)
    axes.grid(axis="x", color=SHADE)
    axes.set_axisbelow(True)
    return [
        Patch(facecolor=colour, hatch=hatch, edgecolor=INK, label=name)
        for (colour, hatch), name in zip(looks, series, strict=True)
    ]
