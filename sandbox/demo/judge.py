"""What must hold when the story is over: looked at from outside, as visitors, users and those on call see it."""

import time

import httpx

from sandbox.demo.world import World

_BANNER = "Scheduled maintenance"
_FEED_WITHIN_S = 10.0
_STEPS_OF_PAGE = ["scheduled", "in_progress", "verifying", "completed"]


def promises(world: World) -> dict[str, bool]:
    """Return each promise with whether it was kept."""
    [announced] = world.status.incidents.values()
    told = [update.status for update in reversed(announced.updates)]
    return {
        **{
            f"site {name}: the banner was up, and is down": _came_and_went(world, name)
            for name in world.marketing.names
        },
        "the status page went from scheduled to completed": told == _STEPS_OF_PAGE,
        "every component is operational": set(world.status.summary()["components"].values()) == {"operational"},
        "the feed says completed": _feed_follows(world),
        "the change log in the app has its entry": [item["state"] for item in world.audience.news.values()] == ["live"],
        "the app is open": httpx.get(f"{world.app.url}/healthz").json()["maintenance"] is False,
        "nobody got a message twice": world.audience.summary()["duplicates"] == 0,
        **_silenced(world),
    }


def _came_and_went(world: World, name: str) -> bool:
    now = httpx.get(f"{world.live.url}/site/{name}/").raise_for_status().text
    return _BANNER not in now and any(_BANNER in page for page in world.marketing.published(name))


def _feed_follows(world: World) -> bool:
    """Whether the feed says completed, which it does about a second after the maintenance is."""
    until = time.monotonic() + _FEED_WITHIN_S
    while True:
        [public] = httpx.get(f"{world.feed}.json").json()["maintenances"]
        if public["status"] == "completed" or time.monotonic() > until:
            return bool(public["status"] == "completed")
        time.sleep(0.2)


def _silenced(world: World) -> dict[str, bool]:
    if world.alerts is None:
        return {}
    states = [silence["status"]["state"] for silence in world.alerts.silences()]
    return {"alerts were silenced, and are not any more": states == ["expired"]}
