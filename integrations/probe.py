"""Watches addresses while other steps run, and knows afterwards for how long visitors saw no working page."""

import json
import os
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, ClassVar, TextIO

from pydantic import BaseModel, ConfigDict, Field

from bot.errors import AnswerLost, Final, Temporary
from bot.http import Http
from bot.step import Context, Outcome, Plan, Step, step
from integrations.answers import Url, host

_ANY_STATUS = range(100, 600)
_SETTLED = frozenset({"succeeded", "skipped", "undone"})
_GAP = 3  # so many intervals without a probe are a time in which nobody looked
_MOST_INTERVALS = 200


class Expected(BaseModel):
    """What a working page is like. A maintenance page, usually a 503, is not one."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    status: Annotated[int, Field(ge=100, le=599)] = 200
    """The HTTP status of a working page."""
    text: str | None = None
    """A text that a working page has."""


@dataclass(frozen=True)
class Sample:
    """One probe of one address. `why` says what was wrong, and is empty if nothing was; `took_ms` in milliseconds."""

    at: datetime
    url: str
    why: str
    took_ms: int

    def line(self) -> str:
        """Return the sample as one line of JSON."""
        told = {"at": self.at.isoformat(), "url": self.url, "why": self.why, "took_ms": self.took_ms}
        return json.dumps(told, ensure_ascii=False) + "\n"


@dataclass
class Tally:
    """What the samples of one address add up to; takes the same room however many there are.

    It is down from the first failing probe to the next good one. `unobserved_s` is the time in which nobody looked
    (the bot was being restarted); between two failing probes it counts as down as well. `down` has the first 200
    intervals, `down_s` is the sum of all.
    """

    longest_gap_s: float
    probes: int = 0
    failures: int = 0
    unobserved_s: float = 0.0
    down: list[tuple[datetime, datetime]] = field(default_factory=list)
    down_s: float = 0.0
    down_since: datetime | None = None
    last: Sample | None = None

    def add(self, sample: Sample) -> None:
        """Take in the next sample."""
        if self.last is not None:
            gap_s = (sample.at - self.last.at).total_seconds()
            self.unobserved_s += gap_s if gap_s > self.longest_gap_s else 0.0
        self.probes += 1
        self.last = sample
        if sample.why:
            self.failures += 1
            self.down_since = self.down_since or sample.at
        elif self.down_since is not None:
            self._close(sample.at)

    def _close(self, at: datetime) -> None:
        assert self.down_since is not None  # noqa: S101 - the callers' condition
        self.down_s += (at - self.down_since).total_seconds()
        if len(self.down) < _MOST_INTERVALS:
            self.down.append((self.down_since, at))
        self.down_since = None

    def facts(self) -> dict[str, Any]:
        """Return the tally as JSON: moments in ISO 8601; a down time that has not ended lasts until the last probe."""
        down, down_s = list(self.down), self.down_s
        if self.down_since is not None and self.last is not None:
            down.append((self.down_since, self.last.at))
            down_s += (self.last.at - self.down_since).total_seconds()
        return {
            "probes": self.probes,
            "failures": self.failures,
            "down": [[since.isoformat(), to.isoformat()] for since, to in down],
            "down_s": round(down_s, 3),
            "unobserved_s": round(self.unobserved_s, 3),
            "up_at_the_end": self.last is not None and not self.last.why,
            "last_trouble": self.last.why if self.last else "",
        }


@step("probe")
class Probe(Step):
    """Request addresses at regular intervals until another step is settled, and report how long each was down.

    Let nothing but the report need it, and let it need what the watch should begin after: it runs alongside. Every
    probe is kept in a file; a restart of the bot goes on there, and the time without probes is told.
    """

    estimate_s: ClassVar[float] = 1.0
    timeout_s: ClassVar[float] = 86400.0

    urls: Annotated[tuple[Url, ...], Field(min_length=1, max_length=20)]
    """The addresses to watch."""
    until: str
    """The id of the step whose end ends the watch."""
    every_s: Annotated[float, Field(ge=0.1, le=300)] = 1.0
    """The time from one probe of an address to the next, in seconds."""
    limit_s: Annotated[float, Field(gt=0, le=60)] = 5.0
    """How long an answer may take, in seconds; a later one counts as down."""
    expect: Expected = Expected()
    """What a working page is like."""

    def plan(self, ctx: Context) -> Plan:
        self._must_know_until(ctx)
        with ThreadPoolExecutor(len(self.urls)) as pool:
            now = [self._describe(sample) for sample in pool.map(lambda url: self._probe(ctx, url), self.urls)]
        addresses = "1 address" if len(self.urls) == 1 else f"{len(self.urls)} addresses"
        return Plan(
            summary=f"Watch {addresses} every {self.every_s:g} s until {self.until} is done",
            details=tuple(now),
            subject={"uses": self.uses, "with": self.model_dump(mode="json")},
        )

    def check(self, ctx: Context) -> Outcome | None:
        if not (self._log(ctx).exists() and self._is_over(ctx)):
            return None
        return self._outcome(self._tallies(ctx))

    def apply(self, ctx: Context) -> Outcome:
        self._must_know_until(ctx)
        tallies = self._tallies(ctx)
        due = time.monotonic()
        with ThreadPoolExecutor(len(self.urls)) as pool, _appending(self._log(ctx)) as log:
            while True:
                over = self._is_over(ctx)  # before the probes: the last of them sees the world after that step
                samples = list(pool.map(lambda url: self._probe(ctx, url), self.urls))
                for sample in samples:
                    log.write(sample.line())
                    tallies[sample.url].add(sample)
                log.flush()
                up = sum(1 for sample in samples if not sample.why)
                ctx.progress(tallies[self.urls[0]].probes, None, "probes", f"{up} of {len(samples)} up")
                if over:
                    return self._outcome(tallies)
                due = max(due + self.every_s, time.monotonic())  # what was missed is not made up for
                ctx.sleep(due - time.monotonic())

    def _must_know_until(self, ctx: Context) -> None:
        if self.until not in ctx.statuses or self.until == ctx.step:
            raise Final(f"{ctx.step} watches until {self.until!r}, and there is no other step of that name.")

    def _is_over(self, ctx: Context) -> bool:
        return ctx.statuses.get(self.until) in _SETTLED

    def _probe(self, ctx: Context, url: str) -> Sample:
        at = ctx.now()
        why = self._trouble(url)
        return Sample(at, url, why, round((ctx.now() - at).total_seconds() * 1000))

    def _trouble(self, url: str) -> str:
        """Return what is wrong with the page at `url` now; empty if nothing is."""
        try:
            with Http("", system=host(url), timeout_s=self.limit_s, connections=1) as http:
                answer = http.request("GET", url, accept=_ANY_STATUS)
        except (Temporary, Final, AnswerLost) as error:
            return str(error)
        if answer.status != self.expect.status:
            return f"status {answer.status}"
        if self.expect.text is not None and self.expect.text not in answer.text:
            return f"the text {self.expect.text!r} is not in the page"
        return ""

    def _describe(self, sample: Sample) -> str:
        return f"{sample.url} {f'is down now: {sample.why}' if sample.why else 'is up now'}"

    def _log(self, ctx: Context) -> Path:
        return ctx.workdir / "probe.jsonl"

    def _tallies(self, ctx: Context) -> dict[str, Tally]:
        """Return the tallies of all that earlier runs of this step have written down."""
        tallies = {url: Tally(_GAP * max(self.every_s, self.limit_s)) for url in self.urls}
        for sample in _samples(self._log(ctx)):
            if sample.url in tallies:
                tallies[sample.url].add(sample)
        return tallies

    def _outcome(self, tallies: dict[str, Tally]) -> Outcome:
        facts = {url: tally.facts() for url, tally in tallies.items()}
        down = [f"{url} down {_in_minutes(told['down_s'])}" for url, told in facts.items() if told["failures"]]
        return Outcome("; ".join(down) or "Every address was up all the time", {"urls": facts})


def _appending(path: Path) -> TextIO:
    """Open the log to go on with it, on a line of its own even if a power failure cut the last one short."""
    with path.open("ab+") as file:
        if file.seek(0, os.SEEK_END):
            file.seek(-1, os.SEEK_END)
            if file.read(1) != b"\n":
                file.write(b"\n")
    return path.open("a", encoding="utf-8")


def _samples(path: Path) -> Iterator[Sample]:
    """Yield what the file holds; a line that was cut short is no sample."""
    if not path.exists():
        return
    with path.open(encoding="utf-8", errors="replace") as file:
        for line in file:
            try:
                told = json.loads(line)
            except ValueError:
                continue
            yield Sample(datetime.fromisoformat(told["at"]), told["url"], told["why"], told["took_ms"])


def _in_minutes(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
