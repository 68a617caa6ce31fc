"""The feed over HTTP and as it is put into a bucket: only what is new, to everybody, also when something fails."""

import threading
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from bot.database import Database
from bot.errors import Final, Temporary
from bot.feed_publisher import SCRIPT, Publisher
from bot.feed_push import Push
from bot.http import Http
from bot.web import web_app
from sandbox.server import serving
from tests.bot.feed_story import Story

TYPES = {
    "maintenance.json": "application/json",
    "maintenance.ics": "text/calendar; charset=utf-8",
    "maintenance.atom": "application/atom+xml",
    "maintenance.js": "text/javascript; charset=utf-8",
}


@pytest.fixture
def story(database: Database) -> Story:
    made = Story(database)
    made.plan()
    made.is_announced()
    return made


@pytest.fixture
def publisher(story: Story) -> Publisher:
    return Publisher(story.maintenances, "a test")


@pytest.fixture
def client(publisher: Publisher) -> Iterator[httpx.Client]:
    with serving(web_app(None, publisher)) as server, httpx.Client(base_url=server.url, trust_env=False) as made:
        yield made


@pytest.mark.parametrize(("name", "media_type"), TYPES.items())
def test_each_text_is_served_to_everybody(
    publisher: Publisher, client: httpx.Client, name: str, media_type: str
) -> None:
    publisher.refresh()
    answer = client.get(f"/feed/{name}", headers={"Origin": "https://app.example.com"})
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, media_type)
    assert answer.content == publisher.documents[name].body
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert answer.headers["Cross-Origin-Resource-Policy"] == "cross-origin"
    assert answer.headers["Cache-Control"].startswith("public, max-age=")
    head = client.head(f"/feed/{name}")
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["Content-Length"] == str(len(answer.content))
    assert head.headers["ETag"] == answer.headers["ETag"]


@pytest.mark.parametrize("known", ["{}", "W/{}", '"older", {}', "*"])
def test_what_the_reader_has_is_not_sent_again(publisher: Publisher, client: httpx.Client, known: str) -> None:
    publisher.refresh()
    etag = client.get("/feed/maintenance.json").headers["ETag"]
    answer = client.get("/feed/maintenance.json", headers={"If-None-Match": known.format(etag)})
    assert (answer.status_code, answer.content) == (304, b"")
    assert answer.headers["ETag"] == etag
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert "Cache-Control" in answer.headers


def test_what_has_changed_is_sent(story: Story, publisher: Publisher, client: httpx.Client) -> None:
    publisher.refresh()
    etag = client.get("/feed/maintenance.json").headers["ETag"]
    publisher.refresh()
    assert client.get("/feed/maintenance.json", headers={"If-None-Match": etag}).status_code == 304
    story.begins()
    publisher.refresh()
    answer = client.get("/feed/maintenance.json", headers={"If-None-Match": etag})
    assert answer.status_code == 200
    assert answer.headers["ETag"] != etag
    assert answer.json()["maintenances"][0]["status"] == "in_progress"


def test_a_browser_that_asks_first_is_allowed(client: httpx.Client) -> None:
    asks = {"Origin": "https://app.example.com", "Access-Control-Request-Method": "GET"}
    answer = client.options("/feed/maintenance.json", headers=asks)
    assert answer.status_code == 204
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert "GET" in answer.headers["Access-Control-Allow-Methods"]
    assert "If-None-Match" in answer.headers["Access-Control-Allow-Headers"]


def test_nothing_is_written_and_nothing_else_is_there(publisher: Publisher, client: httpx.Client) -> None:
    publisher.refresh()
    assert client.post("/feed/maintenance.json").status_code == 405
    assert client.get("/feed/maintenance.xml").status_code == 404
    assert client.get("/feed/../pyproject.toml").status_code == 404
    # Not in Socket Mode, which has no secret to check a signature with.
    assert client.post("/slack/events").status_code == 404


def test_before_anything_was_read_it_says_so_and_is_not_kept(client: httpx.Client) -> None:
    answer = client.get("/feed/maintenance.json")
    assert (answer.status_code, answer.headers["Cache-Control"]) == (503, "no-store")
    assert answer.headers["Access-Control-Allow-Origin"] == "*"


def test_a_spoiled_journal_does_not_hide_the_other_maintenances(story: Story, publisher: Publisher) -> None:
    story.plan("2026-11-25-spoiled", title="Spoiled")
    story.is_announced("2026-11-25-spoiled")
    with pytest.raises(ValueError, match="a step that there is not"):
        story.does("no-such-step", "2026-11-25-spoiled")
    publisher.refresh()
    assert b"Postgres 14 to 18" in publisher.documents["maintenance.json"].body
    assert b"Spoiled" not in publisher.documents["maintenance.json"].body


def test_while_the_database_is_away_the_last_reading_stays(story: Story, publisher: Publisher) -> None:
    publisher.refresh()
    before = publisher.documents
    story.maintenances.journal.database.query("ALTER TABLE entries RENAME TO hidden")
    publisher.refresh()
    assert before
    assert publisher.documents is before


def test_what_is_over_for_good_is_forgotten_and_the_rest_is_not(story: Story, publisher: Publisher) -> None:
    publisher.refresh()
    story.begins()
    story.turns("completed")
    publisher.refresh()
    assert b'"completed"' in publisher.documents["maintenance.json"].body
    story.now = story.now.replace(year=2028)
    for _ in range(2):
        publisher.refresh()
        assert b"Postgres" not in publisher.documents["maintenance.json"].body
    story.plan("2028-01-01-next", title="The next one", start=story.now)
    story.is_announced("2028-01-01-next")
    publisher.refresh()
    assert b"The next one" in publisher.documents["maintenance.json"].body


# Put into a bucket ----------------------------------------------------------------------------------------------------


class Bucket:
    """Keeps what is put into it, as a bucket does; answers `fails` first, one status for each call."""

    def __init__(self) -> None:
        self.held: dict[str, bytes] = {}
        self.puts: list[tuple[str, str, str, str]] = []
        self.fails: list[int] = []
        self.app = Starlette(routes=[Route("/folder/{name}", self.put, methods=["PUT"])])

    async def put(self, request: Request) -> Response:
        body, name = await request.body(), request.path_params["name"]
        if self.fails:
            return Response("no", self.fails.pop(0))
        headers = request.headers
        self.puts.append((name, headers["Authorization"], headers["Content-Type"], headers["Cache-Control"]))
        self.held[name] = body
        return Response(status_code=201)


Pushes = Callable[..., Push]


@pytest.fixture
def bucket() -> Bucket:
    return Bucket()


@pytest.fixture
def pushing(bucket: Bucket, publisher: Publisher) -> Iterator[Pushes]:
    with (
        serving(bucket.app) as server,
        Http(
            f"{server.url}/folder/",
            system="The target",
            headers={"Authorization": "Bearer s3cret"},
            secrets=["s3cret"],
        ) as target,
    ):

        def make(leads: Callable[[], bool] = lambda: True, **more: Any) -> Push:
            return Push(target, lambda: publisher.documents, leads, lambda: None, **more)

        yield make


def test_all_texts_are_put_and_then_only_what_has_changed(
    story: Story, publisher: Publisher, bucket: Bucket, pushing: Pushes
) -> None:
    push = pushing()
    push.put()
    assert bucket.puts == [], "nothing has been read yet"
    publisher.refresh()
    push.put()
    assert [(name, kind) for name, _, kind, _ in bucket.puts] == list(TYPES.items())
    assert {bearer for _, bearer, _, _ in bucket.puts} == {"Bearer s3cret"}
    assert all(kept.startswith("public, max-age=") for *_, kept in bucket.puts)
    assert bucket.held["maintenance.js"] == SCRIPT.read_bytes()
    push.put()
    assert len(bucket.puts) == 4
    story.begins()
    publisher.refresh()
    push.put()
    assert [name for name, *_ in bucket.puts[4:]] == ["maintenance.json", "maintenance.ics", "maintenance.atom"]
    assert bucket.held == {name: document.body for name, document in publisher.documents.items()}


def test_only_who_leads_puts_and_whoever_leads_again_puts_everything(
    publisher: Publisher, bucket: Bucket, pushing: Pushes
) -> None:
    leads = [True, False, True]
    push = pushing(lambda: leads.pop(0))
    publisher.refresh()
    push.put()
    push.put()
    assert len(bucket.puts) == 4
    push.put()
    assert len(bucket.puts) == 8


def test_what_failed_is_put_again_and_no_secret_is_told(publisher: Publisher, bucket: Bucket, pushing: Pushes) -> None:
    publisher.refresh()
    push = pushing()
    bucket.fails = [503]
    with pytest.raises(Temporary):
        push.put()
    bucket.fails = [403]
    with pytest.raises(Final) as refused:
        push.put()
    assert "s3cret" not in str(refused.value)
    push.put()
    assert len(bucket.held) == 4


def test_it_goes_on_after_any_failure(publisher: Publisher, bucket: Bucket, pushing: Pushes) -> None:
    publisher.refresh()
    bucket.fails = [503, 401, 500]
    stop = threading.Event()

    class Counted(threading.Event):
        """Ends the run at the first wait after all is there."""

        def wait(self, timeout: float | None = None) -> bool:
            if len(bucket.held) == 4:
                stop.set()
            return stop.wait(timeout)

        def is_set(self) -> bool:
            return stop.is_set()

    pushing(first_wait_s=0.01).run(Counted())
    assert bucket.held == {name: document.body for name, document in publisher.documents.items()}
