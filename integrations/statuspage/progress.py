"""The steps that move the maintenance on along the status page, and the one that only says something there."""

from collections.abc import Mapping
from typing import Any, ClassVar

from bot.errors import Final
from bot.step import Context, Outcome, Plan, step
from integrations.statuspage import texts
from integrations.statuspage.client import Statuspage
from integrations.statuspage.ending import end, put_back
from integrations.statuspage.incident import (
    AUTO_OFF,
    COMPLETED,
    IN_PROGRESS,
    UNDER_MAINTENANCE,
    VERIFYING,
    Incident,
    times_of,
)
from integrations.statuspage.page import OnPage, Text, named, worded


class _Telling(OnPage):
    """What these steps share: one text, published together with a status."""

    text: Text | None = None
    """What the page says; left out, a sentence that fits."""

    status: ClassVar[str] = ""
    doing: ClassVar[str] = ""

    def words(self, ctx: Context) -> str:
        """Return the text to publish."""
        raise NotImplementedError

    def components_line(self, ctx: Context, incident: Incident) -> str:  # noqa: ARG002 - subclasses look at it
        """Return what becomes of the components, for the plan: by default nothing."""
        return "The components stay as they are."

    def plan(self, ctx: Context) -> Plan:
        where = "It is not on the page yet: an earlier step publishes it."
        if self.published(ctx):
            with Statuspage.of(ctx) as api:
                incident = self.needed(ctx, api)
            where = f"It is {worded(incident.status)} now. {self.components_line(ctx, incident)}"
        details = (
            "As people will read it:",
            *self.words(ctx).splitlines(),
            where,
            f"Subscribers are {'told' if self.notify else 'not told'}.",
        )
        subject = {
            "uses": self.uses,
            "page": self.page,
            "text": self.words(ctx),
            "notify": self.notify,
            "components": sorted(map(str, self._approved(ctx))),
        }
        return Plan(f"{self.doing} on the status page", details, subject)

    def check(self, ctx: Context) -> Outcome | None:
        with Statuspage.of(ctx) as api:
            incident = self.needed(ctx, api)
            amiss = self.amiss(ctx, incident, self.statuses(api))
        return None if amiss else self.told(incident)

    def told(self, incident: Incident, **facts: Any) -> Outcome:
        """Return the outcome."""
        summary = f"The status page says: {worded(incident.status)} ({incident.shortlink})"
        return Outcome(summary, {**self.facts(incident), **facts})

    def fields(self, ctx: Context) -> dict[str, Any]:
        """Return what goes with every text: the window as it is now, and the clock's transitions off."""
        return {"body": self.words(ctx), "deliver_notifications": self.notify, **times_of(ctx.window), **AUTO_OFF}

    def must_be_open(self, incident: Incident) -> None:
        """Raise `Final` if the maintenance is over on the page."""
        if incident.reached(COMPLETED):
            raise Final(
                "The status page says that this maintenance is completed, which this maintenance has not done: "
                f"somebody did, or the page's clock ({incident.shortlink}). Nothing was changed. Reopen it there and "
                "retry the step, or skip the step."
            )

    def _approved(self, ctx: Context) -> Mapping[str, object]:
        components = self.published(ctx).get("components")
        return components if isinstance(components, Mapping) else {}


@step("statuspage.begin")
class Begin(_Telling):
    """Say on the status page that the work has begun, and show the components as under maintenance.

    What the components were is put on record first, so that `statuspage.complete` can put them back.
    """

    status: ClassVar[str] = IN_PROGRESS
    doing: ClassVar[str] = "Say that the work has begun, and show the components as under maintenance,"

    def words(self, ctx: Context) -> str:
        return self.text or texts.begun(ctx.window)

    def components_line(self, ctx: Context, incident: Incident) -> str:
        return f"Under maintenance: {named(self.affected(ctx, incident))}."

    def apply(self, ctx: Context) -> Outcome:
        with Statuspage.of(ctx) as api:
            incident = self.needed(ctx, api)
            self.must_be_open(incident)
            affected, statuses = self.affected(ctx, incident), self.statuses(api)
            self.remember(ctx, affected, statuses)
            ctx.raise_if_stopped()
            left = {one: UNDER_MAINTENANCE for one in affected if statuses.get(one) != UNDER_MAINTENANCE}
            if not incident.reached(IN_PROGRESS):
                changes = {"components": left} if left else {}
                raw = api.update(self.page, incident.id, {"status": IN_PROGRESS, **self.fields(ctx), **changes})
                incident, statuses = Incident.of(raw), self.statuses(api)
            for one in affected:
                if statuses.get(one) != UNDER_MAINTENANCE:
                    api.set_component(self.page, one, UNDER_MAINTENANCE)
        return self.told(incident)

    def amiss(self, ctx: Context, incident: Incident | None, statuses: Mapping[str, str]) -> str | None:
        if incident is None or not incident.reached(IN_PROGRESS) or incident.reached(COMPLETED):
            return "the maintenance is not in progress"
        up = {one: name for one, name in self.affected(ctx, incident).items() if statuses.get(one) != UNDER_MAINTENANCE}
        return f"{named(up)} not shown as under maintenance" if up else None


@step("statuspage.verify")
class Verify(_Telling):
    """Say on the status page that the work is done and is being checked. The components stay under maintenance."""

    status: ClassVar[str] = VERIFYING
    doing: ClassVar[str] = "Say that the work is done and is being checked,"

    def words(self, ctx: Context) -> str:  # noqa: ARG002 - other texts tell of the window
        return self.text or texts.VERIFYING

    def apply(self, ctx: Context) -> Outcome:
        with Statuspage.of(ctx) as api:
            incident = self.needed(ctx, api)
            self.must_be_open(incident)
            if not incident.reached(VERIFYING):
                raw = api.update(self.page, incident.id, {"status": VERIFYING, **self.fields(ctx)})
                incident = Incident.of(raw)
        return self.told(incident)

    def amiss(self, ctx: Context, incident: Incident | None, statuses: Mapping[str, str]) -> str | None:  # noqa: ARG002
        done = incident is not None and incident.reached(VERIFYING) and not incident.reached(COMPLETED)
        return None if done else "the maintenance is not being verified"


@step("statuspage.complete")
class Complete(_Telling):
    """Say on the status page that the maintenance is completed, and put the components back to what they were.

    Let it need the gate: nothing else completes the maintenance on the page. A component to which somebody has given
    another status meanwhile keeps it.
    """

    status: ClassVar[str] = COMPLETED
    doing: ClassVar[str] = "Say that the maintenance is completed, and put the components back to what they were,"

    def words(self, ctx: Context) -> str:  # noqa: ARG002 - other texts tell of the window
        return self.text or texts.COMPLETED

    def components_line(self, ctx: Context, incident: Incident) -> str:
        before = self.before(ctx)
        told = {
            one: f"{name} to {worded(before[one])}"
            for one, name in self.affected(ctx, incident).items()
            if one in before
        }
        return f"Put back: {named(told)}."

    def check(self, ctx: Context) -> Outcome | None:
        # A maintenance that was deleted by hand may have left its components as they were during the work.
        if not self.published(ctx):
            return super().check(ctx)
        with Statuspage.of(ctx) as api:
            incident = self.find(ctx, api)
            amiss = self.amiss(ctx, incident, self.statuses(api))
        return None if amiss else self._ended(incident, {})

    def apply(self, ctx: Context) -> Outcome:
        with Statuspage.of(ctx) as api:
            incident = self.find(ctx, api) if self.published(ctx) else self.needed(ctx, api)
            ctx.raise_if_stopped()
            if incident is None:
                return self._ended(None, put_back(ctx, self, api, None))
            back = end(ctx, self, api, incident, self.words(ctx))
            return self._ended(self.needed(ctx, api), back)

    def _ended(self, incident: Incident | None, back: Mapping[str, str]) -> Outcome:
        if incident is not None:
            return self.told(incident, put_back=dict(back))
        gone = (
            "Somebody has deleted the maintenance from the status page. Its components are not under maintenance now."
        )
        return Outcome(gone, {"page": self.page, "status": "deleted", "put_back": dict(back)})

    def amiss(self, ctx: Context, incident: Incident | None, statuses: Mapping[str, str]) -> str | None:
        # The public page shows only those that are not over.
        if incident is not None and not incident.reached(COMPLETED):
            return f"the maintenance is {worded(incident.status)}"
        left = self.to_put_back(ctx, incident, statuses)
        return f"{len(left)} components are still under maintenance" if left else None


@step("statuspage.note")
class Note(_Telling):
    """Publish a text under the maintenance on the status page, and leave its status as it is.

    With it goes the window as it is now, so that the page shows an end that has moved.
    """

    text: Text
    """What the page says."""

    doing: ClassVar[str] = "Publish a text"
    approval: ClassVar[bool] = True

    def words(self, ctx: Context) -> str:  # noqa: ARG002 - other texts tell of the window
        return self.text

    def apply(self, ctx: Context) -> Outcome:
        with Statuspage.of(ctx) as api:
            incident = self.needed(ctx, api)
            self.must_be_open(incident)
            if "earlier" not in ctx.facts:
                # Another note may say the same: only what comes after these is this one.
                ctx.record("Publishing a text on the status page.", earlier=[one.id for one in incident.updates])
            ctx.raise_if_stopped()
            if self.amiss(ctx, incident, {}):
                raw = api.update(self.page, incident.id, {"status": incident.status, **self.fields(ctx)})
                incident = Incident.of(raw)
        return self.told(incident)

    def amiss(self, ctx: Context, incident: Incident | None, statuses: Mapping[str, str]) -> str | None:  # noqa: ARG002
        earlier = ctx.facts.get("earlier")
        said = incident is not None and earlier is not None and incident.says(self.text, except_in=earlier)
        return None if said else "the text is missing"
