"""A process of the bot that may be killed: the real engine, journal, DBOS and lease; its outside world is a file.

`python -m tests.bot.worker ADDRESS FOLDER [TTL_S]` says `up EXECUTOR` when it works, and ends with 0 when every
maintenance is over, with 3 when its lease is lost.
"""

import os
import sys
import threading
import time
from pathlib import Path

import structlog

from bot.attempt import Attempts, Waits
from bot.context import Surroundings
from bot.durable import DbosDurable
from bot.engine import Engine
from bot.errors import AnswerLost
from bot.journal import Journal
from bot.lease import FileLease, TableLease
from bot.ledger import Intents, Progress
from bot.maintenances import Maintenances
from bot.state import State
from bot.step import REGISTRY, Context, Outcome, Plan, Step, step
from bot.step_spec import StepSpec
from tests.bot.databases import opened

LOST = 3
RECIPIENTS = [f"r{number}" for number in range(6)]


def happen(world: str, what: str) -> None:
    """Have an effect: one line in the world, written whole or not at all."""
    with Path(world).open("a") as file:
        file.write(f"{what}\n")


def happened(world: str) -> list[str]:
    """Return all effects so far, in order."""
    return Path(world).read_text().splitlines() if Path(world).exists() else []


class Effect(Step):
    """One effect that the world can be asked about. Takes its time before and after, so that it can be killed there."""

    world: str
    before_s: float = 0.0
    after_s: float = 0.0

    def plan(self, ctx: Context) -> Plan:
        return Plan(f"have the effect {ctx.key}", subject={"key": ctx.key})

    def check(self, ctx: Context) -> Outcome | None:
        return Outcome("it was there", facts={"key": ctx.key}) if ctx.key in happened(self.world) else None

    def apply(self, ctx: Context) -> Outcome:
        happen(f"{self.world}.applied", f"{ctx.key} {os.getpid()}")
        time.sleep(self.before_s)
        ctx.raise_if_stopped()
        happen(self.world, ctx.key)
        time.sleep(self.after_s)
        return Outcome("done", facts={"key": ctx.key})


@step("test.effect")
class FoundOrMade(Effect):
    """The plain kind."""


@step("test.intended")
class Intended(Effect):
    """The outside would not recognise a repetition: the intent is committed first, and the world read back."""

    def check(self, ctx: Context) -> Outcome | None:
        return None

    def apply(self, ctx: Context) -> Outcome:
        happen(f"{self.world}.applied", f"{ctx.key} {os.getpid()}")
        time.sleep(self.before_s)
        if not ctx.intend("effect"):
            if ctx.key not in happened(self.world):
                raise AnswerLost("it was about to happen")
            return Outcome("it was there")
        happen(self.world, ctx.key)
        time.sleep(self.after_s)
        return Outcome("done")


@step("test.recorded")
class Recorded(Effect):
    """Puts a fact on record, once, between two effects."""

    def apply(self, ctx: Context) -> Outcome:
        if "half" not in ctx.facts:
            ctx.record("half of it", half=ctx.key)
        return super().apply(ctx)


@step("test.mass")
class Mass(Effect):
    """Sends to everybody, with a ledger; who was in doubt after a kill is looked up in the world."""

    def check(self, ctx: Context) -> Outcome | None:
        return None

    def apply(self, ctx: Context) -> Outcome:
        happen(f"{self.world}.applied", f"{ctx.key} {os.getpid()}")
        ledger = ctx.ledger("mass")
        ledger.add(RECIPIENTS)
        for recipient, _ in list(ledger.recipients("sending")):
            sent = f"{ctx.key} {recipient}" in happened(self.world)
            ledger.settle([(recipient, "sent" if sent else "pending", "looked up")])
        while claimed := ledger.claim(2):
            for recipient in claimed:
                time.sleep(self.before_s / len(RECIPIENTS))
                happen(self.world, f"{ctx.key} {recipient}")
                ledger.settle([(recipient, "sent", "")])
        return Outcome("sent", facts=ledger.counts())


def build(_: State, spec: StepSpec) -> Step:
    return REGISTRY[spec.uses](**spec.with_)


def main(address: str, folder: Path, ttl_s: float) -> int:
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(file=sys.stderr))
    maintenances = Maintenances(Journal(opened(address)))
    lease: FileLease | TableLease
    if address.startswith("sqlite"):
        lease = FileLease(folder)
    else:
        lease = TableLease(address, lambda: os._exit(LOST), ttl_s=ttl_s)
    stopping = threading.Event()
    surroundings = Surroundings(
        maintenances=maintenances,
        intents=Intents(maintenances.journal.database),
        progress=Progress(maintenances.journal.database),
        value_of=lambda setting: setting.default,
        workdir=folder / "work",
        stopping=stopping,
        may_act=lease.may_act,
    )
    engine: list[Engine] = []
    quick = Waits(settle_s=(0.01,), verify_s=(0.01,))
    attempts = Attempts(surroundings, build, ended=lambda: engine[0].wake() if engine else None, waits=quick)
    durable = DbosDurable(address, lease.executor, attempts.run)
    durable.launch()
    lease.sweep()
    engine.append(Engine(surroundings, build, durable))
    threading.Thread(target=engine[0].run, args=(stopping,), daemon=True).start()
    sys.stdout.write(f"up {lease.executor}\n")
    sys.stdout.flush()
    while maintenances.active():
        time.sleep(0.05)
    lease.close()
    return 0


if __name__ == "__main__":
    status = main(sys.argv[1], Path(sys.argv[2]), float(sys.argv[3]) if sys.argv[3:] else 30.0)
    sys.stdout.flush()
    os._exit(status)  # as the bot does: threads of DBOS may still wait
