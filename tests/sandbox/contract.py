"""Hold an answer to the official API description, where a checkout has one beside it; else the test is skipped."""

import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema.exceptions import ValidationError
from openapi_schema_validator import OAS30ReadValidator, oas30_format_checker
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT4

SPECS = Path(__file__).parents[3] / "shared" / "specs"


class Contract:
    """The description in `shared/specs/<name>`, beside the checkout."""

    def __init__(self, name: str, *, formats: bool = True) -> None:
        path = SPECS / name
        if not path.exists():
            pytest.skip(f"the official description {name} is not beside this checkout")
        text = path.read_text()
        self.spec: dict[str, Any] = _overlapping(json.loads(text) if path.suffix == ".json" else yaml.safe_load(text))
        self.registry = Registry().with_resource("urn:spec", Resource(self.spec, DRAFT4))
        self.formats = oas30_format_checker if formats else None
        self.checked: set[str] = set()

    def template(self, method: str, path: str) -> str:
        """The described path that `path` is an instance of; the one with fewest parameters wins."""
        fits = []
        for template, operations in self.spec["paths"].items():
            # GitHub writes {path} and {ref} for values that may hold slashes.
            pattern = re.sub(r"\\\{(path|ref|branch|basehead)\\\}", ".+", re.escape(template))
            pattern = re.sub(r"\\\{\w+\\\}", "[^/]+", pattern)
            if method.lower() in operations and re.fullmatch(pattern, path):
                fits.append(template)
        assert fits, f"{method} {path} is not in the official description"
        return min(fits, key=lambda template: (template.count("{"), -len(template)))

    def check(self, method: str, path: str, status: int, answer: Any) -> None:
        """Fail with every difference between `answer` and what is described for this call and status."""
        template = self.template(method, path)
        operation = self.spec["paths"][template][method.lower()]
        assert str(status) in operation["responses"], f"{method} {template} is not described to answer {status}"
        self.checked.add(f"{method} {template} {status}")
        pointer = f"/paths/{_escape(template)}/{method.lower()}/responses/{status}"
        response = operation["responses"][str(status)]
        if "$ref" in response:
            pointer = response["$ref"][1:]
            response = self._at(pointer)
        if not response.get("content"):
            return
        assert "application/json" in response["content"]
        schema = {"$ref": f"urn:spec#{pointer}/content/application~1json/schema"}
        validator = OAS30ReadValidator(schema, registry=self.registry, format_checker=self.formats)
        errors = _told(validator.iter_errors(answer))
        assert not errors, f"{method} {template} {status}:\n" + "\n".join(errors[:20])

    def check_request(self, method: str, path: str, body: Any) -> None:
        """Fail with every difference between `body` and what is described for a request."""
        template = self.template(method, path)
        pointer = f"/paths/{_escape(template)}/{method.lower()}/requestBody/content/application~1json/schema"
        validator = OAS30ReadValidator({"$ref": f"urn:spec#{pointer}"}, registry=self.registry)
        errors = _told(validator.iter_errors(body))
        assert not errors, f"request of {method} {template}:\n" + "\n".join(errors[:20])

    def _at(self, pointer: str) -> Any:
        node: Any = self.spec
        for part in pointer.strip("/").split("/"):
            node = node[part.replace("~1", "/").replace("~0", "~")]
        return node


def _escape(template: str) -> str:
    return template.replace("~", "~0").replace("/", "~1").replace("{", "%7B").replace("}", "%7D")


def _overlapping(node: Any) -> Any:
    """The same description with `anyOf` for `oneOf` and no discriminators.

    The official ones list alternatives that include one another, and discriminate by a property that lists lack.
    """
    if isinstance(node, dict):
        kept = {key: value for key, value in node.items() if key != "discriminator"}
        return {"anyOf" if key == "oneOf" else key: _overlapping(value) for key, value in kept.items()}
    return [_overlapping(item) for item in node] if isinstance(node, list) else node


def _told(errors: Iterable[ValidationError]) -> list[str]:
    """Each error in a line; where alternatives failed, why each of them did."""
    return [f"{leaf.json_path}: {leaf.message[:300]}" for error in errors for leaf in error.context or [error]]
