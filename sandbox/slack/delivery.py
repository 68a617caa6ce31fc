"""Bringing what people do to the app: signed HTTP requests or Socket Mode envelopes, with Slack's retries.

Sources: https://docs.slack.dev/authentication/verifying-requests-from-slack and
https://docs.slack.dev/apis/events-api (retries), https://docs.slack.dev/interactivity/handling-user-interaction (3 s).
"""

import asyncio
import dataclasses
import hashlib
import hmac
import json
import re
import urllib.parse
import uuid

import httpx

from sandbox.slack.config import Json
from sandbox.slack.sockets import NotConnectedError, Sockets
from sandbox.slack.state import State

TIMED_OUT = "operation_timeout"
NOT_DELIVERED = "dispatch_failed"


@dataclasses.dataclass
class Outcome:
    """What became of a delivery: "" in `error` means acknowledged; `body` is what the app answered."""

    error: str = ""
    body: Json | None = None
    no_retry: bool = False


@dataclasses.dataclass
class DeliveryFault:
    """What goes wrong with the next `times` deliveries whose kind matches.

    `fault`: `duplicate` (the same delivery twice), `delay` (first wait `delay_s`), `lost` (the app never gets it),
    `ack_lost` (the app gets it and its acknowledgement is lost). `kind`: a pattern over `slash_commands`,
    `interactive` and `events_api`.
    """

    fault: str
    kind: str = ".*"
    times: int = 1
    delay_s: float = 0.0

    def __post_init__(self) -> None:
        """Refuse an unknown fault at once: one that never fires would make a test that cannot fail."""
        if self.fault not in {"duplicate", "delay", "lost", "ack_lost"}:
            raise ValueError(f"unknown delivery fault {self.fault!r}")


def signature(secret: str, timestamp: str, body: str) -> str:
    """`X-Slack-Signature` for a body sent at `timestamp` (Unix seconds as text)."""
    digest = hmac.new(secret.encode(), f"v0:{timestamp}:{body}".encode(), hashlib.sha256).hexdigest()
    return f"v0={digest}"


class Delivery:
    """The way from the workspace to the app. `request_url` set: HTTP; empty: Socket Mode."""

    def __init__(self, state: State, sockets: Sockets) -> None:
        self.state = state
        self.sockets = sockets
        self.request_url = state.config.request_url
        self.faults: list[DeliveryFault] = []
        self.complaints: list[str] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._http: httpx.AsyncClient | None = None

    async def send(self, kind: str, payload: Json, retry: tuple[int, str] | None = None) -> Outcome:
        """Deliver and wait for the acknowledgement, at most `timing.ack_s`. `retry` is (number, reason)."""
        armed = self._take(kind)
        if armed and armed.fault == "delay":
            await asyncio.sleep(armed.delay_s)
        if armed and armed.fault == "lost":
            return Outcome(TIMED_OUT)
        twice = bool(armed and armed.fault == "duplicate")
        if self.request_url:
            outcome = await self._post(kind, payload, retry, twice=twice)
        else:
            outcome = await self._envelope(kind, payload, retry, twice=twice)
        if armed and armed.fault == "ack_lost":
            return Outcome(TIMED_OUT)
        return outcome

    def _take(self, kind: str) -> DeliveryFault | None:
        for fault in self.faults:
            if fault.times > 0 and re.fullmatch(fault.kind, kind):
                fault.times -= 1
                return fault
        return None

    async def _envelope(self, kind: str, payload: Json, retry: tuple[int, str] | None, *, twice: bool) -> Outcome:
        envelope: Json = {"envelope_id": str(uuid.uuid4()), "payload": payload, "type": kind}
        envelope["accepts_response_payload"] = kind != "events_api"
        if kind == "events_api":
            envelope |= {"retry_attempt": retry[0] if retry else 0, "retry_reason": retry[1] if retry else ""}
        try:
            if twice:
                await self.sockets.repeat(self.state.config.app, envelope)
            return Outcome(body=await self.sockets.send(self.state.config.app, envelope))
        except TimeoutError:
            return Outcome(TIMED_OUT)
        except NotConnectedError:
            return Outcome(NOT_DELIVERED)

    async def _post(self, kind: str, payload: Json, retry: tuple[int, str] | None, *, twice: bool) -> Outcome:
        if kind == "events_api":
            body, media = json.dumps(payload), "application/json"
        else:
            fields = payload if kind == "slash_commands" else {"payload": json.dumps(payload)}
            body, media = urllib.parse.urlencode(fields), "application/x-www-form-urlencoded"
        headers = {"Content-Type": media}
        if retry:
            headers |= {"X-Slack-Retry-Num": str(retry[0]), "X-Slack-Retry-Reason": retry[1]}
        outcome = await self._signed(body, headers)
        if twice:
            await self._signed(body, headers)
        return outcome

    async def _signed(self, body: str, headers: dict[str, str]) -> Outcome:
        timestamp = str(int(self.state.now()))
        secret = self.state.config.app.signing_secret
        signed = {"X-Slack-Request-Timestamp": timestamp, "X-Slack-Signature": signature(secret, timestamp, body)}
        try:
            ack_s = self.state.config.timing.ack_s
            request = self._client().post(self.request_url, content=body, headers=headers | signed, timeout=ack_s)
            response = await asyncio.wait_for(request, ack_s)
        except (TimeoutError, httpx.TimeoutException):
            return Outcome(TIMED_OUT)
        except httpx.HTTPError:
            return Outcome(NOT_DELIVERED)
        no_retry = response.headers.get("x-slack-no-retry") == "1"
        if not response.is_success:
            self.complaints.append(f"the app answered {response.status_code} to {headers['Content-Type']}")
            return Outcome(NOT_DELIVERED, no_retry=no_retry)
        return Outcome(body=_body(response), no_retry=no_retry)

    def _client(self) -> httpx.AsyncClient:
        """One client for all requests, since making one costs more than a request; each has its own connection."""
        if self._http is None:
            self._http = httpx.AsyncClient(trust_env=False, limits=httpx.Limits(max_keepalive_connections=0))
        return self._http

    async def verify_url(self, url: str) -> bool:
        """Slack's handshake with a new request URL: it must echo a challenge. On success it is used from now on."""
        before, self.request_url = self.request_url, url
        challenge = uuid.uuid4().hex
        outcome = await self.send("events_api", {"type": "url_verification", "token": "t", "challenge": challenge})
        body = outcome.body or {}
        echoed = challenge in (body.get("challenge"), body.get("text"))
        if not echoed:
            self.request_url = before
        return echoed

    def event(self, kind: str, event: Json) -> None:
        """Deliver an event the app subscribed to, where its bot is, in the background and with retries."""
        app = self.state.config.app
        if kind not in app.events or not _may_hear(app.scopes, kind):
            return
        place = event.get("channel") or event.get("item", {}).get("channel")
        channel = self.state.channels.get(place)
        if channel is not None and app.user_id not in channel.members:
            return
        if channel is not None and channel.im_user and channel.app_id != app.id:
            return
        task = asyncio.create_task(self._event(self._wrapped(event, shared=bool(channel and channel.is_shared))))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _wrapped(self, event: Json, *, shared: bool) -> Json:
        app, team = self.state.config.app, self.state.config.team_id
        event = {key: value for key, value in event.items() if key != "to"}
        if "metadata" in event:
            event["metadata"] = {"event_type": event["metadata"]["event_type"]}
        authorization = {"enterprise_id": None, "team_id": team, "user_id": app.user_id, "is_bot": True}
        return {
            "token": "verification-token",
            "team_id": team,
            "api_app_id": app.id,
            "event": event,
            "type": "event_callback",
            "event_id": self.state.new_id("Ev"),
            "event_time": int(self.state.now()),
            "authorizations": [authorization | {"is_enterprise_install": False}],
            "is_ext_shared_channel": shared,
            "event_context": f"4-{event['type']}-{team}",
        }

    async def _event(self, payload: Json) -> None:
        outcome = await self.send("events_api", payload)
        for number, delay_s in enumerate(self.state.config.timing.event_retry_delays_s, 1):
            if not outcome.error or outcome.no_retry:
                return
            reason = "timeout" if outcome.error == TIMED_OUT else "connection_failed"
            await asyncio.sleep(delay_s)
            outcome = await self.send("events_api", payload, (number, reason))


def _may_hear(scopes: frozenset[str] | None, kind: str) -> bool:
    """Whether an app with these scopes (None: all) is told: see https://docs.slack.dev/reference/events."""
    return scopes is None or kind != "reaction_added" or "reactions:read" in scopes


def _body(response: httpx.Response) -> Json | None:
    if not response.content:
        return None
    if response.headers.get("content-type", "").startswith("application/json"):
        parsed = response.json()
        return parsed if isinstance(parsed, dict) else {"text": str(parsed)}
    return {"text": response.text}
