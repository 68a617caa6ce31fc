"""What the page keeps, as the API and the public page show it."""

from datetime import datetime
from typing import Any

from sandbox.statuspage.page import Component, Incident, StatusPage, Update


def stamp(at: datetime | None) -> str | None:
    """A moment as Statuspage writes it, in milliseconds."""
    return None if at is None else at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def component(page: StatusPage, one: Component) -> dict[str, Any]:
    """A component."""
    return {
        "id": one.id,
        "page_id": page.page_id,
        "group_id": one.group_id,
        "created_at": stamp(one.created_at),
        "updated_at": stamp(one.updated_at),
        "group": one.group,
        "name": one.name,
        "description": one.description or None,
        "position": one.position,
        "status": one.status,
        "showcase": True,
        "only_show_if_degraded": False,
        "start_date": None,
    }


def update(incident: Incident, one: Update) -> dict[str, Any]:
    """One update of an incident."""
    return {
        "id": one.id,
        "incident_id": incident.id,
        "affected_components": one.affected,
        "body": one.body,
        "created_at": stamp(one.at),
        "custom_tweet": None,
        "deliver_notifications": one.notified,
        "display_at": stamp(one.at),
        "status": one.status,
        "tweet_id": None,
        "updated_at": stamp(one.at),
    }


def public_incident(page: StatusPage, one: Incident) -> dict[str, Any]:
    """An incident as everybody sees it."""
    planned = {
        "scheduled_for": stamp(one.scheduled_for),
        "scheduled_until": stamp(one.scheduled_until),
    }
    return {
        "id": one.id,
        "page_id": page.page_id,
        "name": one.name,
        "status": one.status,
        "created_at": stamp(one.created_at),
        "updated_at": stamp(one.updated_at),
        "monitoring_at": None,
        "resolved_at": stamp(one.resolved_at),
        "impact": one.impact,
        "shortlink": one.shortlink,
        "started_at": stamp(one.scheduled_for or one.created_at),
        "incident_updates": [update(one, each) for each in one.updates],
        "components": [component(page, each) for each in page.members(one)],
        **(planned if one.planned else {}),
    }


def incident(page: StatusPage, one: Incident) -> dict[str, Any]:
    """An incident as its owner sees it."""
    shown = public_incident(page, one)
    shown.pop("started_at")
    return {
        **shown,
        "impact_override": one.impact_override,
        "metadata": one.metadata,
        "scheduled_for": stamp(one.scheduled_for),
        "scheduled_until": stamp(one.scheduled_until),
        "scheduled_reminded_at": stamp(one.reminded_at),
        "reminder_intervals": None,
        "postmortem_body": None,
        "postmortem_body_last_updated_at": None,
        "postmortem_ignored": False,
        "postmortem_notified_subscribers": False,
        "postmortem_notified_twitter": False,
        "postmortem_published_at": None,
        **one.flags,
    }


def page(state: StatusPage, domain: str) -> dict[str, Any]:
    """The page itself; `domain` is where it is served."""
    return {
        "id": state.page_id,
        "created_at": "2020-01-01T00:00:00.000Z",
        "updated_at": stamp(state.clock()),
        "name": state.name,
        "page_description": None,
        "subdomain": state.name.lower(),
        "domain": domain,
        "url": "https://example.com",
        "allow_page_subscribers": True,
        "viewers_must_be_team_members": state.members_only,
        "ip_restrictions": None,
        "time_zone": "UTC",
    }
