"""Who is on call by a schedule of Grafana OnCall.

Source: "Export a schedule's final shifts" of its HTTP API: days (UTC, the last one included) between two dates, at most
365 of them, with overrides and swaps worked in.
"""

from datetime import UTC, datetime

from bot.connections import Shift, ValueOf, rota
from integrations.oncall.grafana import Account


@rota("grafana")
def shifts(value_of: ValueOf, schedule: str, since: datetime, until: datetime) -> list[Shift]:
    """Return when somebody is on call by a schedule, between two moments (aware UTC). Raises `StepError`."""
    days = {"start_date": f"{since.astimezone(UTC):%Y-%m-%d}", "end_date": f"{until.astimezone(UTC):%Y-%m-%d}"}
    with Account(lambda setting: value_of(setting) or "") as account:
        found = account.listed(f"/schedules/{schedule}/final_shifts", days)
        spans = [(_moment(one["shift_start"]), _moment(one["shift_end"])) for one in found]
    return [(begin, end) for begin, end in spans if begin < until and since < end]


def _moment(at: str) -> datetime:
    return datetime.fromisoformat(at).astimezone(UTC)
