"""Gmail's API, as far as the assistant uses it."""

import asyncio
from datetime import UTC, datetime
from typing import Final
from urllib.parse import quote

from claw_runtime.google.api import Api, Nothing
from claw_runtime.google.failures import GoogleAway, GoogleRefused
from claw_runtime.google.http import Request
from claw_runtime.google.mails import GoogleModel, Letter, Mail

HISTORY_PAGES: Final = 5
_AT_ONCE: Final = 5
_HEADERS = ["From", "To", "Subject", "Date"]


class _Named(GoogleModel):
    id: str


class _Messages(GoogleModel):
    messages: tuple[_Named, ...] = ()


class Sent(GoogleModel):
    """A mail that left."""

    id: str
    thread_id: str = ""


class _Added(GoogleModel):
    message: Mail


class _Record(GoogleModel):
    messages_added: tuple[_Added, ...] = ()


class _History(GoogleModel):
    history: tuple[_Record, ...] = ()
    history_id: int
    next_page_token: str | None = None


class _Profile(GoogleModel):
    history_id: int


class _Watch(GoogleModel):
    history_id: int
    expiration: int


class Gmail:
    """The customer's mailbox. Methods raise GoogleRefused, GoogleAway, Problem when not connected, DatabaseAway."""

    def __init__(self, api: Api, url: str) -> None:
        self._api = api
        self._url = url

    async def search(self, query: str, limit: int) -> list[Mail]:
        """The newest mails that fit, with the headers that matter and without bodies."""
        asked = Request("GET", f"{self._url}/messages", {"q": query, "maxResults": str(limit)})
        found = await self._api.ask("gmail", asked, _Messages)
        return await self.heads([named.id for named in found.messages[:limit]])

    async def heads(self, ids: list[str]) -> list[Mail]:
        """These mails, without bodies. Those that are gone meanwhile are left out; the first failure ends all."""
        abreast = asyncio.Semaphore(_AT_ONCE)

        async def head(mail_id: str) -> Mail | None:
            async with abreast:
                try:
                    return await self._get(mail_id, {"format": "metadata", "metadataHeaders": _HEADERS})
                except GoogleRefused as error:
                    if error.status == 404:
                        return None
                    raise

        try:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(head(mail_id)) for mail_id in ids]
        except ExceptionGroup as failures:
            raise failures.exceptions[0] from None
        return [mail for task in tasks if (mail := task.result()) is not None]

    async def read(self, mail_id: str) -> Mail:
        """A mail with its bodies."""
        return await self._get(mail_id, {"format": "full"})

    async def draft(self, letter: Letter) -> str:
        """Keep a draft. Returns its id."""
        sender = self._api.account("gmail").address
        message = {"raw": letter.raw(sender)} | ({"threadId": letter.thread_id} if letter.thread_id else {})
        # Done twice, there are two drafts, and nothing has left.
        request = Request("POST", f"{self._url}/drafts", json={"message": message})
        return (await self._api.ask("gmail", request, _Named)).id

    async def send(self, letter: Letter) -> Sent:
        """Send a mail, once: as a draft that is then sent. A draft that left is no draft any more, so that after a lost
        answer the mailbox itself says whether it has left.
        """
        draft_id = await self.draft(letter)
        request = Request("POST", f"{self._url}/drafts/send", json={"id": draft_id}, repeatable=False)
        try:
            return await self._api.ask("gmail", request, Sent)
        except GoogleAway as error:
            if not error.unknown:
                raise
            if await self._is_draft(draft_id):
                return await self._api.ask("gmail", request, Sent)
            return Sent(id="")

    async def added_since(self, history_id: int) -> tuple[list[str], int]:
        """Ids of mails that came to the inbox after this point, and how far we know the mailbox now.

        Raises GoogleRefused 404 when Gmail has forgotten that point.
        """
        ids: dict[str, None] = {}
        query = {"startHistoryId": str(history_id), "historyTypes": "messageAdded", "labelId": "INBOX"}
        reached = history_id
        for _ in range(HISTORY_PAGES):
            page = await self._api.ask("gmail", Request("GET", f"{self._url}/history", query), _History)
            ids |= {added.message.id: None for record in page.history for added in record.messages_added}
            reached = page.history_id
            if page.next_page_token is None:
                break
            query["pageToken"] = page.next_page_token
        return list(ids), reached

    async def history_id(self) -> int:
        """Where the mailbox is now."""
        return (await self._api.ask("gmail", Request("GET", f"{self._url}/profile"), _Profile)).history_id

    async def recent(self, limit: int) -> list[str]:
        """Ids of what came to the inbox in the last day."""
        query = {"q": "in:inbox newer_than:1d", "maxResults": str(limit)}
        found = await self._api.ask("gmail", Request("GET", f"{self._url}/messages", query), _Messages)
        return [named.id for named in found.messages]

    async def watch(self, topic: str) -> tuple[datetime, int]:
        """Have changes of the inbox published. Returns until when, and where the mailbox is now. Renews as well."""
        wanted = {"topicName": topic, "labelIds": ["INBOX"], "labelFilterBehavior": "include"}
        watch = await self._api.ask("gmail", Request("POST", f"{self._url}/watch", json=wanted), _Watch)
        return datetime.fromtimestamp(watch.expiration / 1000, UTC), watch.history_id

    async def stop_watch(self) -> None:
        """Have nothing published any more."""
        await self._api.ask("gmail", Request("POST", f"{self._url}/stop"), Nothing)

    async def _get(self, mail_id: str, query: dict[str, str | list[str]]) -> Mail:
        return await self._api.ask(
            "gmail", Request("GET", f"{self._url}/messages/{quote(mail_id, safe='')}", query), Mail
        )

    async def _is_draft(self, draft_id: str) -> bool:
        try:
            await self._api.ask("gmail", Request("GET", f"{self._url}/drafts/{quote(draft_id, safe='')}"), _Named)
        except GoogleRefused as error:
            if error.status == 404:
                return False
            raise
        return True
