"""CloudCannon's REST API, as far as publishing a site and watching its build need it.

Source: CloudCannon's API description (v0). Two of its calls are named as if they published, and do not:
`branches/publish` sets which branch is published to, and `PUT publish` sets how. Neither is called here.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Self
from urllib.parse import urlsplit

from bot.connections import ValueOf, connection
from bot.errors import Final, Temporary
from bot.http import Http, Response
from bot.step import Setting

KEY = Setting(
    "MAINT_CLOUDCANNON_KEY",
    help="A CloudCannon API key that may read and publish the marketing sites. Needed only for sites that CloudCannon "
    "publishes.",
    secret=True,
    default="",
)
URL = Setting("MAINT_CLOUDCANNON_URL", help="The address of CloudCannon.", default="https://app.cloudcannon.com")
SETTINGS = (KEY, URL)

_NO_CONTENT = 204
_ADVICE = {
    401: f"The key is wrong or revoked: put a valid one into {KEY.name}, restart, and retry.",
    402: "CloudCannon's plan does not include that. Publish by hand in CloudCannon, then retry: it goes on from there.",
    403: f"Either there is no such site (check `cloudcannon` and `production` in the runbook), or the key in "
    f"{KEY.name} may not do that.",
    404: "There is no such site: check `cloudcannon` and `production` in the runbook.",
    422: "Look at the site in CloudCannon.",
}


class CloudCannon:
    """A client of one organisation's sites. Thread-safe; use it in a `with` block.

    Every method raises `Temporary` if certainly nothing was done or the call may be made again, `Final` if CloudCannon
    refuses, and those that publish `AnswerLost`.
    """

    def __init__(self, value_of: ValueOf) -> None:
        """Raises `Final` if the key is missing, or could be read on its way."""
        key, url = (value_of(KEY) or "").strip(), (value_of(URL) or "").rstrip("/")
        if not key:
            raise Final(f"A site is published by CloudCannon, and {KEY.name} is not set. Set it, restart, and retry.")
        parts = urlsplit(url)
        if not parts.hostname or not (parts.scheme == "https" or parts.hostname in {"127.0.0.1", "::1", "localhost"}):
            raise Final(f"{URL.name} is {url!r}. Expected an https address, such as {URL.default}.")
        self._http = Http(f"{url}/api/v0", system="CloudCannon", headers={"X-API-KEY": key}, secrets=[key])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def __repr__(self) -> str:
        return "CloudCannon()"

    def organisations(self) -> Sequence[Mapping[str, Any]]:
        """Return the organisations that the key belongs to."""
        return self._list("/orgs", "read the organisations")

    def site(self, uuid: str) -> Mapping[str, Any]:
        """Return a site: `site_name`, `publish_mode`, `destroy_on_publish`, `sync_error` and the like."""
        found = self._call("GET", f"/sites/{uuid}", "read the site").json
        if not isinstance(found, Mapping):
            raise Temporary("CloudCannon's answer for a site was not what it promises.")
        return found

    def syncs(self, uuid: str) -> Sequence[Mapping[str, Any]]:
        """Return the last syncs of a site, newest first: `after_identifier` (a commit), `successful`, `created_at`."""
        return self._list(f"/sites/{uuid}/syncs", "read the syncs", **_NEWEST)

    def builds(self, uuid: str, since: str) -> Sequence[Mapping[str, Any]]:
        """Return the builds since a time (ISO 8601, its own clock), newest first: `successful`, `completed_at`."""
        return self._list(f"/sites/{uuid}/builds", "read the builds", created_at_gte=since, **_NEWEST)

    def outputs(self, uuid: str, since: str) -> Sequence[Mapping[str, Any]]:
        """Return what was handed to the hosting since a time, newest first: `successful`, `completed_at`."""
        return self._list(f"/sites/{uuid}/outputs", "read the outputs", created_at_gte=since, **_NEWEST)

    def start_sync(self, uuid: str) -> None:
        """Ask for a fetch from git, as a webhook would. Harmless to repeat."""
        body = {"type": "pull"}
        self._call("POST", f"/sites/{uuid}/providers/sync", "ask for a sync", json=body, repeatable=True)

    def start_build(self, uuid: str) -> None:
        """Ask for a build of what was synced last. A further one only takes its time."""
        self._call("POST", f"/sites/{uuid}/builds", "ask for a build", repeatable=True)

    def comparison(self, uuid: str) -> Mapping[str, Any]:
        """Return what publishing would bring: `ahead_by`, `commits`, and `files` with `filename`."""
        found = self._call("GET", f"/sites/{uuid}/providers/branches/publish/compare", "compare with what is published")
        if not isinstance(found.json, Mapping):
            raise Temporary("CloudCannon's answer to a comparison was not what it promises.")
        return found.json

    def merge(self, uuid: str) -> bool:
        """Publish: merge the site's branch into its publish branch. False if the site was deleted by that."""
        answer = self._call("POST", f"/sites/{uuid}/providers/branches/merge", "publish the site", repeatable=False)
        return answer.status != _NO_CONTENT

    def pulls(self, uuid: str) -> Sequence[Mapping[str, Any]]:
        """Return the pull requests from the site's branch into its publish branch: `number`, `state`, `merged_at`."""
        return self._list(f"/sites/{uuid}/providers/pull-requests", "read the pull requests")

    def open_pull(self, uuid: str, title: str, body: str) -> Mapping[str, Any]:
        """Open a pull request to publish, and return it."""
        told = {"title": title, "body": body}
        path = f"/sites/{uuid}/providers/pull-requests"
        found: Mapping[str, Any] = self._call("POST", path, "open a pull request", json=told, repeatable=False).json
        return found

    def merge_pull(self, uuid: str, number: int) -> None:
        """Publish: merge a pull request."""
        path = f"/sites/{uuid}/providers/pull-requests/{number}/merge"
        self._call("PUT", path, f"merge pull request #{number}", json={}, repeatable=False)

    def _list(self, path: str, doing: str, **params: str | int) -> Sequence[Mapping[str, Any]]:
        found = self._call("GET", path, doing, params=params).json
        if not isinstance(found, list):
            raise Temporary(f"CloudCannon's answer to our attempt to {doing} was not what it promises.")
        return found

    def _call(
        self,
        method: str,
        path: str,
        doing: str,
        *,
        json: Any = None,
        params: Mapping[str, str | int] | None = None,
        repeatable: bool = True,
    ) -> Response:
        try:
            return self._http.request(method, path, json=json, params=params, repeatable=repeatable)
        except Final as error:
            advice = _ADVICE.get(error.status or 0, "")
            raise Final(f"CloudCannon refused to {doing}. {error} {advice}".strip(), status=error.status) from None


_NEWEST: dict[str, str | int] = {"sort_attribute": "created_at", "sort_direction": "DESC", "items": 20}


@connection("CloudCannon", *SETTINGS)
def look(value_of: ValueOf) -> str:
    """Return one line on whom CloudCannon takes maint for. Raises `StepError` if it takes it for nobody."""
    if not (value_of(KEY) or "").strip():
        return f"{KEY.name} is not set; sites that CloudCannon publishes cannot be updated"
    with CloudCannon(value_of) as cloud:
        names = ", ".join(str(each.get("name", each.get("uuid"))) for each in cloud.organisations())
    return f"the key is accepted by {names or 'CloudCannon'}"
