"""The end of a maintenance on the status page, whether it was completed or cancelled: one text, components back."""

from collections.abc import Mapping

from bot.errors import AnswerLost, Temporary
from bot.step import Context
from integrations.statuspage.client import Statuspage
from integrations.statuspage.incident import AUTO_OFF, COMPLETED, Incident
from integrations.statuspage.page import OnPage


def end(ctx: Context, step: OnPage, api: Statuspage, incident: Incident, text: str) -> dict[str, str]:
    """Complete a maintenance with `text`, unless it is completed, and put its components back to what they were.

    Returns the components that were put back, and to what. A lost answer raises `AnswerLost`.
    """
    back = step.to_put_back(ctx, incident, step.statuses(api))
    if not incident.reached(COMPLETED):
        fields = {"status": COMPLETED, "body": text, "deliver_notifications": step.notify, **AUTO_OFF}
        api.update(step.page, incident.id, {**fields, **_with(back)})
    put_back(ctx, step, api, incident)
    return back


def put_back(ctx: Context, step: OnPage, api: Statuspage, incident: Incident | None) -> dict[str, str]:
    """Put the components back that still are as `statuspage.begin` left them; returns them, and to what."""
    back = step.to_put_back(ctx, incident, step.statuses(api))
    for component, status in back.items():
        api.set_component(step.page, component, status)
    return back


def end_for_sure(ctx: Context, step: OnPage, api: Statuspage, incident: Incident, text: str) -> dict[str, str]:
    """Do what `end` does, and settle a lost answer by reading back, for where nobody else does."""
    try:
        return end(ctx, step, api, incident, text)
    except AnswerLost as lost:
        again = step.find(ctx, api)
        if again is None:
            return put_back(ctx, step, api, None)
        if again.reached(COMPLETED):
            return end(ctx, step, api, again, text)
        raise Temporary(f"{lost} Reading back shows that it was not done.") from None


def _with(components: Mapping[str, str]) -> dict[str, Mapping[str, str]]:
    return {"components": components} if components else {}
