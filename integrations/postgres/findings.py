"""What a preflight finds: what, where, why it matters, and how to mend it."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

Severity = Literal["red", "warning", "note"]
_SHOWN_PLACES = 5


@dataclass(frozen=True)
class Finding:
    """One thing that was found. `red` forbids the upgrade, a `warning` wants a decision, a `note` is told only."""

    check: str
    severity: Severity
    what: str
    why: str
    mend: str
    where: tuple[str, ...] = ()

    def facts(self) -> dict[str, Any]:
        """Return it as plain JSON."""
        return {**asdict(self), "where": list(self.where)}

    def __str__(self) -> str:
        more = f" and {len(self.where) - _SHOWN_PLACES} more" if len(self.where) > _SHOWN_PLACES else ""
        places = f": {', '.join(self.where[:_SHOWN_PLACES])}{more}" if self.where else ""
        return f"{self.what}{places}. {self.mend}"


def of(findings: Iterable[Finding], severity: Severity) -> list[Finding]:
    """Return those of one severity."""
    return [finding for finding in findings if finding.severity == severity]


def report(findings: Sequence[Finding]) -> str:
    """Return everything in full, worst first, as text for a file."""
    parts = []
    for severity in get_args(Severity):
        for finding in of(findings, severity):
            where = "".join(f"  - {place}\n" for place in finding.where)
            parts.append(
                f"{severity.upper()}: {finding.what} ({finding.check})\n{where}"
                f"  why:  {finding.why}\n  mend: {finding.mend}\n"
            )
    return "\n".join(parts) or "Nothing was found.\n"
