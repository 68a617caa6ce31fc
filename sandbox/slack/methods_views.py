"""views.*: modals and App Home."""

from sandbox.slack.blocks import check_view
from sandbox.slack.config import Json
from sandbox.slack.errors import RefusedError
from sandbox.slack.methods import Call, method
from sandbox.slack.surfaces import OpenView, with_state


def _answer(held: OpenView) -> Json:
    return {"view": with_state(held)}


def _modal(call: Call) -> Json:
    view = check_view(call.args["view"])
    if view["type"] != "modal":
        raise RefusedError("invalid_arguments", ["only a modal can be opened [json-pointer:/view/type]"])
    return view


@method("views.open", tier=4, required="view:json trigger_id", accepts_json=True)
def open_(call: Call) -> Json:
    """Open a modal for the one who pressed, typed or submitted within the last three seconds."""
    view = _modal(call)
    return _answer(call.surfaces.open(view, call.surfaces.redeem(call.args["trigger_id"], call.app)))


@method("views.push", tier=4, required="view:json trigger_id", accepts_json=True)
def push(call: Call) -> Json:
    """Lay a modal over the open one."""
    view = _modal(call)
    trigger = call.surfaces.redeem(call.args["trigger_id"], call.app)
    return _answer(call.surfaces.push(view, call.app, trigger.user_id))


@method("views.update", tier=4, required="view:json", optional="view_id external_id hash", accepts_json=True)
def update(call: Call) -> Json:
    """Change an open view."""
    view = check_view(call.args["view"])
    held = call.surfaces.find(call.args.get("view_id", ""), call.args.get("external_id", ""))
    if held.app is not call.app:
        raise RefusedError("not_found")
    return _answer(call.surfaces.update(held, view, call.args.get("hash", "")))


@method("views.publish", tier=4, required="user_id view:json", optional="hash", accepts_json=True)
def publish(call: Call) -> Json:
    """Set what a person sees in the app's Home."""
    view = check_view(call.args["view"])
    if view["type"] != "home":
        raise RefusedError("invalid_arguments", ["only a home can be published [json-pointer:/view/type]"])
    if call.args["user_id"] not in call.state.people:
        raise RefusedError("invalid_arguments", ["invalid `user_id`"])
    return _answer(call.surfaces.publish(call.args["user_id"], view, call.app, call.args.get("hash", "")))
