"""Sends one message to everybody on a ledger: claimed before the request, settled after its answer.

The calling thread alone touches the ledger; a pool of threads makes the requests.
"""

import math
import queue
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from bot.errors import AnswerLost, Final, StepError, Stopped, Temporary
from bot.step import Context, Ledger
from integrations.intercom.client import TOKEN, WORKERS, Intercom
from integrations.intercom.verdict import Verdict, verdict

_LOOK_EVERY_S = 0.25
_COLLECT_S = 0.1
_BATCH = WORKERS
_LOST_IN_A_ROW = 5
_STALE_S = 2.0

Letter = Callable[[str], dict[str, object]]
"""Makes the body of `POST /messages` for one contact id."""


class Delivery:
    """One run over the ledger, until nobody is pending or something stops it; nobody is left in `sending` by it.

    The first message goes alone: what would hit everybody (a wrong token, a body that is refused) hits one.

    A process that was frozen may have been taken over meanwhile. So nothing is sent, and nothing settled, unless the
    context was asked moments before, by a clock that goes on while we are frozen, whether the step may go on.
    """

    def __init__(self, ctx: Context, client: Intercom, ledger: Ledger, letter: Letter) -> None:
        self._ctx, self._client, self._ledger, self._letter = ctx, client, ledger, letter
        self._answers: queue.SimpleQueue[tuple[str, Verdict]] = queue.SimpleQueue()
        self._halted = threading.Event()
        self._trouble: StepError | None = None
        self._counts = ledger.counts()
        self._accepted = self._counts["sent"] > 0
        self._wide = False
        self.held = False
        """Whether it ended early because the maintenance is paused."""
        self._on_the_way = 0
        self._lost_in_a_row = 0
        self._looked_at = -math.inf
        self.sent = 0

    def run(self) -> None:
        """Send. Raises `Stopped`, `Final` or `Temporary`; whoever was not sent anything is pending then.

        Returns early, with `held` set, when the maintenance is paused; nobody is in between then, however long it is.
        """
        with ThreadPoolExecutor(WORKERS, thread_name_prefix="intercom") as pool:
            try:
                while self._hand_out(pool):
                    self._collect()
            finally:
                self._halted.set()
                while self._on_the_way:
                    self._collect()
        if self._trouble is not None:
            raise self._trouble

    def _hand_out(self, pool: ThreadPoolExecutor) -> bool:
        """Claim as many as there is room for; False when there is nothing more to wait for."""
        self._look()
        room = (2 * WORKERS if self._wide else 1) - self._on_the_way
        if room > 0 and not self._halted.is_set():
            for contact in self._ledger.claim(room):
                self._on_the_way += 1
                pool.submit(self._send, contact)
        return self._on_the_way > 0

    def _look(self) -> None:
        """Ask whether to go on; does not return where another process has been given this step."""
        if _uptime_s() - self._looked_at < _LOOK_EVERY_S:
            return
        try:
            self._ctx.raise_if_stopped()
        except Stopped as stopped:
            self._halt(stopped)
        if self._ctx.paused():
            self.held = True
            self._halted.set()
        self._looked_at = _uptime_s()

    def _must_hold(self) -> bool:
        return self._halted.is_set() or _uptime_s() - self._looked_at > _STALE_S

    def _halt(self, trouble: StepError) -> None:
        self._trouble = self._trouble or trouble
        self._halted.set()

    def _send(self, contact: str) -> None:
        """Runs in the pool. Always puts one answer into the queue."""
        try:
            self._answers.put((contact, self._attempt(contact)))
        except BaseException as error:
            self._answers.put((contact, Verdict("unknown", f"the bot failed: {type(error).__name__}")))
            raise

    def _attempt(self, contact: str) -> Verdict:
        try:
            return verdict(self._client.send(self._letter(contact), self._must_hold))
        except Stopped:
            return Verdict("held", "")
        except Temporary as error:
            return Verdict("unsent", str(error))
        except AnswerLost:
            return Verdict("unknown", "the answer was lost")

    def _collect(self) -> None:
        """Take in the answers of a moment, and settle them in one transaction."""
        settled: list[tuple[str, str, str]] = []
        until = time.monotonic() + _COLLECT_S
        while len(settled) < min(_BATCH, self._on_the_way) and (left_s := until - time.monotonic()) > 0:
            try:
                contact, said = self._answers.get(timeout=left_s)
            except queue.Empty:
                break
            state = self._state_after(said)
            settled.append((contact, state, "" if state == "pending" else said.detail))
        self._on_the_way -= len(settled)  # first: should settling fail, nobody waits for them for ever
        if settled:
            self._look()
            self._ledger.settle(settled)
            self._show([state for _, state, _ in settled])

    def _state_after(self, said: Verdict) -> str:
        if said.kind == "sent":
            self._accepted = self._wide = True
            self._lost_in_a_row = 0
            self.sent += 1
        elif said.kind == "unknown":
            self._note_lost(said)
        elif said.kind == "unsent":
            self._halt(Temporary(said.detail))
        elif said.kind == "halt":
            self._halt(Final(f"Intercom takes no messages from us: {said.detail}. {_GOES_ON}"))
        elif said.kind == "refused" and not self._accepted:
            self._halt(Final(f"Intercom does not accept the message: {said.detail}. {_GOES_ON}"))
            return "pending"
        return _STATES[said.kind]

    def _note_lost(self, said: Verdict) -> None:
        self._lost_in_a_row += 1
        if self._lost_in_a_row >= _LOST_IN_A_ROW or not self._wide:
            self._halt(Temporary(f"Intercom fails ({said.detail}), so sending was held."))

    def _show(self, states: list[str]) -> None:
        for state in states:
            self._counts[state] += 1
        self._counts["pending"] -= len(states)
        total = sum(self._counts.values())
        text = f"{self._counts['skipped']:,} skipped, {self._counts['unknown']:,} unknown"
        self._ctx.progress(total - self._counts["pending"], total, "messages", text)


_STATES = {
    "sent": "sent",
    "skipped": "skipped",
    "refused": "skipped",
    "held": "pending",
    "unsent": "pending",
    "halt": "pending",
    "unknown": "unknown",
}
_GOES_ON = f"Nobody else was sent anything. Mend it ({TOKEN.name}, the plan, the sender), then retry: it goes on here."


def _uptime_s() -> float:
    """Return seconds that go on while this process is stopped, and on Linux also while the machine is suspended."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))
