"""Puts a closing report into Markdown: plain lists, readable in Slack, in a file and on a page. Pure."""

from collections.abc import Iterable
from datetime import datetime

from integrations.report.closing import Down, Report
from integrations.report.story import StepStory, name_of
from integrations.report.wording import clock, in_words, span, stretch

_MARKS = {"succeeded": "✓", "skipped": "○", "failed": "✗", "unknown": "?", "undone": "↩"}
_TROUBLE_CHARACTERS = 300


def markdown(report: Report) -> str:
    """Return the report as Markdown text. Sections with nothing to tell are left out."""
    head = [f"# {report.title}", f"**{report.headline}**", _list(_head(report))]
    body = [f"## {title}\n\n{_list(lines)}" for title, lines in _sections(report)]
    return "\n\n".join([*head, *body]) + "\n"


def plain(report: Report) -> str:
    """Return the report without its headline as plain text for a chat: a line a section, then its points."""
    body = [f"{title}\n{_points(lines)}" for title, lines in _sections(report)]
    return "\n\n".join([_points(_head(report)), *body])


def _head(report: Report) -> list[str]:
    first = [] if report.first_window == (report.start, report.end) else [*report.first_window]
    return [
        *([f"First announced: {span(first[0], first[1], report.zone)}"] if first else []),
        f"Announced: {span(report.start, report.end, report.zone)}",
        f"Actual: {span(report.began_at, report.ended_at, report.zone)}",
        f"Requested by {name_of(report.requester)}",
    ]


def _sections(report: Report) -> list[tuple[str, Iterable[str]]]:
    sections = [
        ("What was upgraded", report.upgraded),
        ("Security", report.security),
        ("Downtime", downtime(report)),
        ("Messages", [f"{sent.step}: {sent.summary}" for sent in report.messages]),
        ("Steps", [_step(step) for step in report.steps]),
        ("Approvals", _approvals(report)),
        ("Delays", report.delays),
        (
            "Failures and retries",
            [f"{_at(report, event.at)} {event.step}: {_cut(event.text)}" for event in report.troubles],
        ),
        ("Notes", [f"{_at(report, note.at)} {note.text} ({name_of(note.by)})" for note in report.notes]),
        ("For next time", report.next_time),
    ]
    return [(title, lines) for title, lines in sections if lines]


def _points(lines: Iterable[str]) -> str:
    return "\n".join(f"• {' '.join(line.replace('**', '').split())}" for line in lines)


def _list(lines: Iterable[str]) -> str:
    # A line break inside an item would end the list.
    return "\n".join(f"- {' '.join(line.split())}" for line in lines)


def _cut(text: str) -> str:
    return text if len(text) <= _TROUBLE_CHARACTERS else f"{text[:_TROUBLE_CHARACTERS]}… (more in the log)"


def _planned(step: StepStory) -> str:
    return "alongside" if step.alongside else f"planned {in_words(step.planned_s)}"


def _id(step: StepStory) -> str:
    """The name under which the rest of the report and the verbs know a step, where its title is another."""
    return f" ({step.id})" if step.id != step.title else ""


def _step(step: StepStory) -> str:
    mark = _MARKS.get(step.status, "·")
    if step.status == "skipped":
        return f"{mark} **{step.title}**{_id(step)}: skipped. {step.error}"
    if step.actual_s is None:
        return f"{mark} **{step.title}**{_id(step)}: {step.status}"
    tries = f", {step.attempts} attempts" if step.attempts > 1 else ""
    return f"{mark} **{step.title}**{_id(step)}: {in_words(step.actual_s)} ({_planned(step)}{tries}). {step.summary}"


def downtime(report: Report) -> list[str]:
    """Return how long the app was switched off, and what visitors of each address saw, a line each."""
    lines = [
        f"The app was off for {in_words((to - since).total_seconds())}, {_stretch(report, since, to)}."
        for since, to in report.app_off
    ]
    return lines + [_down(report, down) for down in report.downtime]


def _down(report: Report, down: Down) -> str:
    unseen = f"; not watched for {in_words(down.unobserved_s)}" if down.unobserved_s >= 1 else ""
    counted = f"{down.failures:,} of {down.probes:,} probes failed{unseen}"
    if not down.intervals:
        return f"{down.what}: never down ({counted})."
    when = ", ".join(_stretch(report, since, to) for since, to in down.intervals)
    return f"{down.what}: down for {in_words(down.total_s)}, {when} ({counted})."


def _stretch(report: Report, since: datetime, to: datetime) -> str:
    return stretch(since, to, report.zone, report.began_at)


def _at(report: Report, at: datetime) -> str:
    return clock(at, report.zone, report.began_at)


def _approvals(report: Report) -> list[str]:
    lines = []
    for decision in report.decisions:
        how = "approved by" if decision.approved else "rejected by"
        because = f": {decision.reason}" if decision.reason else ""
        when = f"{_at(report, decision.at)}, after {in_words(decision.waited_s)}"
        lines.append(f"{decision.step} {how} {name_of(decision.by)} at {when}{because}.")
    return lines
