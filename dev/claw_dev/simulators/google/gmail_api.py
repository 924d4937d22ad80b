"""Gmail's routes."""

import json
from typing import Any

from aiohttp import web

from claw_dev.simulators.google.mailbox import Mailbox, from_base64url
from claw_dev.simulators.google.problems import malformed, missing
from claw_dev.simulators.google.protocol import scoped
from claw_dev.simulators.google.rendering import message, minimal

_AUTH = "https://www.googleapis.com/auth/"
_ALL = frozenset({"https://mail.google.com/", _AUTH + "gmail.modify"})
READING = _ALL | {_AUTH + "gmail.readonly"}
WRITING = _ALL | {_AUTH + "gmail.compose"}
SENDING = WRITING | {_AUTH + "gmail.send"}
_PREFIX = "/gmail/v1/users/{userId}"


class GmailApi:
    """Answers for one mailbox."""

    def __init__(self, mailbox: Mailbox) -> None:
        self._mailbox = mailbox

    def routes(self) -> list[web.RouteDef]:
        """As on gmail.googleapis.com."""
        return [
            web.get(_PREFIX + "/profile", scoped(READING | WRITING, self._profile)),
            web.get(_PREFIX + "/messages", scoped(READING, self._messages)),
            web.post(_PREFIX + "/messages/send", scoped(SENDING, self._send)),
            web.get(_PREFIX + "/messages/{id}", scoped(READING, self._message)),
            web.get(_PREFIX + "/threads", scoped(READING, self._threads)),
            web.get(_PREFIX + "/threads/{id}", scoped(READING, self._thread)),
            web.get(_PREFIX + "/drafts", scoped(READING | WRITING, self._drafts)),
            web.post(_PREFIX + "/drafts", scoped(WRITING, self._create_draft)),
            web.post(_PREFIX + "/drafts/send", scoped(WRITING, self._send_draft)),
            web.get(_PREFIX + "/drafts/{id}", scoped(READING | WRITING, self._draft)),
            web.get(_PREFIX + "/history", scoped(READING, self._history)),
            web.post(_PREFIX + "/watch", scoped(READING, self._watch)),
            web.post(_PREFIX + "/stop", scoped(READING, self._stop)),
        ]

    async def _profile(self, _: web.Request) -> Any:
        mails = self._mailbox.mails.values()
        return {
            "emailAddress": self._mailbox.address,
            "messagesTotal": len(mails),
            "threadsTotal": len({mail.thread_id for mail in mails}),
            "historyId": str(self._mailbox.history_id),
        }

    async def _messages(self, request: web.Request) -> Any:
        found = self._mailbox.find(request.query.get("q", ""), tuple(request.query.getall("labelIds", [])))
        rows = [{"id": mail.id, "threadId": mail.thread_id} for mail in found if _is_listed(mail.label_ids, request)]
        return _page(request, "messages", rows)

    async def _message(self, request: web.Request) -> Any:
        mail = self._mailbox.mail(request.match_info["id"])
        return message(mail, request.query.get("format", "full"), request.query.getall("metadataHeaders", []))

    async def _threads(self, request: web.Request) -> Any:
        found = self._mailbox.find(request.query.get("q", ""))
        threads = {
            mail.thread_id: {
                "id": mail.thread_id,
                "snippet": minimal(mail)["snippet"],
                "historyId": str(mail.history_id),
            }
            for mail in reversed(found)
        }
        return _page(request, "threads", list(reversed(threads.values())))

    async def _thread(self, request: web.Request) -> Any:
        thread_id, form = request.match_info["id"], request.query.get("format", "full")
        mails = [mail for mail in self._mailbox.mails.values() if mail.thread_id == thread_id]
        if not mails:
            raise missing()
        newest = str(max(mail.history_id for mail in mails))
        return {"id": thread_id, "historyId": newest, "messages": [message(mail, form, []) for mail in mails]}

    async def _send(self, request: web.Request) -> Any:
        sent = await _json(request)
        mail = self._mailbox.send(from_base64url(sent.get("raw", "")), sent.get("threadId"))
        return {"id": mail.id, "threadId": mail.thread_id, "labelIds": list(mail.label_ids)}

    async def _drafts(self, request: web.Request) -> Any:
        return _page(request, "drafts", [self._shown_draft(draft_id) for draft_id in self._mailbox.drafts])

    async def _draft(self, request: web.Request) -> Any:
        draft_id = request.match_info["id"]
        if draft_id not in self._mailbox.drafts:
            raise missing()
        return self._shown_draft(draft_id)

    async def _create_draft(self, request: web.Request) -> Any:
        sent = (await _json(request)).get("message") or {}
        return self._shown_draft(self._mailbox.draft(from_base64url(sent.get("raw", "")), sent.get("threadId")))

    async def _send_draft(self, request: web.Request) -> Any:
        mail = self._mailbox.send_draft(str((await _json(request)).get("id")))
        return {"id": mail.id, "threadId": mail.thread_id, "labelIds": list(mail.label_ids)}

    async def _history(self, request: web.Request) -> Any:
        try:
            start = int(request.query["startHistoryId"])
        except (KeyError, ValueError):
            raise malformed("Missing/invalid startHistoryId.") from None
        added = self._mailbox.added_since(start, request.query.get("labelId"))
        records = [
            {
                "id": str(at),
                "messages": [{"id": mail.id, "threadId": mail.thread_id}],
                "messagesAdded": [
                    {"message": {"id": mail.id, "threadId": mail.thread_id, "labelIds": list(mail.label_ids)}}
                ],
            }
            for at, mail in added
        ]
        page = _page(request, "history", records)
        del page["resultSizeEstimate"]
        return page | {"historyId": str(self._mailbox.history_id)}

    async def _watch(self, request: web.Request) -> Any:
        sent = await _json(request)
        topic = str(sent.get("topicName", ""))
        if not topic.startswith("projects/") or "/topics/" not in topic:
            raise malformed("Invalid topicName does not match projects/.../topics/...")
        watch = self._mailbox.begin_watch(topic, tuple(sent.get("labelIds") or ()))
        return {
            "historyId": str(self._mailbox.history_id),
            "expiration": str(int(watch.expires_at.timestamp() * 1000)),
        }

    async def _stop(self, _: web.Request) -> Any:
        self._mailbox.watch = None
        return None

    def _shown_draft(self, draft_id: str) -> dict[str, Any]:
        mail = self._mailbox.mail(self._mailbox.drafts[draft_id])
        shown = {"id": mail.id, "threadId": mail.thread_id, "labelIds": list(mail.label_ids)}
        return {"id": draft_id, "message": shown}


def _is_listed(labels: tuple[str, ...], request: web.Request) -> bool:
    return request.query.get("includeSpamTrash") == "true" or not {"SPAM", "TRASH"} & set(labels)


def _page(request: web.Request, name: str, rows: list[Any]) -> dict[str, Any]:
    """One page. An empty list is not mentioned at all."""
    size = min(int(request.query.get("maxResults", "100")), 500)
    begin = int(request.query.get("pageToken") or 0)
    page: dict[str, Any] = {"resultSizeEstimate": len(rows)}
    if shown := rows[begin : begin + size]:
        page[name] = shown
    if begin + size < len(rows):
        page["nextPageToken"] = str(begin + size)
    return page


async def _json(request: web.Request) -> dict[str, Any]:
    try:
        body = json.loads(await request.read() or b"{}")
    except ValueError:
        raise malformed("Invalid JSON payload received.", "parseError") from None
    return body if isinstance(body, dict) else {}
