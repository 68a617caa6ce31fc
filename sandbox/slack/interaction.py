"""What people do in Slack's client, and what the client makes of the app's answer."""

from collections.abc import Iterator

from sandbox.slack import forms, payloads
from sandbox.slack.answers import show
from sandbox.slack.blocks import all_blocks, check_view, elements_of
from sandbox.slack.config import Account, Json
from sandbox.slack.delivery import Delivery, Outcome
from sandbox.slack.errors import RefusedError
from sandbox.slack.markup import typed_by_person, visible_text
from sandbox.slack.sights import messages_for
from sandbox.slack.state import Channel, State
from sandbox.slack.surfaces import OpenView, ResponseUrl, Surfaces, chosen

TROUBLE = "We had some trouble connecting. Try again?"


class NotThereError(Exception):
    """The person looked for something that is not on their screen (yet); the text says what is."""


class CannotError(Exception):
    """Slack's client does not let this person do that."""


class Interaction:
    """The hands of everybody in the workspace."""

    def __init__(self, state: State, surfaces: Surfaces, delivery: Delivery) -> None:
        self.state = state
        self.surfaces = surfaces
        self.delivery = delivery

    async def say(self, person: Account, channel: Channel, text: str, thread_ts: str = "") -> Outcome:
        """Write into a channel; a text that begins with `/` is a slash command."""
        self._must_be_in(person, channel)
        if text.startswith("/"):
            if thread_ts:
                raise CannotError("slash commands cannot be used in threads")
            return await self._command(person, channel, text)
        if channel.is_archived:
            raise CannotError(f"#{channel.name} is archived")
        message = {"user": person.id, "text": typed_by_person(self.state, text, labelled=False)}
        message |= {"team": person.team or self.state.config.team_id, "client_msg_id": self.state.new_id("m")}
        if thread_ts:
            message["thread_ts"] = thread_ts
        self.state.add(channel, message)
        return Outcome()

    async def _command(self, person: Account, channel: Channel, text: str) -> Outcome:
        app = self.state.config.app
        command, _, rest = text.partition(" ")
        if command not in app.commands or person.team:
            self.state.notice(channel, person.id, f"`{command}` is not a valid command here.")
            return Outcome("invalid_command")
        rest = rest.strip()
        if app.escape_commands:
            rest = typed_by_person(self.state, rest, labelled=True)
        payload = payloads.slash(self.surfaces, person, channel, command, rest)
        outcome = await self.delivery.send("slash_commands", payload)
        if outcome.error:
            self.state.notice(channel, person.id, f'{command} failed with the error "{outcome.error}"')
        elif outcome.body:
            self._show(self.surfaces.response_urls[payload["response_url"].rpartition("/")[2]], outcome.body)
        return outcome

    def _show(self, url: ResponseUrl, body: Json) -> None:
        try:
            show(self.state, url, body)
        except RefusedError as refused:
            self.delivery.complaints.append(f"answer not shown: {refused.error} {'; '.join(refused.details)}")
            self.state.notice(url.channel, url.user_id, f'the app\'s answer could not be shown: "{refused.error}"')

    async def press(
        self,
        person: Account,
        channel: Channel,
        button: str,
        on: str = "",
        *,
        value: object = None,
        confirmed: bool = False,
        stale: bool = False,
    ) -> Outcome:
        """Press a button (by its text or action id) in the latest message that has it and matches `on`.

        For a menu or another field of a message, `value` is what is chosen. `stale` presses what an earlier version
        of the message showed, as a client does whose screen has not caught up. Raises `NotThereError`, `CannotError`.
        """
        self._must_be_in(person, channel)
        message, block, element = self._find(person, channel, button, on, stale=stale)
        _confirm(element, confirmed=confirmed)
        values = self.surfaces.message_values(person.id, message)
        action = self._action(element, block, value, values)
        if block["type"] == "input" and not block.get("dispatch_action"):
            return Outcome()
        payload = payloads.on_message(self.surfaces, person, (channel, message), action, values)
        outcome = await self.delivery.send("interactive", payload)
        if outcome.error:
            self.state.notice(channel, person.id, f'The app did not answer the press ("{outcome.error}"). Try again.')
        return outcome

    def _find(self, person: Account, channel: Channel, button: str, on: str, *, stale: bool) -> tuple[Json, Json, Json]:
        shown: list[str] = []
        for message in reversed(messages_for(channel, person)):
            for version in self._versions(channel, message, stale=stale):
                if on and on != message["ts"] and on not in visible_text(self.state, version, person):
                    continue
                for block, element in elements_of(all_blocks(version)):
                    name = element.get("text", {}).get("text", "") if element["type"] == "button" else ""
                    if button in (name, element["action_id"]):
                        return version, block, element
                    shown.append(name or element["action_id"])
        where = f" on a message with {on!r}" if on else ""
        raise NotThereError(f"no {button!r}{where} in #{channel.name}; there are: {', '.join(shown[:20]) or 'none'}")

    def _versions(self, channel: Channel, message: Json, *, stale: bool) -> Iterator[Json]:
        yield message
        if stale:
            yield from reversed(self.state.versions.get((channel.id, message["ts"]), ()))

    def _action(self, element: Json, block: Json, value: object, values: dict[str, dict[str, Json]]) -> Json:
        """The entry of `actions` for a press or a choice, which is also noted in `values`."""
        action: Json = {"action_id": element["action_id"], "block_id": block["block_id"], "type": element["type"]}
        action |= {key: element[key] for key in ("text", "value", "style", "url", "confirm") if key in element}
        if element["type"] == "overflow":
            action["selected_option"] = chosen({**element, "type": "static_select"}, value)["selected_option"]
        elif element["type"] != "button":
            picked = chosen(element, value)
            values.setdefault(block["block_id"], {})[element["action_id"]] = picked
            action |= picked
        return action | {"action_ts": self.state.ts()}

    async def press_in_view(
        self, person: Account, held: OpenView, name: str, *, value: object = None, confirmed: bool = False
    ) -> Outcome:
        """Press a button or choose a value in a modal or home; plain input fields are only filled, not sent."""
        for block, element in elements_of(held.view["blocks"]):
            text = element.get("text", {}).get("text", "") if element["type"] == "button" else ""
            both = f"{block['block_id']}/{element['action_id']}"
            if name in (text, element["action_id"], both, block.get("label", {}).get("text")):
                _confirm(element, confirmed=confirmed)
                action = self._action(element, block, value, held.values)
                if block["type"] == "input" and not block.get("dispatch_action"):
                    return Outcome()
                payload = payloads.on_view(self.surfaces, person, held, action)
                outcome = await self.delivery.send("interactive", payload)
                if outcome.error:
                    held.errors = {"": TROUBLE}
                    self.state.changed()
                return outcome
        raise NotThereError(f"no {name!r} in the view {_title(held)!r}")

    def modal(self, person: Account) -> OpenView:
        """The modal on top of a person's screen, else `NotThereError`."""
        stack = self.surfaces.stacks.get(person.id, [])
        if not stack:
            raise NotThereError(f"no modal is open for {person.name}")
        return stack[-1]

    async def submit(self, person: Account, values: Json) -> Outcome:
        """Fill fields of the open modal and press its submit button. What the client itself refuses is not sent."""
        held = self.modal(person)
        try:
            forms.fill(held, values)
        except ValueError as error:
            raise NotThereError(str(error)) from None
        held.errors = forms.faults(held)
        self.state.changed()
        if held.errors:
            return Outcome("invalid_fields")
        outcome = await self.delivery.send("interactive", payloads.submission(self.surfaces, person, held))
        if outcome.error:
            held.errors = {"": TROUBLE}
        else:
            self._after_submit(person, held, outcome.body or {})
        self.state.changed()
        return outcome

    def _after_submit(self, person: Account, held: OpenView, body: Json) -> None:
        try:
            self._respond_to(person, held, body)
        except RefusedError as refused:
            self.delivery.complaints.append(f"bad answer to a submission: {refused.error} {'; '.join(refused.details)}")
            held.errors = {"": TROUBLE}

    def _respond_to(self, person: Account, held: OpenView, body: Json) -> None:
        """Do what the `response_action` says; without one the view closes."""
        action = body.get("response_action")
        if action == "errors":
            held.errors = _field_errors(held, body.get("errors"))
        elif action == "update":
            self.surfaces.update(held, check_view(body.get("view")))
        elif action == "push":
            self.surfaces.push(check_view(body.get("view")), held.app, person.id)
        elif action == "clear":
            self.surfaces.close(person.id, everything=True)
        elif body:
            raise RefusedError("invalid_response", [f"unknown answer to a submission: {sorted(body)}"])
        elif self.surfaces.stacks.get(person.id, [])[-1:] == [held]:
            self.surfaces.close(person.id)

    async def close(self, person: Account, *, everything: bool = False) -> Outcome:
        """Close the open modal (or all of them); the app hears of it if the view says `notify_on_close`."""
        held = self.modal(person)
        self.surfaces.close(person.id, everything=everything or bool(held.view["clear_on_close"]))
        if not held.view["notify_on_close"]:
            return Outcome()
        payload = payloads.closed(self.surfaces, person, held, everything=everything)
        return await self.delivery.send("interactive", payload)

    def open_home(self, person: Account) -> None:
        """Look at the app's Home."""
        event = payloads.home_opened(self.state, person, self.surfaces.homes.get(person.id))
        self.delivery.event("app_home_opened", event)

    def _must_be_in(self, person: Account, channel: Channel) -> None:
        if person.id not in channel.members:
            raise CannotError(f"{person.name} is not in #{channel.name}")


def _title(held: OpenView) -> str:
    return held.view["title"]["text"] if held.view["title"] else "Home"


def _confirm(element: Json, *, confirmed: bool) -> None:
    if "confirm" in element and not confirmed:
        question = element["confirm"]["title"]["text"]
        raise CannotError(f"the press asks first: {question!r}; press with confirm=True to say yes")


def _field_errors(held: OpenView, errors: object) -> dict[str, str]:
    """The errors of an answer, each on a block that takes input."""
    inputs = {block["block_id"] for block in held.view["blocks"] if block["type"] == "input"}
    if not isinstance(errors, dict) or not errors:
        raise RefusedError("invalid_response", ["`errors` must name at least one block"])
    if unknown := set(errors) - inputs:
        raise RefusedError("invalid_response", [f"no input block {name!r}" for name in sorted(unknown)])
    return {name: str(text) for name, text in errors.items()}
