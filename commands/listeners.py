"""What Slack sends us, and who answers it. Every listener acknowledges first; the work comes behind it (`Behind`)."""

import re
import uuid
from collections.abc import Callable
from typing import Any

import structlog
from slack_bolt import Ack, App, BoltContext
from slack_sdk import WebClient
from slack_sdk.errors import SlackClientError

from bot.errors import BadInput, MaintError
from bot.journal import Duplicate
from bot.markup import escape
from bot.people import Person
from bot.plain import plain
from bot.suggest import nearest
from commands import home
from commands.answers import answer
from commands.behind import Behind
from commands.buttons import PRESSES, Press, press_of, pressed, reasoned, tried_on
from commands.marked import marked
from commands.modals import value_of
from commands.start import CHOOSE, SUBMIT, again, submitted
from commands.submissions import Judged, settle
from commands.verb import VERBS, Bot, Call, Reply
from commands.welcome import welcome

Json = dict[str, Any]
log = structlog.get_logger()


def register(app: App, bot: Bot) -> None:
    """Put the listeners on the Bolt app."""
    behind = Behind()
    app.command("/maint")(_slash(bot, behind))
    app.action(re.compile(rf"^({PRESSES})(:.*)?$"))(_button(bot, behind))
    app.view(re.compile(r"^reason:"))(_reason(bot, behind))
    app.action(CHOOSE)(_runbook_chosen(bot, behind))
    app.view(SUBMIT)(_start_submitted(bot, behind))
    app.action("home_start")(_home_start(bot, behind))
    app.event("app_home_opened")(_home(bot, behind))
    app.event("reaction_added")(_reaction(bot, behind))


def guarded(work: Callable[[], Reply]) -> Reply:
    """Run `work`; every error becomes words for the one who asked, and a fault of ours keeps its trace in our log."""
    try:
        return work()
    except Duplicate as error:
        return Reply(f"That has been recorded already, as entry {error.entry.seq} of {error.entry.maintenance}.")
    except MaintError as error:
        return Reply(f":warning: {_harmless(str(error))}")
    except Exception:  # noqa: BLE001 - `_broken` logs it whole
        return Reply(f":warning: {_broken()}")


def _harmless(words: str) -> str:
    """Words that may quote what somebody typed, as mrkdwn: of what stands in `<…>`, only people and groups remain."""
    return re.sub(r"&lt;(@[UW]\w+|!subteam\^S\w+)&gt;", r"<\1>", escape(words))


def _broken() -> str:
    """Log the exception that is being handled; returns what the person is told."""
    reference = uuid.uuid4().hex[:8]
    log.exception("listener_broke", reference=reference)
    return (
        f"The bot itself failed over this (reference {reference}). Look at the log in the channel to see whether it "
        "was recorded; if not, nothing was changed, and you can try again."
    )


def _slash(bot: Bot, behind: Behind) -> Callable[..., None]:
    def listen(ack: Ack, command: Json, client: WebClient) -> None:
        ack()
        behind(lambda: work(command, client))

    def work(command: Json, client: WebClient) -> None:
        reply = guarded(lambda: run(command, bot))
        answer(command, client, reply)
        if reply.then is not None:
            answer(command, client, guarded(reply.then))

    return listen


def run(command: Json, bot: Bot) -> Reply:
    """Run one slash command. Raises `MaintError` with words for the caller."""
    name, _, words = plain(command.get("text", "")).strip().partition(" ")
    name = name.lower()
    if name and name not in VERBS:
        near = nearest(name, VERBS)
        meant = f" Did you mean `/maint {near}`?" if near else ""
        if name in {"approve", "reject"}:
            meant = " That is done by the buttons on the request in the channel."
        raise BadInput(f"There is no `/maint {escape(name)}`.{meant} `/maint help` shows what there is.")
    person = bot.admit(command["user_id"], command["team_id"], name or "help")
    call = Call(name, person.id, command["channel_id"], person.zone, words.strip(), command["trigger_id"])
    if not name:
        return welcome(call, bot)
    try:
        return VERBS[name].run(call, bot)
    except BadInput as error:
        if error.field == "reason":
            raise BadInput(
                f"{error} Write it behind the command: `/maint {VERBS[name].usage}`.", field="reason"
            ) from None
        raise


def _button(bot: Bot, behind: Behind) -> Callable[..., None]:
    def listen(ack: Ack, body: Json, action: Json, client: WebClient, context: BoltContext) -> None:
        ack()
        behind(lambda: work(body, action, client, context))

    def press(body: Json, action: Json, context: BoltContext) -> Reply:
        verb = action["action_id"].partition(":")[0]
        person = _person(bot, body, context, verb)
        delivery = f"{action['action_ts']}:{person.id}:{action['action_id']}"
        return pressed(press_of(action["action_id"], action["value"], person, delivery), bot)

    def work(body: Json, action: Json, client: WebClient, context: BoltContext) -> None:
        reply = guarded(lambda: press(body, action, context))
        answer(body, client, reply)
        if reply.modal is None and body.get("view", {}).get("type") == "home":
            _show_home(body["user"]["id"], client, bot)

    return listen


def _person(bot: Bot, body: Json, context: BoltContext, verb: str) -> Person:
    """Who acts, from the signed payload; raises `NotAllowed` unless they may use `verb`."""
    return bot.admit(body["user"]["id"], body["user"].get("team_id") or context.team_id or "", verb)


def _reason(bot: Bot, behind: Behind) -> Callable[..., None]:
    def listen(ack: Ack, body: Json, view: Json, client: WebClient, context: BoltContext) -> None:
        shown_in = {"user_id": body["user"]["id"]}
        settle(
            lambda: judged(body, view, client, context),
            ack=ack,
            view=view,
            shown_in=shown_in,
            client=client,
            behind=behind,
        )

    def judged(body: Json, view: Json, client: WebClient, context: BoltContext) -> Judged:
        def judge() -> Judged:
            verb, reason = view["callback_id"].partition(":")[2], value_of(view, "reason")
            press = press_of(verb, view["private_metadata"], _person(bot, body, context, verb), f"view:{view['id']}")
            reasoned(press, reason, bot)
            # Slack may be slow to take the new card and prompts: the answer does not wait for that.
            return Judged(after=lambda: work(press, reason, client))

        return _judged(judge, "reason", bot)

    def work(press: Press, reason: str, client: WebClient) -> None:
        bot.refresh(press.maintenance)
        if press.verb == "try_on":
            shown_in = {"user_id": press.person.id, "channel_id": bot.maintenances.state(press.maintenance).channel}
            answer(shown_in, client, guarded(lambda: tried_on(press, reason, bot)))
        # The button may have been pressed in the Home, which does not change by itself.
        _show_home(press.person.id, client, bot)

    return listen


def _judged(judge: Callable[[], Judged], block: str, bot: Bot) -> Judged:
    """Judge a form; every error becomes words at its `block`, and what was recorded before is taken."""
    try:
        return judge()
    except Duplicate:
        return Judged()
    except MaintError as error:
        # Errors at a field are plain text: a mention there would be an id that nobody knows.
        return Judged(errors={block: bot.named(str(error))})
    except Exception:  # noqa: BLE001 - `_broken` logs it whole
        return Judged(errors={block: _broken()})


def _runbook_chosen(bot: Bot, behind: Behind) -> Callable[..., None]:
    def listen(ack: Ack, body: Json, client: WebClient) -> None:
        ack()

        def work() -> Reply:
            made = again(body["view"], bot)
            try:
                client.views_update(view_id=body["view"]["id"], hash=body["view"]["hash"], view=made)
            except (SlackClientError, OSError):
                # Two choices right behind one another, or Slack is slow; the form still shows the one before.
                raise BadInput("Slack did not change the form. Choose the runbook once more.") from None
            return Reply()

        shown_in = {"user_id": body["user"]["id"], "channel_id": body["view"]["private_metadata"]}
        behind(lambda: answer(shown_in, client, guarded(work)))

    return listen


def _start_submitted(bot: Bot, behind: Behind) -> Callable[..., None]:
    def listen(ack: Ack, body: Json, view: Json, client: WebClient, context: BoltContext) -> None:
        def judge() -> Judged:
            made = submitted(view, _person(bot, body, context, "start"), bot)
            return Judged(made.errors, made.form, made.reply)

        shown_in = {"user_id": body["user"]["id"], "channel_id": view["private_metadata"]}
        settle(lambda: _judged(judge, "at", bot), ack=ack, view=view, shown_in=shown_in, client=client, behind=behind)

    return listen


def _home(bot: Bot, behind: Behind) -> Callable[..., None]:
    def listen(event: Json, client: WebClient) -> None:
        if event.get("tab") == "home":
            behind(lambda: _show_home(event["user"], client, bot))

    return listen


def _reaction(bot: Bot, behind: Behind) -> Callable[..., None]:
    def listen(event: Json, client: WebClient, context: BoltContext) -> None:
        behind(lambda: marked(event, client, bot, context.bot_id or ""))

    return listen


def _show_home(user: str, client: WebClient, bot: Bot) -> None:
    try:
        client.views_publish(user_id=user, view=home.view(bot))
    except (SlackClientError, OSError) as error:
        log.warning("home_not_shown", user=user, error=type(error).__name__)


def _home_start(bot: Bot, behind: Behind) -> Callable[..., None]:
    def listen(ack: Ack, body: Json, client: WebClient, context: BoltContext) -> None:
        ack()

        def work() -> Reply:
            person = _person(bot, body, context, "start")
            call = Call("start", person.id, str(bot.defaults["channel"]), person.zone, "", body["trigger_id"])
            return VERBS["start"].run(call, bot)

        behind(lambda: answer(body, client, guarded(work)))

    return listen
