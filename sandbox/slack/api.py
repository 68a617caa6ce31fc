"""`/api/<method>`: tokens, rate limits, scopes and arguments; what is left goes to the method."""

from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from sandbox.slack import (
    methods_channels,
    methods_chat,
    methods_files,
    methods_people,
    methods_pins,
    methods_views,
)
from sandbox.slack.config import App, Json
from sandbox.slack.errors import RefusedError
from sandbox.slack.limits import Limiter
from sandbox.slack.methods import METHODS, Call, Method, typed
from sandbox.slack.state import State
from sandbox.slack.surfaces import Surfaces

GROUPS = (methods_channels, methods_chat, methods_files, methods_people, methods_pins, methods_views)


class WebApi:
    """The Web API over one workspace."""

    def __init__(self, state: State, surfaces: Surfaces) -> None:
        self.state = state
        self.surfaces = surfaces
        self.limiter = Limiter(state.config.limits)

    async def answer(self, request: Request) -> Response:
        """Answer one call: always 200 with `ok`, or 429."""
        name, headers = request.path_params["method"], dict[str, str]()
        if name not in METHODS:
            return JSONResponse({"ok": False, "error": "unknown_method", "req_method": name})
        method = METHODS[name]
        try:
            raw = await _arguments(request, method)
            app = self._app(request, raw, method)
            if app.scopes is not None:
                headers["x-oauth-scopes"] = ",".join(sorted(app.scopes))
            wait_s = self.limiter.wait_s(app, method, str(raw.get("channel", "")))
            if wait_s:
                return JSONResponse({"ok": False, "error": "ratelimited"}, 429, {"Retry-After": str(wait_s)})
            _check_scope(app, method)
            answer = method.run(Call(self.state, self.surfaces, app, typed(method, raw)))
        except RefusedError as refused:
            return JSONResponse(refused.answer(), headers=headers)
        return JSONResponse({"ok": True, **answer}, headers=headers)

    def _app(self, request: Request, raw: Json, method: Method) -> App:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            token = str(raw.get("token") or "")
        if not token:
            raise RefusedError("not_authed")
        by_bot, by_app = self.state.app_by(bot_token=token), self.state.app_by(app_token=token)
        if by_bot is None and by_app is None:
            raise RefusedError("invalid_auth")
        app = by_app if method.app_token else by_bot
        if app is None:
            raise RefusedError("not_allowed_token_type")
        return app


async def _arguments(request: Request, method: Method) -> Json:
    raw: Json = dict(request.query_params)
    kind = request.headers.get("content-type", "").partition(";")[0].strip()
    if request.method == "POST" and kind == "application/json":
        if not method.accepts_json:
            return raw
        try:
            sent = await request.json()
        except ValueError:
            raise RefusedError("invalid_json") from None
        if not isinstance(sent, dict):
            raise RefusedError("json_not_object")
        return raw | sent
    if request.method == "POST" and kind in {"application/x-www-form-urlencoded", "multipart/form-data"}:
        async with request.form() as form:
            if any(isinstance(value, UploadFile) for value in form.values()):
                raise RefusedError("invalid_form_data")
            return raw | dict(form)
    if request.method == "POST" and await request.body():
        raise RefusedError("invalid_post_type")
    return raw


def _check_scope(app: App, method: Method) -> None:
    if method.scopes and app.scopes is not None and not set(method.scopes) & app.scopes:
        provided = ",".join(sorted(app.scopes))
        raise RefusedError("missing_scope", needed=",".join(method.scopes), provided=provided)
