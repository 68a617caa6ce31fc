"""The app: its switch, its maintenance page, and how slow its orders are."""

import re
from collections.abc import Iterator

import httpx
import pytest

from sandbox.postgres.cluster import Cluster
from sandbox.product import TOKEN, Product
from sandbox.server import serving
from tests.postgres_fixtures import STORY_DATABASE, ClusterFactory

OPERATOR = {"authorization": f"Bearer {TOKEN}"}


@pytest.fixture
def product() -> Product:
    return Product()


@pytest.fixture
def http(product: Product) -> Iterator[httpx.Client]:
    with serving(product.app) as server, httpx.Client(base_url=server.url, timeout=30) as client:
        yield client


def test_off_and_on_again(product: Product, http: httpx.Client) -> None:
    assert http.get("/").status_code == 200
    assert http.get("/admin/maintenance").json() == {"maintenance": False}
    for _ in range(2):  # twice is the same as once
        switched = http.put("/admin/maintenance", json={"enabled": True}, headers=OPERATOR)
        assert switched.json() == {"maintenance": True}
    for path in ("/", "/orders"):
        closed = http.get(path)
        assert (closed.status_code, closed.headers["retry-after"]) == (503, "300")
        assert "down for maintenance" in closed.text
    assert http.get("/healthz").json() == {"status": "ok", "maintenance": True}
    http.put("/admin/maintenance", json={"enabled": False}, headers=OPERATOR)
    assert "down for maintenance" not in http.get("/").text
    shown = http.get("/admin/transitions").json()
    assert [one["maintenance"] for one in shown] == [True, False]
    assert product.transitions[0].at <= product.transitions[1].at


def test_nobody_else_switches(product: Product, http: httpx.Client) -> None:
    for headers in ({}, {"authorization": "Bearer wrong"}):
        assert http.put("/admin/maintenance", json={"enabled": True}, headers=headers).status_code == 401
    for body in (b"{", b"[]", b'{"enabled": "yes"}', b"{}"):
        assert http.put("/admin/maintenance", content=body, headers=OPERATOR).status_code == 422
    assert product.maintenance is False


def test_a_lost_answer_leaves_the_switch_thrown(product: Product, http: httpx.Client) -> None:
    product.app.arm("drop_after", method="PUT")
    with pytest.raises(httpx.TransportError):
        http.put("/admin/maintenance", json={"enabled": True}, headers=OPERATOR)
    assert http.get("/admin/maintenance").json() == {"maintenance": True}


def test_orders_without_a_database_or_with_one_that_is_down(product: Product, http: httpx.Client) -> None:
    assert http.get("/orders").status_code == 503
    product.dsn = "postgresql://secret-user:secret-word@127.0.0.1:1/app"
    down = http.get("/orders")
    assert (down.status_code, "cannot be reached" in down.text) == (503, True)
    assert "secret" not in down.text


def test_orders_from_a_real_database(
    product: Product, http: httpx.Client, cluster_factory: ClusterFactory, pg14_seeded_template: Cluster
) -> None:
    cluster = cluster_factory(template=pg14_seeded_template)
    with cluster.started():
        product.dsn = cluster.dsn(STORY_DATABASE)
        facts = http.get("/orders", headers={"accept": "application/json"}).json()
        assert facts["columns"] == ["refunds", "amount"]
        assert int(facts["rows"][0][0]) > 0
        assert facts["elapsed_ms"] > 0
        assert re.search(r"\d ms</div>", http.get("/orders").text)
        product.query, product.query_timeout_s = "SELECT pg_sleep(30)", 0.2
        slow = http.get("/orders")
        assert (slow.status_code, "no answer within 0.2 s" in slow.text) == (503, True)
