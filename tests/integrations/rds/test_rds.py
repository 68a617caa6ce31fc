"""Amazon RDS, in place and blue/green, against moto behind a stand-in that lets states pass."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest

from bot.attempt import perform
from bot.connections import CONNECTIONS
from bot.context import StepContext, Surroundings
from bot.entry import Kind
from bot.errors import Final, Temporary
from bot.journal import Draft
from bot.step import Outcome, Step
from integrations.rds import BlueGreen, Switchover, Upgrade
from integrations.rds.client import api_of, name_for
from sandbox.aws import REFUSED, Aws, aws
from tests.maintenance_fixtures import raw_step

SECRET = "a-secret-key-that-nobody-may-read"
REGION = "eu-west-1"
STEPS = {"upgrade": "rds.upgrade", "copy": "rds.blue_green", "switch": "rds.switchover"}
INSTANCE = {
    "DBInstanceIdentifier": "shop",
    "Engine": "postgres",
    "EngineVersion": "14.9",
    "AllocatedStorage": 20,
    "DBInstanceClass": "db.m6g.large",
    "MasterUsername": "postgres",
    "MasterUserPassword": "not-used-here",
}
Do = Callable[[str, Step], Outcome]


@pytest.fixture(scope="module")
def served() -> Iterator[tuple[Aws, str]]:
    with aws() as (stand_in, url):
        yield stand_in, url


@pytest.fixture
def amazon(served: tuple[Aws, str], monkeypatch: pytest.MonkeyPatch) -> Aws:
    """One instance, `shop`, of 14.9; made anew for each test."""
    stand_in, url = served
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIATEST")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    stand_in.reset()
    boto3.client("rds", region_name=REGION, endpoint_url=url).create_db_instance(**INSTANCE)
    stand_in.asked.clear()
    return stand_in


@pytest.fixture
def context(served: tuple[Aws, str], context_of: Callable[..., StepContext]) -> Callable[[str], StepContext]:
    settings = {"MAINT_AWS_ENDPOINT": served[1], "MAINT_AWS_REGION": REGION}
    steps = [raw_step(id_, uses) for id_, uses in STEPS.items()]
    return lambda id_: context_of(id_=id_, steps=steps, settings=settings)


@pytest.fixture
def do(context: Callable[[str], StepContext], surroundings: Surroundings) -> Do:
    """Run an attempt as the engine does; its outcome is there for later steps."""
    number = iter(range(1000))

    def run(id_: str, step: Step) -> Outcome:
        def record(kind: Kind, payload: dict[str, Any]) -> None:
            draft = Draft(kind, "maint", f"{kind}-{next(number)}", id_, json.loads(json.dumps(payload)))
            surroundings.maintenances.record(context(id_).maintenance, lambda _: [draft])

        record(Kind.STEP_STARTED, {"attempt": 1})
        outcome = perform(step, context(id_))
        done = {"attempt": 1, "summary": outcome.summary, "facts": dict(outcome.facts), "files": dict(outcome.files)}
        record(Kind.STEP_SUCCEEDED, done)
        return outcome

    return run


def upgrade(**fields: Any) -> Upgrade:
    return Upgrade.model_validate({"instance": "shop", "to": "17.4", "poll_s": 0.01, **fields})


def test_an_instance_is_upgraded_after_a_snapshot_once(
    amazon: Aws, context: Callable[[str], StepContext], do: Do
) -> None:
    plan = upgrade().plan(context("upgrade"))
    assert plan.summary == "Upgrade the RDS instance shop from 14.9 to 17.4"
    assert amazon.asked.keys() == {"DescribeDBInstances", "DescribeDBEngineVersions"}, "planning only looks"

    outcome = do("upgrade", upgrade())
    snapshot = name_for(context("upgrade").key, "shop", 0)
    assert outcome.facts == {"instance": "shop", "to": "17.4", "snapshot": snapshot}
    assert f"the snapshot {snapshot} has the state before" in outcome.summary
    assert do("upgrade", upgrade()).facts == outcome.facts, "asked again, it only says what was done"
    assert (amazon.asked["CreateDBSnapshot"], amazon.asked["ModifyDBInstance"]) == (1, 1)
    way = context("upgrade").facts["way_back"]
    assert not way["possible"]
    assert f"restore the snapshot {snapshot} as a new instance" in way["why"]
    assert "is lost" in way["why"]


def test_an_order_that_amazon_refuses_leaves_the_way_back_open(
    amazon: Aws, do: Do, context: Callable[[str], StepContext]
) -> None:
    with pytest.raises(Final, match="DBParameterGroupNotFound"):
        do("upgrade", upgrade(parameter_group="none-of-that-name", snapshot=False))
    assert amazon.asked["ModifyDBInstance"] == 1
    assert context("upgrade").facts["way_back"]["possible"]


def test_lost_answers_are_settled_by_asking(amazon: Aws, do: Do, context: Callable[[str], StepContext]) -> None:
    amazon.lose = {"CreateDBSnapshot", "ModifyDBInstance"}
    outcome = do("upgrade", upgrade())
    assert outcome.facts["to"] == "17.4"
    assert amazon.asked["CreateDBSnapshot"] == 1, "the lost answer was settled by its name"
    assert amazon.asked["ModifyDBInstance"] == 1, "the lost answer was settled by looking at the instance"
    assert SECRET not in repr(context("upgrade").history)


def test_a_version_that_is_not_offered_is_refused_with_those_that_are(
    amazon: Aws, context: Callable[[str], StepContext], do: Do
) -> None:
    with pytest.raises(Final, match=r"to 17\.3; later majors that it offers: 15\.4, 17\.4"):
        upgrade(to="17.3").plan(context("upgrade"))
    with pytest.raises(Final, match="has no instance shops"):
        do("upgrade", upgrade(instance="shops"))
    assert amazon.asked["ModifyDBInstance"] == 0


def test_an_upgrade_that_amazon_gives_up_fails_with_its_words(
    amazon: Aws, do: Do, context: Callable[[str], StepContext]
) -> None:
    """The order is taken, the instance is at it for a while, and then is available with its old version."""
    amazon.refuses_upgrades = True
    with pytest.raises(Final, match=r"with version 14\.9: the upgrade to 17\.4 did not take place") as failed:
        do("upgrade", upgrade())
    assert REFUSED in str(failed.value)
    assert context("upgrade").facts["way_back"]["possible"], "it serves as before"


@pytest.mark.parametrize("step", ["upgrade", "switch"])
def test_what_amazon_gave_up_while_we_were_dead_is_not_ordered_again_by_itself(
    step: str, amazon: Aws, do: Do, context: Callable[[str], StepContext]
) -> None:
    """On record as ordered, and Amazon shows it as it was: a person reads why, and orders it again or not."""
    do("copy", BlueGreen(instance="shop", to="17.4", poll_s=0.01))
    context(step).record("Ordered, and killed.", ordered=0)
    made = {"upgrade": upgrade(), "switch": Switchover(deployment="copy", poll_s=0.01)}
    with pytest.raises(Final, match="did not take place"):
        do(step, made[step])
    assert context(step).facts["way_back"]["possible"]
    assert amazon.asked.keys().isdisjoint({"ModifyDBInstance", "SwitchoverBlueGreenDeployment"})


@pytest.mark.parametrize(
    ("step", "action"), [("upgrade", "ModifyDBInstance"), ("switch", "SwitchoverBlueGreenDeployment")]
)
def test_an_order_that_was_certainly_not_taken_is_given_again(
    step: str, action: str, amazon: Aws, do: Do, context: Callable[[str], StepContext]
) -> None:
    do("copy", BlueGreen(instance="shop", to="17.4", poll_s=0.01))
    amazon.busy = {action}
    made = {"upgrade": upgrade(), "switch": Switchover(deployment="copy", poll_s=0.01)}
    with pytest.raises(Temporary, match="asks for patience"):
        do(step, made[step])
    assert context(step).facts["way_back"]["possible"], "nothing was changed"
    do(step, made[step])
    assert not context(step).facts["way_back"]["possible"]
    assert amazon.asked[action] == 2


def test_blue_green_is_made_switched_over_and_the_old_one_kept(
    amazon: Aws, do: Do, context: Callable[[str], StepContext]
) -> None:
    amazon.lose = {"CreateBlueGreenDeployment"}
    copy = BlueGreen(instance="shop", to="17.4", poll_s=0.01)
    made = do("copy", copy)
    assert made.facts["name"] == name_for(context("copy").key, "shop", 0)
    assert amazon.asked["CreateBlueGreenDeployment"] == 1

    switch = Switchover(deployment="copy", poll_s=0.01)
    assert switch.plan(context("switch")).summary == "Switch shop to 17.4 over"
    amazon.lose = {"SwitchoverBlueGreenDeployment"}
    done = do("switch", switch)
    assert "the old instance is kept" in done.summary
    assert amazon.asked["SwitchoverBlueGreenDeployment"] == 1
    way = context("switch").facts["way_back"]
    assert not way["possible"]
    assert "the old instance is kept under another name" in way["why"]
    taken_back = copy.undo(context("copy"), made)
    assert "both instances stay" in taken_back.summary
    assert "is gone" in copy.undo(context("copy"), made).summary


def test_a_copy_that_was_not_switched_to_is_deleted(amazon: Aws, do: Do, context: Callable[[str], StepContext]) -> None:
    copy = BlueGreen(instance="shop", to="17.4", poll_s=0.01)
    made = do("copy", copy)
    assert "shop serves as before" in copy.undo(context("copy"), made).summary
    with pytest.raises(Final, match="There is nothing to switch to"):
        do("switch", Switchover(deployment="copy", poll_s=0.01))
    assert amazon.asked["SwitchoverBlueGreenDeployment"] == 0


def test_maint_check_names_the_instances(amazon: Aws, served: tuple[Aws, str]) -> None:
    values = {"MAINT_AWS_ENDPOINT": served[1], "MAINT_AWS_REGION": REGION}
    said = CONNECTIONS["Amazon RDS"].look(lambda setting: values.get(setting.name))
    assert said == "we may look; its instances: shop (14.9)"
    assert amazon.asked.keys() == {"DescribeDBInstances"}


def test_without_credentials_it_says_what_is_missing(
    served: tuple[Aws, str], do: Do, monkeypatch: pytest.MonkeyPatch
) -> None:
    del served
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nowhere")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nowhere")
    api_of.cache_clear()
    with pytest.raises(Final, match="Mend the credentials or settings"):
        do("upgrade", upgrade())
    api_of.cache_clear()
