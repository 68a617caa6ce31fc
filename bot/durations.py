"""Lengths of time as people write them and as we say them. Pure."""

import re
from datetime import timedelta

from bot.errors import BadInput

_NUMBERS = {
    "a": "1", "an": "1", "one": "1", "two": "2", "three": "3", "four": "4", "five": "5", "six": "6", "seven": "7",
    "eight": "8", "nine": "9", "ten": "10", "eleven": "11", "twelve": "12", "fifteen": "15", "twenty": "20",
    "thirty": "30", "forty": "40", "sixty": "60", "ninety": "90",
}  # fmt: skip
_UNITS = {"w": 604800, "d": 86400, "h": 3600, "m": 60, "s": 1}
_PART = re.compile(
    r"(\d+(?:\.\d+)?)\s*"
    r"(w(?:eeks?)?|d(?:ays?)?|h(?:ours?|rs?|r)?|m(?:in(?:ute)?s?)?|s(?:ec(?:ond)?s?)?)(?![a-z])(?:\s*(?:,|and)?\s*)"
)
_HOURS_MINUTES = re.compile(r"(\d{1,4})\s*[:h]\s*(\d{2})(?:\s*m(?:in)?)?")
LONGEST = timedelta(days=366)


def parse_duration(text: str) -> timedelta:
    """Return the length of `text`: “2h”, “90m”, “1h30”, “1:30” (hours and minutes), “two hours”, “1 day 2 hours”.

    Raises `BadInput` for anything else, for a bare number (of what?), for nothing at all and for more than a year.
    """
    words = " ".join(_NUMBERS.get(word, word) for word in text.lower().replace("half an hour", "30 minutes").split())
    whole = _HOURS_MINUTES.fullmatch(words)
    if whole and int(whole[2]) < 60:  # noqa: PLR2004 - minutes
        seconds = int(whole[1]) * 3600.0 + int(whole[2]) * 60
    else:
        parts = _PART.findall(words)
        units = [unit[0] for _, unit in parts]
        if not parts or _PART.sub("", words).strip() or len(set(units)) != len(units):
            raise BadInput(f"“{text}” is not a duration. Write it as “2h”, “90m”, “1h30” or “45 minutes”.")
        seconds = sum(float(number) * _UNITS[unit[0]] for number, unit in parts)
    if not 0 < seconds <= LONGEST.total_seconds():
        raise BadInput(f"“{text}” is no length to work with: it has to be more than nothing and at most a year.")
    return timedelta(seconds=round(seconds, 3))


def duration_words(length: timedelta) -> str:
    """Return `length` (its sign is dropped) in words: “2 hours”, “1 hour 30 minutes”, “3 days 4 hours”, “45 seconds”.

    Seconds are only named below two minutes, minutes only below two days; the rest is dropped, not rounded up.
    """
    seconds = int(abs(length).total_seconds())
    if seconds < 120:  # noqa: PLR2004 - below two minutes seconds matter
        return _joined((seconds // 60, "minute"), (seconds % 60, "second"))
    minutes = seconds // 60
    if minutes < 2 * 24 * 60:
        return _joined((minutes // 1440, "day"), (minutes // 60 % 24, "hour"), (minutes % 60, "minute"))
    hours = minutes // 60
    return _joined((hours // 24, "day"), (hours % 24, "hour"))


def _joined(*parts: tuple[int, str]) -> str:
    named = [f"{number} {unit}{'' if number == 1 else 's'}" for number, unit in parts if number]
    return " ".join(named) or f"0 {parts[-1][1]}s"
