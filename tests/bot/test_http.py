"""A client calls the system that it was made for and no other, whatever that answers; its token goes nowhere else.

And an answer that is no answer (endless, huge, too deep) ends as one that was lost.
"""

import asyncio
import gzip
from collections.abc import AsyncIterator, Iterator

import pytest
from slack_sdk import WebClient
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import Route

from bot.errors import AnswerLost, Final, StepError, Temporary
from bot.http import Http, retry_after_s
from bot.slack_api import SlackApi
from sandbox.server import serving

TOKEN = "the-token-of-the-system"


class Elsewhere:
    """Somebody else's server, which keeps what it is sent."""

    def __init__(self) -> None:
        self.asked: list[Request] = []
        self.url = ""

    async def take(self, request: Request) -> Response:
        self.asked.append(request)
        return JSONResponse({"yes": "I am the system"})


@pytest.fixture(scope="module")
def server_elsewhere() -> Iterator[Elsewhere]:
    made = Elsewhere()
    with serving(Starlette(routes=[Route("/{path:path}", made.take, methods=["GET", "POST"])])) as server:
        made.url = server.url
        yield made


@pytest.fixture
def elsewhere(server_elsewhere: Elsewhere) -> Elsewhere:
    server_elsewhere.asked.clear()
    return server_elsewhere


@pytest.fixture(scope="module")
def system(server_elsewhere: Elsewhere) -> Iterator[Http]:
    async def sends_on(request: Request) -> Response:
        return RedirectResponse(f"{server_elsewhere.url}/taken", status_code=int(request.path_params["status"]))

    routes = [Route("/{status}", sends_on, methods=["GET", "POST"])]
    headers = {"Authorization": TOKEN}
    with (
        serving(Starlette(routes=routes)) as server,
        Http(server.url, system="The system", headers=headers, secrets=[TOKEN]) as client,
    ):
        yield client


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_redirect_is_no_answer_and_is_not_followed(
    system: Http, elsewhere: Elsewhere, status: int, method: str
) -> None:
    with pytest.raises(Final) as refused:
        system.request(method, f"/{status}")
    assert refused.value.status == status
    assert elsewhere.asked == []


@pytest.mark.parametrize("form", ["{url}/next", "{other}/next", "https://{host}/next"])
def test_an_address_that_an_answer_names_is_called_only_where_it_is_the_systems_own(
    system: Http, elsewhere: Elsewhere, form: str
) -> None:
    host = elsewhere.url.removeprefix("http://")
    address = form.format(url=elsewhere.url, other=f"http://{host.replace('127.0.0.1', 'localhost')}", host=host)
    with pytest.raises(Final, match="which is not its own"):
        system.request("GET", address)
    assert elsewhere.asked == []


def test_its_own_address_may_be_whole(elsewhere: Elsewhere) -> None:
    with Http(f"{elsewhere.url}/v1", system="The system", headers={"Authorization": TOKEN}) as client:
        assert client.request("GET", f"{elsewhere.url}/v1/next").json == {"yes": "I am the system"}
        assert client.request("GET", "//example.com/x").json == {"yes": "I am the system"}
    assert [request.url.path for request in elsewhere.asked] == ["/v1/next", "/v1/x"]


def test_slacks_token_is_not_taken_to_a_file_that_is_not_in_slack(elsewhere: Elsewhere) -> None:
    slack = SlackApi(WebClient(token=TOKEN, base_url="http://127.0.0.1:9/api/"))
    for address in (f"{elsewhere.url}/file", "https://files.slack.com.example.com/f", "http://files.slack.com/f"):
        with pytest.raises(Final, match="is not in Slack"):
            slack.download(address)
    assert elsewhere.asked == []


@pytest.mark.parametrize("address", ["http://[::1", "http://[::1]x/", "http://a:b:c/", "http://a:99999999/", "\x00"])
def test_what_is_no_address_is_refused_in_words(system: Http, address: str) -> None:
    with pytest.raises(Final, match=r"an address that is none|which is not its own"):
        system.request("GET", address)


@pytest.mark.parametrize(
    "address",
    [
        "http://user:pw@{host}/x",
        "http://{own}@{host}/x",
        "http://{own}.{host}/x",
        "//user@{own}:1/x",
        "http://[::ffff:127.0.0.1]:{port}/x",
        "http://2130706433:{port}/x",
        "http://0x7f.1:{port}/x",
        "http://127.0.0.1.:{port}/x",
        "http:\\\\{host}\\x",
    ],
)
def test_no_way_of_writing_an_address_leads_elsewhere(
    system: Http, server_elsewhere: Elsewhere, elsewhere: Elsewhere, address: str
) -> None:
    host = server_elsewhere.url.removeprefix("http://")
    own = system._base.netloc.decode()
    with pytest.raises(StepError):
        system.request("GET", address.format(host=host, own=own, port=host.partition(":")[2]))
    assert elsewhere.asked == []


@pytest.fixture(scope="module")
def odd() -> Iterator[Http]:
    """A system whose answers are none."""

    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield b"["
            await asyncio.sleep(0.02)

    async def huge() -> AsyncIterator[bytes]:
        for _ in range(40):
            yield b"x" * 1024 * 1024

    async def answers(request: Request) -> Response:
        what, json = request.path_params["what"], {"content-type": "application/json"}
        if what in {"endless", "huge"}:
            return StreamingResponse(endless() if what == "endless" else huge(), headers=json)
        if what == "bomb":
            return Response(gzip.compress(b"0" * 64 * 1024 * 1024), headers={**json, "content-encoding": "gzip"})
        if what == "no-gzip":
            return Response(b"plain", headers={**json, "content-encoding": "gzip"})
        bodies = {"deep": b"[" * 100_000, "bytes": b'"\xff\xfe', "cut": b'{"a": [1,'}
        return Response(bodies[what], headers={"content-type": "application/json; charset=nonsense"})

    routes = [Route("/{what}", answers, methods=["GET", "POST"])]
    with serving(Starlette(routes=routes)) as server, Http(server.url, system="The system", timeout_s=0.5) as client:
        yield client


@pytest.mark.parametrize("what", ["endless", "huge", "bomb", "no-gzip"])
def test_an_answer_that_cannot_be_read_to_its_end_is_lost(odd: Http, what: str) -> None:
    with pytest.raises(AnswerLost):
        odd.request("POST", f"/{what}")
    with pytest.raises(Temporary):
        odd.request("GET", f"/{what}")


@pytest.mark.parametrize("what", ["deep", "bytes", "cut"])
def test_what_is_not_json_is_no_document(odd: Http, what: str) -> None:
    assert odd.request("POST", f"/{what}").json is None


@pytest.mark.parametrize(
    ("value", "asked"),
    [
        ("3", 3.0),
        ("-3", 0.0),
        ("inf", 86_400.0),
        ("1e300", 86_400.0),
        ("9" * 400, 86_400.0),
        ("nan", None),
        ("", None),
        ("soon", None),
        ("Wed, 21 Oct 99999 07:28:00 GMT", None),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 0.0),
        ("Wed, 21 Oct 9999 07:28:00 GMT", 86_400.0),
    ],
)
def test_a_server_may_ask_to_wait_a_day_at_most(value: str, asked: float | None) -> None:
    assert retry_after_s({"retry-after": value}) == asked
