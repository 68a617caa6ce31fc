"""Brings the log of one maintenance to its channel: every entry once, in order, its files right behind it."""

from collections.abc import Callable, Iterator

import structlog

from bot.blocks import Attachment, Message
from bot.entry import Entry
from bot.errors import MaintError
from bot.evolve import evolve
from bot.maintenances import Maintenances
from bot.messages import bare_message, log_message, shown_digest
from bot.outbox import (
    POSTED,
    POSTING,
    WAITING,
    Doubt,
    LiveSlot,
    LogSlot,
    Outbox,
    entry_name,
    file_name,
    once,
    recover,
)
from bot.pictures import Pictures
from bot.slack_api import Json, Refused, SlackApi, UploadFailed, payload_of
from bot.state import State

_LOOK_BACK_S = 86_400
_UPLOADS_TRIED = 5

log = structlog.get_logger()

Report = Callable[[str, str], None]
"""Called with a key and a sentence about a problem that people should see."""


class LogDelivery:
    """The log messages and files of all maintenances. Only one thread may deliver at a time."""

    def __init__(self, slack: SlackApi, maintenances: Maintenances, outbox: Outbox) -> None:
        self._slack = slack
        self._journal = maintenances.journal
        self._now = maintenances.now
        self._outbox = outbox
        self._pictures = Pictures(maintenances.journal.database)
        self._folded: dict[str, State] = {}
        self._failed_uploads: dict[str, int] = {}

    def deliver(self, maintenance: str, report: Report) -> None:
        """Post all that waits. Raises `Temporary`, `AnswerLost` or `Refused` at the first that cannot be posted now."""
        undelivered = self._outbox.undelivered(maintenance)
        if not undelivered:
            return
        channel = self._outbox.channel(maintenance)
        for entry, state in self._entries(maintenance, min(undelivered)):
            status = undelivered.get(entry.seq)
            if status is None:
                continue
            forms = (log_message(entry, state), bare_message(entry, state))
            if status != POSTED:
                self._post(channel, entry, forms, status, report)
            self._share(channel, entry, forms[1].files, report)
            self._folded[maintenance] = state

    def _entries(self, maintenance: str, first: int) -> Iterator[tuple[Entry, State]]:
        """Yield the entries from number `first`, each with the state right after it."""
        state = self._folded.get(maintenance)
        if state is not None and state.seq >= first:
            state = None
        for entry in self._journal.read(maintenance, after=state.seq if state else 0):
            state = evolve(state, entry)
            if entry.seq >= first:
                yield entry, state

    def _post(self, channel: str, entry: Entry, forms: tuple[Message, Message], status: str, report: Report, /) -> None:
        full, bare = forms
        if status == POSTING:
            found = self._find(channel, entry) or {}
            held = bare if "entry_file" in payload_of(found) else full
            if recover(self._slot(channel, entry, held), found.get("ts"), _shown(held)):
                return
            name = entry_name(entry.seq, entry.hash)
            self._outbox.doubt(Doubt(entry.maintenance, name, channel, self._now()))
        try:
            once(self._slot(channel, entry, full), lambda: self._slack.post(channel, full), _shown(full))
        except Refused as error:
            if not error.of_content:
                raise
            # Rather an ugly line than no log: what Slack does not take as blocks goes as text and files.
            log.warning("log_message_refused", maintenance=entry.maintenance, seq=entry.seq, error=str(error))
            report("content", f"Entry #{entry.seq} could not be shown in full ({error.code}); it is in its file.")
            once(self._slot(channel, entry, bare), lambda: self._slack.post(channel, bare), _shown(bare))

    def _slot(self, channel: str, entry: Entry, message: Message) -> LogSlot:
        names = [file.name for file in message.files]
        return LogSlot(self._journal.database, entry.maintenance, entry.seq, channel, names)

    def _find(self, channel: str, entry: Entry) -> Json | None:
        """Return the message of `entry` if it is in the channel."""
        own = self._slack.identity()
        for message in self._slack.history(channel, self._behind(entry)):
            payload = payload_of(message)
            if own.wrote(message) and (payload.get("maintenance"), payload.get("hash")) == (
                entry.maintenance,
                entry.hash,
            ):
                return message
        return None

    def _behind(self, entry: Entry) -> str:
        """A `ts` behind which the message must be: that of the entry before, else well before the entry was made."""
        before = [ts for seq, ts in self._outbox.delivered(entry.maintenance).items() if seq < entry.seq]
        return before[-1] if before else f"{entry.at.timestamp() - _LOOK_BACK_S:.6f}"

    def _share(self, channel: str, entry: Entry, possible: tuple[Attachment, ...], report: Report) -> None:
        """Share those of the `possible` files that wait for it in the outbox."""
        rows = self._outbox.live(entry.maintenance)
        for file in possible:
            live = rows.get(file_name(entry.seq, file.name))
            if live is not None and live.state in {WAITING, POSTING}:
                self._share_one(channel, entry, file, live.state, report)

    def _share_one(self, channel: str, entry: Entry, file: Attachment, status: str, report: Report, /) -> None:
        slot = LiveSlot(self._journal.database, entry.maintenance, file_name(entry.seq, file.name), channel)
        try:
            if status == POSTING and recover(slot, self._find_file(channel, entry, file.name)):
                return
            once(slot, lambda: self._send_file(channel, entry, file))
        except Refused as error:
            slot.give_up()
            log.warning("file_refused", maintenance=entry.maintenance, file=file.name, error=str(error))
            report("file", f"The file {file.name} of entry #{entry.seq} is not in the channel: {error}")

    def _send_file(self, channel: str, entry: Entry, file: Attachment) -> str:
        try:
            file_id = self._slack.upload(file.name, self._content(file), file.alt)
        except UploadFailed as error:
            tries = self._failed_uploads[file.name] = self._failed_uploads.get(file.name, 0) + 1
            if tries >= _UPLOADS_TRIED:
                raise Refused("the upload", "upload_failed", f" ({error})") from None
            raise
        comment = f"File of entry #{entry.seq} of {entry.maintenance}"
        return self._slack.share(channel, file_id, file.name, comment)

    def _content(self, file: Attachment) -> bytes:
        if not file.picture:
            return file.text.encode()
        content = self._pictures.read(file.picture)
        if content is None:
            raise Refused("the upload", "not_kept", " (the picture is not in the database any more)")
        return content

    def _find_file(self, channel: str, entry: Entry, name: str) -> str | None:
        own = self._slack.identity()
        since = self._outbox.delivered(entry.maintenance).get(entry.seq, "0")
        for message in self._slack.history(channel, since):
            if own.wrote(message) and any(file.get("name") == name for file in message.get("files") or []):
                return str(message["ts"])
        return None


def _shown(message: Message) -> str:
    return shown_digest(message.text, message.blocks)


def describe(error: MaintError) -> str:
    """Return what a failed delivery means, for the card, `/maint status` and the process log."""
    if not isinstance(error, Refused):
        return f"{error} The log waits and arrives later, in order, once."
    todo = {
        "channel_not_found": "The channel is gone or private: invite the bot into it.",
        "not_in_channel": "Invite the bot into the channel: `/invite @maint`.",
        "is_archived": "Bring the channel back from the archive.",
        "invalid_auth": "The bot's token is wrong; set MAINT_SLACK_BOT_TOKEN.",
        "token_revoked": "The bot's token was revoked: install the app again, and set MAINT_SLACK_BOT_TOKEN.",
        "account_inactive": "The app was removed from the workspace: install it again, and set MAINT_SLACK_BOT_TOKEN.",
        "restricted_action": "Who may post in the channel is restricted: let the bot.",
        "missing_scope": "The app lacks a scope; install it again with its manifest.",
    }
    return f"{error} {todo.get(error.code, 'The steps go on; the log waits until Slack takes it.')}"
