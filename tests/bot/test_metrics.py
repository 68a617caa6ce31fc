"""The numbers for Prometheus: true, cheap, the same from every process, and the ones that the alerts ask for."""

import re
from datetime import timedelta
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families
from ruamel.yaml import YAML

from bot.database import Database
from bot.entry import Kind
from bot.ledger import Progress, TableLedger
from bot.metrics import Metrics
from bot.outbox import LogSlot, Outbox
from bot.outlook import Outlook
from tests.bot.entries import ID, request
from tests.bot.feed_story import Story

OPERATE = Path(__file__).parents[2] / "docs" / "how-to" / "operate.md"


@pytest.fixture
def story(database: Database) -> Story:
    made = Story(database)
    made.plan()
    return made


def metrics(story: Story) -> Metrics:
    database = story.maintenances.journal.database
    return Metrics(story.maintenances, Outbox(database), Outlook(story.maintenances, Progress(database)))


def numbers(source: Metrics) -> dict[str, float]:
    """The samples of one scrape, by name with labels, as `name{value}`."""
    families = text_string_to_metric_families(source.text()[0].decode())
    return {
        sample.name + "".join(f"{{{value}}}" for value in sample.labels.values()): sample.value
        for family in families
        for sample in family.samples
    }


def test_a_night_in_numbers(story: Story) -> None:
    source = metrics(story)
    assert numbers(source)["maint_maintenances{draft}"] == 1
    story.is_announced()
    story.now = story.state().window.start
    story.turns("in_progress")
    story.happens(Kind.STEP_STARTED, "secret-work", {"attempt": 1})
    found = numbers(source)
    assert (found["maint_maintenances{draft}"], found["maint_maintenances{in_progress}"]) == (0, 1)
    assert (found["maint_steps{running}"], found["maint_steps{succeeded}"], found["maint_steps{failed}"]) == (1, 2, 0)
    assert (found["maint_attempts_started_total"], found["maint_attempts_succeeded_total"]) == (3, 2)
    assert found[f"maint_forecast_spare_seconds{{{ID}}}"] > 3600
    assert 0 <= found[f"maint_forecast_late_ratio{{{ID}}}"] < 0.05
    failed = {"attempt": 1, "error": "no", "files": {}, "temporary": False, "retry_at": None}
    story.happens(Kind.STEP_FAILED, "secret-work", failed)
    assert numbers(source)["maint_attempts_failed_total"] == 1
    assert numbers(metrics(story)) == numbers(source), "another process tells the same"


def test_an_approval_that_waits(story: Story) -> None:
    story.looks_around()
    assert numbers(metrics(story))["maint_approvals_waiting"] == 0
    kind, step, payload, *_ = request("tell-users")
    story.happens(kind, step, payload)
    story.now += timedelta(minutes=20)
    found = numbers(metrics(story))
    assert (found["maint_approvals_waiting"], found["maint_approvals_oldest_seconds"]) == (1, 1200)


def test_the_log_that_waits_for_slack(story: Story) -> None:
    story.looks_around()
    source = metrics(story)
    entries = story.maintenances.journal.read(ID)
    story.now += timedelta(seconds=90)
    found = numbers(source)
    assert found["maint_log_waiting_entries"] == len(entries)
    assert found["maint_log_lag_seconds"] == (story.now - entries[0].at).total_seconds()
    for entry in entries:
        LogSlot(story.maintenances.journal.database, ID, entry.seq, "C1").posted(f"1.{entry.seq:06}")
    found = numbers(source)
    assert (found["maint_log_waiting_entries"], found["maint_log_lag_seconds"]) == (0, 0)


def test_what_became_of_a_mass_send_is_still_told_when_it_is_over(story: Story) -> None:
    story.is_announced()
    ledger = TableLedger(story.maintenances.journal.database, f"{ID}:letter")
    ledger.add(["ana", "ben", "chloe"])
    ledger.settle([("ana", "sent", ""), ("ben", "unknown", "")])
    story.happens(Kind.STEP_STARTED, "secret-work", {"attempt": 1})
    story.happens(Kind.STEP_FACT, "secret-work", {"text": "fixed", "facts": {"ledger": "letter"}})
    source = metrics(story)
    for _ in range(2):
        found = numbers(source)
        told = [found[f"maint_send_recipients{{{state}}}"] for state in ("pending", "sent", "unknown")]
        assert told == [1, 1, 1]
        story.turns("completed")
    assert found["maint_maintenances{completed}"] == 1


def test_what_is_over_is_not_read_again(story: Story) -> None:
    story.is_announced()
    story.turns("completed")
    source = metrics(story)
    before = numbers(source)
    # Should it read the journal of what is over once more, this broken entry would be seen.
    story.maintenances.journal.database.query("UPDATE entries SET kind = 'step_failed' WHERE kind = 'step_started'")
    assert numbers(source) == before


def test_the_alerts_ask_for_numbers_that_there_are(story: Story) -> None:
    story.is_announced()
    story.turns("in_progress")
    told = {name.partition("{")[0] for name in numbers(metrics(story))}
    block = re.search(r"```yml\n(groups:.*?)```", OPERATE.read_text(), re.DOTALL)
    assert block is not None
    rules = YAML(typ="safe").load(block[1])["groups"][0]["rules"]
    asked = {name for rule in rules for name in re.findall(r"\bmaint_\w+", rule["expr"])}
    assert len(asked) >= 6
    assert asked <= told
