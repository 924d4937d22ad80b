"""One mailbox: mails, threads, drafts, labels, and the history of what was added. Knows nothing of HTTP."""

import base64
import email
import email.policy
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from email.message import EmailMessage
from random import Random

from claw_dev.simulators.google.problems import malformed, missing

WATCH_LIFE = timedelta(days=7)


@dataclass(frozen=True)
class Mail:
    """One mail, as it came or left."""

    id: str
    thread_id: str
    label_ids: tuple[str, ...]
    history_id: int
    received_at: datetime
    raw: bytes

    @property
    def parsed(self) -> EmailMessage:
        """Headers and parts."""
        return email.message_from_bytes(self.raw, policy=email.policy.default)


@dataclass(frozen=True)
class Watch:
    """Whom the mailbox tells about changes."""

    topic: str
    label_ids: tuple[str, ...]
    expires_at: datetime


@dataclass
class Mailbox:
    """The person's mails. `on_change` is called with the newest history id while somebody watches."""

    address: str
    clock: Callable[[], datetime]
    random: Random
    mails: dict[str, Mail] = field(default_factory=dict)
    drafts: dict[str, str] = field(default_factory=dict)
    """Draft id to mail id."""
    history: list[tuple[int, str]] = field(default_factory=list)
    """History id and the id of the mail that was added then."""
    history_id: int = 1000
    oldest_history_id: int = 1000
    """Earlier ones are forgotten."""
    watch: Watch | None = None
    on_change: Callable[[int], None] = lambda _: None

    @property
    def sent(self) -> list[EmailMessage]:
        """What left, the oldest first."""
        return [mail.parsed for mail in self.mails.values() if "SENT" in mail.label_ids]

    def receive(
        self,
        sender: str,
        subject: str,
        text: str | None = "Hello!",
        *,
        html: str | None = None,
        attachments: tuple[tuple[str, bytes], ...] = (),
        labels: tuple[str, ...] = ("UNREAD", "INBOX"),
    ) -> Mail:
        """A mail arrives."""
        message = EmailMessage()
        message["From"], message["To"], message["Subject"] = sender, self.address, subject
        message["Message-ID"] = f"<{self.random.getrandbits(64):016x}@mail.example.com>"
        message["Date"] = self.clock()
        message.set_content(text or "")
        if html is not None:
            if text is None:
                message.set_content(html, subtype="html")
            else:
                message.add_alternative(html, subtype="html")
        for name, content in attachments:
            message.add_attachment(content, maintype="application", subtype="octet-stream", filename=name)
        return self.add(message.as_bytes(), labels)

    def add(self, raw: bytes, labels: tuple[str, ...], thread_id: str | None = None) -> Mail:
        """Put a mail in, and into the history."""
        self.history_id += self.random.randint(1, 40)
        mail_id = self._new_id()
        mail = Mail(mail_id, thread_id or mail_id, labels, self.history_id, self.clock(), raw)
        self.mails[mail_id] = mail
        self.history.append((self.history_id, mail_id))
        if self.watch is not None and self.watch.expires_at > self.clock():
            self.on_change(self.history_id)
        return mail

    def mail(self, mail_id: str) -> Mail:
        """The mail. Raises GoogleProblem 404."""
        found = self.mails.get(mail_id)
        if found is None:
            raise missing()
        return found

    def send(self, raw: bytes, thread_id: str | None) -> Mail:
        """A mail leaves. Raises GoogleProblem 400 for one without a recipient."""
        parsed = email.message_from_bytes(raw, policy=email.policy.default)
        if not any(parsed.get(name) for name in ("To", "Cc", "Bcc")):
            raise malformed("Recipient address required")
        return self.add(raw, ("SENT",), self._thread(thread_id))

    def draft(self, raw: bytes, thread_id: str | None) -> str:
        """Keep a draft. Returns its id."""
        mail = self.add(raw, ("DRAFT",), self._thread(thread_id))
        draft_id = f"r{self.random.getrandbits(62)}"
        self.drafts[draft_id] = mail.id
        return draft_id

    def send_draft(self, draft_id: str) -> Mail:
        """A draft leaves, and is no draft any more. Raises GoogleProblem 404."""
        if draft_id not in self.drafts:
            raise missing()
        mail = self.mail(self.drafts[draft_id])
        sent = self.send(mail.raw, mail.thread_id if mail.thread_id != mail.id else None)
        del self.mails[self.drafts.pop(draft_id)]
        return sent

    def find(self, query: str, labels: tuple[str, ...] = ()) -> list[Mail]:
        """The newest first, with all words of the query; `in:`, `is:`, `from:`, `to:`, `subject:`, `newer_than:`."""
        words = query.lower().split()
        return [
            mail
            for mail in reversed(self.mails.values())
            if set(labels) <= set(mail.label_ids) and all(self._fits(mail, word) for word in words)
        ]

    def added_since(self, history_id: int, label: str | None) -> list[tuple[int, Mail]]:
        """What was added after this point. Raises GoogleProblem 404 when that is too long ago."""
        if history_id < self.oldest_history_id or history_id > self.history_id:
            raise missing()
        return [
            (at, self.mails[mail_id])
            for at, mail_id in self.history
            if at > history_id and mail_id in self.mails and (label is None or label in self.mails[mail_id].label_ids)
        ]

    def forget_history(self) -> None:
        """A week passes, as far as history is concerned."""
        self.history_id += 1
        self.oldest_history_id = self.history_id
        self.history.clear()

    def relabel(self, mail_id: str, *labels: str) -> None:
        """The person files a mail."""
        self.mails[mail_id] = replace(self.mail(mail_id), label_ids=labels)

    def begin_watch(self, topic: str, labels: tuple[str, ...]) -> Watch:
        """Tell the topic from now on, for seven days."""
        self.watch = Watch(topic, labels, self.clock() + WATCH_LIFE)
        return self.watch

    def _thread(self, thread_id: str | None) -> str | None:
        if thread_id is not None and all(mail.thread_id != thread_id for mail in self.mails.values()):
            raise missing()
        return thread_id

    def _fits(self, mail: Mail, word: str) -> bool:
        name, _, value = word.partition(":")
        parsed = mail.parsed
        match name:
            case "in" | "label":
                return value.upper() in mail.label_ids
            case "is":
                return value.upper() in mail.label_ids
            case "from" | "to" | "subject" if value:
                return value.strip('"') in str(parsed.get(name, "")).lower()
            case "newer_than":
                return mail.received_at > self.clock() - timedelta(days=int(value.rstrip("d")))
        return word.strip('"') in mail.raw.decode("utf-8", "replace").lower()

    def _new_id(self) -> str:
        return f"{self.random.getrandbits(64):016x}"


def base64url_with_padding(content: bytes) -> str:
    """As Gmail writes bodies."""
    return base64.urlsafe_b64encode(content).decode()


def from_base64url(text: str) -> bytes:
    """What a client sends as `raw`. Raises GoogleProblem 400."""
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except ValueError:
        raise malformed("Invalid value for ByteString") from None
