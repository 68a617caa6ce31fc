"""Statuspage's one error shape: a status and a message."""


class Refusal(Exception):
    """An answer with `status` and `message`; `headers` go with it."""

    def __init__(self, status: int, message: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(message)
        self.status, self.message, self.headers = status, message, headers or {}
