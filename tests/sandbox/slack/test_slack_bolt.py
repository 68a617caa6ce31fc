"""A real Bolt app, in both modes, doing what apps do."""

from typing import Any

from tests.sandbox.slack.place import CHANNEL, Connect, Place, bolt_app

MODAL = {
    "type": "modal",
    "callback_id": "start",
    "title": {"type": "plain_text", "text": "Start"},
    "submit": {"type": "plain_text", "text": "Go"},
    "blocks": [
        {
            "type": "input",
            "block_id": "title",
            "label": {"type": "plain_text", "text": "Title"},
            "element": {"type": "plain_text_input", "action_id": "title"},
        },
        {
            "type": "input",
            "block_id": "when",
            "optional": True,
            "label": {"type": "plain_text", "text": "When"},
            "element": {"type": "datetimepicker", "action_id": "when"},
        },
    ],
}


def buttons(*names: str) -> list[dict[str, Any]]:
    elements = [{"type": "button", "action_id": n.lower(), "text": {"type": "plain_text", "text": n}} for n in names]
    return [
        {"type": "section", "text": {"type": "mrkdwn", "text": "Really *now*, <@U0ANA0001>?"}},
        {"type": "actions", "block_id": "decide", "elements": elements},
    ]


def test_a_command_is_acknowledged_and_answered(place: Place, connect: Connect) -> None:
    app, seen = bolt_app(place), []

    @app.command("/maint")
    def maint(ack: Any, command: Any, say: Any) -> None:
        ack("on it")
        seen.append(command)
        say("hello, channel")

    connect(app)
    ana = place.slack.person("ana")
    assert ana.says("/maint start vacuum with @ben in #maintenance")["error"] == ""
    assert ana.sees("on it")["is_ephemeral"]
    place.slack.channel("maintenance").shows("hello, channel")
    assert "on it" not in place.slack.channel("maintenance").texts()
    assert seen[0]["text"] == "start vacuum with <@U0BEN0001|ben> in <#C0MAINT01|maintenance>"
    assert seen[0]["user_id"] == "U0ANA0001"


def test_a_button_is_pressed_and_the_message_changes(place: Place, connect: Connect) -> None:
    app = bolt_app(place)

    @app.action("approve")
    def approve(ack: Any, body: Any, client: Any, respond: Any) -> None:
        ack()
        ts = body["message"]["ts"]
        client.chat_update(channel=CHANNEL, ts=ts, text=f"approved by <@{body['user']['id']}>")
        respond("thank you")

    connect(app)
    place.bot.chat_postMessage(channel=CHANNEL, text="ask", blocks=buttons("Approve", "Reject"))
    ben = place.slack.person("ben")
    ben.clicks("Approve", on="Really now, @ana?")
    message = place.slack.channel("maintenance").shows("approved by @ben")
    assert message["buttons"] == []
    assert ben.sees("thank you")["is_ephemeral"]


def test_a_modal_with_errors_then_accepted(place: Place, connect: Connect) -> None:
    app, submitted = bolt_app(place), []

    @app.command("/maint")
    def maint(ack: Any, body: Any, client: Any) -> None:
        ack()
        client.views_open(trigger_id=body["trigger_id"], view=MODAL)

    @app.view("start")
    def start(ack: Any, view: Any) -> None:
        title = view["state"]["values"]["title"]["title"]["value"]
        if title == "bad":
            ack(response_action="errors", errors={"title": "not that one"})
        else:
            ack()
            submitted.append(view["state"]["values"])

    connect(app)
    ana = place.slack.person("ana")
    ana.says("/maint start")
    assert ana.sees_modal("Title")["values"]["title"]["title"]["value"] is None
    assert ana.submits()["error"] == "invalid_fields"
    assert ana.form_errors() == {"title": "Please complete this required field."}
    ana.submits_form({"Title": "bad"})
    assert ana.form_errors() == {"title": "not that one"}
    ana.submits_form({"Title": "good", "When": 1_800_000_000})
    ana.sees_no_modal()
    assert submitted[0]["when"]["when"]["selected_date_time"] == 1_800_000_000
    assert place.slack.complaints() == []


def test_home_and_reactions_arrive_as_events(place: Place, connect: Connect) -> None:
    app = bolt_app(place)

    @app.event("app_home_opened")
    def opened(event: Any, client: Any) -> None:
        client.views_publish(user_id=event["user"], view={"type": "home", "blocks": buttons("Plan")})

    @app.event("reaction_added")
    def reacted(event: Any, say: Any) -> None:
        say(f"saw {event['reaction']} on {event['item']['ts']}", channel=event["item"]["channel"])

    @app.event("message")
    def ignore() -> None:
        pass

    @app.action("plan")
    def plan(ack: Any, body: Any, client: Any) -> None:
        ack()
        client.chat_postMessage(channel=CHANNEL, text=f"{body['view']['type']} pressed")

    connect(app)
    chloe, channel = place.slack.person("chloe"), place.slack.channel("maintenance")
    chloe.opens_home()
    chloe.sees_home("Really now")
    chloe.clicks_in("home", "Plan")
    channel.shows("home pressed")
    chloe.says("look here")
    chloe.reacts("eyes", on="look here")
    channel.shows("saw eyes on")
