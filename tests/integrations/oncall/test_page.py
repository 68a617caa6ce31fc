from collections.abc import Callable, Iterator

import pytest

from bot.attempt import Waits, perform, take_down
from bot.context import StepContext
from bot.errors import Final, Temporary
from bot.lookout import page_steps
from bot.step import Outcome, Setting, Standing
from integrations.oncall import Page, look, page
from sandbox.oncall import API_TOKEN, PAGERDUTY_TOKEN, OnCall
from sandbox.server import Server, serving

KEY = "2026-11-25-test:the-step"
NO_WAITS = Waits(settle_s=(), verify_s=())
PAGERDUTY = ("MAINT_PAGERDUTY_ROUTING_KEY", "MAINT_PAGERDUTY_EVENTS_URL", "MAINT_PAGERDUTY_URL")
GRAFANA = ("MAINT_ONCALL_WEBHOOK_URL", "MAINT_ONCALL_API_URL")
READS = {"MAINT_PAGERDUTY_TOKEN": PAGERDUTY_TOKEN, "MAINT_ONCALL_API_TOKEN": API_TOKEN}
BOTH = pytest.mark.parametrize(("name", "names"), [("PagerDuty", PAGERDUTY), ("Grafana OnCall", GRAFANA)])


@pytest.fixture(autouse=True)
def no_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page, "_LOOKS_S", (0.0, 0.0))


@pytest.fixture
def people() -> OnCall:
    return OnCall()


@pytest.fixture
def server(people: OnCall) -> Iterator[Server]:
    with serving(people.app) as running:
        yield running


@pytest.fixture
def settings(server: Server, people: OnCall) -> dict[str, str]:
    return {
        "MAINT_PAGERDUTY_ROUTING_KEY": people.routing_key,
        "MAINT_PAGERDUTY_EVENTS_URL": server.url,
        "MAINT_PAGERDUTY_URL": server.url,
        "MAINT_ONCALL_WEBHOOK_URL": f"{server.url}/integrations/v1/formatted_webhook/{people.token}/",
        "MAINT_ONCALL_API_URL": server.url,
    }


def only(settings: dict[str, str], names: tuple[str, ...], **more: str) -> dict[str, str]:
    return {**{name: settings[name] for name in names}, **more}


@BOTH
def test_it_pages_once_however_often_it_is_tried(
    context_of: Callable[..., StepContext],
    people: OnCall,
    settings: dict[str, str],
    name: str,
    names: tuple[str, ...],
) -> None:
    step = Page(text="It ends late.")
    for attempt in (1, 2):
        outcome = perform(step, context_of(Page, settings=only(settings, names), attempt=attempt), NO_WAITS)
    assert outcome.summary == f"Whoever is on call was paged by {name}."
    assert (people.alerts, people.requests) == ({KEY: "Postgres 14 to 18: It ends late."}, 1)


def test_whoever_was_paged_by_one_is_not_woken_again_because_the_other_failed(
    context_of: Callable[..., StepContext], people: OnCall, settings: dict[str, str]
) -> None:
    people.app.arm("status", path=".*formatted_webhook.*", status=503)
    with pytest.raises(Temporary):
        perform(Page(text="late"), context_of(Page, settings=settings), NO_WAITS)
    people.resolve("PagerDuty", KEY)
    outcome = perform(Page(text="late"), context_of(Page, settings=settings, attempt=2), NO_WAITS)
    assert outcome.facts["by"] == ["PagerDuty", "Grafana OnCall"]
    assert people.requests == 2


@BOTH
def test_it_is_resolved_and_read_back(
    context_of: Callable[..., StepContext],
    people: OnCall,
    settings: dict[str, str],
    name: str,
    names: tuple[str, ...],
) -> None:
    context = context_of(Page, settings=only(settings, names, **READS))
    outcome = perform(Page(text="late"), context, NO_WAITS)
    step = Page(text="late")
    assert step.standing(context, outcome) == Standing(f"an open page in {name}")
    assert take_down(step, context).summary == f"{name}: resolved, and read back"
    assert people.open == set()
    assert step.standing(context, outcome) is None
    assert take_down(step, context).summary == f"{name}: somebody has resolved it already"
    assert people.requests == 2


@BOTH
def test_without_a_key_that_reads_it_is_resolved_and_said_not_to_be_seen(
    context_of: Callable[..., StepContext],
    people: OnCall,
    settings: dict[str, str],
    name: str,
    names: tuple[str, ...],
) -> None:
    context = context_of(Page, settings=only(settings, names))
    outcome = perform(Page(text="late"), context, NO_WAITS)
    standing = Page(text="late").standing(context, outcome)
    assert standing is not None
    assert "whether it is resolved cannot be read" in standing.shown
    told = take_down(Page(text="late"), context).summary
    assert told.startswith(f"{name}: told that it is settled, and not read back: MAINT_")
    assert people.open == set()


@BOTH
def test_a_page_that_nobody_sees_is_no_page(
    context_of: Callable[..., StepContext],
    people: OnCall,
    settings: dict[str, str],
    name: str,
    names: tuple[str, ...],
) -> None:
    people.lose = True
    with pytest.raises(Final, match=f"{name} took the page and shows nothing of it"):
        perform(Page(text="late"), context_of(Page, settings=only(settings, names, **READS)), NO_WAITS)
    # Somebody has ended the maintenance of the service there, and presses Retry.
    people.lose = False
    perform(Page(text="late"), context_of(Page, settings=only(settings, names, **READS), attempt=2), NO_WAITS)
    assert set(people.alerts) == {KEY}


def test_what_stays_open_is_told(
    context_of: Callable[..., StepContext], people: OnCall, settings: dict[str, str]
) -> None:
    people.keep_open = True
    context = context_of(Page, settings=only(settings, GRAFANA, **READS))
    perform(Page(text="late"), context, NO_WAITS)
    with pytest.raises(Final, match="still shows it as open"):
        take_down(Page(text="late"), context)


def test_a_page_that_never_went_out_is_not_resolved(
    context_of: Callable[..., StepContext], people: OnCall, settings: dict[str, str]
) -> None:
    context = context_of(Page, settings=settings)
    assert Page(text="late").undo(context, Outcome("")).summary == "Nobody had been paged."
    assert people.requests == 0


def test_a_failing_service_is_tried_again_and_a_refusal_is_not(
    context_of: Callable[..., StepContext], people: OnCall, settings: dict[str, str]
) -> None:
    people.app.arm("status", status=503)
    with pytest.raises(Temporary):
        Page(text="late").apply(context_of(Page, settings=settings))
    people.app.clear()
    people.routing_key = "another"
    with pytest.raises(Final) as refused:
        Page(text="late").apply(context_of(Page, settings=settings))
    assert settings["MAINT_PAGERDUTY_ROUTING_KEY"] not in str(refused.value)
    assert people.alerts == {}


def test_an_error_does_not_show_the_webhooks_path(
    context_of: Callable[..., StepContext], people: OnCall, settings: dict[str, str]
) -> None:
    webhook = settings["MAINT_ONCALL_WEBHOOK_URL"]
    people.token = "another"
    with pytest.raises(Final) as refused:
        Page(text="late").apply(context_of(Page, settings={"MAINT_ONCALL_WEBHOOK_URL": webhook}))
    assert "oncall-webhook-token" not in str(refused.value)


def test_without_a_way_it_says_which_settings_are_missing(context_of: Callable[..., StepContext]) -> None:
    with pytest.raises(Final, match=r"MAINT_PAGERDUTY_ROUTING_KEY.*MAINT_ONCALL_WEBHOOK_URL"):
        Page(text="late").apply(context_of(Page))


def test_a_key_is_not_sent_in_the_clear(context_of: Callable[..., StepContext], settings: dict[str, str]) -> None:
    plain = {**settings, "MAINT_PAGERDUTY_EVENTS_URL": "http://events.example.com"}
    with pytest.raises(Final, match="https"):
        Page(text="late").apply(context_of(Page, settings=plain))


def test_the_bot_pages_where_a_setting_says_how_and_not_for_a_key_that_only_reads() -> None:
    def steps(**given: str) -> list[str]:
        return [raw["uses"] for raw in page_steps(lambda setting: given.get(setting.name) or setting.default)]

    assert steps(**READS, MAINT_PAGERDUTY_URL="https://api.eu.pagerduty.com") == []
    assert steps(MAINT_PAGERDUTY_ROUTING_KEY="k") == ["oncall.page"]
    assert steps(MAINT_ONCALL_WEBHOOK_URL="https://oncall.example.com/x/") == ["oncall.page"]


def test_the_check_says_by_what_they_are_paged_and_tries_what_reads(settings: dict[str, str]) -> None:
    def told(**more: str) -> str:
        def value_of(setting: Setting) -> str | None:
            return {**settings, **more}.get(setting.name) or setting.default

        return look(value_of)

    assert told(MAINT_PAGERDUTY_TOKEN=PAGERDUTY_TOKEN) == (
        "paged by PagerDuty, and read back; Grafana OnCall, not read back (MAINT_ONCALL_API_TOKEN is not set)"
    )
    with pytest.raises(Final, match="Grafana OnCall answered 403"):
        told(MAINT_ONCALL_API_TOKEN="another")
