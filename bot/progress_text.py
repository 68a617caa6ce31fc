"""How far a running step is, as one line of text with a bar and the time that is probably left. Pure."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from bot.entry import instant
from bot.markup import duration, inline

_BAR_CELLS = 12
_EARLIEST_ETA_S = 5.0
_KILO, _UNITS = 1024.0, ("B", "KB", "MB", "GB", "TB")


def progress_line(progress: Mapping[str, Any], since: datetime | None) -> str:
    """Return e.g. `▰▰▰▱▱▱ 50 % · 1.2 of 2.4 GB · about 4 min left · vacuuming orders`.

    `progress` is a row of `bot.ledger.Progress.read`; `since` is when the attempt started, for the time left. Figures
    of an earlier attempt are not shown, nor is a figure of nothing: without total and unit there is only the text.
    """
    at = instant(progress["at"])
    if since is None or at < since:
        return ""
    done, total, unit = float(progress["done"]), progress["total"], str(progress["unit"])
    parts: list[str] = []
    if total:
        share = min(1.0, max(0.0, done / float(total)))
        full = int(share * _BAR_CELLS)
        parts.append(f"{'▰' * full}{'▱' * (_BAR_CELLS - full)} {int(share * 100)} %")
        parts.append(f"{_figure(done, unit)} of {_figure(float(total), unit)} {_unit(unit)}".rstrip())
        if not progress.get("held"):
            parts.append(_left(share, (at - since).total_seconds()))
    elif unit:
        parts.append(f"{_figure(done, unit)} {_unit(unit)}".rstrip())
    parts.append(inline(str(progress["text"])))
    return " · ".join(filter(None, parts))


def _left(share: float, elapsed_s: float) -> str:
    if share >= 1.0 or share <= 0.0 or elapsed_s < _EARLIEST_ETA_S:
        return ""
    return f"about {duration(elapsed_s * (1 - share) / share)} left"


def _figure(value: float, unit: str) -> str:
    if unit in {"bytes", "B"}:
        size, step = value, 0
        while size >= _KILO and step < len(_UNITS) - 1:
            size, step = size / _KILO, step + 1
        return f"{size:.0f} {_UNITS[step]}" if step == 0 else f"{size:.1f} {_UNITS[step]}"
    return f"{value:,.0f}" if value == int(value) else f"{value:,.1f}"


def _unit(unit: str) -> str:
    return "" if unit in {"bytes", "B"} else inline(unit)
