"""GitHub Apps: a signed JSON web token proves the app; an installation token does the work, for an hour.

Rules from "Generating a JSON Web Token for a GitHub App": RS256, `iss` the app's or client's id, `exp` at most ten
minutes ahead.
"""

from typing import Any

import jwt

from sandbox.github import shapes
from sandbox.github.call import Answer, Call, Endpoint
from sandbox.github.errors import Refusal, not_found
from sandbox.github.model import App, Installation

UNDECODABLE = "A JSON web token could not be decoded"
LONGEST_S = 600
DRIFT_S = 60


def _app(call: Call) -> App:
    """The app whose key signed the bearer token. Raises GitHub's 401 or 404."""
    try:
        claims: dict[str, Any] = jwt.decode(call.bearer, options={"verify_signature": False})
    except jwt.InvalidTokenError as error:
        raise Refusal(401, UNDECODABLE) from error
    issuer = str(claims.get("iss", ""))
    app = next((app for app in call.world.apps if issuer in (str(app.id), app.client_id)), None)
    if app is None:
        raise Refusal(404, "Integration not found")
    try:
        jwt.decode(
            call.bearer, app.public_key, algorithms=["RS256"], options={"verify_exp": False, "verify_iat": False}
        )
    except jwt.InvalidTokenError as error:
        raise Refusal(401, UNDECODABLE) from error
    _check_times(claims, call.now.timestamp())
    return app


def _check_times(claims: dict[str, Any], now_s: float) -> None:
    ends, made = claims.get("exp"), claims.get("iat")
    if not isinstance(ends, int) or ends <= now_s:
        text = "must be a numeric value representing the future time at which the assertion expires"
        raise Refusal(401, f"'Expiration time' claim ('exp') {text}")
    if ends > now_s + LONGEST_S + DRIFT_S:
        raise Refusal(401, "'Expiration time' claim ('exp') is too far in the future")
    if not isinstance(made, int) or made > now_s + DRIFT_S:
        raise Refusal(401, "'Issued at' claim ('iat') must be an Integer representing the time of issue")


def _installation(call: Call, found: Installation) -> dict[str, Any]:
    api = f"{call.url}/app/installations/{found.id}"
    return {
        "id": found.id,
        "account": shapes.user(call.url, found.account),
        "repository_selection": "all" if found.repositories is None else "selected",
        "access_tokens_url": f"{api}/access_tokens",
        "repositories_url": f"{call.url}/installation/repositories",
        "html_url": f"{call.url}/organizations/{found.account}/settings/installations/{found.id}",
        "app_id": found.app.id,
        "app_slug": found.app.slug,
        "client_id": found.app.client_id,
        "target_id": shapes.number_of(found.account),
        "target_type": "Organization",
        "permissions": found.permissions,
        "events": [],
        "created_at": shapes.iso(found.created_at),
        "updated_at": shapes.iso(found.created_at),
        "single_file_name": None,
        "suspended_by": None,
        "suspended_at": None,
    }


def get_app(call: Call) -> Answer:
    """`GET /app`."""
    app, then = _app(call), "2020-01-01T00:00:00Z"
    return 200, {
        "id": app.id,
        "slug": app.slug,
        "client_id": app.client_id,
        "node_id": shapes.node_id("App", app.id),
        "owner": shapes.user(call.url, "acme"),
        "name": app.slug,
        "description": None,
        "external_url": call.url,
        "html_url": f"{call.url}/apps/{app.slug}",
        "created_at": then,
        "updated_at": then,
        "permissions": {},
        "events": [],
    }


def list_installations(call: Call) -> Answer:
    """`GET /app/installations`."""
    app = _app(call)
    return 200, [_installation(call, one) for one in call.world.installations.values() if one.app is app]


def repo_installation(call: Call) -> Answer:
    """`GET /repos/{owner}/{repo}/installation`."""
    app, full_name = _app(call), f"{call.params['owner']}/{call.params['repo']}"
    for found in call.world.installations.values():
        covered = found.repositories is None or full_name in found.repositories
        known = full_name in call.world.repositories and found.account == call.params["owner"]
        if found.app is app and covered and known:
            return 200, _installation(call, found)
    raise not_found()


def create_token(call: Call) -> Answer:
    """`POST /app/installations/{id}/access_tokens`, narrowed to `repositories` and `permissions` if given."""
    app, number = _app(call), call.params["id"]
    found = call.world.installations.get(int(number)) if number.isdigit() else None
    if found is None or found.app is not app:
        raise not_found()
    permissions = dict(call.body.get("permissions") or found.permissions)
    order = {"read": 1, "write": 2, "admin": 3}
    if any(order.get(level, 9) > order.get(found.permissions.get(name, ""), 0) for name, level in permissions.items()):
        raise Refusal(422, "The permissions requested are not granted to this installation.")
    if "metadata" in found.permissions:
        permissions.setdefault("metadata", "read")
    repositories = found.repositories
    if call.body.get("repositories"):
        repositories = {f"{found.account}/{name}" for name in call.body["repositories"]}
        reachable = set(call.world.repositories) if found.repositories is None else found.repositories
        if not repositories <= reachable:
            raise Refusal(422, "There is at least one repository that does not exist or is not accessible.")
    token, ends = call.world.issue_token(found, permissions, repositories)
    return 201, {
        "token": token,
        "expires_at": shapes.iso(ends),
        "permissions": permissions,
        "repository_selection": "all" if repositories is None else "selected",
    }


APP_ENDPOINTS = [
    Endpoint("GET", "/app", get_app, None),
    Endpoint("GET", "/app/installations", list_installations, None),
    Endpoint("GET", "/repos/{owner}/{repo}/installation", repo_installation, None),
    Endpoint("POST", "/app/installations/{id}/access_tokens", create_token, None),
]
