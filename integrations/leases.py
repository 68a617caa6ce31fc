"""Keeps something up outside on a short lease while other steps run: renewed until a step is settled, then ended.

No integration of its own: what quiets alerts (`alertmanager.silence`, `pagerduty.maintenance_window`) shares it. What
is up is known by the outside alone and found there by a mark, so a restart takes it up again; and should the bot never
come back, the lease runs out by itself and people are alerted again.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Any, ClassVar, Literal, Protocol, Self

from pydantic import Field

from bot.errors import AnswerLost, Final, Temporary
from bot.step import Context, OnFailure, Outcome, Standing, Step
from integrations.patience import patiently

_SETTLED = frozenset({"succeeded", "skipped", "undone"})
_LOOKS_S = (0.2, 0.5, 1.0)
_POLL_S = 0.5
_ROUNDING = timedelta(seconds=1)  # an outside may keep whole seconds


@dataclass(frozen=True)
class Lease:
    """One thing that is or was up: its id outside, its end (aware UTC), and `document`, as the outside tells it."""

    id: str
    ends_at: datetime
    state: Literal["pending", "active", "ended"]
    document: Mapping[str, Any]


class Keeper(Protocol):
    """A client of the outside system for one step. Its methods raise `StepError` as `bot.http` does."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...

    def ours(self) -> list[Lease]:
        """Return all that this step has up, found by its mark."""
        ...

    def read(self, id_: str) -> Lease | None:
        """Return one by its id, or None if the outside does not know it (any more)."""
        ...

    def create(self, ends_at: datetime) -> str:
        """Put one up at once, and return its id. Called twice it makes two."""
        ...

    def renew(self, lease: Lease, ends_at: datetime) -> str:
        """Move the end of one that is up; returns its id, a new one if the outside has replaced it."""
        ...

    def end(self, id_: str) -> None:
        """End one now; no error if it has ended already."""
        ...


class Leased(Step):
    """What the steps that keep something up for a while have in common."""

    estimate_s: ClassVar[float] = 1.0
    timeout_s: ClassVar[float] = 86400.0
    reversible: ClassVar[bool] = True
    on_failure: ClassVar[OnFailure] = "lift"
    noun: ClassVar[str]
    """What it is that is up, for people."""
    fact: ClassVar[str]
    """The name under which its id is on record."""

    until: str
    """The id of the step whose end ends it. It follows that step, however long the maintenance takes."""
    lease_s: Annotated[float, Field(ge=2, le=14400)] = 900.0
    """How long it stays up, in seconds, should the bot not come back; renewed when a third of that has passed."""

    def keeper(self, ctx: Context) -> Keeper:
        """Return a client. Raises `Final` if a setting is missing or wrong."""
        raise NotImplementedError

    def effect(self) -> str:
        """Return what being up means, for people: half a sentence that begins a sentence."""
        raise NotImplementedError

    def check(self, ctx: Context) -> Outcome | None:
        id_ = ctx.facts.get(self.fact)
        if id_ is None or not self._is_over(ctx):
            return None
        with self.keeper(ctx) as keeper:
            return None if _up(keeper, id_) else self._ended(ctx, keeper, id_)

    def apply(self, ctx: Context) -> Outcome:
        self.must_know_until(ctx)
        with self.keeper(ctx) as keeper:
            if not self._is_over(ctx):
                self._hold(ctx, keeper)
            return patiently(ctx, lambda: self._end(ctx, keeper, ctx.facts.get(self.fact)))

    def verify(self, ctx: Context, outcome: Outcome) -> None:
        with self.keeper(ctx) as keeper:
            self._must_be_down(keeper, outcome.facts.get(self.fact))

    def standing(self, ctx: Context, outcome: Outcome) -> Standing | None:
        with self.keeper(ctx) as keeper:
            found = _up(keeper, outcome.facts.get(self.fact))
        # Without its end, which every renewal moves: what stands is told again only when it has changed.
        return Standing(f"the {self.noun} {', '.join(lease.id for lease in found)}") if found else None

    def undo(self, ctx: Context, outcome: Outcome) -> Outcome:
        with self.keeper(ctx) as keeper:
            return patiently(ctx, lambda: self._end(ctx, keeper, outcome.facts.get(self.fact)))

    def must_know_until(self, ctx: Context) -> None:
        """Raise `Final` if the step to wait for does not exist: it would be kept up for ever."""
        if self.until not in ctx.statuses or self.until == ctx.step:
            raise Final(f"{ctx.step} lasts until {self.until!r}, and there is no other step of that name.")

    def _is_over(self, ctx: Context) -> bool:
        return ctx.statuses.get(self.until) in _SETTLED

    def _hold(self, ctx: Context, keeper: Keeper) -> None:
        """Return once the other step is settled. While the outside does not answer it goes on trying."""
        lease, third = self._begin(ctx, keeper), timedelta(seconds=self.lease_s / 3)
        due, warned = ctx.now() + third, False
        while not self._is_over(ctx):
            ctx.progress(0, None, "", f"{self.effect()} until {_clock(lease.ends_at)}, renewed before")
            ctx.sleep(min(_POLL_S, self.lease_s / 10))
            if ctx.now() < due:
                continue
            try:
                lease = self._renew(ctx, keeper, lease)
            except (Temporary, AnswerLost) as error:
                asked_s = error.retry_after_s if isinstance(error, Temporary) else None
                due = ctx.now() + max(third / 10, timedelta(seconds=asked_s or 0))
                if not warned and ctx.now() > lease.ends_at - third:
                    ctx.record(f"{error} The {self.noun} lasts until {_clock(lease.ends_at)}; renewing goes on.")
                    warned = True
            except Final as error:
                told = f"{error} The {self.noun} {lease.id} is not renewed any more"
                raise Final(f"{told}; it was leased until {_clock(lease.ends_at)}.", status=error.status) from None
            else:
                if warned:
                    ctx.record(f"The {self.noun} {lease.id} is renewed again, until {_clock(lease.ends_at)}.")
                due, warned = ctx.now() + third, False

    def _begin(self, ctx: Context, keeper: Keeper) -> Lease:
        """Take up what an earlier run put up, or put it up."""
        known = ctx.facts.get(self.fact)
        found = _up(keeper, known)
        if not found:
            return self._put_up(ctx, keeper, f"{known} is not up any more; " if known else "")
        lease, *more = found
        for one in more:
            keeper.end(one.id)
        if lease.id != known:
            self._adopt(ctx, lease)
        return self._renew(ctx, keeper, lease)

    def _adopt(self, ctx: Context, lease: Lease) -> Lease:
        ctx.record(f"{self.effect()}: found the {self.noun} {lease.id} of an earlier try.", **{self.fact: lease.id})
        return lease

    def _put_up(self, ctx: Context, keeper: Keeper, why: str) -> Lease:
        late = keeper.ours()
        if late:
            return self._adopt(ctx, late[0])
        ctx.raise_if_stopped()
        ends_at = ctx.now() + timedelta(seconds=self.lease_s)
        try:
            id_ = keeper.create(ends_at)
        except AnswerLost as lost:
            id_ = self._find(ctx, keeper, lost)
        told = f"{why}{self.effect()} until {self.until} is done"
        ctx.record(f"{told} ({self.noun} {id_}, until {_clock(ends_at)}, renewed before).", **{self.fact: id_})
        return self._read_back(ctx, keeper, id_, ends_at)

    def _find(self, ctx: Context, keeper: Keeper, lost: AnswerLost) -> str:
        """Return the id of what was made although the answer was lost. Raises `Temporary` if it is not there.

        If it appears later still, the next run finds it, and the end takes down whatever has the mark.
        """
        for wait_s in _LOOKS_S:
            ctx.sleep(wait_s)
            found = keeper.ours()
            if found:
                return found[0].id
        raise Temporary(f"{lost} Reading back shows no {self.noun}.") from None

    def _renew(self, ctx: Context, keeper: Keeper, lease: Lease) -> Lease:
        now = keeper.read(lease.id)
        if now is None or now.state == "ended":
            return self._replace(ctx, keeper, lease, now)
        # Somebody may have extended it by hand: that is not taken back before the end.
        ends_at = max(now.ends_at, ctx.now() + timedelta(seconds=self.lease_s))
        id_ = keeper.renew(now, ends_at)
        if id_ != lease.id:
            ctx.record(f"The {self.noun} {lease.id} was replaced by {id_}.", **{self.fact: id_})
        return self._read_back(ctx, keeper, id_, ends_at)

    def _replace(self, ctx: Context, keeper: Keeper, before: Lease, now: Lease | None) -> Lease:
        if now is not None and now.ends_at < before.ends_at:
            raise Final(
                f"Somebody ended the {self.noun} {before.id} by hand at {_clock(now.ends_at)}, so people are alerted "
                f"again. Retry {ctx.step} to have it up again, or skip it to leave it so."
            )
        why = "was lost" if now is None else f"had run out at {_clock(now.ends_at)}"
        return self._put_up(ctx, keeper, f"The {self.noun} {before.id} {why}, and people could be alerted. ")

    def _read_back(self, ctx: Context, keeper: Keeper, id_: str, ends_at: datetime) -> Lease:
        lease = keeper.read(id_)
        for wait_s in _LOOKS_S:
            if lease is not None and lease.state == "active" and lease.ends_at >= ends_at - _ROUNDING:
                return lease
            ctx.sleep(wait_s)
            lease = keeper.read(id_)
        shown = "nothing" if lease is None else f"it as {lease.state}, until {_clock(lease.ends_at)}"
        raise Temporary(f"The {self.noun} {id_} was set until {_clock(ends_at)}, and reading back shows {shown}.")

    def _end(self, ctx: Context, keeper: Keeper, known: str | None) -> Outcome:
        found = _up(keeper, known)
        for lease in found:
            keeper.end(lease.id)
        self._must_be_down(keeper, known)
        id_ = found[0].id if found else known
        return Outcome(f"There is no {self.noun} to end.") if id_ is None else self._ended(ctx, keeper, id_)

    def _must_be_down(self, keeper: Keeper, known: str | None) -> None:
        left = ", ".join(lease.id for lease in _up(keeper, known))
        if left:
            raise Temporary(f"The {self.noun} {left} was ended, and reading back still shows it up.")

    def _ended(self, ctx: Context, keeper: Keeper, id_: str) -> Outcome:
        lease = keeper.read(id_)
        at = ctx.now() if lease is None else lease.ends_at
        return Outcome(f"The {self.noun} {id_} ended at {_clock(at)}", {self.fact: id_, "expired_at": at.isoformat()})


def _up(keeper: Keeper, known: str | None) -> list[Lease]:
    """Return what this step has up, the one on record first even if somebody has taken the mark off it."""
    ours = keeper.ours()
    if known is None:
        return ours
    on_record = next((lease for lease in ours if lease.id == known), None) or keeper.read(known)
    others = [lease for lease in ours if lease.id != known]
    return others if on_record is None or on_record.state == "ended" else [on_record, *others]


def _clock(at: datetime) -> str:
    return f"{at:%H:%M:%S} UTC"
