"""The closing report as a picture: planned and actual bars of the steps that touch the window."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from bot.charts import Mark, MarkKind, Row, Span, State, timeline
from bot.step import Picture
from integrations.report.closing import Report
from integrations.report.story import StepStory
from integrations.report.wording import in_words, span

_MOST_ROWS = 60
_BEFORE = timedelta(minutes=5)
_MARKS: Mapping[str, MarkKind] = {"step_failed": "failed", "step_unknown": "failed", "step_retried": "retried"}
_STATES: Mapping[str, State] = {"succeeded": "succeeded", "skipped": "skipped", "running": "open", "pending": "open"}


def picture(report: Report) -> Picture:
    """Draw the report. Raises `Temporary` or `Final` if that cannot be done."""
    plan = planned(report)
    steps = [step for step in report.steps if _is_shown(report, step, plan)][:_MOST_ROWS]
    rows = [_row(report, step, plan.get(step.id)) for step in steps]
    png = timeline(
        f"{report.title}: planned and actual",
        rows,
        window=(report.start, report.end),
        zone=report.zone,
        marks=_marks(report, [step.id for step in steps]),
        pauses=report.pauses,
    )
    return Picture(png, _alt(report, steps))


def planned(report: Report) -> dict[str, Span]:
    """Return when each step of the window would have run had all gone by the estimates, from the announced start on."""
    known = {step.id: step for step in report.steps}
    found: dict[str, Span] = {}

    def begin(step: StepStory) -> datetime:
        moments = [report.start]
        if step.due is not None:
            anchor = report.start if step.due[0] == "start" else report.end
            moments.append(anchor + timedelta(seconds=step.due[1]))
        moments += [end(known[need]) for need in step.needs if need in known]
        return max(moments)

    def end(step: StepStory) -> datetime:
        if step.phase == "scheduled" or step.alongside:
            return report.start
        if step.id not in found:
            at = begin(step)
            found[step.id] = (at, at + timedelta(seconds=step.planned_s))
        return found[step.id][1]

    for step in report.steps:
        end(step)
    return found


def _is_shown(report: Report, step: StepStory, plan: Mapping[str, Span]) -> bool:
    if step.ended_at is not None:
        return step.ended_at > min(report.start, report.began_at) - _BEFORE
    return step.id in plan or step.started_at is not None


def _row(report: Report, step: StepStory, plan: Span | None) -> Row:
    waited = [(one.at - timedelta(seconds=one.waited_s), one.at) for one in report.decisions if one.step == step.id]
    actual = None
    if step.started_at is not None and step.status != "skipped":
        actual = (step.started_at, step.ended_at or report.ended_at)
    state: State = "alongside" if step.alongside else _STATES.get(step.status, "failed")
    shown = waited[-1] if waited and waited[-1][1] > report.start - _BEFORE else None
    return Row(step.title, None if step.alongside else plan, actual, shown, tuple(step.stood), state)


def _marks(report: Report, rows: list[str]) -> list[Mark]:
    place = {step: number for number, step in enumerate(rows)}
    since = report.start - _BEFORE
    marks = [
        Mark(place[one.step], one.at, "approved" if one.approved else "rejected")
        for one in report.decisions
        if one.step in place and one.at > since
    ]
    return marks + [
        Mark(place[one.step], one.at, _MARKS[one.kind])
        for one in report.troubles
        if one.step in place and one.kind in _MARKS and one.at > since
    ]


def _alt(report: Report, steps: list[StepStory]) -> str:
    told = [
        f"{step.title} {in_words(step.actual_s)} (planned {in_words(step.planned_s)})"
        for step in steps
        if step.actual_s is not None and not step.alongside
    ]
    window = span(report.start, report.end, report.zone)
    return (
        f"A timeline of {len(steps)} step{'' if len(steps) == 1 else 's'} against the announced window, {window}. "
        f"{report.headline} {'; '.join(told)}."
    )
