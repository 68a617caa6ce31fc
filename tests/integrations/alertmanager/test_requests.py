"""What we ask of Alertmanager is what the description of its API says, where a checkout has that beside it."""

from typing import Any
from urllib.parse import parse_qsl

import pytest
import yaml
from jsonschema import Draft4Validator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT4

from bot.connections import CONNECTIONS
from bot.errors import Stopped
from integrations.alertmanager import Silence
from tests.integrations.alertmanager.server import Alertmanager
from tests.integrations.leases.alongside import Night, until
from tests.sandbox.contract import SPECS


@pytest.fixture(scope="module")
def spec() -> dict[str, Any]:
    path = SPECS / "alertmanager" / "openapi-v2.yaml"
    if not path.exists():
        pytest.skip(f"the official description {path.name} is not beside this checkout")
    return dict(yaml.safe_load(path.read_text()))


def operation_of(spec: dict[str, Any], method: str, path: str) -> tuple[str, dict[str, Any]]:
    assert path.startswith(spec["basePath"])
    below = "/" + path.removeprefix(spec["basePath"])
    template = "/silence/{silenceID}" if below.startswith("/silence/") else below
    return template, spec["paths"][template][method.lower()]


def test_every_request_of_a_whole_step(spec: dict[str, Any], server: Alertmanager, night: Night, step: Silence) -> None:
    registry = Registry().with_resource("urn:spec", Resource(spec, DRAFT4))
    step.plan(night.ctx())
    first = night.run(step)
    until(night.told)
    with pytest.raises(Stopped):
        night.restart(first)
    second = night.run(step)
    until(lambda: [body for *_, body in server.road.asked if body and "id" in body])
    night.settle()
    second.end()
    CONNECTIONS["Alertmanager"].look(
        lambda one: server.base_url if one.name == "MAINT_ALERTMANAGER_URL" else one.default
    )
    used = set()
    for method, path, query, body in server.road.asked:
        template, operation = operation_of(spec, method, path)
        used.add(f"{method} {template}")
        parameters = {one["name"]: one for one in operation.get("parameters", []) if "name" in one}
        for name, value in parse_qsl(query):
            assert parameters[name]["in"] == "query"
            assert parameters[name]["type"] != "boolean" or value in {"true", "false"}
        if method == "POST":
            schema = {"$ref": f"urn:spec#{parameters['silence']['schema']['$ref'][1:]}"}
            validator = Draft4Validator(schema, registry=registry, format_checker=Draft4Validator.FORMAT_CHECKER)
            assert list(validator.iter_errors(body)) == []
        else:
            assert body is None
    assert used == {
        "GET /alerts",
        "GET /silences",
        "GET /silence/{silenceID}",
        "GET /status",
        "POST /silences",
        "DELETE /silence/{silenceID}",
    }
