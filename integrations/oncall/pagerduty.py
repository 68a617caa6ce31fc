"""Paging by PagerDuty: an event opens an incident, another one resolves it, and the REST API tells of both.

Sources: the Events API, version 2 ("Send an alert event"; events with one `dedup_key` are one alert), and "List
incidents" of the REST API, version 2, whose `incident_key` also finds incidents by the keys of their alerts.
"""

from typing import Any

from bot.errors import Final
from bot.http import Http
from bot.step import Setting
from integrations.oncall.pager import Seen, Value, safe_address
from integrations.pagerduty_account import TOKEN, URL, address, headers

ROUTING_KEY = Setting(
    "MAINT_PAGERDUTY_ROUTING_KEY",
    help="The integration key of a PagerDuty service (Events API v2), to page whoever is on call.",
    secret=True,
    default="",
)
EVENTS_URL = Setting(
    "MAINT_PAGERDUTY_EVENTS_URL",
    help="PagerDuty's Events API: https://events.pagerduty.com, or https://events.eu.pagerduty.com.",
    default="https://events.pagerduty.com",
)

_SUMMARY_CHARACTERS = 1024


class PagerDuty:
    """A `Pager`. Holds nothing."""

    name = "PagerDuty"
    by = ROUTING_KEY
    reads_by = TOKEN

    def page(self, value: Value, key: str, text: str, title: str, source: str) -> None:
        """Trigger an alert."""
        told = {"summary": f"{title}: {text}"[:_SUMMARY_CHARACTERS], "source": source, "severity": "critical"}
        self._send(value, {"event_action": "trigger", "dedup_key": key, "client": "maint", "payload": told})

    def resolve(self, value: Value, key: str, title: str) -> None:  # noqa: ARG002 - a pager's signature
        """Resolve the alert, and with it the incident."""
        self._send(value, {"event_action": "resolve", "dedup_key": key})

    def look(self, value: Value, key: str) -> Seen:
        """Ask for the incidents of the alert."""
        token = value(TOKEN)
        with Http(address(value(URL)), system=self.name, headers=headers(token), secrets=[token]) as http:
            answer = http.request("GET", "/incidents", params={"incident_key": key}).json
        if not isinstance(answer, dict) or not isinstance(answer.get("incidents"), list):
            raise Final(f"What answers at {URL.name} is not PagerDuty: it lists no incidents. Check the address.")
        found = {str(one["status"]) for one in answer["incidents"]}
        return "nothing" if not found else "resolved" if found == {"resolved"} else "open"

    def _send(self, value: Value, event: dict[str, Any]) -> None:
        key = value(ROUTING_KEY)
        with Http(safe_address(value(EVENTS_URL), EVENTS_URL), system=self.name, secrets=[key]) as http:
            http.request("POST", "/v2/enqueue", json={"routing_key": key, **event}, repeatable=True)
