"""What `maint check` finds out about GitHub: is the token or the key accepted, may each repository be written?"""

from bot.connections import ValueOf, connection, target
from bot.errors import Final
from bot.http import Http
from bot.step import Setting
from integrations.github.auth import APP_ID, APP_KEY, HEADERS, SETTINGS, TOKEN, api_url, signed_as_app
from integrations.github.client import GitHub
from integrations.github.refusals import redacted, refusal

_REFUSALS = range(300, 500)


@connection("GitHub", *SETTINGS)
def look(value_of: ValueOf) -> str:
    """Return one line on whom GitHub takes maint for. Raises `StepError` if it takes it for nobody."""

    value = _Values(value_of).setting
    token, app_id = value(TOKEN), value(APP_ID)
    if not token and not app_id:
        raise Final(f"Set {TOKEN.name}, or both {APP_ID.name} and {APP_KEY.name}.")
    secret, path = (token, "/rate_limit") if token else (signed_as_app(value, app_id), "/app")
    headers = {**HEADERS, "Authorization": f"Bearer {secret}"}
    with Http(api_url(value), system="GitHub", headers=headers, secrets=[secret]) as http:
        answer = redacted(http.request("GET", path, accept=_REFUSALS), secret)
    if answer.status >= _REFUSALS.start:
        raise refusal(answer, "sign in", api_url(value))
    if not token:
        return f"signed in as the app {answer.json['slug']}"
    left = answer.json["resources"]["core"]
    return f"the token is accepted; {left['remaining']} of {left['limit']} requests are left this hour"


@target("repository", "repository", *SETTINGS)
def look_at(value_of: ValueOf, repository: str) -> str:
    """Return one line on a repository that a runbook names. Raises `StepError` if we may not write there."""
    with GitHub(_Values(value_of), repository) as github:
        about = github.about()
    if about.get("archived"):
        raise Final(f"{repository} is archived, so nothing can be changed in it.")
    if not about.get("permissions", {}).get("push", True):
        raise Final(f"{repository} may be read and not written: give the token, or the app, write access to contents.")
    return f"{repository}, its default branch is {about['default_branch']}"


class _Values:
    """The settings as `maint check` has them; one that is not set is empty."""

    def __init__(self, value_of: ValueOf) -> None:
        self._value_of = value_of

    def setting(self, setting: Setting) -> str:
        return (self._value_of(setting) or "").strip()
