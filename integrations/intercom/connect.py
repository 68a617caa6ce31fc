"""What `maint check` finds out about Intercom before the night does: the token, its region, and the sender."""

from bot.connections import ValueOf, connection
from integrations.intercom.client import ADMIN_ID, TOKEN, URL, Intercom


@connection("Intercom", TOKEN, URL, ADMIN_ID)
def look(value_of: ValueOf) -> str:
    """Return one line on the workspace and the sender. Raises `StepError` if messages could not be sent."""
    with Intercom(value_of(URL) or "", value_of(TOKEN) or "", lambda: False) as client:
        workspace = client.me().get("app") or {}
        sender = client.name_of(value_of(ADMIN_ID) or "")
    return f"signed in to {workspace.get('name', 'a workspace')}; messages come from {sender}"
