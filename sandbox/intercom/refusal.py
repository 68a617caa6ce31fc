"""Intercom's one error shape: an `error.list` with a code for programs and a message for people."""

from typing import Any


class Refusal(Exception):
    """An answer with `status` and one error."""

    def __init__(self, status: int, code: str, message: str, field: str | None = None) -> None:
        super().__init__(message)
        self.status, self.code, self.message, self.field = status, code, message, field

    def body(self, request_id: str) -> dict[str, Any]:
        """The JSON to answer with."""
        error = {"code": self.code, "message": self.message} | ({"field": self.field} if self.field else {})
        return {"type": "error.list", "request_id": request_id, "errors": [error]}
