"""files.*: an upload in three steps, as https://docs.slack.dev/messaging/working-with-files has it."""

from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from sandbox.slack.config import Json
from sandbox.slack.errors import RefusedError
from sandbox.slack.markup import stored
from sandbox.slack.methods import Call, method
from sandbox.slack.methods_chat import signed_by
from sandbox.slack.state import State, StoredFile


@method(
    "files.getUploadURLExternal",
    tier=4,
    scopes="files:write",
    required="filename length:int",
    optional="alt_txt snippet_type",
)
def get_upload_url(call: Call) -> Json:
    """Step one: announce a file."""
    if call.args["length"] < 1:
        raise RefusedError("invalid_arguments", ["length must be more than 0"])
    file = StoredFile(call.state.new_id("F"), call.args["filename"], call.args["length"], call.app)
    file.alt = call.args.get("alt_txt") or ""
    if len(file.alt) > _ALT_CHARACTERS:
        raise RefusedError("alt_txt_too_large")
    call.state.files[file.id] = file
    return {"file_id": file.id, "upload_url": f"{call.state.base_url}/upload/v1/{file.id}"}


async def upload(state: State, request: Request) -> Response:
    """Step two: the bytes, raw or as the one part of a form; as many as were announced."""
    file = state.files.get(request.path_params["file_id"])
    if file is None or file.content is not None:
        return PlainTextResponse("no such upload", 404)
    if request.headers.get("content-type", "").startswith("multipart/form-data"):
        async with request.form() as form:
            parts = [part for part in form.values() if isinstance(part, UploadFile)]
            content = await parts[0].read() if parts else b""
    else:
        content = await request.body()
    if len(content) != file.size_bytes:
        return PlainTextResponse(f"announced {file.size_bytes} bytes, got {len(content)}", 400)
    file.content = content
    return PlainTextResponse(f"OK - {len(content)}")


@method(
    "files.completeUploadExternal",
    tier=4,
    scopes="files:write",
    required="files:json",
    optional="channel_id channels initial_comment thread_ts blocks:json",
    accepts_json=True,
)
def complete_upload(call: Call) -> Json:
    """Step three: share the files in a channel, as one message."""
    listed = call.args["files"]
    if not isinstance(listed, list) or not all(isinstance(one, dict) and "id" in one for one in listed):
        raise RefusedError("invalid_arguments", ["files must be an array of objects with an id"])
    infos = [_finish(call, one) for one in listed]
    target = call.args.get("channel_id") or call.args.get("channels")
    if target:
        call.args["channel"] = target
        channel = call.joined()
        message = {**signed_by(call.state, call.app), "text": stored(call.args.get("initial_comment", ""))}
        message |= {"files": infos, "upload": True}
        if call.args.get("thread_ts"):
            message["thread_ts"] = call.args["thread_ts"]
        posted = call.state.add(channel, message)
        share = {"ts": posted["ts"], "channel_name": channel.name, "team_id": call.state.config.team_id}
        for info in infos:
            info |= {"channels": [channel.id], "shares": {"public": {channel.id: [share]}}}
    return {"files": infos}


def _finish(call: Call, listed: Json) -> Json:
    file = call.state.files.get(listed["id"])
    if file is None or file.app is not call.app or file.content is None:
        raise RefusedError("file_not_found")
    if file.info is not None:
        raise RefusedError("file_update_failed")
    extension = file.name.rpartition(".")[2] if "." in file.name else "text"
    url = f"{call.state.base_url}/files/{file.id}/{file.name}"
    file.info = {
        "id": file.id,
        "created": int(call.state.now()),
        "timestamp": int(call.state.now()),
        "name": file.name,
        "title": listed.get("title") or file.name,
        "mimetype": _MEDIA.get(extension, "text/plain"),
        "filetype": extension,
        "user": call.app.user_id,
        "size": file.size_bytes,
        "mode": "hosted",
        "is_external": False,
        "is_public": True,
        "channels": [],
        "url_private": url,
        "url_private_download": url,
        "permalink": url,
    }
    if file.alt:
        file.info["alt_txt"] = file.alt
    return file.info


_ALT_CHARACTERS = 1000
_MEDIA = {
    "csv": "text/csv",
    "json": "application/json",
    "md": "text/markdown",
    "png": "image/png",
    "svg": "image/svg+xml",
}


@method("files.info", tier=4, scopes="files:read", required="file", optional="count:int cursor limit:int page:int")
def info(call: Call) -> Json:
    """One file."""
    file = call.state.files.get(call.args["file"])
    if file is None or file.info is None:
        raise RefusedError("file_not_found")
    return {"file": file.info, "comments": [], "response_metadata": {"next_cursor": ""}}


async def download(state: State, request: Request) -> Response:
    """The bytes of a shared file; the page needs no token, its people are signed in."""
    file = state.files.get(request.path_params["file_id"])
    if file is None or file.info is None or file.content is None:
        return PlainTextResponse("no such file", 404)
    media = "text/plain; charset=utf-8" if file.info["mimetype"].startswith("text/") else file.info["mimetype"]
    return Response(file.content, media_type=media)
