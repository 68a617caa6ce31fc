"""What one would write in an afternoon: for every contact of a search, send; with the official SDK, or without.

`python loop.py sdk|httpx URL TOKEN ADMIN`. Imports nothing of ours: it runs in an environment of its own.
"""

import sys
from collections.abc import Callable, Iterator
from typing import Any

BODY = "<p>Scheduled maintenance at 5 pm</p>"


def with_sdk(url: str, token: str, admin: str) -> tuple[Iterator[str], Callable[[str], Any]]:
    """Return the ids of all users, and what sends to one, made with `python-intercom`."""
    import intercom  # type: ignore[import-not-found]  # noqa: PLC0415 - only one of the two is installed

    client = intercom.Intercom(base_url=url, token=token)

    def ids() -> Iterator[str]:
        # By hand: the pager of version 5.0.1 asks without the cursor, and so yields the first page for ever.
        cursor: str | None = None
        while True:
            page = client.contacts.search(
                query=intercom.SingleFilterSearchRequest(field="role", operator="=", value="user"),
                pagination=intercom.StartingAfterPaging(per_page=150, starting_after=cursor),
            )
            yield from (contact.id for contact in page.items)
            following = page.response.pages.next
            if following is None:
                return
            cursor = following.starting_after

    def send(contact: str) -> Any:
        return client.messages.create(
            request=intercom.CreateMessageRequest_Inapp(
                body=BODY,
                from_=intercom.CreateMessageRequestFrom(id=int(admin)),
                to=intercom.CreateMessageRequestTo(type="user", id=contact),
            )
        )

    return ids(), send


def with_httpx(url: str, token: str, admin: str) -> tuple[Iterator[str], Callable[[str], Any]]:
    """Return the same, made with httpx alone."""
    import httpx  # noqa: PLC0415 - only one of the two is installed

    headers = {"Authorization": f"Bearer {token}", "Intercom-Version": "2.14"}
    client = httpx.Client(base_url=url, headers=headers)

    def ids() -> Iterator[str]:
        asked: dict[str, Any] = {
            "query": {"field": "role", "operator": "=", "value": "user"},
            "pagination": {"per_page": 150},
        }
        while True:
            page = client.post("/contacts/search", json=asked).raise_for_status().json()
            yield from (contact["id"] for contact in page["data"])
            if "next" not in page["pages"]:
                return
            asked["pagination"]["starting_after"] = page["pages"]["next"]["starting_after"]

    def send(contact: str) -> Any:
        message = {
            "message_type": "inapp",
            "body": BODY,
            "from": {"type": "admin", "id": admin},
            "to": {"type": "user", "id": contact},
        }
        return client.post("/messages", json=message).raise_for_status()

    return ids(), send


def main() -> None:
    """Send to everybody, one after the other."""
    kind, url, token, admin = sys.argv[1:]
    contacts, send = (with_sdk if kind == "sdk" else with_httpx)(url, token, admin)
    for contact in contacts:
        send(contact)


if __name__ == "__main__":
    main()
