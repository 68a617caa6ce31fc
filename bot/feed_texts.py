"""The feed as the three texts that people and programs subscribe to: JSON, iCalendar and Atom. Pure.

Equal feeds give equal texts, to the byte: nothing in them says when they were made.
"""

import json
import uuid
import xml.etree.ElementTree as ET
from datetime import UTC, datetime, timedelta
from typing import Any

import icalendar

from bot.feed import NAMES, Change, Feed, Notice
from bot.window import duration_words, local

VERSION = 1
_NAME = "Scheduled maintenance"
_ATOM = "http://www.w3.org/2005/Atom"
_REFRESH = timedelta(minutes=15)
_WORDS = {
    "announced": "Announced",
    "moved": "Moved",
    "extended": "Extended",
    "cancelled": "Cancelled",
    "begun": "Begun",
    "completed": "Completed",
    "aborted": "Stopped",
}


def as_json(feed: Feed) -> bytes:
    """Return the feed as JSON, as `docs/reference/maintenance.schema.json` has it. Times are UTC, to the second."""
    document = {
        "version": VERSION,
        "updated": _instant(feed.updated),
        "maintenances": [_json(notice) for notice in feed.notices],
    }
    return f"{json.dumps(document, ensure_ascii=False, indent=2)}\n".encode()


def _json(notice: Notice) -> dict[str, Any]:
    return {
        "id": notice.id,
        "title": notice.title,
        "status": notice.status,
        "start": _instant(notice.start),
        "end": _instant(notice.end),
        "zone": notice.zone,
        "duration_s": int((notice.end - notice.start).total_seconds()),
        "impact": notice.impact,
        "url": notice.url or None,
        "updated": _instant(notice.updated),
        "changes": [
            {"what": each.what, "at": _instant(each.at), "start": _instant(each.start), "end": _instant(each.end)}
            for each in notice.changes
        ],
    }


def as_calendar(feed: Feed) -> bytes:
    """Return the feed as an iCalendar object (RFC 5545; its name and refresh interval as in RFC 7986).

    Times are UTC, which every calendar shows on its owner's clocks. SEQUENCE grows with every change, so that a
    calendar takes a moved window over; an event that is called off stays, as CANCELLED, as long as the feed has it.
    """
    calendar = icalendar.Calendar()
    calendar.add("prodid", "-//maint//feed//EN")
    calendar.add("version", "2.0")
    calendar.add("method", "PUBLISH")
    calendar.add("name", _NAME)
    calendar.add("x-wr-calname", _NAME)
    calendar.add("refresh-interval", _REFRESH, parameters={"value": "DURATION"})
    calendar.add("x-published-ttl", icalendar.vDuration(_REFRESH))
    for notice in feed.notices:
        calendar.add_component(_event(notice))
    return bytes(calendar.to_ical())


def _event(notice: Notice) -> icalendar.Event:
    event = icalendar.Event()
    event.add("uid", notice.id)
    event.add("sequence", len(notice.changes) - 1)
    event.add("dtstamp", notice.updated.replace(microsecond=0))
    event.add("created", notice.changes[0].at.replace(microsecond=0))
    event.add("last-modified", notice.updated.replace(microsecond=0))
    event.add("dtstart", notice.start)
    event.add("dtend", notice.end)
    event.add("summary", notice.title)
    text = "\n\n".join(filter(None, [notice.impact, notice.url]))
    if text:
        event.add("description", text)
    if notice.url:
        event.add("url", notice.url)
    event.add("status", "CANCELLED" if notice.status == "cancelled" else "CONFIRMED")
    # It is news about the service, not an appointment of whoever subscribes.
    event.add("transp", "TRANSPARENT")
    return event


def as_atom(feed: Feed) -> bytes:
    """Return the changes as an Atom feed (RFC 4287), newest first."""
    root = ET.Element("feed", {"xmlns": _ATOM, "xml:lang": "en"})
    _add(root, "id", f"urn:uuid:{feed.id}")
    _add(root, "title", _NAME)
    _add(root, "updated", _instant(feed.updated))
    _add(_add(root, "author"), "name", "maint")
    # Relative to where the feed was found, whichever address that is (RFC 3986, section 5).
    _add(root, "link", rel="self", type="application/atom+xml", href="maintenance.atom")
    told = [(change, notice, number) for notice in feed.notices for number, change in enumerate(notice.changes)]
    for change, notice, number in sorted(told, key=lambda each: (each[0].at, each[2], each[1].id), reverse=True):
        _entry(root, notice, change, number)
    ET.indent(root)
    return bytes(ET.tostring(root, encoding="utf-8", xml_declaration=True)) + b"\n"


def _entry(root: ET.Element, notice: Notice, change: Change, number: int) -> None:
    entry = _add(root, "entry")
    # The number makes two changes of one second two entries; it never changes, since changes are only ever added.
    _add(entry, "id", f"urn:uuid:{uuid.uuid5(NAMES, f'{notice.id} {number}')}")
    _add(entry, "title", f"{_WORDS[change.what]}: {notice.title}")
    _add(entry, "updated", _instant(change.at))
    _add(entry, "published", _instant(change.at))
    _add(entry, "category", term=change.what)
    _add(entry, "content", _content(notice, change), type="text")
    if notice.url:
        _add(entry, "link", rel="alternate", href=notice.url)


def _content(notice: Notice, change: Change) -> str:
    window = (
        f"{local(change.start, notice.zone)} to {local(change.end, notice.zone)} "
        f"({duration_words(change.end - change.start)})"
    )
    words = {
        "announced": f"Planned for {window}.",
        "moved": f"Now {window}.",
        "extended": f"Now {window}.",
        "cancelled": f"It will not take place. It was planned for {window}.",
        "begun": f"It has begun, and is planned to end at {local(change.end, notice.zone)}.",
        "completed": "It is over.",
        "aborted": "It was stopped before its end.",
    }[change.what]
    tells_impact = notice.impact and change.what in {"announced", "moved", "extended", "begun"}
    return f"{words} {notice.impact}" if tells_impact else words


def _add(parent: ET.Element, name: str, text: str | None = None, **attributes: str) -> ET.Element:
    child = ET.SubElement(parent, name, attributes)
    child.text = text
    return child


def _instant(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
