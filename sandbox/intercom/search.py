"""Contact search: filters, order, and the cursor that travels in the body.

The rules are those of Intercom's "Search contacts" page: dates match by calendar day in the workspace's zone, `>` from
the next day on; `!=`, `>=`, `<=`, `IN`, `NIN` are errors on dates; two levels of nesting; fifteen filters in a group.
"""

import base64
import binascii
import json
from bisect import bisect_right
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sandbox.intercom.contacts import Contact
from sandbox.intercom.refusal import Refusal

Test = Callable[[Contact], bool]
Key = tuple[int, str]

DATES = {"created_at", "updated_at", "signed_up_at", "last_seen_at", "last_contacted_at"}
STRINGS = {"id", "role", "name", "email"}
BOOLEANS = {"unsubscribed_from_emails"}
MOST_FILTERS, DEEPEST, MOST_PER_PAGE, USUAL_PER_PAGE = 15, 2, 150, 50
_ATTRIBUTES = {"updated_at": "created_at", "signed_up_at": "created_at", "unsubscribed_from_emails": "unsubscribed"}


def _invalid(message: str, field: str = "query") -> Refusal:
    return Refusal(400, "parameter_invalid", message, field)


def _read(field: str) -> Callable[[Contact], Any]:
    name = _ATTRIBUTES.get(field, field)
    return lambda contact: getattr(contact, name)


def compile_query(query: Any, zone: ZoneInfo, depth: int = 0) -> Test:
    """A test for contacts from the `query` of a request. Raises `Refusal`."""
    if not isinstance(query, dict) or "operator" not in query:
        raise _invalid("Invalid query")
    operator, value = query["operator"], query.get("value")
    if operator in ("AND", "OR"):
        if depth >= DEEPEST or not isinstance(value, list) or not 0 < len(value) <= MOST_FILTERS:
            raise _invalid(f"At most {DEEPEST} levels and 1 to {MOST_FILTERS} filters in each group")
        tests = [compile_query(part, zone, depth + 1) for part in value]
        if operator == "AND":
            return lambda contact: all(test(contact) for test in tests)
        return lambda contact: any(test(contact) for test in tests)
    field = query.get("field")
    if field in DATES:
        return _date_test(field, operator, value, zone)
    if field in STRINGS or field in BOOLEANS:
        return _plain_test(field, operator, value)
    raise _invalid(f"{field} is not a searchable field")


def _date_test(field: str, operator: str, value: Any, zone: ZoneInfo) -> Test:
    if operator not in ("=", ">", "<"):
        raise _invalid(f"Operator {operator} is not supported on the Date field {field}")
    if isinstance(value, bool) or not str(value).isdigit():
        raise _invalid(f"{field} takes a UNIX timestamp")
    day = datetime.fromtimestamp(int(value), zone).replace(hour=0, minute=0, second=0, microsecond=0)
    start, end, read = day.timestamp(), (day + timedelta(days=1)).timestamp(), _read(field)
    if operator == ">":
        return lambda contact: (at := read(contact)) is not None and at >= end
    if operator == "<":
        return lambda contact: (at := read(contact)) is not None and at < start
    return lambda contact: (at := read(contact)) is not None and start <= at < end


def _plain_test(field: str, operator: str, value: Any) -> Test:
    read = _read(field)
    if operator in ("IN", "NIN"):
        if not isinstance(value, list):
            raise _invalid(f"{operator} takes an array")
        return (
            (lambda contact: read(contact) in value) if operator == "IN" else lambda contact: read(contact) not in value
        )
    wanted = bool if field in BOOLEANS else str
    if not isinstance(value, wanted):
        raise _invalid(f"{field} takes a {wanted.__name__}")
    if operator in ("=", "!="):
        return lambda contact: (read(contact) == value) is (operator == "=")
    sought = str(value)
    tests: dict[str, Callable[[str], bool]] = {
        "~": lambda own: sought in own,
        "!~": lambda own: sought not in own,
        "^": lambda own: own.startswith(sought),
        "$": lambda own: own.endswith(sought),
    }
    if operator not in tests or field in BOOLEANS:
        raise _invalid(f"Operator {operator} is not supported on {field}")
    return lambda contact: tests[operator](read(contact))


class Search:
    """Searches over `contacts`; the found list is kept until something changes, so that paging stays fast."""

    def __init__(self, contacts: dict[str, Contact], zone: ZoneInfo) -> None:
        self.contacts, self.zone = contacts, zone
        self._kept: dict[str, tuple[list[Key], list[Contact]]] = {}

    def forget(self) -> None:
        """Something that can be searched for has changed."""
        self._kept.clear()

    def page(self, body: dict[str, Any]) -> tuple[list[Contact], int, dict[str, Any]]:
        """One page for a request's body: contacts, total count, and the `pages` object. Raises `Refusal`."""
        paging = body.get("pagination") or {}
        size = paging.get("per_page", USUAL_PER_PAGE)
        if not isinstance(size, int) or not 0 < size <= MOST_PER_PAGE:
            raise _invalid(f"per_page must be between 1 and {MOST_PER_PAGE}", "per_page")
        keys, found = self._find(body)
        start, number = 0, 1
        if paging.get("starting_after"):
            last, number = _cursor(str(paging["starting_after"]))
            start = bisect_right(keys, last)
        chunk = found[start : start + size]
        pages = {"type": "pages", "page": number, "per_page": size, "total_pages": -(-len(found) // size)}
        if start + size < len(found):
            mark = [*keys[start + size - 1], number + 1]
            text = base64.b64encode(json.dumps(mark).encode()).decode()
            pages["next"] = {"per_page": size, "starting_after": text}
        return chunk, len(found), pages

    def _find(self, body: dict[str, Any]) -> tuple[list[Key], list[Contact]]:
        sort = body.get("sort") or {}
        field, order = sort.get("field", "created_at"), sort.get("order", "descending")
        if field not in DATES or order not in ("ascending", "descending"):
            raise _invalid(f"Cannot sort by {field} {order}", "sort")
        name = json.dumps([body.get("query"), field, order], sort_keys=True)
        if name not in self._kept or "last_contacted_at" in name or "updated_at" in name:
            test = compile_query(body.get("query"), self.zone)
            self._kept[name] = _sorted(filter(test, self._searchable()), field, 1 if order == "ascending" else -1)
        return self._kept[name]

    def _searchable(self) -> Iterable[Contact]:
        return (contact for contact in list(self.contacts.values()) if contact.indexed)


def _sorted(found: Iterable[Contact], field: str, sign: int) -> tuple[list[Key], list[Contact]]:
    read = _read(field)
    pairs = sorted(((sign * (read(contact) or 0), contact.id), contact) for contact in found)
    return [key for key, _ in pairs], [contact for _, contact in pairs]


def _cursor(text: str) -> tuple[Key, int]:
    try:
        at, contact, number = json.loads(base64.b64decode(text, validate=True))
        return (int(at), str(contact)), int(number)
    except (binascii.Error, ValueError, TypeError) as error:
        raise _invalid("Invalid cursor", "starting_after") from error
