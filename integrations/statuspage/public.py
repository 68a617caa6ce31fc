"""The page as everybody sees it, without a key: what the app and the widgets read."""

from collections.abc import Mapping
from typing import Any

from bot.errors import Final
from bot.http import Http
from integrations.statuspage.incident import Incident

_HOSTED = "statuspage.io"


def address_of(page: Mapping[str, Any]) -> str | None:
    """Return the address of a page (as the API describes it); None for one that only some may see."""
    if page.get("viewers_must_be_team_members") or page.get("ip_restrictions"):
        return None
    domain, subdomain = str(page.get("domain") or ""), str(page.get("subdomain") or "")
    if not domain and not subdomain:
        return None
    return f"https://{domain or (subdomain if '.' in subdomain else f'{subdomain}.{_HOSTED}')}"


def look(address: str) -> tuple[dict[str, Incident], dict[str, str]]:
    """Return the maintenances that the page shows as coming or going on, and the status of each component, by id.

    Reads `/api/v2/summary.json` of the page at `address`. Raises `Temporary`, or `Final` if that is no status page.
    """
    with Http(address, system=address) as http:
        answer = http.request("GET", "/api/v2/summary.json")
    try:
        shown = [Incident.of(raw) for raw in answer.json["scheduled_maintenances"]]
        statuses = {str(one["id"]): str(one["status"]) for one in answer.json["components"]}
    except (KeyError, TypeError):
        raise Final(
            f"{address}/api/v2/summary.json does not answer as a status page does. Correct `public` in the runbook."
        ) from None
    return {one.id: one for one in shown}, statuses
