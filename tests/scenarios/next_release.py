"""Another version of the bot, as a next release may be: the packages in a folder of their own, with changes."""

import re
import shutil
from pathlib import Path

from sandbox.bot_process import ROOT

VERB = '''\
"""`/maint weather SKY`: put the weather on record."""

from bot.entry import Kind
from bot.journal import Draft
from commands.verb import Bot, Call, Reply, pick, record, verb


@verb("weather", "weather SKY", "put the weather on record")
def weather(call: Call, bot: Bot) -> Reply:
    state, sky = pick(call, bot)
    draft = Draft(Kind.WEATHER_SEEN, call.user, f"weather:{call.delivery}", payload={"sky": sky})
    record(bot, state, call.act, "note", lambda _: [draft])
    return Reply("It is on record.")
'''
STEP = '''\
"""A step that there was not before."""

from pathlib import Path

from bot.step import Context, Outcome, Plan, Step, step


@step("weather.tell")
class Tell(Step):
    """Write the weather into a file."""

    file: str

    def plan(self, ctx: Context) -> Plan:
        return Plan("write it", subject={"file": self.file})

    def check(self, ctx: Context) -> Outcome | None:
        return None

    def apply(self, ctx: Context) -> Outcome:
        with Path(self.file).open("a") as file:
            file.write("weather\\n")
        return Outcome("it is written")
'''
CHANGES = {
    "bot/schema.py": [
        (
            r"^(MIGRATIONS: .* = \(.*)\)$",
            '_WEATHER = (\n    "CREATE TABLE weather (maintenance TEXT PRIMARY KEY, sky TEXT)",\n'
            '    "ALTER TABLE progress ADD COLUMN sky TEXT",\n)\n\\1, _WEATHER)',
        )
    ],
    "bot/entry.py": [(r'^    CREATED = "created"$', r'\g<0>\n    WEATHER_SEEN = "weather_seen"')],
    "bot/state.py": [(r'^    unread: str = ""$', r'    weather: str = ""\n\g<0>')],
    "bot/evolve.py": [
        (
            r"^    Kind\.STATE_CHANGED: _state_changed,$",
            r'\g<0>\n    Kind.WEATHER_SEEN: lambda state, entry: replace(state, weather=entry.payload["sky"]),',
        )
    ],
    "bot/sentences.py": [
        (
            r"^    Kind\.STATE_CHANGED: _state_changed,$",
            r"""\g<0>\n    Kind.WEATHER_SEEN: lambda entry, _: Said(f"The sky is {entry.payload['sky']}."),""",
        ),
        (r"started\{again\}; it should take", "has begun{again}; it should take"),
    ],
    # A field on entries, and one inside of what the first entry says of a step.
    "bot/attempt.py": [(r'^( +)"details": outcome\.details,$', r'\g<0>\n\1"by": "the next release",')],
    "bot/step_values.py": [(r"^    longest_wait_s: float = 300\.0$", r"\g<0>\n    jitter_s: float = 0.0")],
    "bot/runbook_resolve.py": [(r'^( +)"retry": \{$', r'\g<0>\n\1    "jitter_s": 0.5,')],
    "bot/durable.py": [(r'^VERSION = "1"', 'VERSION = "2"')],
}


def next_release(folder: Path) -> Path:
    """Make the packages of the next release in `folder`, and return it."""
    for package in ("bot", "commands", "integrations"):
        shutil.copytree(ROOT / package, folder / package, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "commands" / "weather.py").write_text(VERB)
    (folder / "integrations" / "weather.py").write_text(STEP)
    for name, changes in CHANGES.items():
        text = (folder / name).read_text()
        for old, new in changes:
            text, times = re.subn(old, new, text, flags=re.MULTILINE)
            assert times == 1, f"{name}: {old} is there {times} times"
        (folder / name).write_text(text)
    return folder
