"""People for tests and the demo: each method is something that a person does or sees in Slack.

    slack = Slack(server.url)
    ana, ops = slack.person("ana"), slack.channel("maintenance")
    ana.says("/maint start vacuum")
    ops.shows("scheduled")

Waiting is by the workspace's revision: no sleeping, no polling faster than it changes.
"""

import time
from collections.abc import Callable
from typing import Any

import httpx

from sandbox.slack.config import Json

WAIT_S = 60.0


class CannotDoError(AssertionError):
    """Slack's client does not let this person do that (status 409), or the request makes no sense (400)."""


class Slack:
    """The client side of the workspace at `url`. Every wait ends after `wait_s` with an `AssertionError`."""

    def __init__(self, url: str, wait_s: float = WAIT_S) -> None:
        self.url = url
        self.wait_s = wait_s
        self._http = httpx.Client(base_url=url, timeout=60, trust_env=False)

    def person(self, name: str, channel: str = "maintenance") -> "Person":
        """Somebody, by name or id, who acts in `channel` unless told otherwise."""
        return Person(self, name, channel)

    def channel(self, name: str, reader: str = "ana") -> "Channel":
        """A channel as `reader` sees it."""
        return Channel(self, name, reader)

    def disconnect_sockets(self, reason: str = "refresh_requested", *, abrupt: bool = False) -> int:
        """Disconnect every Socket Mode connection (`abrupt`: without a word); returns how many there were."""
        query = {"reason": reason, "abrupt": str(abrupt).lower()}
        return int(self._checked(self._http.delete("/_people/sockets", params=query))["connections"])

    def connections(self) -> int:
        """How many Socket Mode connections there are."""
        return int(self._checked(self._http.get("/_people/sockets"))["connections"])

    def wait_for_app(self) -> None:
        """Return once the app has a Socket Mode connection."""
        deadline = time.monotonic() + self.wait_s
        while not self.connections():
            if time.monotonic() > deadline:
                raise AssertionError(f"the app did not connect within {self.wait_s:g} s")
            time.sleep(0.05)

    def break_delivery(self, fault: str, kind: str = ".*", times: int = 1, delay_s: float = 0.0) -> None:
        """Arm a fault on the way to the app: `duplicate`, `delay`, `lost` or `ack_lost` (see `DeliveryFault`)."""
        self.post("delivery", {"fault": fault, "kind": kind, "times": times, "delay_s": delay_s})

    def break_api(self, kind: str, path: str = "^/api/", **fields: Any) -> None:
        """Arm a fault of the Web API (see `sandbox.faults.Fault`)."""
        self._checked(self._http.post("/_control/faults", json={"kind": kind, "path": path, **fields}))

    def goes_down(self) -> None:
        """Slack is down: no Web API, no response URLs, no connections (new ones need the Web API)."""
        self.break_api("status", "^/(api|response|upload)/", times=10**9, status=503, body="down")
        self.disconnect_sockets(abrupt=True)

    def comes_back(self) -> None:
        """End every fault, of the Web API and of delivery."""
        self._checked(self._http.delete("/_control/faults"))
        self._checked(self._http.delete("/_people/delivery"))

    def complaints(self) -> list[str]:
        """What Slack found wrong in the app's answers; a test may end by asserting that this is empty."""
        return list(self._checked(self._http.get("/_people/delivery"))["complaints"])

    def use_request_url(self, url: str) -> None:
        """Deliver by signed HTTP to `url` (which must pass the handshake); "" is Socket Mode again."""
        self.post("request_url", {"url": url})

    def post(self, what: str, body: Json) -> Json:
        """One request to `/_people/...`. Raises `LookupError` for what is not on the screen."""
        return self._checked(self._http.post(f"/_people/{what}", json=body))

    def sees(self, person: str, channel: str, since: int = -1, wait_s: float = 0.0) -> Json:
        """What `sandbox.slack.sights.sight` gives, newer than revision `since` if it comes within `wait_s`."""
        query: dict[str, str | float] = {
            "person": person,
            "channel": channel,
            "since": since,
            "wait": wait_s,
            "limit": 5000,
        }
        return self._checked(self._http.get("/_people/sees", params=query))

    def wait(self, person: str, channel: str, what: str, find: Callable[[Json], Any]) -> Any:
        """Look at the screen at every change until `find` gives something; else fail, printing the screen."""
        deadline = time.monotonic() + self.wait_s
        screen = self.sees(person, channel)
        while not (found := find(screen)):
            left_s = deadline - time.monotonic()
            if left_s <= 0:
                raise AssertionError(f"{what}: not within {self.wait_s:g} s. {person} sees:\n{printed(screen)}")
            screen = self.sees(person, channel, screen["revision"], left_s)
        return found

    def _checked(self, response: httpx.Response) -> Json:
        if response.status_code == 404:
            raise LookupError(response.json()["error"])
        if response.status_code in {400, 409}:
            raise CannotDoError(response.json()["error"])
        response.raise_for_status()
        body = response.json()
        return body if isinstance(body, dict) else {"items": body}


class Person:
    """Somebody in the workspace. `channel` is where they act if a method is not told otherwise."""

    def __init__(self, slack: Slack, name: str, channel: str) -> None:
        self.slack = slack
        self.name = name
        self.channel = channel

    def says(self, text: str, channel: str = "", thread_ts: str = "") -> Json:
        """Write; `/…` is a slash command. Returns `{"error": "" or Slack's, "body": the app's acknowledgement}`."""
        return self._act("say", {"text": text, "thread_ts": thread_ts}, channel)

    def clicks(
        self,
        button: str,
        on: str = "",
        channel: str = "",
        *,
        confirm: bool = False,
        stale: bool = False,
        wait: bool = True,
    ) -> Json:
        """Press a button (text or action id) on the latest message that has it and shows `on` (or has that ts).

        Waits for the button to appear unless `wait` is false. `confirm` says yes to its dialog; `stale` also presses
        buttons of earlier versions of a message.
        """
        body = {"button": button, "on": on, "confirm": confirm, "stale": stale}
        return self._act("press", body, channel, wait=wait)

    def chooses(self, value: object, field: str, on: str = "", channel: str = "", *, view: str = "") -> Json:
        """Choose `value` in a menu (by label or action id) of a message, or of a `view`: "modal" or "home"."""
        return self._act("press", {"button": field, "on": on, "value": value, "view": view}, channel, wait=True)

    def clicks_in(self, view: str, button: str, *, confirm: bool = False, value: object = None) -> Json:
        """Press a button in the `"modal"` or the `"home"`."""
        body = {"button": button, "view": view, "confirm": confirm, "value": value}
        return self._act("press", body, wait=True)

    def submits(self, **values: object) -> Json:
        """Fill fields of the open modal (by block id or action id) and submit. See `submits_form` for labels."""
        return self.submits_form(values)

    def submits_form(self, values: Json) -> Json:
        """Fill fields of the open modal, each by label, block id or action id, and press its submit button.

        Returns `{"error": …}`: "invalid_fields" if the client itself refused. Read `form_errors` for what is shown.
        """
        return self._act("submit", {"values": values}, wait=True)

    def closes(self, *, everything: bool = False) -> Json:
        """Close the open modal, or all of them."""
        return self._act("close", {"all": everything}, wait=True)

    def opens_home(self) -> Json:
        """Look at the app's Home."""
        return self._act("home", {})

    def reacts(self, emoji: str, on: str, channel: str = "") -> Json:
        """React to the message that shows `on`, or has that ts."""
        return self._act("react", {"ts": self._message(on, channel)["ts"], "name": emoji}, channel)

    def deletes(self, on: str, channel: str = "") -> Json:
        """Delete the message that shows `on`: one's own, or anybody's for an admin."""
        return self._act("delete", {"ts": self._message(on, channel)["ts"]}, channel)

    def invites_app(self, channel: str = "") -> Json:
        """Bring the app's bot into a channel."""
        return self._act("invite", {}, channel)

    def screen(self, channel: str = "") -> Json:
        """All that this person sees now."""
        return self.slack.sees(self.name, channel or self.channel)

    def sees(self, text: str, channel: str = "") -> Json:
        """Wait for a message with `text`, ephemerals to this person among them; returns it."""
        find = _with_text(text)
        found = self.slack.wait(self.name, channel or self.channel, f"a message with {text!r}", find)
        return dict(found)

    def sees_modal(self, text: str = "") -> Json:
        """Wait for an open modal that shows `text`; returns the view with `values`, `errors`, `plain`, `buttons`."""
        return self._sees_view("modal", text)

    def sees_home(self, text: str = "") -> Json:
        """Wait for the app's Home to show `text`."""
        return self._sees_view("home", text)

    def sees_no_modal(self) -> None:
        """Wait until no modal is open."""
        self.slack.wait(self.name, self.channel, "no modal", lambda screen: screen["modal"] is None)

    def form_errors(self) -> dict[str, str]:
        """The errors shown in the open modal, by block id ("" for the whole); {} without a modal."""
        modal = self.screen()["modal"]
        return dict(modal["errors"]) if modal else {}

    def _sees_view(self, which: str, text: str) -> Json:
        def find(screen: Json) -> Any:
            view = screen[which]
            return view if view and text in view["plain"] else None

        return dict(self.slack.wait(self.name, self.channel, f"a {which} with {text!r}", find))

    def _message(self, on: str, channel: str) -> Json:
        return self.sees(on, channel)

    def _act(self, what: str, body: Json, channel: str = "", *, wait: bool = False) -> Json:
        body = {**body, "person": self.name, "channel": channel or self.channel}
        deadline = time.monotonic() + self.slack.wait_s
        revision = self.slack.sees(self.name, body["channel"])["revision"] if wait else -1
        while True:
            try:
                return self.slack.post(what, body)
            except LookupError as missing:
                left_s = deadline - time.monotonic()
                if not wait or left_s <= 0:
                    screen = printed(self.slack.sees(self.name, body["channel"]))
                    raise AssertionError(f"{missing.args[0]}. {self.name} sees:\n{screen}") from None
                revision = self.slack.sees(self.name, body["channel"], revision, left_s)["revision"]


class Channel:
    """A channel as one of its members reads it."""

    def __init__(self, slack: Slack, name: str, reader: str) -> None:
        self.slack = slack
        self.name = name
        self.reader = reader

    def shows(self, text: str) -> Json:
        """Wait for a message of the channel (no ephemeral) that shows `text`; returns the latest such."""
        found = self.slack.wait(self.reader, self.name, f"a message with {text!r}", _with_text(text, public=True))
        return dict(found)

    def messages(self) -> list[Json]:
        """All messages now, in order, without ephemerals; each with `author`, `plain` and `buttons`."""
        return [one for one in self._read()["messages"] if not one.get("is_ephemeral")]

    def texts(self) -> list[str]:
        """What each message shows."""
        return [message["plain"] for message in self.messages()]

    def pinned(self) -> list[Json]:
        """The pinned messages, the latest pin first."""
        return list(self._read()["pins"])

    def lacks(self, text: str) -> None:
        """Fail if a message now shows `text`."""
        if any(text in shown for shown in self.texts()):
            raise AssertionError(f"#{self.name} shows {text!r}:\n{printed(self.slack.sees(self.reader, self.name))}")

    def _read(self) -> Json:
        return dict(self.slack.sees(self.reader, self.name)["channel"])


def _with_text(text: str, *, public: bool = False) -> Callable[[Json], Any]:
    def find(screen: Json) -> Any:
        for message in reversed(screen["channel"]["messages"] if screen["channel"] else []):
            hidden = public and message.get("is_ephemeral")
            if not hidden and (text in message["plain"] or text in message.get("text", "") or text == message["ts"]):
                return message
        return None

    return find


def printed(screen: Json) -> str:
    """A screen as text, for failures."""
    lines = []
    for message in screen["channel"]["messages"] if screen["channel"] else []:
        mark = " (only visible to you)" if message.get("is_ephemeral") else ""
        buttons = "".join(f" [{button}]" for button in message["buttons"])
        lines.append(f"  {message['author']}{mark}: {message['plain']}{buttons}")
    if screen["modal"]:
        lines.append(f"  modal: {screen['modal']['plain']} {screen['modal']['errors'] or ''}")
    return "\n".join(lines) or "  nothing"
