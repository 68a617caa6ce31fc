"""The one error of the stand-in: what GitHub would answer instead of doing what was asked."""

from typing import Any

DOCUMENTATION_URL = "https://docs.github.com/rest"


class Refusal(Exception):
    """An answer with `status` and GitHub's error body: `message`, `documentation_url`, sometimes `errors`."""

    def __init__(self, status: int, message: str, errors: list[Any] | None = None, **headers: str) -> None:
        super().__init__(message)
        self.status = status
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}
        self.body: dict[str, Any] = {"message": message, "documentation_url": DOCUMENTATION_URL, "status": str(status)}
        if errors is not None:
            self.body["errors"] = errors


def not_found() -> Refusal:
    """What is missing and what may not be seen look the same to a caller."""
    return Refusal(404, "Not Found")


def invalid(resource: str, *, field: str | None = None, code: str = "custom", message: str | None = None) -> Refusal:
    """A 422 "Validation Failed" with one entry in `errors`."""
    error = {"resource": resource, "code": code}
    if field:
        error["field"] = field
    if message:
        error["message"] = message
    return Refusal(422, "Validation Failed", [error])


def missing(body: dict[str, Any], *fields: str) -> Refusal | None:
    """The 422 for required `fields` absent from `body`, or None when all are there."""
    absent = [f'"{field}"' for field in fields if body.get(field) is None]
    if not absent:
        return None
    verb = "wasn't" if len(absent) == 1 else "weren't"
    return Refusal(422, f"Invalid request.\n\n{', '.join(absent)} {verb} supplied.")
