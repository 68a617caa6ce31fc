"""The answer to a submitted form, which Slack takes for three seconds, while to judge the form may take longer.

What is judged in time is answered in the form: it closes, or shows errors at its fields. Else the form says that it is
being looked at, and is changed once that has ended. Sources: https://docs.slack.dev/surfaces/modals, "Updating views"
and "Displaying errors".
"""

import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

import structlog
from slack_sdk import WebClient
from slack_sdk.errors import SlackClientError

from commands.answers import answer
from commands.behind import Behind
from commands.modals import Block, closing, told_above
from commands.verb import Reply

PATIENCE_S = 2.0
"""How long Slack's answer waits for the judgement: what is left of the three seconds is for the way."""
_SETTLES_S = 1.0
"""How long Slack has to show that it is being looked at, before the form is changed again."""
_LOOKING = (
    "This takes longer than usual: Slack is slow to say who may do what, or another system to answer. It is still "
    "being done, once; you do not have to send it again. What came of it is shown here, and you may close this: "
    "then look in the channel."
)
log = structlog.get_logger()


@dataclass(frozen=True)
class Judged:
    """What came of a form: `errors` by block, or the form anew in `form`; with neither it was taken.

    `told` is what the person is told besides, and `after` is done after the answer.
    """

    errors: Mapping[str, str] = field(default_factory=dict)
    form: Block | None = None
    told: Reply = field(default_factory=Reply)
    after: Callable[[], None] | None = None


def settle(
    judge: Callable[[], Judged],
    *,
    ack: Callable[..., object],
    view: Mapping[str, Any],
    shown_in: dict[str, Any],
    client: WebClient,
    behind: Behind,
    patience_s: float = PATIENCE_S,
) -> None:
    """Answer a submission of `view` with what `judge` finds; it must not raise. `shown_in` is as `answer` takes it."""
    asked = behind.begin(judge)
    try:
        judged = asked.result(patience_s)
    except TimeoutError:
        ack(response_action="update", view=closing(str(view["title"]["text"]), _LOOKING))
        behind(lambda: _late(asked, view, shown_in, client))
        return
    if judged.errors:
        ack(response_action="errors", errors=dict(judged.errors))
    elif judged.form is not None:
        ack(response_action="update", view=judged.form)
    else:
        ack()
    behind(lambda: _follow(judged, shown_in, client))


def _late(asked: "Future[Judged]", view: Mapping[str, Any], shown_in: dict[str, Any], client: WebClient) -> None:
    judged = asked.result()
    time.sleep(_SETTLES_S)
    words = "\n".join(judged.errors.values())
    made = judged.form
    if made is None:
        title = str(view["title"]["text"])
        made = told_above(view, judged.errors) if judged.errors else closing(title, "It is done: see the channel.")
    try:
        client.views_update(view_id=view["id"], view=made)
    except (SlackClientError, OSError) as error:
        log.info("form_not_changed", error=type(error).__name__)
        if words or judged.form is not None:
            # They have closed it: what is wrong would be seen by nobody.
            refused = words or "The form you sent has a question for you. Nothing was recorded; please send it again."
            answer(shown_in, client, Reply(f":warning: {refused}"))
    _follow(judged, shown_in, client)


def _follow(judged: Judged, shown_in: dict[str, Any], client: WebClient) -> None:
    if judged.told.text:
        answer(shown_in, client, judged.told)
    if judged.after is not None:
        judged.after()
