"""What comes again is planned by itself: each occurrence once, some time ahead, or one line says why not."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bot import acts
from bot.acts import Act
from bot.app import Process
from bot.recurring import Recurring
from bot.runbook import RunbookErrors, load
from bot.settings import load as settings_of
from bot.slack_api import SlackApi
from bot.state import State
from commands.verb import VERBS, Call
from sandbox.server import Server, serving
from sandbox.slack import Workspace
from sandbox.slack.people import Slack
from tests.scenarios.house import config, settings

HEAD = "recur: {rrule: FREQ=WEEKLY;BYDAY=SU, at: '02:00 Europe/Berlin', ahead: 7d}\n"
STEPS = """\
steps:
  - id: work
    uses: manual
    when: start
    approval: true
    with: {text: Do it.}
"""
SUNDAY = datetime(2026, 11, 29, 1, tzinfo=UTC)
WEEK = timedelta(days=7)


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with serving(Workspace(config()).app) as made:
        yield made


class Bot:
    """The parts of a bot in one process, at a time that the test sets, that leads if it is told to."""

    def __init__(self, server: Server, folder: Path) -> None:
        environment = settings(server.url, folder, MAINT_FREEZES=str(folder / "freezes.yml"))
        self.runbooks = folder / "runbooks"
        self.freezes = folder / "freezes.yml"
        self.freezes.write_text("[]")
        self.slack = Slack(server.url, wait_s=60)
        self.process = Process(settings_of(environment), environment=environment)
        self.maintenances = self.process.surroundings.maintenances
        self.leads = True
        client = SlackApi(self.process.app.client)
        intents = self.process.surroundings.intents
        self.recurring = Recurring(self.process.desk, intents, client, lambda: self.leads)
        self.at(SUNDAY - timedelta(days=6))

    def at(self, now: datetime) -> None:
        self.maintenances.now = lambda: now

    def recurs(self, head: str = HEAD, name: str = "tidy") -> None:
        (self.runbooks / f"{name}.yml").write_text(f"name: {name}\ntitle: Tidy up\n{head}{STEPS}")

    def state(self, maintenance: str) -> State:
        return self.maintenances.state(maintenance)

    def says(self, verb: str) -> str:
        return VERBS[verb].run(Call(verb, "U0ANA0001", "C0MAINT01", "UTC", "", "d1"), self.process.desk).text

    def lines(self) -> list[str]:
        """The lines in the channel about what is not planned in this bot's series."""
        return [text for text in self.slack.channel("maintenance").texts() if "comes again on" in text]


@pytest.fixture
def another(server: Server, tmp_path: Path) -> Iterator[Callable[[], Bot]]:
    bots: list[Bot] = []

    def make() -> Bot:
        bots.append(Bot(server, tmp_path))
        return bots[-1]

    yield make
    for bot in bots:
        bot.process.database.close()


@pytest.fixture
def bot(another: Callable[[], Bot]) -> Bot:
    return another()


def test_each_occurrence_is_planned_once_and_ahead(bot: Bot) -> None:
    bot.recurs(HEAD.replace("7d", "3d"))
    bot.at(SUNDAY - timedelta(days=3, minutes=1))
    assert bot.recurring.plan() == []
    bot.at(SUNDAY - timedelta(days=3))
    bot.leads = False
    assert bot.recurring.plan() == []
    bot.leads = True
    assert bot.recurring.plan() == ["2026-11-29-tidy"]
    assert bot.recurring.plan() == []
    state = bot.state("2026-11-29-tidy")
    assert (state.window.start, state.window.zone, state.requester) == (SUNDAY, "Europe/Berlin", "maint")
    assert state.status == "draft"
    bot.at(SUNDAY + WEEK - timedelta(days=3))
    assert bot.recurring.plan() == ["2026-12-06-tidy"]


def test_any_approver_may_approve_it_and_nobody_has_asked(bot: Bot) -> None:
    bot.recurs("policy: {approvers: [U0ANA0001]}\n" + HEAD)
    [made] = bot.recurring.plan()
    policy = bot.state(made).specs["work"].approval
    assert policy is not None
    assert (policy.approvers, policy.requester_may) == (("U0ANA0001",), False)
    assert bot.state(made).steps["work"].approval is None, "nothing is approved ahead"


def test_cancelling_one_does_not_stop_the_series_nor_bring_it_back(bot: Bot) -> None:
    bot.recurs()
    [made] = bot.recurring.plan()
    bot.maintenances.record(made, lambda state: acts.abort(state, Act("U0ANA0001", "d2"), "not this week"))
    assert bot.recurring.plan() == []
    bot.recurs(HEAD.replace("02:00", "03:00"))
    assert bot.recurring.plan() == [], "it is still the occurrence of that day"
    bot.at(SUNDAY + timedelta(hours=1))
    assert bot.recurring.plan() == ["2026-12-06-tidy"]


def test_a_freeze_skips_one_and_one_line_says_so(bot: Bot) -> None:
    bot.recurs(name="frozen")
    freeze = "{from: '2026-11-28T00:00Z', until: '2026-11-30T00:00Z', reason: 'The <!channel> *sale*'}"
    bot.freezes.write_text(f"- {freeze}\n")
    before = len(bot.lines())
    assert (bot.recurring.plan(), bot.recurring.plan()) == ([], [])
    [line] = bot.lines()[before:]
    assert "Sun 29 Nov 2026 02:00 CET" in line
    assert "There is a freeze until Mon 30 Nov 2026" in line
    assert "sale" in line
    assert "<!channel>" not in str(bot.slack.channel("maintenance").messages()[-1]["text"])
    assert "/maint start frozen at 2026-11-29 02:00 Europe/Berlin" in line
    bot.freezes.write_text("[]")
    assert bot.recurring.plan() == [], "what was said holds"
    bot.at(SUNDAY)
    assert bot.recurring.plan() == ["2026-12-06-frozen"]


@pytest.mark.parametrize("fault", ["drop_after", "drop"])
def test_the_line_comes_once_also_when_its_answer_is_lost(bot: Bot, fault: str) -> None:
    bot.recurs(name=fault.replace("_", "-"))
    bot.freezes.write_text("- {from: '2026-11-28T00:00Z', until: '2026-11-30T00:00Z', reason: no}\n")
    before = len(bot.lines())
    bot.slack.break_api(fault, "chat.postMessage", times=1)
    for _ in range(3):
        assert bot.recurring.plan() == []
    assert len(bot.lines()) == before + 1


def test_two_that_think_they_lead_plan_it_once(another: Callable[[], Bot]) -> None:
    bots = [another(), another()]
    bots[0].recurs()
    with ThreadPoolExecutor(2) as pool:
        made = [each for found in pool.map(lambda bot: bot.recurring.plan(), bots) for each in found]
    assert made == ["2026-11-29-tidy"]
    assert bots[0].maintenances.ids() == made


def test_a_mistake_of_the_settings_is_said_once_and_mended_in_time(bot: Bot) -> None:
    bot.recurs(HEAD + "policy: {count: 3, approvers: [U0ANA0001]}\n", "wrong")
    before = len(bot.lines())
    assert (bot.recurring.plan(), bot.recurring.plan()) == ([], [])
    [line] = bot.lines()[before:]
    assert "cannot be planned: work has to be approved by 3" in line
    bot.recurs(name="wrong")
    assert bot.recurring.plan() == ["2026-11-29-wrong"]


def test_the_list_shows_what_comes_next(bot: Bot) -> None:
    bot.recurs()
    bot.at(SUNDAY - timedelta(days=6))
    bot.recurs(HEAD.replace("7d", "3d"))
    assert bot.says("list") == (
        "`tidy` comes again: Sun 29 Nov 2026 01:00 UTC, to be planned Thu 26 Nov 2026 01:00 UTC"
    )
    bot.at(SUNDAY - timedelta(days=1))
    bot.recurring.plan()
    assert "`tidy` comes again: Sun 6 Dec 2026 01:00 UTC" in bot.says("list")
    assert "`2026-11-29-tidy` draft" in bot.says("list")


@pytest.mark.parametrize(
    ("recur", "says"),
    [
        ("{rrule: FREQ=HOURLY, at: '02:00 UTC'}", "recur.rrule: expected a rule of days"),
        ("{rrule: FREQ=DAILY, at: '2am'}", "recur.at: expected a time and a zone"),
        (
            "{rrule: FREQ=DAILY, at: '02:00 UTC'}\nparams: {size: {type: text}}",
            "recur.params.size: size has to be given",
        ),
        ("{rrule: FREQ=DAILY, at: '02:00 UTC', params: {sise: 3}}", "is no parameter of this runbook"),
    ],
)
def test_a_mistake_is_named_with_its_place(tmp_path: Path, recur: str, says: str) -> None:
    path = tmp_path / "tidy.yml"
    path.write_text(f"name: tidy\ntitle: Tidy up\nrecur: {recur}\n{STEPS}")
    with pytest.raises(RunbookErrors) as wrong:
        load(path)
    assert says in str(wrong.value)
