"""The shipped runbooks for managed services, start to report, against a real server that stands for the instance."""

import time
from collections.abc import Callable, Iterator

import boto3
import psycopg
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from sandbox.aws import Aws, aws
from sandbox.postgres.cluster import Cluster
from sandbox.product import TOKEN, Product
from sandbox.server import serving
from tests.bot.test_runbook import SHIPPED
from tests.integrations.rds.test_rds import INSTANCE, REGION
from tests.postgres_fixtures import ClusterFactory
from tests.scenarios.house import WAIT_S, Room, planned

SHOP = """
CREATE TABLE orders (id bigserial PRIMARY KEY, customer_id int);
INSERT INTO orders (customer_id) SELECT g % 100 FROM generate_series(1, 2000) g;
"""
GROUP = "shop-18"


def cluster(factory: ClusterFactory, major: int) -> Cluster:
    made = factory(major)
    made.start()
    with psycopg.connect(made.create_database("shop"), autocommit=True) as session:
        session.execute(SHOP.encode())
    return made


@pytest.fixture
def amazon(room: Room, cluster_factory: ClusterFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[Aws]:
    """Amazon with an instance of 14.9, a server of 14 behind its address, and a bot that knows both."""
    keys = {"AWS_ACCESS_KEY_ID": "AKIATEST", "AWS_SECRET_ACCESS_KEY": "not-used-here"}
    for name, value in keys.items():
        monkeypatch.setenv(name, value)
    bot = room.house.bot
    usual = bot.environment
    with aws() as (stand_in, url):
        api = boto3.client("rds", region_name=REGION, endpoint_url=url)
        api.create_db_instance(**INSTANCE)
        api.create_db_parameter_group(DBParameterGroupName=GROUP, DBParameterGroupFamily="postgres18", Description="x")
        stand_in.targets = {"14.9": ("18.1",)}
        stand_in.looks = 10**9
        stand_in.asked.clear()
        server = cluster(cluster_factory, 14)
        more = {"MAINT_AWS_ENDPOINT": url, "MAINT_AWS_REGION": REGION, "MAINT_APP_TOKEN": TOKEN}
        bot.environment = {**usual, **keys, **more, "MAINT_POSTGRES_DSN": server.dsn("shop")}
        room.house.restarts()
        yield stand_in
        bot.kill()
        bot.environment = usual


def until(holds: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + WAIT_S
    while not holds():
        assert time.monotonic() < deadline, what
        time.sleep(0.02)


def another_serves(room: Room, factory: ClusterFactory) -> None:
    """From now on 18 answers at the address; the bot, which was killed, starts again."""
    bot = room.house.bot
    bot.environment = {**bot.environment, "MAINT_POSTGRES_DSN": cluster(factory, 18).dsn("shop")}
    room.house.is_open()


def is_completed_over_a_kill(room: Room, amazon: Aws, factory: ClusterFactory, said: str) -> None:
    """Kill the bot behind its order, let Amazon finish, and start the bot again: it says `said`, and goes on."""
    room.house.bot.kill()
    amazon.passes()
    another_serves(room, factory)
    room.channel.shows(said)
    room.ben.clicks("Approve", on="Approval: Bring the app back on")
    room.channel.shows("The maintenance is completed")


def opened_once_proved(room: Room, work: str) -> None:
    log = room.log()
    order = [f"({each}) succeeded" for each in (work, "read-back", "vacuum", "gate", "app-on")]
    places = [next(number for number, line in enumerate(log) if each in line) for each in order]
    assert places == sorted(places)


def test_an_instance_is_upgraded_over_a_killed_bot_with_one_order_and_opened_once_it_is_proved(
    room: Room, amazon: Aws, cluster_factory: ClusterFactory
) -> None:
    text = (SHIPPED / "managed" / "rds-upgrade.yml").read_text().replace("  notice: 24h\n", "")
    group = '      parameter_group: "{{ params.parameter_group }}"\n'
    (room.house.runbooks / "rds-upgrade.yml").write_text(text.replace(group, f"{group}      poll_s: 0.1\n"))
    product = Product()
    with serving(product.app) as app:
        words = f"major=18 version=18.1 parameter_group={GROUP} app={app.url}"
        room.ana.says(f"/maint start rds-upgrade at now for 3h {words}")
        maintenance = planned(room.ana, "Database upgrade to PostgreSQL 18")
        room.ben.clicks("Approve", on="Approval: Take the app off")
        room.ben.clicks("Approve", on="Approval: Upgrade the instance", confirm=True)
        until(lambda: amazon.asked["DescribeDBSnapshots"] > 3, "the snapshot is being made")
        amazon.passes()
        amazon.looks = 10**9
        room.channel.shows("the point of no return but the snapshot")
        until(lambda: amazon.asked["ModifyDBInstance"] == 1, "the upgrade is ordered")
        room.ben.says(f"/maint rollback {maintenance} it takes long")
        room.ben.sees("restore the snapshot")
        is_completed_over_a_kill(room, amazon, cluster_factory, "Amazon says that shop is 18.1 and available")
    assert (amazon.asked["CreateDBSnapshot"], amazon.asked["ModifyDBInstance"]) == (1, 1)
    opened_once_proved(room, "upgrade")


def test_a_copy_is_switched_to_over_a_killed_bot_with_one_order(
    room: Room, amazon: Aws, cluster_factory: ClusterFactory
) -> None:
    text = (SHIPPED / "managed" / "rds-blue-green.yml").read_text().replace("  notice: 24h\n", "")
    group = '      parameter_group: "{{ params.parameter_group }}"\n'
    text = text.replace(group, f"{group}      poll_s: 0.1\n").replace("give_up_after_s: 300", "poll_s: 0.1")
    (room.house.runbooks / "rds-blue-green.yml").write_text(text)
    amazon.passes()
    product = Product()
    with serving(product.app) as app:
        words = f"major=18 version=18.1 parameter_group={GROUP} app={app.url}"
        room.ana.says(f"/maint start rds-blue-green at now for 3h {words}")
        maintenance = planned(room.ana, "Database upgrade to PostgreSQL 18")
        room.ben.clicks("Approve", on="Approval: Make a copy of the new major")
        room.ben.clicks("Approve", on="Approval: Take the app off")
        prompt = room.channel.shows("Approval: Switch over to the copy")["ts"]
        amazon.looks = 10**9
        room.ben.clicks("Approve", on=prompt, confirm=True)
        room.channel.shows("is ordered")
        until(lambda: amazon.asked["SwitchoverBlueGreenDeployment"] == 1, "the switchover is ordered")
        room.ben.says(f"/maint rollback {maintenance} it takes long")
        room.ben.sees("the old instance is kept under another name")
        is_completed_over_a_kill(room, amazon, cluster_factory, "Amazon says that the switchover is completed")
    assert (amazon.asked["CreateBlueGreenDeployment"], amazon.asked["SwitchoverBlueGreenDeployment"]) == (1, 1)
    opened_once_proved(room, "switch")


class Provider:
    """A provider of databases: takes an order, and shows version and state."""

    def __init__(self) -> None:
        self.orders: list[str] = []
        self.shown = {"version": "14", "state": "available"}
        self.app = Starlette(
            routes=[Route("/shop", self._show), Route("/shop/upgrade", self._upgrade, methods=["POST"])]
        )

    async def _show(self, request: Request) -> JSONResponse:
        del request
        return JSONResponse(self.shown)

    async def _upgrade(self, request: Request) -> JSONResponse:
        self.orders.append((await request.json())["version"])
        self.shown["state"] = "upgrading"
        return JSONResponse({}, 202)


@pytest.mark.usefixtures("amazon")
def test_a_provider_is_told_once_over_a_killed_bot(room: Room, cluster_factory: ClusterFactory) -> None:
    text = (SHIPPED / "managed" / "provider-upgrade.yml").read_text().replace("  notice: 24h\n", "")
    (room.house.runbooks / "provider-upgrade.yml").write_text(text.replace("every_s: 15", "every_s: 0.1"))
    bot = room.house.bot
    bot.environment = {**bot.environment, "MAINT_PROVIDER_TOKEN": "not-used-here"}
    room.house.restarts()
    product, provider = Product(), Provider()
    with serving(product.app) as app, serving(provider.app) as api:
        room.ana.says(f"/maint start provider-upgrade at now for 3h major=18 app={app.url} api={api.url}/shop")
        maintenance = planned(room.ana, "Database upgrade to PostgreSQL 18")
        room.ben.clicks("Approve", on="Approval: Take the app off")
        room.ben.clicks("Approve", on="Approval: Have the provider upgrade the database", confirm=True)
        room.channel.shows("Waiting until")
        room.ben.says(f"/maint rollback {maintenance} it takes long")
        room.ben.sees("was the point of no return")

        room.house.bot.kill()
        provider.shown = {"version": "18", "state": "available"}
        another_serves(room, cluster_factory)
        room.channel.shows("shows that it is finished")
        room.ben.clicks("Approve", on="Approval: Bring the app back on")
        room.channel.shows("The maintenance is completed")
    assert provider.orders == ["18"]
    opened_once_proved(room, "upgrade")
