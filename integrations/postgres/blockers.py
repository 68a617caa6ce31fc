"""Let people end what keeps us waiting: an offer on the run card, taken up by a button, done once."""

from bot.step import Context, Offer
from integrations.postgres.blocked import Blocked
from integrations.postgres.connection import Session

# The start of a backend tells it from a later one that got the same process id.
_CANCEL = "SELECT pg_cancel_backend(pid) AS done FROM pg_stat_activity WHERE pid = %s AND backend_start = %s"
_TERMINATE = "SELECT pg_terminate_backend(pid) AS done FROM pg_stat_activity WHERE pid = %s AND backend_start = %s"


class Blockers:
    """What is offered about who blocks us: one session at a time."""

    def __init__(self, ctx: Context, monitor: Session) -> None:
        self._ctx = ctx
        self._monitor = monitor
        self._offered: tuple[Offer, Blocked, bool] | None = None
        if ctx.facts.get("offer"):  # of an earlier attempt
            ctx.record("What was offered before is offered no longer.", offer=None)

    def tell(self, label: str, wait: Blocked) -> None:
        """Put on record that the table `label` waits; offer to end whoever it waits for, if nothing else is offered."""
        if self._offered is not None:
            self._ctx.record(f"{label} is {wait}")
            return
        offer = _offer(label, wait, again=False)
        self._offered = (offer, wait, False)
        self._ctx.record(f"{label} is {wait}", offer=offer.facts())

    def heed(self, waits: list[Blocked]) -> None:
        """Do what somebody has taken up; take an offer back that has settled itself."""
        if self._offered is None:
            return
        offer, wait, again = self._offered
        if not any((now.blocker, now.since) == (wait.blocker, wait.since) for now in waits):
            self._offered = None
            self._ctx.record(f"Pid {wait.blocker} blocks no table any more.", offer=None)
        elif (taken := self._ctx.facts.get("taken", {})).get("token") == offer.token:
            if wait.anti_wraparound and not again:
                second = _offer("", wait, again=True)
                self._offered = (second, wait, True)
                words = f"Pid {wait.blocker} prevents transaction id wraparound, so this is asked a second time."
                self._ctx.record(words, offer=second.facts())
            else:
                self._offered = None
                self._end(wait, offer, str(taken.get("by", "")))

    def _end(self, wait: Blocked, offer: Offer, by: str) -> None:
        if not self._ctx.intend(f"end {offer.token}"):
            return
        query = _TERMINATE if wait.idle else _CANCEL
        row = self._monitor.execute(query, (wait.blocker, wait.since)).fetchone()
        what = "Ended the session of" if wait.idle else "Cancelled the statement of"
        said = f"{what} pid {wait.blocker}, as asked for" if row and row["done"] else f"Pid {wait.blocker} was gone"
        self._ctx.record(f"{said}.", offer=None, ended=wait.blocker, asked_by=by)


def _offer(label: str, wait: Blocked, *, again: bool) -> Offer:
    token = f"pid-{wait.blocker}-{wait.since:%Y%m%dT%H%M%S%f}" + ("-again" if again else "")
    button = f"End pid {wait.blocker}" if wait.idle else f"Cancel pid {wait.blocker}"
    what = (
        "Its session is ended, and its open transaction is rolled back."
        if wait.idle
        else "Its statement is cancelled, and what it has done in it is rolled back."
    )
    if again:
        words = (
            f"pid {wait.blocker} prevents transaction id wraparound. If it is cancelled time and again, the server "
            "stops taking writes in the end. Cancel it all the same?"
        )
        return Offer(token, words, f"{button} all the same", what)
    caution = " It is a vacuum that prevents wraparound: you are asked once more." if wait.anti_wraparound else ""
    return Offer(token, f"{label} is {wait}", button, f"{wait.doing[:150]}. {what}{caution}")
