"""A question to the old server whose answer would stop an upgrade, or make it hard."""

from dataclasses import dataclass

from integrations.postgres.findings import Severity

_ANY = 1000


@dataclass(frozen=True)
class Rule:
    """One thing to look for. It applies to upgrades from a major up to `last_old` to one from `first_new` on."""

    check: str
    query: str
    what: str
    why: str
    mend: str
    severity: Severity = "red"
    everywhere: bool = False
    first_old: int = 0
    last_old: int = _ANY
    first_new: int = 0

    def applies(self, old: int, new: int) -> bool:
        """Whether it matters for an upgrade from major `old` to `new`."""
        return self.first_old <= old <= self.last_old and new >= self.first_new
