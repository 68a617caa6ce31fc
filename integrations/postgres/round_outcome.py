"""What came of a round over all tables: one line, facts for the report, a table of times; or what failed, by name."""

import csv
import io
from collections.abc import Mapping, Sequence

from bot.errors import Final
from bot.step import Outcome, Picture
from integrations.postgres.blocked import counted, size, span
from integrations.postgres.rights import LeftOut
from integrations.postgres.scheduler import Done
from integrations.postgres.tables import Work

_SLOWEST_SHOWN = 20


def outcome(
    verb: str, done: Sequence[Done], left: Sequence[Work], others: LeftOut, pictures: Mapping[str, Picture]
) -> Outcome:
    """Return the outcome of what was `done`, and what was left to `others`, with the `pictures` of it.

    Raises `Final`, naming the tables and why, if anything is `left` of what was to be done.
    """
    reasons = {item.work.label: item.error or "; ".join(item.warnings) for item in done}
    failed = {work.label: reasons.get(work.label) or "the server does not count it as done" for work in left}
    files = {"tables.csv": _table(done), **others.files()}
    if failed:
        listed = "\n".join(f"• {label}: {reason}" for label, reason in list(failed.items())[:_SLOWEST_SHOWN])
        more = f"\n… and {len(failed) - _SLOWEST_SHOWN} more" if len(failed) > _SLOWEST_SHOWN else ""
        raise Final(
            f"{counted(len(failed), 'table')} could not be done, all others are:\n{listed}{more}\n"
            "Mend them and retry this step: only these are done again.",
            files={**files, "failed.txt": "".join(f"{label}: {reason}\n" for label, reason in failed.items())},
            pictures=pictures,
        )
    slowest = sorted(done, key=lambda item: -item.seconds)[:_SLOWEST_SHOWN]
    total = sum(item.work.cost_bytes for item in done)
    facts = {
        "tables": len(done),
        "bytes": total,
        "table_seconds": round(sum(item.seconds for item in done), 3),
        "slowest": {item.work.label: round(item.seconds, 3) for item in slowest},
    }
    named = ", ".join(f"{item.work.label} {span(item.seconds)}" for item in slowest[:2])
    remark = f"; {others.told()}" if others.told() else ""
    said = f"{verb}: {counted(len(done), 'table')}, {size(total)} (longest: {named or 'none'}){remark}"
    return Outcome(said, facts, files, pictures=pictures)


def _table(done: Sequence[Done]) -> str:
    text = io.StringIO()
    rows = csv.writer(text)
    rows.writerow(["table", "bytes", "vacuum", "analyze", "seconds", "error", "warnings"])
    for item in sorted(done, key=lambda item: -item.seconds):
        work = item.work
        row = [work.label, work.cost_bytes, work.vacuum, work.analyze, f"{item.seconds:.3f}"]
        rows.writerow([*row, item.error, "; ".join(item.warnings)])
    return text.getvalue()
