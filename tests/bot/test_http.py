"""A client calls the system that it was made for and no other, whatever that answers; its token goes nowhere else."""

from collections.abc import Iterator

import pytest
from slack_sdk import WebClient
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from bot.errors import Final
from bot.http import Http
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
