"""Grafana OnCall: the account, and paging by it. A formatted webhook opens an alert group and resolves it, and the API
tells what became of it.

Sources: "Inbound webhook" (alerts with one `alert_uid` are one group, and `state` is `alerting` or `ok`) and the HTTP
API reference ("Authentication", "Pagination", "Alerts", "Alert groups"), the same for Grafana Cloud IRM.
"""

from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from bot.errors import Final
from bot.http import Http
from bot.step import Setting
from integrations.oncall.pager import Seen, Value, safe_address

WEBHOOK = Setting(
    "MAINT_ONCALL_WEBHOOK_URL",
    help="The address of a formatted webhook of Grafana OnCall, to alert whoever is on call; it is a secret.",
    secret=True,
    default="",
)
API_URL = Setting(
    "MAINT_ONCALL_API_URL",
    help="The address of Grafana OnCall's API, from its settings, to ask who is on call and what became of a page.",
    default="",
)
API_TOKEN = Setting(
    "MAINT_ONCALL_API_TOKEN",
    help="A key of Grafana OnCall's API, or the token of a service account of Grafana; read-only is enough.",
    secret=True,
    default="",
)
STACK = Setting(
    "MAINT_ONCALL_GRAFANA_URL",
    help="The address of the Grafana stack (https://NAME.grafana.net), which the token of a service account needs.",
    default="",
)

_MOST_PAGES = 50


class Account:
    """Asks the API. Use it in a `with` block. Raises `Final` if a setting is missing or wrong."""

    def __init__(self, value: Value) -> None:
        token, url = value(API_TOKEN), value(API_URL)
        for setting, given in ((API_URL, url), (API_TOKEN, token)):
            if not given:
                raise Final(f"{setting.name} is not set.")
        stack = {"X-Grafana-URL": value(STACK)} if value(STACK) else {}
        self._http = Http(
            safe_address(url, API_URL).rstrip("/"),
            system="Grafana OnCall",
            headers={"Authorization": token, **stack},
            secrets=[token],
        )

    def __enter__(self) -> "Account":
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def listed(self, path: str, params: dict[str, str]) -> Iterator[dict[str, Any]]:
        """Yield what `path` (below `/api/v1`) lists, page after page. Raises `StepError`."""
        for _ in range(_MOST_PAGES):
            answer = self._http.request("GET", f"/api/v1{path}", params=params).json
            if not isinstance(answer, dict) or not isinstance(answer.get("results"), list):
                raise Final(
                    f"What answers at {API_URL.name} is not Grafana OnCall: it lists nothing. Check the address."
                )
            yield from answer["results"]
            if not answer.get("next"):
                return
            # The link may name the host as the server knows itself; only its query is used, so that the token stays.
            params = dict(parse_qsl(urlsplit(str(answer["next"])).query))
        raise Final(f"Grafana OnCall lists more than {_MOST_PAGES} pages of {path}.")


class Grafana:
    """A `Pager`. Holds nothing."""

    name = "Grafana OnCall"
    by = WEBHOOK
    reads_by = API_TOKEN

    def page(self, value: Value, key: str, text: str, title: str, source: str) -> None:  # noqa: ARG002 - a pager's
        """Raise an alert."""
        self._send(value, {"alert_uid": key, "title": title, "state": "alerting", "message": text})

    def resolve(self, value: Value, key: str, title: str) -> None:
        """Say that the alert is over, which resolves its group."""
        self._send(value, {"alert_uid": key, "title": title, "state": "ok", "message": "It is settled."})

    def look(self, value: Value, key: str) -> Seen:
        """Ask for the groups of the alerts with the key."""
        with Account(value) as account:
            alerts = account.listed("/alerts/", {"search": key})
            # The search finds what contains the key; the page 1 is not the page 10.
            groups = {str(one["alert_group_id"]) for one in alerts if one["payload"].get("alert_uid") == key}
            states = {
                str(one["state"]) for group in sorted(groups) for one in account.listed("/alert_groups/", {"id": group})
            }
        return "nothing" if not states else "resolved" if states == {"resolved"} else "open"

    def _send(self, value: Value, alert: dict[str, Any]) -> None:
        address = safe_address(value(WEBHOOK), WEBHOOK)
        parts = urlsplit(address)
        # Whoever knows the path may raise alerts, so no error may show it.
        with Http(f"{parts.scheme}://{parts.netloc}", system=self.name, secrets=[parts.path, address]) as http:
            http.request("POST", parts.path, json=alert, repeatable=True)
