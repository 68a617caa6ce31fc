"""Pictures for the channel, drawn in a process of their own, so that the bot stays as small as it is.

Each function returns a PNG. The process (`python -m bot.charts`) gets JSON, no settings and no secrets, and needs no
network. Colours are those of Okabe and Ito, which colour-blind people tell apart; nothing is told by colour alone.
"""

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from bot.errors import Final, Temporary

Span = tuple[datetime, datetime]
"""Two aware moments, the first before the second."""
MarkKind = Literal["approved", "rejected", "failed", "retried"]
State = Literal["succeeded", "failed", "skipped", "alongside", "open"]

_CHECKOUT = Path(__file__).resolve().parents[2]
_KEPT_ENVIRONMENT = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "LD_LIBRARY_PATH", "MPLCONFIGDIR")
_LIMIT_S = 60.0


@dataclass(frozen=True)
class Row:
    """One line of a timeline.

    `waited` is from the request for an approval to the decision; `stood` are parts of `actual` in which nothing ran.
    """

    label: str
    planned: Span | None = None
    actual: Span | None = None
    waited: Span | None = None
    stood: tuple[Span, ...] = ()
    state: State = "succeeded"


@dataclass(frozen=True)
class Mark:
    """Something that happened at a moment, in the row number `row` (from 0)."""

    row: int
    at: datetime
    kind: MarkKind


@dataclass(frozen=True)
class Bar:
    """One value of a group, drawn in the look of its `series`, with `text` behind it."""

    series: str
    value: float
    text: str


@dataclass(frozen=True)
class Group:
    """Values of one thing, to be compared; `limit` is where the last of them may end."""

    label: str
    bars: tuple[Bar, ...]
    limit: float | None = None


def timeline(
    title: str,
    rows: Sequence[Row],
    *,
    window: Span,
    zone: str,
    marks: Sequence[Mark] = (),
    pauses: Sequence[Span] = (),
) -> bytes:
    """Draw planned and actual bars of each row, with the announced window shaded and times in its IANA `zone`.

    What of a bar is longer than its planned one is drawn in another colour and hatched. Raises `Temporary` if drawing
    takes over a minute, `Final` if it cannot be drawn.
    """
    asked = {"rows": [asdict(row) for row in rows], "marks": [asdict(mark) for mark in marks]}
    return _drawn("timeline", {"title": title, "window": window, "zone": zone, "pauses": list(pauses), **asked})


def bars(title: str, items: Sequence[tuple[str, float]], *, unit: str, limit: float | None = None) -> bytes:
    """Draw a horizontal bar for each labelled value, in order; a line at `limit`, and what is beyond it hatched.

    Raises as `timeline`.
    """
    return _drawn("bars", {"title": title, "items": list(items), "unit": unit, "limit": limit})


def lines(
    title: str,
    series: Mapping[str, Sequence[tuple[datetime, float]]],
    *,
    unit: str,
    zone: str,
    shaded: Sequence[Span] = (),
) -> bytes:
    """Draw each series of values over time, some spans shaded, times in the IANA `zone`. Raises as `timeline`."""
    asked = {name: list(points) for name, points in series.items()}
    return _drawn("lines", {"title": title, "series": asked, "unit": unit, "zone": zone, "shaded": list(shaded)})


def work(
    title: str,
    *,
    done: Sequence[tuple[datetime, float]],
    total: float,
    ends: Sequence[tuple[datetime, datetime]],
    ended: datetime,
    unit: str,
    zone: str,
) -> bytes:
    """Draw how much of `total` (in `unit`) was done by when, and below it which end was predicted when.

    `done` and `ends` are in the order of time, `done` not empty. Raises as `timeline`.
    """
    asked = {"done": list(done), "ends": list(ends), "total": total, "ended": ended}
    return _drawn("work", {"title": title, "unit": unit, "zone": zone, **asked})


def groups(title: str, rows: Sequence[Group], *, series: Sequence[str], unit: str, limit: str) -> bytes:
    """Draw each group's bars (of at most four `series`) below one another, and its limit, which `limit` explains.

    Where values differ by more than 20 times the scale is logarithmic. Raises as `timeline`.
    """
    asked = {"rows": [asdict(row) for row in rows], "series": list(series)}
    return _drawn("groups", {"title": title, "unit": unit, "limit": limit, **asked})


def _drawn(kind: str, asked: Mapping[str, Any]) -> bytes:
    kept = {name: os.environ[name] for name in _KEPT_ENVIRONMENT if name in os.environ}
    try:
        done = subprocess.run(
            [sys.executable, "-m", "bot.charts"],
            input=json.dumps({"kind": kind, **asked}, default=_plain).encode(),
            capture_output=True,
            cwd=_CHECKOUT,
            env={**kept, "MPLBACKEND": "Agg"},
            timeout=_LIMIT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise Temporary(f"Drawing a picture took over {_LIMIT_S:.0f} s, and was given up.") from None
    if done.returncode != 0 or not done.stdout:
        said = done.stderr.decode(errors="replace").strip().splitlines() or [f"it ended with {done.returncode}"]
        raise Final(f"A picture could not be drawn: {said[-1]}", files={"drawing.txt": "\n".join(said)})
    return done.stdout


def _plain(value: object) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} is nothing that can be drawn")
