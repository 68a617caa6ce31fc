"""What every step on the status page shares: the page, finding the maintenance there, and reading back."""

from collections.abc import Mapping
from functools import partial
from typing import Annotated, ClassVar
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field

from bot.errors import Final, Temporary
from bot.step import Context, Outcome, Setting, Step
from integrations.statuspage import public
from integrations.statuspage.client import OPEN_LISTS, SETTINGS, Statuspage
from integrations.statuspage.incident import IN_PROGRESS, OPERATIONAL, UNDER_MAINTENANCE, Incident, is_of

_BEFORE = "statuspage_before"


def _address(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.username:
        raise ValueError(f"{url!r} is no address of a page, such as https://status.example.com")
    return url.rstrip("/")


def _worded(text: str) -> str:
    if not text.strip():
        raise ValueError("the text is empty")
    return text.strip()


PageId = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]+$")]
Address = Annotated[str, AfterValidator(_address)]
Text = Annotated[str, Field(max_length=25_000), AfterValidator(_worded)]
"""A text on the page; Statuspage takes no more characters."""
Title = Annotated[str, Field(max_length=255), AfterValidator(_worded)]


class OnPage(Step):
    """A step on one Statuspage page."""

    page: PageId
    """The id of the page, as `maint check` lists it."""
    public: Address | None = None
    """The page's own address, such as https://status.example.com; left out, it is asked of Statuspage."""
    notify: bool = True
    """Whether Statuspage tells the page's subscribers of this."""

    settings: ClassVar[tuple[Setting, ...]] = SETTINGS
    targets: ClassVar[tuple[str, ...]] = ("page",)
    estimate_s: ClassVar[float] = 15.0
    timeout_s: ClassVar[float] = 600.0

    def amiss(self, ctx: Context, incident: Incident | None, statuses: Mapping[str, str]) -> str | None:
        """Return what is not as this step leaves it, in the maintenance and the components' statuses; or None."""
        raise NotImplementedError

    def verify(self, ctx: Context, outcome: Outcome) -> None:
        with Statuspage.of(ctx) as api:
            incident = self.find(ctx, api, outcome.facts.get("incident"))
            amiss = self.amiss(ctx, incident, self.statuses(api))
            if amiss:
                raise Temporary(f"Read back from Statuspage, {amiss}.")
            address = self.public or public.address_of(api.page(self.page))
        if address is None or incident is None:
            return
        shown, statuses = public.look(address)
        amiss = self.amiss(ctx, shown.get(incident.id), statuses)
        if amiss:
            raise Temporary(f"On {address}, where everybody reads it, {amiss}.")

    def find(self, ctx: Context, api: Statuspage, known: object = None) -> Incident | None:
        """Return the maintenance of `ctx` as it is on the page now, whether it is over or not; None if it is not there.

        `known` is its id where that is known. Raises `Final` if there are several.
        """
        known = known or self.published(ctx).get("incident")
        raw = api.incident(self.page, str(known)) if known else None
        if raw is not None:
            return Incident.of(raw)
        for incidents in (
            *(partial(api.incidents, self.page, kind) for kind in OPEN_LISTS),
            partial(api.latest, self.page),
        ):
            marked = [raw for raw in incidents() if is_of(raw, ctx.maintenance)]
            if len(marked) > 1:
                raise Final(
                    f"The status page has {len(marked)} maintenances of {ctx.maintenance} "
                    f"({', '.join(str(raw['id']) for raw in marked)}), and there must be one. Delete the others there, "
                    "then retry the step."
                )
            if marked:
                return Incident.of(marked[0])
        return None

    def needed(self, ctx: Context, api: Statuspage) -> Incident:
        """Return what `find` does. Raises `Final` if there is none."""
        incident = self.find(ctx, api)
        if incident is None:
            raise Final(
                f"The status page has no maintenance of {ctx.maintenance}: it was never published, or somebody has "
                "deleted it. Retry the step that publishes it, or skip this one. Nothing was changed."
            )
        return incident

    def published(self, ctx: Context) -> Mapping[str, object]:
        """Return the outcome of the step that published the maintenance on this page; empty if there is none."""
        own = (facts for facts in ctx.outcomes.values() if facts.get("page") == self.page and "components" in facts)
        return next(own, {})

    def affected(self, ctx: Context, incident: Incident | None) -> dict[str, str]:
        """Return the components that the maintenance is about, names by id: as approved, whatever was edited since."""
        approved = self.published(ctx).get("components")
        if isinstance(approved, Mapping):
            return {**approved}
        return dict(incident.components) if incident is not None else {}

    def statuses(self, api: Statuspage) -> dict[str, str]:
        """Return the status of every component of the page, by id."""
        return {str(one["id"]): str(one["status"]) for one in api.components(self.page)}

    def remember(self, ctx: Context, components: Mapping[str, str], statuses: Mapping[str, str]) -> None:
        """Put on record what the components are, before anything changes them; the first record stays."""
        if _BEFORE in ctx.facts:
            return
        before = {one: statuses.get(one, OPERATIONAL) for one in components}
        told = ", ".join(f"{name} {worded(before[one])}" for one, name in components.items())
        ctx.record(f"On the status page before: {told or 'no components'}.", **{_BEFORE: {self.page: before}})

    def before(self, ctx: Context) -> dict[str, str]:
        """Return what the components of this page were before the maintenance; empty if that is not on record."""
        for entry in ctx.history:
            recorded = entry["payload"].get("facts")
            found = recorded.get(_BEFORE, {}).get(self.page) if isinstance(recorded, Mapping) else None
            if found is not None:
                return {**found}
        return {}

    def to_put_back(self, ctx: Context, incident: Incident | None, statuses: Mapping[str, str]) -> dict[str, str]:
        """Return which components still say that they are under maintenance because of us, and what they were.

        One that has another status by now was given it by somebody, who knew why.
        """
        before = self.before(ctx)
        if not before and (incident is None or not incident.reached(IN_PROGRESS)):
            return {}
        were = {one: before.get(one, OPERATIONAL) for one in (*self.affected(ctx, incident), *before)}
        return {
            one: status
            for one, status in were.items()
            if statuses.get(one) == UNDER_MAINTENANCE and status != UNDER_MAINTENANCE
        }

    def facts(self, incident: Incident) -> dict[str, str]:
        """Return what every outcome tells."""
        return {"page": self.page, "incident": incident.id, "shortlink": incident.shortlink, "status": incident.status}


def named(components: Mapping[str, str]) -> str:
    """Return components as people read them, in an order that stays."""
    return ", ".join(sorted(components.values(), key=str.casefold)) or "none"


def worded(status: str) -> str:
    """Return a status as people write it."""
    return status.replace("_", " ")
