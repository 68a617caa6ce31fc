"""Pages whoever is on call, and resolves the page when what it was about is settled."""

from typing import ClassVar

from bot.connections import ValueOf, connection, pager
from bot.errors import Final, StepError, Temporary
from bot.step import Context, OnFailure, Outcome, Plan, Setting, Standing, Step, step
from integrations.oncall.grafana import API_TOKEN, API_URL, STACK, WEBHOOK, Grafana
from integrations.oncall.pager import Pager, Seen, Value
from integrations.oncall.pagerduty import EVENTS_URL, ROUTING_KEY, PagerDuty
from integrations.patience import patiently

PAGERS: tuple[Pager, ...] = (PagerDuty(), Grafana())
SETTINGS = (ROUTING_KEY, EVENTS_URL, WEBHOOK, API_URL, API_TOKEN, STACK)

# Both take an alert at once and work on it later.
_LOOKS_S = (1.0, 2.0, 5.0, 10.0)

for _each in PAGERS:
    pager(_each.name, _each.by)


@step("oncall.page")
class Page(Step):
    """Page whoever is on call, in PagerDuty or Grafana OnCall, once for each maintenance and step.

    The bot adds this step itself when it will end late and nobody has answered (see `MAINT_ESCALATE_TO`), and resolves
    the page once people have. Where the API may be asked (`MAINT_PAGERDUTY_TOKEN`, `MAINT_ONCALL_API_TOKEN`), it is
    read back that the page has arrived, and that it is resolved.
    """

    estimate_s: ClassVar[float] = 2.0
    reversible: ClassVar[bool] = True
    on_failure: ClassVar[OnFailure] = "lift"
    settings: ClassVar[tuple[Setting, ...]] = SETTINGS

    text: str
    """What they are told, in one or two sentences."""

    def plan(self, ctx: Context) -> Plan:  # noqa: ARG002 - a step's signature
        return Plan(f"Page whoever is on call: {self.text}", subject={"uses": self.uses, "with": {"text": self.text}})

    def apply(self, ctx: Context) -> Outcome:
        value = _values(ctx)
        ways = [each for each in PAGERS if value(each.by)]
        if not ways:
            raise Final(f"Nobody can be paged: neither {ROUTING_KEY.name} nor {WEBHOOK.name} is set.")
        for way in ways:
            # Whoever has settled the page in one system is not woken by it again because the other one failed.
            if ctx.intended(_paged(way)):
                continue
            ctx.intend(_tried(way))
            way.page(value, ctx.key, self.text, ctx.title, ctx.maintenance)
            ctx.intend(_paged(way))
        told = [each.name for each in ways]
        return Outcome(f"Whoever is on call was paged by {' and '.join(told)}.", facts={"by": told, "key": ctx.key})

    def verify(self, ctx: Context, outcome: Outcome) -> None:  # noqa: ARG002 - a step's signature
        for way in _sent(ctx):
            if _look(ctx, way)[0] == "nothing":
                ctx.forget_intent(_paged(way))
                raise Temporary(
                    f"{way.name} took the page and shows nothing of it, so nobody may have been woken. Is its service "
                    "in maintenance there, or its integration switched off? Call somebody."
                )

    def standing(self, ctx: Context, outcome: Outcome) -> Standing | None:  # noqa: ARG002 - a step's signature
        told = [words for way in _sent(ctx) if (words := _stands(ctx, way))]
        return Standing("; ".join(told)) if told else None

    def undo(self, ctx: Context, outcome: Outcome) -> Outcome:  # noqa: ARG002 - a step's signature
        told = [_resolved(ctx, way) for way in _sent(ctx)]
        return Outcome("; ".join(told) or "Nobody had been paged.")


def _paged(way: Pager) -> str:
    return f"paged by {way.name}"


def _tried(way: Pager) -> str:
    return f"page by {way.name}"


def _sent(ctx: Context) -> list[Pager]:
    """Those that were, or may have been, sent the page."""
    return [each for each in PAGERS if ctx.intended(_tried(each))]


def _values(ctx: Context) -> Value:
    def value(setting: Setting) -> str:
        # What is not listed in `settings` (PagerDuty's token) may be missing: then nothing is read back.
        try:
            return ctx.setting(setting)
        except Final:
            return ""

    return value


def _look(ctx: Context, way: Pager) -> tuple[Seen | None, str]:
    """What became of the page; None, and why, where that cannot be read. A page is no less sent for that."""
    value = _values(ctx)
    if not value(way.reads_by):
        return None, f"{way.reads_by.name} is not set"
    try:
        return way.look(value, ctx.key), ""
    except StepError as error:
        return None, str(error)


def _stands(ctx: Context, way: Pager) -> str:
    seen, why = _look(ctx, way)
    if seen is None:
        return f"a page in {way.name}, and whether it is resolved cannot be read: {why}"
    return f"an open page in {way.name}" if seen == "open" else ""


def _resolved(ctx: Context, way: Pager) -> str:
    """Resolve the page, and return what is known of it then. Raises `StepError`."""
    if _look(ctx, way)[0] == "resolved":
        return f"{way.name}: somebody has resolved it already"
    patiently(ctx, lambda: way.resolve(_values(ctx), ctx.key, ctx.title))
    seen, why = _look(ctx, way)
    for wait_s in _LOOKS_S:
        if seen is None or seen == "resolved":
            break
        ctx.sleep(wait_s)
        seen, why = _look(ctx, way)
    if seen == "open":
        raise Final(
            f"{way.name} was told that the page is settled and still shows it as open. Resolve it there; whoever is on "
            "call may be called again until then."
        )
    if seen is None:
        return f"{way.name}: told that it is settled, and not read back: {why}"
    return f"{way.name}: resolved, and read back" if seen == "resolved" else f"{way.name}: shows nothing of it"


@connection("those on call", ROUTING_KEY, WEBHOOK)
def look(value_of: ValueOf) -> str:
    """Return by what those on call are paged, and whether that is read back. Raises `StepError` if it cannot be."""
    told = []
    for way in (each for each in PAGERS if value_of(each.by)):
        if value_of(way.reads_by):
            way.look(lambda setting: value_of(setting) or "", "maint-check")
            told.append(f"{way.name}, and read back")
        else:
            told.append(f"{way.name}, not read back ({way.reads_by.name} is not set)")
    if not told:
        raise Final(f"nobody can be paged: neither {ROUTING_KEY.name} nor {WEBHOOK.name} is set.")
    return f"paged by {'; '.join(told)}"
