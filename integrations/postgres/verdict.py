"""What a gate holds against a database: each fault with what to do about it, and all of them as one red."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bot.errors import Red
from bot.step import Picture
from integrations.postgres.probes import Measured, duration
from integrations.postgres.probing import plan_text, told
from integrations.postgres.statistics import Missing

_QUERY_CHARACTERS = 160
_PLANS = "Compare the two plans in the attached files: a changed setting, a missing index, a cold cache."
_ROWS = (
    "Find out who has written since the baseline, or what reads other rows now; compare with the old server or a "
    "backup. An app that may write all the while wants `same_rows: false`."
)
_ERROR = "Run the query by hand and mend what its error names: an extension, a function, a right is missing."
_STATISTICS = (
    "Run VACUUM (ANALYZE) on what lacks statistics (retry the vacuum step if it failed, else psql or vacuumdb); what "
    "the account may not see, grant it."
)


@dataclass(frozen=True)
class Fault:
    """One reason not to open the app: `what` for people, and what they can `do`."""

    what: str
    do: str


def faults_of_statistics(lacking: list[Missing]) -> list[Fault]:
    """Return the one fault that tables lack statistics, if any do."""
    return [Fault(told(lacking), _STATISTICS)] if lacking else []


def faults_of_probe(
    now: Measured, before: Measured, *, ms: tuple[float, float], allowed_ms: float, same_rows: bool
) -> list[Fault]:
    """Return what is wrong with a probe; `ms` are the times that are compared, now and before."""
    query = shown(now.query)
    if now.gave_up_s is not None:
        what = f"{now.name} gave up after {now.gave_up_s:g} s, baseline {before.took}: it was cancelled then ({query})"
        return [Fault(what, _PLANS)]
    if now.error:
        return [Fault(f"{now.name} {now.took}, baseline {before.took} ({query})", _ERROR)]
    faults = []
    if ms[0] > allowed_ms:
        new = sorted(set(now.scanned) - set(before.scanned))
        scans = f"; it now reads all of {', '.join(new)}" if new else ""
        times = ms[0] / max(ms[1], 0.001)
        faults.append(
            Fault(
                f"{now.name} takes {now.took}, {times:,.0f} times its baseline of {before.took} "
                f"(allowed: {duration(allowed_ms)}){scans} ({query})",
                _PLANS,
            )
        )
    if same_rows and (now.rows, now.checksum) != (before.rows, before.checksum):
        rows = f"{now.name} returns other rows than before ({now.rows} rows, {before.rows} before; {query})"
        faults.append(Fault(rows, _ROWS))
    return faults


def faults_of_plans(busy: Sequence[Measured]) -> list[Fault]:
    """Return which of the busiest statements cannot be planned any more."""
    return [
        Fault(f"{each.name} cannot be planned any more: {each.error} ({shown(each.query)})", _ERROR)
        for each in busy
        if each.error
    ]


def faults_of_scans(found: Sequence[Measured], before: Mapping[str, Measured], sizeable: set[str]) -> list[Fault]:
    """Return which plans newly read all of one of the `sizeable` tables."""
    new = {each.name: (set(each.scanned) - set(before[each.name].scanned)) & sizeable for each in found}
    return [
        Fault(f"{name} now reads all of {', '.join(sorted(tables))}: {shown(before[name].query)}", _PLANS)
        for name, tables in new.items()
        if tables
    ]


def red(
    faults: Sequence[Fault],
    found: Sequence[Measured],
    before: Mapping[str, Measured],
    files: Mapping[str, str],
    pictures: Mapping[str, Picture],
) -> Red:
    """Return the faults and what to do as one error; the evidence is both plans of each query, `files`, `pictures`."""
    plans = {f"plan-{name}-before.txt": plan_text(probe) for name, probe in before.items()}
    plans |= {f"plan-{probe.name}-now.txt": plan_text(probe) for probe in found}
    listed = "\n".join(f"• {fault.what}" for fault in faults)
    todo = "\n".join(dict.fromkeys(fault.do for fault in faults))
    return Red(
        f"The database is not ready for the app:\n{listed}\n{todo}\nThen retry this gate. "
        "Nothing has been opened: whatever was off is still off.",
        files={**plans, **files},
        pictures=pictures,
    )


def shown(query: str) -> str:
    """Return the beginning of a query on one line."""
    line = " ".join(query.split())
    return line if len(line) <= _QUERY_CHARACTERS else f"{line[:_QUERY_CHARACTERS]}…"
