"""Alive and ready, over HTTP: what is wrong is said, and nobody is kept waiting by a database that hangs."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
from pydantic import SecretStr
from starlette.routing import Route

from bot.database import Database, SqliteDatabase, Unavailable
from bot.database_postgres import PostgresDatabase
from bot.health import Answers, health_routes
from bot.web import web_app
from sandbox.server import serving
from tests.bot.databases import postgres_address, postgres_server

__all__ = ["postgres_address", "postgres_server"]


@contextmanager
def client(routes: list[Route]) -> Iterator[httpx.Client]:
    with serving(web_app(None, None, routes)) as server, httpx.Client(base_url=server.url, trust_env=False) as made:
        yield made


def test_a_real_database_answers(database: Database) -> None:
    assert Answers(database)() == ""


def test_a_file_that_is_no_database_any_more_is_told(tmp_path: Path) -> None:
    database = SqliteDatabase(tmp_path / "maint.sqlite3")
    database.close()
    for path in tmp_path.iterdir():
        path.unlink()
    (tmp_path / "maint.sqlite3").write_bytes(b"something else entirely" * 1000)
    assert "cannot be read" in Answers(database)()


def test_a_database_that_does_not_answer_is_asked_once(postgres_address: str) -> None:
    database = PostgresDatabase(postgres_address, connections=1)
    answers = Answers(database, within_s=0.05)
    with database.transaction():  # the only connection
        assert [answers(), answers()] == ["no answer within 0.05 seconds"] * 2
    assert Answers(database)() == ""
    assert Answers(database, within_s=30)() == ""
    database.close()


def test_a_database_that_is_away_is_told(postgres_address: str) -> None:
    database = PostgresDatabase(postgres_address, connections=1, timeout_s=2)
    with database.transaction():
        assert "cannot be used just now" in Answers(database, within_s=60)()
    database.close()


def test_ready_means_alive_too_and_says_what_is_wrong() -> None:
    wrong = {"threads": "", "slack": "the socket is not connected"}
    routes = health_routes({"threads": lambda: wrong["threads"]}, {"slack": lambda: wrong["slack"]})
    with client(routes) as http:
        assert http.get("/healthz").json() == {"ok": True}
        ready = http.get("/readyz")
        assert (ready.status_code, ready.json()) == (503, {"ok": False, "wrong": {"slack": wrong["slack"]}})
        wrong |= {"slack": "", "threads": "engine has ended"}
        assert http.get("/healthz").status_code == 503
        assert http.get("/readyz").json()["wrong"] == {"threads": "engine has ended"}
        assert http.get("/metrics").status_code == 404


def test_the_metrics_are_for_who_has_the_token() -> None:
    with client(health_routes({}, {}, lambda: (b"one 1\n", "text/plain"), SecretStr("t0ken"))) as http:
        assert http.get("/metrics").status_code == 401
        assert http.get("/metrics", headers={"Authorization": "Bearer wrong"}).status_code == 401
        answer = http.get("/metrics", headers={"Authorization": "Bearer t0ken"})
        assert (answer.status_code, answer.text) == (200, "one 1\n")


def test_without_the_database_there_are_no_numbers() -> None:
    def gone() -> tuple[bytes, str]:
        raise Unavailable("it is away")

    with client(health_routes({}, {}, gone)) as http:
        assert http.get("/metrics").status_code == 503
