"""The step that closes a maintenance with its report."""

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any, ClassVar

from bot.errors import CannotTell, StepError
from bot.step import Context, Outcome, Picture, Plan, Step, step
from integrations.report.closing import Report, closing_report
from integrations.report.markdown import downtime, markdown, plain
from integrations.report.picture import picture
from integrations.report.wording import in_words, span


@step("report")
class ClosingReport(Step):
    """Write the closing report: allotted against actual, each step, what was upgraded, downtime as probed, messages,
    who approved, delays, failures, notes, and what is left for next time; with a picture of planned and actual times.

    It reads the journal alone. Let it need everything that it is to tell of, the probes too; only what tells of the
    report itself comes after it. Notes that begin with `next time`, `upgraded:` or `security:` go to their sections.
    Texts of later steps may use its facts: `outcomes['report'].words` has `announced`, `actual`, `took`, `allotted`,
    `ended`, and the lists `downtime`, `upgraded`, `security` and `next_time`.
    """

    estimate_s: ClassVar[float] = 10.0
    timeout_s: ClassVar[float] = 60.0

    def plan(self, ctx: Context) -> Plan:
        return Plan(f"Write the closing report of {ctx.title}", subject={"uses": self.uses})

    def check(self, ctx: Context) -> Outcome | None:
        raise CannotTell(f"{ctx.step} only reads the journal: writing it again changes nothing.")

    def apply(self, ctx: Context) -> Outcome:
        report = closing_report(ctx.history, ctx.now())
        text = markdown(report)
        return Outcome(report.headline, facts(report), {"report.md": text}, plain(report), _pictures(ctx, report))


def _pictures(ctx: Context, report: Report) -> dict[str, Picture]:
    """The timeline; a report without it is better than none, and then says so."""
    try:
        return {"timeline.png": picture(report)}
    except StepError as error:
        ctx.record(f"The report has no picture: {error}")
        return {}


def facts(report: Report) -> dict[str, Any]:
    """Return the report as plain JSON: moments in ISO 8601 (UTC), lengths in seconds."""
    lengths = {"allotted_s": report.allotted_s, "actual_s": report.actual_s, "late_s": report.late_s}
    plain: dict[str, Any] = _plain({**asdict(report), **lengths})
    for told, step_ in zip(plain["steps"], report.steps, strict=True):
        del told["facts"]  # they are in the journal, with the step itself
        told["actual_s"] = step_.actual_s
    plain["words"] = words(report)
    return plain


def words(report: Report) -> dict[str, Any]:
    """Return what texts for customers are made from: lengths and spans in words, and lists of lines."""
    return {
        "announced": span(report.start, report.end, report.zone),
        "actual": span(report.began_at, report.ended_at, report.zone),
        "took": in_words(report.actual_s),
        "allotted": in_words(report.allotted_s),
        "ended": f"{in_words(abs(report.late_s))} {'after' if report.late_s > 0 else 'before'} the announced end",
        "downtime": downtime(report),
        "upgraded": list(report.upgraded),
        "security": list(report.security),
        "next_time": list(report.next_time),
    }


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    return value
