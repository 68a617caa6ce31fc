"""The channel: brings the log, the run card and the prompts of every maintenance to Slack, whatever Slack does.

A maintenance never waits for its channel. The outbox is the journal itself: what Slack does not take now arrives
later, in order, once. Two processes must not both run this; a lease sees to it.
"""

import threading
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

import structlog
from slack_sdk import WebClient

from bot.errors import AnswerLost, MaintError, Temporary
from bot.freeze_notices import FreezeNotices
from bot.freezes import OF_FREEZES
from bot.ledger import Progress
from bot.live_delivery import Estimates, Forecast, LiveDelivery
from bot.log_delivery import LogDelivery, describe
from bot.maintenances import Maintenances
from bot.out_of_reach import OutOfReach
from bot.outbox import Outbox
from bot.repeats import Repeats
from bot.slack_api import Refused, SlackApi

_POLL_S = 1.0
_REFUSED_REST_S = 60.0
_BROKEN_REST_S = 30.0
_LONGEST_REST_S = 30.0
_QUICK_S = 2
_WORTH_A_WORD = 3

log = structlog.get_logger()


class Channel:
    """Delivers; `deliver` is one pass, `run` goes on until stopped. `wake` and `refresh` may be called by any thread.

    `client` is only read for its token and address: the calls are made by clients of our own, without the SDK's
    retries. `forecast` gives one line of mrkdwn for the card, `estimates` how long its steps take.
    """

    def __init__(
        self,
        client: WebClient,
        maintenances: Maintenances,
        progress: Progress,
        *,
        forecast: Forecast = lambda state, now, progress: "",  # noqa: ARG005 - the signature is what counts
        estimates: Estimates = lambda _: {},
        timeout_s: int = 15,
    ) -> None:
        self._maintenances = maintenances
        self.outbox = Outbox(maintenances.journal.database)
        slack = SlackApi(client, timeout_s=timeout_s)
        self._log = LogDelivery(slack, maintenances, self.outbox)
        self._live = LiveDelivery(slack, maintenances, self.outbox, progress, forecast, estimates=estimates)
        self._freezes = FreezeNotices(slack, maintenances.journal.database, maintenances)
        self._repeats = Repeats(slack, self.outbox)
        self._out_of_reach = OutOfReach(slack, maintenances, self.outbox)
        self._quick = SlackApi(client, timeout_s=_QUICK_S)
        self._wake = threading.Event()
        self._rests: dict[tuple[str, str], datetime] = {}
        self._failures: dict[tuple[str, str], int] = {}
        self._problems: dict[str, dict[str, str]] = {}
        self._looked: dict[str, tuple[int, datetime]] = {}

    def problems(self, maintenance: str) -> Sequence[str]:
        """Return what people have to look at, as sentences: freezes declared for its window since it was planned, and
        what keeps its channel from being complete.
        """
        return [*self._freezes.problems(maintenance), *self._problems.get(maintenance, {}).values()]

    def wake(self) -> None:
        """Something was recorded: deliver without waiting for the next poll."""
        self._wake.set()

    def run(
        self,
        stop: threading.Event,
        leads: Callable[[], bool] = lambda: True,
        rest: Callable[[], None] = lambda: None,
    ) -> None:
        """Deliver while `leads` says that it is for this process to do, until `stop` is set.

        Where it is not, `rest` is called: nothing is on its way from here to Slack. Call `wake` after setting `stop`,
        so that it is noticed at once.
        """
        while not stop.is_set():
            wait_s = None
            if leads():
                wait_s = self._pass()
            else:
                rest()
            self._wake.wait(min(_POLL_S, wait_s) if wait_s is not None else _POLL_S)
            self._wake.clear()

    def _pass(self) -> float | None:
        try:
            return self.deliver(self._maintenances.now())
        except Exception:
            # The database away, or a fault of ours: the log is in the journal, and this thread has to outlive it.
            log.exception("pass_failed")
            return _POLL_S

    def refresh(self, maintenance: str) -> None:
        """Show what was just decided on the prompts and the card, before anything is done about it.

        Best effort, for a few seconds at most: what does not succeed here comes with the next pass.
        """
        try:
            self._live.refresh(self._quick, maintenance, self.problems(maintenance))
        except MaintError as error:
            log.warning("refresh_failed", maintenance=maintenance, error=str(error))
        self._looked.pop(maintenance, None)
        self.wake()

    def deliver(self, now: datetime) -> float | None:
        """Make one pass over all maintenances at `now` (aware UTC).

        Returns the seconds until the next pass is sensible, or None if nothing is outstanding or under way. What goes
        wrong with one maintenance keeps no other one waiting, and is in `problems`. A few queries say which ones there
        is anything to do for: those with something new, and those whose card is due for another look.
        """
        told = self._guarded((OF_FREEZES, "log"), now, self._tell_of_freezes)
        last = self._maintenances.last()
        new = {*self.outbox.pending(), *self.outbox.uncertain()}
        settled = self.outbox.closed() & self._maintenances.over()
        repeated = self._guarded(("", "repeats"), now, lambda: self._repeats.deliver(now))
        waits = [wait for wait in (told, repeated) if wait is not None]
        for maintenance, seq in last.items():
            if maintenance not in new:
                if maintenance in settled:
                    continue
                if (left_s := self._rest_of_look(maintenance, seq, now)) > 0:
                    waits.append(left_s)
                    continue
            problems = self.problems(maintenance)
            wait_s = min((wait for wait in self._one(maintenance, now) if wait is not None), default=None)
            if wait_s is None:
                continue
            waits.append(wait_s)
            # A problem that came or went is to be seen on the card, too.
            if self.problems(maintenance) == problems:
                self._looked[maintenance] = (seq, now + timedelta(seconds=wait_s))
        return min(waits, default=None)

    def _tell_of_freezes(self) -> None:
        if self._freezes.deliver():
            # Cards name a freeze that was declared, though nothing was recorded of their maintenance.
            self._looked.clear()

    def _rest_of_look(self, maintenance: str, seq: int, now: datetime) -> float:
        """The seconds for which the last look at a maintenance holds, if nothing was recorded since (`seq`)."""
        looked = self._looked.get(maintenance)
        return (looked[1] - now).total_seconds() if looked is not None and looked[0] == seq else 0.0

    def _one(self, maintenance: str, now: datetime) -> list[float | None]:
        def report(key: str, text: str) -> None:
            self._report(maintenance, key, text)

        return [
            self._guarded((maintenance, "log"), now, lambda: self._log.deliver(maintenance, report)),
            self._guarded(
                (maintenance, "card"),
                now,
                lambda: self._live.deliver(maintenance, now, self.problems(maintenance), report),
            ),
        ]

    def _guarded(self, key: tuple[str, str], now: datetime, deliver: Callable[[], float | None]) -> float | None:
        """Run `deliver` unless this key rests; turn every failure into a rest of the right length."""
        left_s = (self._rests.get(key, now) - now).total_seconds()
        if left_s > 0:
            return left_s
        maintenance, what = key
        try:
            wait_s = deliver()
        except MaintError as error:
            rest_s = self._rest_s(key, error)
            if isinstance(error, Refused) and what == "log" and maintenance != OF_FREEZES:
                self._out_of_reach.tell(maintenance, error)
            if isinstance(error, Refused) or self._failures.get(key, 0) >= _WORTH_A_WORD:
                self._report(maintenance, what, describe(error))
            log.warning("delivery_failed", maintenance=maintenance, what=what, error=str(error), rest_s=rest_s)
        except Exception:
            # A fault of ours in one maintenance must not silence the others, and must not end the thread.
            rest_s = _BROKEN_REST_S
            self._report(maintenance, what, "The bot itself failed while writing here; its own log has the trace.")
            log.exception("delivery_broke", maintenance=maintenance, what=what)
        else:
            self._failures.pop(key, None)
            self._problems.get(maintenance, {}).pop(what, None)
            return wait_s
        self._rests[key] = now + timedelta(seconds=rest_s)
        return rest_s

    def _rest_s(self, key: tuple[str, str], error: MaintError) -> float:
        if isinstance(error, Refused):
            return _REFUSED_REST_S
        if isinstance(error, Temporary) and error.retry_after_s is not None:
            return error.retry_after_s
        failures = self._failures[key] = self._failures.get(key, 0) + 1
        least_s = 2.0 if isinstance(error, AnswerLost) else 1.0
        return min(_LONGEST_REST_S, least_s * 2.0 ** (min(failures, 10) - 1))

    def _report(self, maintenance: str, key: str, text: str) -> None:
        self._problems.setdefault(maintenance, {})[key] = text
