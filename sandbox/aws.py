"""Amazon's API on the loopback: moto answers, and what moto does not do by itself is put before it here.

moto changes states at once and has no DescribeDBEngineVersions. So this lets states pass as at Amazon: an instance is
`upgrading` with its old version, a snapshot `creating`, a deployment `PROVISIONING` or `SWITCHOVER_IN_PROGRESS`, for as
many looks as `looks` says. Source of names and shapes: Amazon RDS API Reference.
"""

import contextlib
import re
from collections import Counter
from collections.abc import Iterator
from urllib.parse import parse_qs

import httpx
from moto.server import ThreadedMotoServer
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sandbox.server import drop, serving

_ENGINE_VERSIONS = """<DescribeDBEngineVersionsResponse xmlns="http://rds.amazonaws.com/doc/2014-10-31/">
<DescribeDBEngineVersionsResult><DBEngineVersions><DBEngineVersion><Engine>postgres</Engine>
<EngineVersion>{version}</EngineVersion><ValidUpgradeTarget>{targets}</ValidUpgradeTarget></DBEngineVersion>
</DBEngineVersions></DescribeDBEngineVersionsResult></DescribeDBEngineVersionsResponse>"""
_TARGET = """<UpgradeTarget><Engine>postgres</Engine><EngineVersion>{version}</EngineVersion>
<AutoUpgrade>false</AutoUpgrade><IsMajorVersionUpgrade>{major}</IsMajorVersionUpgrade></UpgradeTarget>"""
_EVENTS = """<DescribeEventsResponse xmlns="http://rds.amazonaws.com/doc/2014-10-31/"><DescribeEventsResult><Events>
<Event><SourceIdentifier>it</SourceIdentifier><SourceType>db-instance</SourceType><Message>{message}</Message></Event>
</Events></DescribeEventsResult></DescribeEventsResponse>"""
_BUSY = """<ErrorResponse xmlns="http://rds.amazonaws.com/doc/2014-10-31/"><Error><Type>Sender</Type>
<Code>Throttling</Code><Message>Rate exceeded</Message></Error><RequestId>it</RequestId></ErrorResponse>"""
REFUSED = "Database instance is in a state that cannot be upgraded: see pg_upgrade_precheck.log"


class Aws:
    """What stands before moto. `asked` counts the actions, `lose` names those whose next answer is lost.

    `busy` names those that are turned away once, and not done.
    """

    def __init__(self, moto: str) -> None:
        self._moto = moto
        self.app = Starlette(routes=[Route("/{path:path}", self._answer, methods=["GET", "POST", "PUT", "DELETE"])])
        self.reset()

    def reset(self) -> None:
        """Forget everything that was made and asked."""
        httpx.post(f"{self._moto}/moto-api/reset", timeout=60).raise_for_status()
        self.asked: Counter[str] = Counter()
        self.lose: set[str] = set()
        self.busy: set[str] = set()
        self.targets = {"14.9": ("14.10", "15.4", "17.4")}
        self.looks = 2
        self.refuses_upgrades = False
        self._passing: dict[str, tuple[int, dict[str, str]]] = {}

    def passes(self) -> None:
        """Let whatever is under way be done, and nothing take time from now on."""
        self.looks = 0
        self._passing.clear()

    async def _answer(self, request: Request) -> Response:
        content = await request.body()
        fields = {name: values[0] for name, values in parse_qs(content.decode()).items()}
        action = fields.get("Action", "")
        self.asked[action] += 1
        if action in self.busy:
            self.busy.discard(action)
            answer = Response(_BUSY, 400, media_type="text/xml")
        elif action == "DescribeDBEngineVersions":
            answer = self._versions(fields["EngineVersion"])
        elif action == "DescribeEvents" and self.refuses_upgrades:
            answer = Response(_EVENTS.format(message=REFUSED), media_type="text/xml")
        elif action == "ModifyDBInstance" and self.refuses_upgrades:
            self._begin(action, self._now("14.9", "upgrading"), looks=self.looks)
            answer = await self._forward(request, content.replace(b"EngineVersion", b"Ignored"))
        else:
            answer = await self._forward(request, content)
            if answer.status_code == 200:
                self._after(action)
            passing = self._as_it_passes(action, bytes(answer.body))
            answer = Response(passing, answer.status_code, media_type="text/xml")
        if action in self.lose:
            self.lose.discard(action)
            assert request.client is not None  # noqa: S101 - every TCP connection has one
            drop((request.client.host, request.client.port))
        return answer

    async def _forward(self, request: Request, content: bytes) -> Response:
        kept = {name: value for name, value in request.headers.items() if name not in {"host", "content-length"}}
        async with httpx.AsyncClient() as client:
            url = f"{self._moto}{request.url.path}"
            got = await client.request(request.method, url, content=content, headers=kept, timeout=60)
        return Response(got.content, got.status_code, media_type=got.headers.get("content-type"))

    def _versions(self, version: str) -> Response:
        major = version.partition(".")[0]
        targets = "".join(
            _TARGET.format(version=target, major=str(target.partition(".")[0] != major).lower())
            for target in self.targets.get(version, ())
        )
        return Response(_ENGINE_VERSIONS.format(version=version, targets=targets), media_type="text/xml")

    @staticmethod
    def _now(version: str, status: str) -> dict[str, str]:
        return {"EngineVersion": version, "DBInstanceStatus": status}

    def _after(self, action: str) -> None:
        passing = {
            "ModifyDBInstance": self._now("14.9", "upgrading"),
            "CreateDBSnapshot": {"Status": "creating"},
            "CreateBlueGreenDeployment": {"Status": "PROVISIONING"},
            "SwitchoverBlueGreenDeployment": {"Status": "SWITCHOVER_IN_PROGRESS"},
        }
        if action in passing:
            self._begin(action, passing[action], looks=self.looks)

    def _begin(self, action: str, shown: dict[str, str], *, looks: int) -> None:
        kind = re.sub(r"^(Modify|Create|Switchover)", "Describe", action) + "s"
        self._passing[kind] = (looks, shown)

    def _as_it_passes(self, action: str, body: bytes) -> bytes:
        left, shown = self._passing.get(action, (0, {}))
        if left <= 0:
            return body
        self._passing[action] = (left - 1, shown)
        text = body.decode()
        for name, value in shown.items():
            text = re.sub(f"<{name}>[^<]*</{name}>", f"<{name}>{value}</{name}>", text)
        return text.encode()


@contextlib.contextmanager
def aws() -> Iterator[tuple[Aws, str]]:
    """Serve it for the length of a `with` block; yields it and its address."""
    moto = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    moto.start()
    host, port = moto.get_host_and_port()
    stand_in = Aws(f"http://{host}:{port}")
    try:
        with serving(stand_in.app) as server:
            yield stand_in, server.url
    finally:
        moto.stop()
