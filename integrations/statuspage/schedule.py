"""`statuspage.schedule`: the maintenance appears on the status page, and follows its window."""

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from bot.errors import Final
from bot.step import Context, OnFailure, Outcome, Plan, Standing, Window, is_being_ended, step
from integrations.statuspage import texts
from integrations.statuspage.client import Statuspage
from integrations.statuspage.ending import end_for_sure
from integrations.statuspage.incident import (
    AUTO_OFF,
    COMPLETED,
    IN_PROGRESS,
    SCHEDULED,
    Incident,
    chosen,
    metadata_of,
    times_of,
)
from integrations.statuspage.page import OnPage, Text, Title, named, worded

_ENDED = "The status page is told that it is over"


@step("statuspage.schedule")
class Schedule(OnPage):
    """Publish the maintenance on an Atlassian Statuspage page, or bring it up to date with a window that has changed.

    Statuspage's own transitions are off: only the maintenance moves it on, never the clock. It carries a mark by which
    it is found again, so that it is published once whatever happens. If the maintenance is cancelled or aborted, it is
    ended on the page with a text, and the components are put back to what they were.
    """

    components: tuple[str, ...] = ()
    """The components that are affected, by name or id; the name of a group stands for all in it."""
    title: Title | None = None
    """What it is called on the page; the title of the maintenance where it is not given."""
    text: Text | None = None
    """What the page says; left out, one sentence with start, end, zone and components."""
    cancel_text: Text | None = None
    """What the page says if the maintenance is cancelled or aborted; left out, that it is cancelled or over."""
    remind: bool = True
    """Whether Statuspage reminds the subscribers an hour before the start."""
    if_not_begun: Literal["tell", "delete"] = "tell"
    """What a cancellation does before the start: `tell` ends it with a text, `delete` removes it without a word."""

    approval: ClassVar[bool] = True
    tells: ClassVar[Mapping[str, tuple[str, ...]]] = {"text": ("start", "length", "zone", "impact")}
    reversible: ClassVar[bool] = True
    on_failure: ClassVar[OnFailure] = "ask"
    surface: ClassVar[bool] = True

    def plan(self, ctx: Context) -> Plan:
        if self._is_being_ended(ctx):
            return Plan(
                f"Nothing to do: {_ENDED.lower()}.", subject={"uses": self.uses, "page": self.page, "over": True}
            )
        with Statuspage.of(ctx) as api:
            affected = chosen(api.components(self.page), self.components)
            incident = self.find(ctx, api)
        text = self._body(ctx, incident, affected) or self._text(ctx, affected)
        what = "Publish" if incident is None else "Bring up to date"
        summary = f"{what} the maintenance on the status page: {self._title(ctx)}"
        if self._is_so(ctx, incident, affected):
            summary = "Nothing to do: the status page has the maintenance already."
        details = (
            "As people will read it:",
            *text.splitlines(),
            f"Window: {texts.window_text(ctx.window)}.",
            f"Components: {named(affected)}.",
            f"Subscribers are {'told' if self.notify else 'not told'}, and {'' if self.remind else 'not '}reminded an "
            "hour before.",
        )
        subject = {
            "uses": self.uses,
            "page": self.page,
            "title": self._title(ctx),
            "text": text,
            "components": sorted(affected),
            **times_of(ctx.window),
            "notify": self.notify,
            "remind": self.remind,
            "cancel_text": self.cancel_text,
            "if_not_begun": self.if_not_begun,
        }
        return Plan(summary, details, subject)

    def check(self, ctx: Context) -> Outcome | None:
        if self._is_being_ended(ctx):
            return Outcome(f"{_ENDED}: nothing to bring up to date.")
        with Statuspage.of(ctx) as api:
            incident = self.find(ctx, api)
            if incident is None:
                return None
            affected = chosen(api.components(self.page), self.components)
        return self._outcome(ctx, incident, affected) if self._is_so(ctx, incident, affected) else None

    def apply(self, ctx: Context) -> Outcome:
        with Statuspage.of(ctx) as api:
            affected = chosen(api.components(self.page), self.components)
            incident = self.find(ctx, api)
            ctx.raise_if_stopped()
            fields: dict[str, Any] = {
                "name": self._title(ctx),
                **times_of(ctx.window),
                **AUTO_OFF,
                "scheduled_remind_prior": self.remind,
                "deliver_notifications": self.notify,
                "component_ids": list(affected),
                "metadata": metadata_of(ctx.maintenance),
            }
            body = self._body(ctx, incident, affected)
            if incident is None:
                raw = api.create(self.page, {**fields, "status": SCHEDULED, "body": body})
            elif incident.reached(COMPLETED):
                raise Final(
                    "Somebody has completed this maintenance on the status page already, so it cannot be brought up to "
                    "date. Nothing was changed. Delete it there, and retry the step to publish it anew."
                )
            else:
                raw = api.update(self.page, incident.id, {**fields, **({"body": body} if body else {})})
        return self._outcome(ctx, Incident.of(raw), affected)

    def standing(self, ctx: Context, outcome: Outcome) -> Standing | None:
        with Statuspage.of(ctx) as api:
            incident = self.find(ctx, api, outcome.facts.get("incident"))
            if incident is None or incident.reached(COMPLETED):
                left = self.to_put_back(ctx, incident, self.statuses(api))
                return Standing(f"{len(left)} components under maintenance on the status page") if left else None
        by_clock = " (begins or ends by the clock)" if incident.runs_by_the_clock() else ""
        start, end = incident.window
        shown = texts.window_text(Window(start, end, ctx.window.zone)) if start and end else "no window"
        return Standing(
            f"{incident.name}, {shown}{by_clock}: {worded(incident.status)}",
            f"{self._title(ctx)}, {texts.window_text(ctx.window)}: {worded(incident.status)}",
        )

    def undo(self, ctx: Context, outcome: Outcome) -> Outcome:  # noqa: ARG002 - the signature of the contract
        with Statuspage.of(ctx) as api:
            incident = self.find(ctx, api)
            if incident is None:
                return Outcome("The maintenance is not on the status page (any more).")
            if self.if_not_begun == "delete" and incident.status == SCHEDULED:
                api.delete(self.page, incident.id)
                return Outcome("The maintenance was deleted from the status page.", self.facts(incident))
            over = incident.reached(COMPLETED)
            begun = incident.reached(IN_PROGRESS)
            stopped = texts.ROLLED_BACK if ctx.taken_back() == "rolled_back" else texts.ENDED_EARLY
            text = self.cancel_text or (stopped if begun else texts.CANCELLED)
            back = end_for_sure(ctx, self, api, incident, text)
        done = "is over on the status page already" if over else f"was ended on the status page: “{text}”"
        return Outcome(f"The maintenance {done}", {**self.facts(incident), "status": COMPLETED, "put_back": back})

    def amiss(self, ctx: Context, incident: Incident | None, statuses: Mapping[str, str]) -> str | None:  # noqa: ARG002
        if incident is None:
            return "the maintenance is missing"
        if not incident.has_window(ctx.window):
            return "the maintenance has another window"
        if incident.name != self._title(ctx):
            return f"the maintenance is called {incident.name!r}"
        if incident.runs_by_the_clock():
            return "the maintenance would begin or end by the clock"
        return None if self._said(ctx, incident, incident.components) else "the text is missing"

    def verify(self, ctx: Context, outcome: Outcome) -> None:
        if outcome.facts:
            super().verify(ctx, outcome)

    def _is_being_ended(self, ctx: Context) -> bool:
        return is_being_ended(ctx, "statuspage.complete", "page")

    def _is_so(self, ctx: Context, incident: Incident | None, affected: Mapping[str, str]) -> bool:
        if incident is None or incident.reached(COMPLETED) or self.amiss(ctx, incident, {}):
            return False
        return set(incident.components) == set(affected)

    def _body(self, ctx: Context, incident: Incident | None, affected: Mapping[str, str]) -> str | None:
        """Return what has to be said now, if anything: that it is coming, or that its window has changed."""
        text = self._text(ctx, affected)
        if incident is None:
            return text
        if incident.has_window(ctx.window):
            return None if self._said(ctx, incident, affected) else text
        if self.text is not None and not incident.says(text):
            return text
        return texts.prolonged(ctx.window) if incident.reached(IN_PROGRESS) else texts.moved(ctx.window)

    def _said(self, ctx: Context, incident: Incident, affected: Mapping[str, str]) -> bool:
        changes = (texts.moved(ctx.window), texts.prolonged(ctx.window))
        return any(incident.says(text) for text in (self._text(ctx, affected), *changes))

    def _text(self, ctx: Context, affected: Mapping[str, str]) -> str:
        return self.text or texts.announced(ctx.window, affected.values())

    def _title(self, ctx: Context) -> str:
        return self.title or ctx.title

    def _outcome(self, ctx: Context, incident: Incident, affected: Mapping[str, str]) -> Outcome:
        facts = {**self.facts(incident), "components": dict(affected), **times_of(ctx.window)}
        return Outcome(f"On the status page: {incident.name} ({incident.shortlink})", facts)
