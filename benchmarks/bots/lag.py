"""How long after its commit an entry is in the channel: in ordinary service, and after Slack was down for long.

With Slack's rate limits: about one message a second in a channel, and a few at once. The outage is scaled: what an
hour of it piles up is, at one entry a minute, what `--outage-s` seconds pile up here.
"""

import time
from argparse import Namespace
from datetime import datetime
from pathlib import Path

from benchmarks.bots.place import Bot, bot, median, percentile, slack

_NOTE_EVERY_S = 2.0
_A_SECOND, _AT_ONCE = 1.0, 5
PILE = """
  - {id: wait, uses: command, title: Wait, approval: false, with: {argv: [sleep, "4"]}}
"""


def lag(folder: Path, options: Namespace) -> dict[str, float]:
    """Return the p95 of the lag without an outage, in seconds; and after one, how many times as long it takes as
    Slack's limits do.
    """
    with slack(limits=True) as where, bot(folder / "lag", where) as made:
        made.process.start()
        made.is_reached()
        name = made.plans("notes", "  - {id: hold, uses: manual, approval: false, with: {text: Wait.}}\n")
        _all_there(made)
        first = int(made.rows("SELECT max(seq) FROM entries WHERE maintenance = ?", name)[0][0])
        for number in range(options.notes):
            assert where.person("ana").says(f"/maint note {name} all is quiet, {number}")["error"] == ""
            time.sleep(_NOTE_EVERY_S)
        _all_there(made)
        usual = _lags(made, name, first)
        most = percentile(usual, 0.95)
        print(f"in the channel after {median(usual):.2f} s (median), {most:.2f} s (p95 of {len(usual)})")
        ratio = _outage(made, options.pile)
    return {"log-lag-p95-s": most, "outage-ratio": ratio}


def _outage(made: Bot, steps: int) -> float:
    """Let entries pile up while Slack is down; returns how long it takes until all are there, by Slack's limits."""
    line = '  - {{id: s{n}, uses: command, title: Step {n}, approval: false, with: {{argv: ["true"]}}}}\n'
    name = made.plans("pile", PILE + "".join(line.format(n=number) for number in range(steps)))
    made.slack.goes_down()
    made.until("SELECT count(*) FROM entries WHERE maintenance = ? AND payload LIKE '%\"completed\"%'", name)
    waiting = int(made.rows("SELECT count(*) FROM deliveries WHERE state <> 'posted'")[0][0])
    made.slack.comes_back()
    at = time.monotonic()
    _all_there(made)
    took_s, least_s = time.monotonic() - at, (waiting - _AT_ONCE) / _A_SECOND
    order = [ts for (ts,) in made.rows("SELECT ts FROM deliveries WHERE maintenance = ? ORDER BY seq", name)]
    assert order == sorted(order), "the log is in order"
    print(
        f"after an outage {waiting} entries were there in {took_s:.0f} s; Slack's limits allow {least_s:.0f} s: "
        f"{took_s / least_s:.2f} times"
    )
    return took_s / least_s


def _all_there(made: Bot) -> None:
    made.until("SELECT count(*) = 0 FROM deliveries WHERE state <> 'posted'", wait_s=600)


def _lags(made: Bot, maintenance: str, after: int) -> list[float]:
    rows = made.rows(
        "SELECT entries.at, deliveries.ts FROM entries JOIN deliveries USING (maintenance, seq) "
        "WHERE maintenance = ? AND seq > CAST(? AS INTEGER)",
        maintenance,
        str(after),
    )
    return [float(ts) - datetime.fromisoformat(at).timestamp() for at, ts in rows]
