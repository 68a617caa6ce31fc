"""What an app answers to an interaction: in its acknowledgement, or later at the `response_url`.

Source: https://docs.slack.dev/interactivity/handling-user-interaction#message_responses
"""

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response

from sandbox.slack.config import Json
from sandbox.slack.errors import RefusedError
from sandbox.slack.methods_chat import content, metadata, require_text, signed_by
from sandbox.slack.state import Channel, State
from sandbox.slack.surfaces import ResponseUrl, Surfaces

KNOWN = frozenset(
    {
        "text",
        "blocks",
        "attachments",
        "response_type",
        "replace_original",
        "delete_original",
        "thread_ts",
        "metadata",
        "unfurl_links",
        "unfurl_media",
        "mrkdwn",
    }
)


def show(state: State, url: ResponseUrl, body: Json) -> None:
    """Show an answer: ephemeral unless it says `in_channel`; or let it replace or delete the message it is about.

    Raises `RefusedError` where Slack would not take it.
    """
    if not isinstance(body, dict):
        raise RefusedError("invalid_payload")
    if unknown := set(body) - KNOWN:
        raise RefusedError("invalid_payload", [f"unknown field: {name}" for name in sorted(unknown)])
    channel, source = url.channel, url.source
    if body.get("delete_original"):
        _delete(state, channel, source)
        return
    made = content(body)
    require_text(made)
    if body.get("metadata"):
        made["metadata"] = metadata(body["metadata"])
    if body.get("thread_ts"):
        made["thread_ts"] = body["thread_ts"]
    if body.get("replace_original") and source is not None:
        _replace(state, channel, source, made)
    elif body.get("response_type", "ephemeral") == "in_channel":
        state.add(channel, {**signed_by(state, url.app), **made})
    else:
        state.whisper(channel, url.user_id, {**signed_by(state, url.app), **made})


def _delete(state: State, channel: Channel, source: Json | None) -> None:
    if source is None:
        raise RefusedError("message_not_found")
    if source.get("is_ephemeral"):
        channel.ephemerals[:] = [one for one in channel.ephemerals if one["ts"] != source["ts"]]
        state.changed()
    else:
        state.remove(channel, channel.find(source["ts"]))


def _replace(state: State, channel: Channel, source: Json, made: Json) -> None:
    """An ephemeral message stays ephemeral, whatever `response_type` says."""
    kept = {key: value for key, value in source.items() if key not in {"text", "blocks", "attachments"}}
    if not source.get("is_ephemeral"):
        state.replace(channel, channel.find(source["ts"]), {**kept, "text": "", **made})
        return
    for held in channel.ephemerals:
        if held["ts"] == source["ts"]:
            held.clear()
            held.update({**kept, "text": "", **made})
            state.changed()
            return
    raise RefusedError("message_not_found")


async def respond(surfaces: Surfaces, request: Request) -> Response:
    """`POST /response/...`: five times within thirty minutes."""
    url = surfaces.response_urls.get(request.path_params["key"])
    try:
        usable = _usable(surfaces, url)
        show(surfaces.state, usable, await request.json())
        usable.uses_left -= 1
    except ValueError:
        return JSONResponse({"ok": False, "error": "invalid_payload"}, 400)
    except RefusedError as refused:
        return JSONResponse(refused.answer(), 404 if refused.error in {"used_url", "expired_url"} else 400)
    return PlainTextResponse("ok")


def _usable(surfaces: Surfaces, url: ResponseUrl | None) -> ResponseUrl:
    if url is None or surfaces.state.now() > url.expires:
        raise RefusedError("expired_url")
    if url.uses_left < 1:
        raise RefusedError("used_url")
    return url
