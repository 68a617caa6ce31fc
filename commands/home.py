"""The App Home: running and coming maintenances with buttons, and how past ones have gone."""

from typing import Any

from bot.state import State
from commands.modals import plain_text
from commands.stats import bars, summed_up
from commands.verb import Bot

_SHOWN = 15
Block = dict[str, Any]


def view(bot: Bot) -> Block:
    """Return the home tab for `views.publish`."""
    active = bot.maintenances.active()
    blocks: list[Block] = [
        {"type": "header", "text": plain_text("Maintenance")},
        {
            "type": "actions",
            "block_id": "home",
            "elements": [
                {
                    "type": "button",
                    "action_id": "home_start",
                    "style": "primary",
                    "text": plain_text("Plan a maintenance"),
                    "value": "start",
                }
            ],
        },
    ]
    if not active:
        blocks.append(_text("Nothing is planned or running."))
    for state in active[:_SHOWN]:
        blocks += [{"type": "divider"}, _text(bot.card_text(state)), _buttons(state)]
    record = bot.track_record()
    if record.last:
        blocks += [{"type": "divider"}, {"type": "header", "text": plain_text("Past")}]
        blocks += [_text("\n".join(summed_up(record))), _text(bars(record))]
    return {"type": "home", "blocks": blocks}


def _buttons(state: State) -> Block:
    verb, label = ("resume", "Resume") if state.paused else ("pause", "Pause")
    return {
        "type": "actions",
        "block_id": f"home:{state.id}",
        "elements": [
            {"type": "button", "action_id": verb, "text": plain_text(label), "value": f"{state.id}||"},
            {
                "type": "button",
                "action_id": "abort",
                "style": "danger",
                "text": plain_text("Abort"),
                "value": f"{state.id}||",
            },
        ],
    }


def _text(markup: str) -> Block:
    return {"type": "section", "text": {"type": "mrkdwn", "text": markup[:3000], "verbatim": True}}
