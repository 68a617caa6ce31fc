"""What `maint check` finds out about Statuspage before the night does: whether the key is good, and for which pages."""

import time

from bot.connections import ValueOf, connection
from bot.errors import Final
from integrations.statuspage.client import KEY, SETTINGS, URL, Statuspage

_SHOWN = 5


@connection("Statuspage", *SETTINGS)
def look(value_of: ValueOf) -> str:
    """Return one line on the pages that the key may change. Raises `StepError` if there is none."""
    with Statuspage(value_of(URL) or "", value_of(KEY) or "", time.sleep) as api:
        pages = [f"{page.get('name')} ({page['id']})" for page in api.pages()]
    if not pages:
        raise Final(f"the key is accepted, and sees no page. Check whose key {KEY.name} is.")
    more = f" and {len(pages) - _SHOWN} more" if len(pages) > _SHOWN else ""
    return f"the key is accepted; its pages: {', '.join(pages[:_SHOWN])}{more}"
