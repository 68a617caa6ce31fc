"""Any HTTP request, for systems that have no integration of their own."""

import json
from collections.abc import Collection, Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from bot.errors import AnswerLost, CannotTell, Final, Temporary
from bot.http import Http, Response
from bot.step import Context, Outcome, Plan, Setting, Step, canonical, step
from integrations.answers import Url, field_of, host, origin
from integrations.polling import HttpPoll, is_ordered, note_order
from integrations.rounds import rounds_before

_REPEATABLE = frozenset({"GET", "HEAD", "PUT", "DELETE"})  # RFC 9110, section 9.2.2
_ONLY_READ = frozenset({"GET", "HEAD"})  # RFC 9110, section 9.2.1
_SECRET_HEADERS = frozenset({"authorization", "proxy-authorization", "cookie", "x-api-key"})
_OK = range(200, 300)
_READABLE = range(100, 500)
_ABSENT = frozenset({404, 410})
_FILE_CHARACTERS = 20_000
_EXCERPT_CHARACTERS = 200


def _without_secrets(headers: dict[str, str]) -> dict[str, str]:
    for name in headers:
        if name.lower() in _SECRET_HEADERS:
            raise ValueError(f"{name} would put a secret into the runbook; use `bearer` with the name of a setting")
    return headers


class Expectation(BaseModel):
    """What an answer must be like."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    status: Annotated[int, Field(ge=100, le=599)] | None = None
    """The HTTP status; any from 200 to 299 where it is not given."""
    field: str | None = None
    """A field of the JSON answer: keys and list positions joined by dots."""
    equals: Any = True
    """The value that `field` must have."""

    def misses(self, answer: Response) -> str | None:
        """Return in what the answer is not as expected, or None if it is."""
        good = answer.status in _OK if self.status is None else answer.status == self.status
        if not good:
            return f"the status is {answer.status}, expected {self.status or '200 to 299'}"
        if self.field is None:
            return None
        try:
            value = field_of(answer.json, self.field)
        except LookupError as error:
            return str(error)
        if canonical(value) != canonical(self.equals):
            return f"{self.field} is {json.dumps(value)[:100]}, expected {json.dumps(self.equals)[:100]}"
        return None


class Reading(Expectation):
    """A GET request whose answer, if it is as expected, says that the step's work is done."""

    url: Url
    """The address to read."""


@step("http")
class HttpCall(Step):
    """Make one HTTP request and look at its answer.

    A request that must not be made twice (POST, PATCH) is put on record before it is sent. If its answer is lost,
    `done_when` decides whether it was done; without it, a person is asked. One that only reads (GET, HEAD) asks for
    approval only if the runbook says so.
    """

    estimate_s: ClassVar[float] = 15.0
    timeout_s: ClassVar[float] = 300.0
    approval: ClassVar[bool] = True

    url: Url
    """The address to call."""
    method: Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"] = "GET"
    """The HTTP method."""
    headers: Annotated[dict[str, str], AfterValidator(_without_secrets)] = Field(default_factory=dict)
    """Headers to send. Secrets do not belong here; see `bearer`."""
    bearer: Annotated[str, Field(pattern=r"^MAINT_[A-Z0-9_]+$")] | None = None
    """The name of the environment variable (`MAINT_…`) whose value is sent as `Authorization: Bearer`."""
    body: Any = None
    """What to send: text as it is, anything else as JSON."""
    expect: Expectation = Expectation()
    """What the answer must be like; else the step fails."""
    done_when: Reading | None = None
    """How to see, by a GET, that the work is done. Asked before the request, after it, and after a lost answer."""
    poll: HttpPoll | None = None
    """For work that goes on after the answer: what to read until it is finished. Give the step a `timeout` to match."""
    limit_s: Annotated[float, Field(gt=0)] = 30.0
    """How long an answer may take, in seconds."""

    @classmethod
    def asks(cls, with_: Mapping[str, Any]) -> bool:
        """See `Step`: what changes nothing there is not asked about."""
        return with_.get("method", "GET") not in _ONLY_READ

    def plan(self, ctx: Context) -> Plan:
        details = [f"{name}: {value}" for name, value in self.headers.items()]
        if self.bearer:
            self._token(ctx)
            details.append(f"Authorization: Bearer (the value of {self.bearer})")
        if self.body is not None:
            details.append(self._text())
        if self.done_when:
            details.append(f"Done when {self.done_when.url} shows it.")
        if self.poll:
            value = json.dumps(self.poll.until.equals)
            details.append(f"Then waits until {self.poll.url} shows {self.poll.until.field} as {value}.")
        with_ = self.model_dump(mode="json")
        return Plan(f"{self.method} {self.url}", tuple(details), {"uses": self.uses, "with": with_})

    def check(self, ctx: Context) -> Outcome | None:
        if self.done_when is None:
            raise CannotTell(f"{ctx.step} has no `done_when`, so nobody but a person can tell whether it is done.")
        try:
            answer, missing = self._look(ctx, self.done_when)
        except (Temporary, Final) as error:
            raise CannotTell(str(error)) from None
        if missing is None:
            return Outcome(f"{self.done_when.url} shows that it is done.", {"status": answer.status, "url": self.url})
        if answer.status in _OK or answer.status in _ABSENT:
            return None
        raise CannotTell(f"{self.done_when.url} answered {answer.status}, which does not say whether it is done.")

    def apply(self, ctx: Context) -> Outcome:
        if self.poll is None:
            return self._order(ctx)
        if not is_ordered(ctx):
            ordered = self._order(ctx)
            note_order(ctx, f"{ordered.summary} Waiting until {self.poll.url} shows that it is finished.")
        return self._finished(ctx, self.poll)

    def _finished(self, ctx: Context, poll: HttpPoll) -> Outcome:
        def ask() -> Any:
            answer = self._send(ctx, "GET", poll.url, accept=())
            return answer.json

        shown = poll.until_finished(ctx, ask, poll.url)
        return Outcome(f"{poll.url} shows that it is finished: {shown}.", {"url": self.url, "shown": shown})

    def _order(self, ctx: Context) -> Outcome:
        if self.method in _REPEATABLE:
            return self._judge(ctx, self._request(ctx))
        intent = f"request-{rounds_before(ctx)}"
        if not ctx.intend(intent):
            done = self._settled_before(ctx)
            if done is not None:
                return done
        try:
            answer = self._request(ctx)
        except (Temporary, Final):
            ctx.forget_intent(intent)
            raise
        return self._judge(ctx, answer)

    def _request(self, ctx: Context) -> Response:
        expected = [self.expect.status] if self.expect.status else []
        return self._send(ctx, self.method, self.url, accept=expected, body=self.body)

    def verify(self, ctx: Context, outcome: Outcome) -> None:  # noqa: ARG002 - the signature of the contract
        if self.done_when is None:
            return
        _, missing = self._look(ctx, self.done_when)
        if missing:
            raise Temporary(f"{self.done_when.url} does not show that it is done: {missing}.")

    def _look(self, ctx: Context, reading: Reading) -> tuple[Response, str | None]:
        accept = {*_READABLE, *([reading.status] if reading.status else [])}
        answer = self._send(ctx, "GET", reading.url, accept=accept)
        return answer, reading.misses(answer)

    def _settled_before(self, ctx: Context) -> Outcome | None:
        try:
            return self.check(ctx)
        except CannotTell as error:
            raise AnswerLost(
                f"{self.method} {self.url} was on its way when the bot stopped: it may or may not have been done. "
                f"{error}"
            ) from None

    def _send(self, ctx: Context, method: str, url: str, *, accept: Collection[int], body: Any = None) -> Response:
        token, headers = self._token(ctx), {}
        if origin(url) == origin(self.url):  # what is read elsewhere gets neither the token nor the headers
            headers = {**self.headers, **({"Authorization": f"Bearer {token}"} if token else {})}
        with Http("", system=host(url), headers=headers, secrets=[token], timeout_s=self.limit_s) as http:
            return http.request(
                method,
                url,
                json=None if isinstance(body, str) else body,
                content=body.encode() if isinstance(body, str) else None,
                accept=accept,
            )

    def _judge(self, ctx: Context, answer: Response) -> Outcome:
        text = self._clean(ctx, answer.text)
        missing = self.expect.misses(answer)
        files = {"answer.txt": text[:_FILE_CHARACTERS]} if text else {}
        if missing:
            raise Final(
                f"{self.method} {self.url} was answered, but not as expected: {missing}.",
                status=answer.status,
                files=files,
            )
        excerpt = " ".join(text.split())[:_EXCERPT_CHARACTERS]
        said = f"{self.method} {self.url} answered {answer.status}" + (f": {excerpt}" if excerpt else ".")
        return Outcome(said, {"status": answer.status, "url": self.url, "excerpt": excerpt}, files)

    def _token(self, ctx: Context) -> str:
        if self.bearer is None:
            return ""
        return ctx.setting(Setting(self.bearer, help=f"The token that {ctx.step} sends.", secret=True))

    def _clean(self, ctx: Context, text: str) -> str:
        token = self._token(ctx)
        return text.replace(token, "•••") if token else text

    def _text(self) -> str:
        return self.body if isinstance(self.body, str) else json.dumps(self.body, ensure_ascii=False)
