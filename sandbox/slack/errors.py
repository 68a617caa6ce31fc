"""How Slack says no."""

from sandbox.slack.config import Json


class RefusedError(Exception):
    """A Web API answer with `ok: false`. `error` is Slack's code; `details` name what was wrong, one each."""

    def __init__(self, error: str, details: list[str] | None = None, **extra: object) -> None:
        super().__init__(error)
        self.error = error
        self.details = details or []
        self.extra = extra

    def answer(self) -> Json:
        """The JSON body, as Slack shapes it."""
        body: Json = {"ok": False, "error": self.error, **self.extra}
        if self.details:
            body["response_metadata"] = {"messages": [f"[ERROR] {detail}" for detail in self.details]}
            if self.error == "invalid_blocks":
                body["errors"] = self.details
        return body
