"""Pictures of what was measured. One that cannot be drawn holds nothing up: the log says so."""

from collections.abc import Callable, Mapping, Sequence

from bot.charts import Bar, Group, bars, groups, work
from bot.errors import StepError
from bot.step import Context, Picture
from integrations.postgres.blocked import size, span
from integrations.postgres.forecast import Track
from integrations.postgres.probes import Measured
from integrations.postgres.scheduler import Done

_SHOWN = 12
_WORTH_A_PICTURE_S = 60.0
"""Drawing takes a second or two itself."""
_UNITS = (("GB", 1024.0**3), ("MB", 1024.0**2))
_LEAST_MS = 0.01
BEFORE, BETWEEN, NOW = "before", "without statistics", "now"


def tables_by_time(ctx: Context, verb: str, done: Sequence[Done]) -> dict[str, Picture]:
    """Draw the tables that took longest; none where all was done in moments, or if it cannot be drawn."""
    total_s = sum(item.seconds for item in done)
    if total_s < _WORTH_A_PICTURE_S:
        return {}
    slowest = sorted(done, key=lambda item: -item.seconds)[:_SHOWN]
    items = [(item.work.label, round(item.seconds, 1)) for item in slowest]
    title = f"{verb}: the {len(items)} tables that took longest, of {len(done)}"
    named = ", ".join(f"{item.work.label} {span(item.seconds)}" for item in slowest)
    told = f"Tables by the time they took: {named}."
    return _drawn(ctx, "tables.png", told, lambda: bars(title, items, unit="s"))


def work_and_forecast(ctx: Context, verb: str, track: Track) -> dict[str, Picture]:
    """Draw the bytes done over time, and when which end was predicted; none where all was done in moments."""
    if len(track.ends) <= 1 or (track.done[-1][0] - track.done[0][0]).total_seconds() < _WORTH_A_PICTURE_S:
        return {}
    unit, scale = next((each for each in _UNITS if track.total >= each[1]), _UNITS[-1])
    half = track.half_way()
    told = f"{size(track.total)} in {span((track.done[-1][0] - track.done[0][0]).total_seconds())}"
    if half is not None:
        late = f"{span(abs(half[0]))} too {'late' if half[0] > 0 else 'early'}"
        told += f"; half-way, with {span(half[1])} to go, the end was predicted {late}"
    return _drawn(
        ctx,
        "forecast.png",
        f"{verb}: {told}.",
        lambda: work(
            f"{verb}: {told}",
            done=[(at, done / scale) for at, done in track.done],
            total=track.total / scale,
            ends=track.ends,
            ended=track.done[-1][0],
            unit=unit,
            zone=ctx.window.zone,
        ),
    )


def before_and_now(
    ctx: Context,
    looks: Mapping[str, Mapping[str, Measured]],
    *,
    ms: Callable[[Measured], float],
    allowed_ms: Callable[[float], float],
    limit: str,
    worth_ms: float,
) -> dict[str, Picture]:
    """Draw the probes' times as `ms` tells them, by the `looks` at them (first the baseline, last now).

    None where all are below `worth_ms`: such times differ by chance.
    """
    baseline = next(iter(looks.values()))
    names = list(baseline)[:_SHOWN]
    times = [_ms(look[name], ms) for look in looks.values() for name in names if name in look]
    if max(times, default=0.0) <= worth_ms:
        return {}
    rows = [
        Group(
            name,
            tuple(
                Bar(series, _ms(look[name], ms), look[name].took)
                for series, look in looks.items()
                if name in look and not look[name].error
            ),
            allowed_ms(ms(baseline[name])),
        )
        for name in names
    ]
    told = "; ".join(f"{row.label}: " + ", ".join(f"{bar.series} {bar.text}" for bar in row.bars) for row in rows)
    title = "Probe queries, before the work and now"
    return _drawn(
        ctx,
        "probes.png",
        f"Times of the probe queries. {told}.",
        lambda: groups(title, rows, series=list(looks), unit="ms", limit=limit),
    )


def _ms(probe: Measured, ms: Callable[[Measured], float]) -> float:
    return max(_LEAST_MS, probe.gave_up_s * 1000 if probe.gave_up_s is not None else ms(probe))


def _drawn(ctx: Context, name: str, alt: str, draw: Callable[[], bytes]) -> dict[str, Picture]:
    try:
        return {name: Picture(draw(), alt[:1000])}
    except StepError as error:
        ctx.record(f"The picture {name} could not be drawn, which changes nothing of what was done: {error}")
        return {}
