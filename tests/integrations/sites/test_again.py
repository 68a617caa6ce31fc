"""An extension that is approved late: sites whose banner is being taken off are not given it again."""

from collections.abc import Callable

import pytest

from bot.attempt import perform
from bot.context import StepContext, Surroundings
from bot.entry import Kind
from bot.journal import Draft
from bot.step import is_being_ended
from integrations.github.site_step import SitesUpdate
from tests.maintenance_fixtures import raw_step

ON = {"theme": "{{ params.theme }}", "shows": "Tonight"}
OFF = {"theme": "{{ params.theme }}", "shows": None, "hides": "Tonight"}
SITE = {"repository": "acme/www", "live": "https://www.example.com", "publish": "push"}


@pytest.mark.parametrize("begun", [False, True])
def test_sites_are_not_given_the_banner_again(
    context_of: Callable[..., StepContext], surroundings: Surroundings, begun: bool
) -> None:
    ids = {"on": ON, "other": {**OFF, "theme": "acme/other"}, "off": OFF}
    steps = [{**raw_step(name, "sites.update"), "with": fields} for name, fields in ids.items()]
    ctx = context_of(id_="on-again-1", steps=steps)
    for name in ("on", "other", *(["off"] if begun else [])):
        started = Draft(Kind.STEP_STARTED, "maint", f"{name}:started", name, {"attempt": 1})
        surroundings.maintenances.record(ctx.maintenance, lambda _, one=started: [one])  # type: ignore[misc]
    assert is_being_ended(ctx, "sites.update", "theme", without="shows") is begun
    if begun:
        step = SitesUpdate(theme="acme/theme", gem="acme-theme", sites=[SITE], shows="Tonight")
        assert step.plan(ctx).summary.startswith("Nothing to do")
        assert "nothing to bring up to date" in perform(step, ctx).summary


def test_what_came_with_an_earlier_change_itself_is_brought_up_to_date(context_of: Callable[..., StepContext]) -> None:
    ctx = context_of(id_="told-1-again-2", steps=[raw_step("told", "banner.on")])
    assert not is_being_ended(ctx, "banner.off", "repository")
