"""`/_people/...`: Slack's own client side over HTTP, for the page, the tests and the demo.

A person is named by id or name, a channel by id or name. Answers are JSON; `{"error": text}` with 404 for what is not
on the screen (it may come: ask again), 409 for what the client does not allow, 400 for a request that is wrong.
"""

import dataclasses
from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sandbox.slack.config import Account, Json
from sandbox.slack.delivery import DeliveryFault, Outcome
from sandbox.slack.errors import RefusedError
from sandbox.slack.interaction import CannotError, Interaction, NotThereError
from sandbox.slack.methods_channels import enter
from sandbox.slack.methods_pins import add_reaction
from sandbox.slack.sights import sight
from sandbox.slack.sockets import Sockets
from sandbox.slack.state import Channel
from sandbox.slack.surfaces import OpenView

LONGEST_WAIT_S = 25.0
Act = Callable[[Account, Json], Awaitable[Json]]


class PeopleApi:
    """The routes under `/_people`."""

    def __init__(self, hands: Interaction, sockets: Sockets) -> None:
        self.hands = hands
        self.state = hands.state
        self.surfaces = hands.surfaces
        self.delivery = hands.delivery
        self.sockets = sockets

    def routes(self) -> list[Route]:
        """All routes."""
        acts: dict[str, Act] = {
            "say": self._say,
            "press": self._press,
            "submit": self._submit,
            "close": self._close,
            "home": self._home,
            "react": self._react,
            "delete": self._delete,
            "invite": self._invite,
        }
        return [
            Route("/_people", self.everybody),
            Route("/_people/sees", self.sees),
            Route("/_people/delivery", self.faults, methods=["GET", "POST", "DELETE"]),
            Route("/_people/sockets", self.connections, methods=["GET", "DELETE"]),
            Route("/_people/request_url", self.request_url, methods=["POST"]),
            *(Route(f"/_people/{name}", self._acting(act), methods=["POST"]) for name, act in acts.items()),
        ]

    async def everybody(self, _: Request) -> Response:
        """Who is there: people, groups, apps."""
        config = self.state.config
        bots = [{"id": app.user_id, "name": app.name, "app_id": app.id} for app in config.apps]
        return JSONResponse(
            {
                "team": {"id": config.team_id, "name": config.team_name},
                "people": [dataclasses.asdict(person) for person in config.people],
                "groups": [dataclasses.asdict(group) for group in config.groups],
                "bots": bots,
                "commands": list(config.app.commands),
                "channel": next((room.id for room in config.rooms if room.has_app), ""),
            }
        )

    async def sees(self, request: Request) -> Response:
        """`?person=&channel=&since=&wait=&limit=`: what a person sees, once it is newer than revision `since`."""
        query = request.query_params
        try:
            person = self._person(query.get("person", ""))
            channel = self._channel(person, query["channel"]) if query.get("channel") else None
        except NotThereError as error:
            return JSONResponse({"error": str(error)}, 404)
        wait_s = min(float(query.get("wait", "0")), LONGEST_WAIT_S)
        await self.state.wait_beyond(int(query.get("since", "-1")), wait_s)
        return JSONResponse(sight(self.surfaces, person, channel, int(query.get("limit", "300"))))

    async def faults(self, request: Request) -> Response:
        """Arm (`POST` a `DeliveryFault`), list or disarm faults of delivery; and the app's bad answers so far."""
        if request.method == "DELETE":
            self.delivery.faults.clear()
        if request.method == "POST":
            try:
                self.delivery.faults.append(DeliveryFault(**await request.json()))
            except (TypeError, ValueError) as error:
                return JSONResponse({"error": str(error)}, 400)
        armed = [dataclasses.asdict(fault) for fault in self.delivery.faults]
        return JSONResponse({"faults": armed, "complaints": self.delivery.complaints})

    async def connections(self, request: Request) -> Response:
        """List the Socket Mode connections and what was sent on them, or disconnect them all."""
        count = len(self.sockets.connections)
        if request.method == "DELETE":
            query = request.query_params
            abrupt = query.get("abrupt") == "true"
            count = await self.sockets.disconnect_all(query.get("reason", "refresh_requested"), abrupt=abrupt)
        return JSONResponse({"connections": count, "sent": self.sockets.sent})

    async def request_url(self, request: Request) -> Response:
        """Deliver by HTTP to `{"url"}` from now on, if it passes the handshake; "" goes back to Socket Mode."""
        url = (await request.json())["url"]
        if not url:
            self.delivery.request_url = ""
        elif not await self.delivery.verify_url(url):
            return JSONResponse({"error": "the URL did not answer with the challenge"}, 409)
        return JSONResponse({"url": url})

    def _acting(self, act: Act) -> Callable[[Request], Awaitable[Response]]:
        async def endpoint(request: Request) -> Response:
            try:
                body = await request.json()
                return JSONResponse(await act(self._person(body.get("person", "")), body))
            except NotThereError as error:
                return JSONResponse({"error": str(error)}, 404)
            except CannotError as error:
                return JSONResponse({"error": str(error)}, 409)
            except RefusedError as error:
                return JSONResponse({"error": error.error}, 409)
            except (KeyError, ValueError) as error:
                return JSONResponse({"error": f"bad request: {error}"}, 400)

        return endpoint

    def _person(self, name: str) -> Account:
        for person in self.state.people.values():
            if name in (person.id, person.name):
                return person
        raise NotThereError(f"no person {name!r}; there are: {', '.join(p.name for p in self.state.people.values())}")

    def _channel(self, person: Account, name: str) -> Channel:
        bot = self.state.app_by(name=name.removeprefix("@"))
        if name.startswith("@") and bot:
            return self.state.direct(person.id, bot)
        channel = self.state.channels.get(name) or self.state.channel_named(name)
        if channel is None:
            raise NotThereError(f"no channel {name!r}")
        return channel

    def _view(self, person: Account, which: str) -> OpenView:
        if which == "modal":
            return self.hands.modal(person)
        if person.id not in self.surfaces.homes:
            raise NotThereError(f"the app has published no Home for {person.name}")
        return self.surfaces.homes[person.id]

    async def _say(self, person: Account, body: Json) -> Json:
        channel = self._channel(person, body["channel"])
        return _told(await self.hands.say(person, channel, body["text"], body.get("thread_ts", "")))

    async def _press(self, person: Account, body: Json) -> Json:
        value, confirmed = body.get("value"), bool(body.get("confirm"))
        if body.get("view"):
            held = self._view(person, body["view"])
            return _told(await self.hands.press_in_view(person, held, body["button"], value=value, confirmed=confirmed))
        channel = self._channel(person, body["channel"])
        outcome = await self.hands.press(
            person,
            channel,
            body["button"],
            body.get("on", ""),
            value=value,
            confirmed=confirmed,
            stale=bool(body.get("stale")),
        )
        return _told(outcome)

    async def _submit(self, person: Account, body: Json) -> Json:
        return _told(await self.hands.submit(person, body.get("values", {})))

    async def _close(self, person: Account, body: Json) -> Json:
        return _told(await self.hands.close(person, everything=bool(body.get("all"))))

    async def _home(self, person: Account, _: Json) -> Json:
        self.hands.open_home(person)
        return {"error": ""}

    async def _react(self, person: Account, body: Json) -> Json:
        channel = self._channel(person, body["channel"])
        add_reaction(self.state, channel, channel.find(body["ts"]), person.id, body["name"])
        return {"error": ""}

    async def _delete(self, person: Account, body: Json) -> Json:
        channel = self._channel(person, body["channel"])
        message = channel.find(body["ts"])
        if message["user"] != person.id and not person.is_admin:
            raise CannotError(f"{person.name} may only delete their own messages")
        self.state.remove(channel, message)
        return {"error": ""}

    async def _invite(self, person: Account, body: Json) -> Json:
        channel = self._channel(person, body["channel"])
        enter(self.state, channel, self.state.config.app.user_id, inviter=person.id)
        return {"error": ""}


def _told(outcome: Outcome) -> Json:
    return {"error": outcome.error, "body": outcome.body}
