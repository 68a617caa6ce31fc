"""A step's surroundings without a maintenance around it."""

import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bot.step import Json, Ledger, Setting, Window
from integrations.postgres.connection import DSN_NAME

_LEFT = re.compile(r"about ([0-9.]+) s left")


@dataclass
class Alone:
    """Facts and intents stay here; of the progress only what it said of the time left is kept.

    `foretold` has pairs: seconds since the first progress, and the seconds that were said to be left then.
    """

    workdir: Path
    dsn: str
    facts: dict[str, Any] = field(default_factory=dict)
    maintenance: str = "benchmark"
    step: str = "vacuum"
    attempt: int = 1
    title: str = "benchmark"
    key: str = "benchmark:vacuum"
    window: Window = field(default_factory=lambda: Window(datetime.now(UTC), datetime.now(UTC), "UTC"))
    outcomes: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    statuses: Mapping[str, str] = field(default_factory=dict)
    history: Sequence[Mapping[str, Any]] = ()
    foretold: list[tuple[float, float]] = field(default_factory=list)
    began: float = field(default_factory=time.perf_counter)
    intents: set[str] = field(default_factory=set)

    def now(self) -> datetime:
        return datetime.now(UTC)

    def setting(self, setting: Setting) -> str:
        return self.dsn if setting.name == DSN_NAME else setting.default or ""

    def intend(self, name: str) -> bool:
        first = name not in self.intents
        self.intents.add(name)
        return first

    def intended(self, name: str) -> bool:
        return name in self.intents

    def forget_intent(self, name: str) -> None:
        self.intents.discard(name)

    def record(self, text: str, **facts: Json) -> None:  # noqa: ARG002 - nobody reads it
        self.facts.update(facts)

    def progress(self, done: float, total: float | None, unit: str, text: str = "") -> None:  # noqa: ARG002 - as above
        said = _LEFT.search(text)
        if said:
            self.foretold.append((time.perf_counter() - self.began, float(said[1])))

    def ledger(self, name: str) -> Ledger:
        raise NotImplementedError(name)

    def taken_back(self) -> str | None:
        return None

    def stop_reason(self) -> str | None:
        return None

    def raise_if_stopped(self) -> None:
        """Nobody stops it."""

    def paused(self) -> bool:
        return False

    def hold(self, done: float, total: float | None, unit: str) -> None:
        """Nobody pauses it."""

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)
