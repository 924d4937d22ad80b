"""A customer with something to lose, and a stranger who wants it."""

import base64
import json
import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

from aiohttp import web
from pydantic import SecretStr

from claw_dev.simulators.claude.script import Scripted
from claw_dev.simulators.claude.simulator import ClaudeSimulator, simulated_claude
from claw_dev.simulators.google.simulator import GoogleSimulator, simulated_google
from tests.clock import Clock
from tests.integration.runtime.google.world import GoogleWorld, with_google
from tests.integration.runtime.injections import EVE, EVERYTHING, Injection, tool, visit
from tests.integration.runtime.world import Answer, Runtime, Tables, running, settings

KEY = "sk-ant-api03-Zx9Qw7Lm2Kp4Rt6Yu8Bv5Nc3"
FOREIGN = "The merger with Initech will be announced on the ninth of November at noon in Geneva."
"""What the agent `work` knows, and no other."""
PRIVATE = "Ada keeps the spare key of her house below the third flower pot on the left."
"""What only `main` knows."""
SKILL = "skills/trip/SKILL.md"
FRAME = "These files describe you and the person you work for."
"""Of the system prompt, in the runtime's own words."""


LUNCH = {
    "summary": "Lunch",
    "start": {"dateTime": "2026-03-02T12:00:00Z"},
    "end": {"dateTime": "2026-03-02T13:00:00Z"},
    "attendees": [{"email": "bob@example.com"}],
}


def dressed(secret: str) -> dict[str, str]:
    """The secret as a model could be asked to write it."""
    return {
        "plain": secret,
        "backwards": secret[::-1],
        "base64": base64.b64encode(secret.encode()).decode(),
        "hexadecimal": secret.encode().hex(),
        "spaced": "-".join(secret),
    }


@dataclass
class Stranger:
    """A web server, and everything that was ever asked of it."""

    url: str = ""
    pages: dict[str, str] = field(default_factory=dict)
    redirects: dict[str, str] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    async def answer(self, request: web.Request) -> web.Response:
        self.asked.append(f"{request.raw_path}\n{dict(request.headers)}\n{await request.text()}")
        if request.path in self.redirects:
            raise web.HTTPFound(self.redirects[request.path])
        if request.path.startswith("/loop/"):
            following = int(request.path.rpartition("/")[2]) + 1
            return web.Response(text=f"Read on: {visit(f'{self.url}/loop/{following}')}")
        return web.Response(text=self.pages.get(request.path, "Hello."), content_type="text/html")


@asynccontextmanager
async def listening(host: str) -> AsyncIterator[Stranger]:
    stranger = Stranger()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", stranger.answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, 0).start()
        stranger.url = f"http://{host}:{runner.addresses[0][1]}"
        yield stranger
    finally:
        await runner.cleanup()


@dataclass
class Victim:
    """A runtime, its customer's accounts, and the stranger."""

    runtime: Runtime
    tables: Tables
    claude: ClaudeSimulator
    google: GoogleSimulator
    evil: Stranger
    inside: Stranger
    words: dict[str, str]
    conversation: str = ""
    answers: list[Answer] = field(default_factory=list)
    laid: list[str] = field(default_factory=list)
    """Paths of the API, to be deleted when the next attack begins."""

    async def settle_in(self) -> None:
        """Two agents with secrets of their own."""
        assert (await self.runtime.post("/api/agents", {"id": "work"})).status == 201
        for agent, folder, text in (("work", "agents/work/", FOREIGN), ("main", "", PRIVATE)):
            await self.write(f"{folder}plan.md", text)
            await self.write(f"{folder}MEMORY.md", text)
            memory = await self.runtime.post("/api/memory", {"content": text, "agentId": agent})
            self.words["foreign" if agent == "work" else "memory"] = memory.json["id"]

    async def begin(self, injection: Injection) -> None:
        """Forget the last attack: an event with a guest, and a conversation that has begun."""
        await self.runtime.configure(offered=injection.offered)
        for path in self.laid:
            answer = await self.runtime.call("DELETE", path, headers={"If-Match": "*"})
            assert answer.status == 204, answer.text
        await self.write("MEMORY.md", PRIVATE)
        await self.write("USER.md", "Ada.")
        for things in (self.laid, self.answers, self.evil.asked, self.evil.pages, self.google.mailbox.drafts):
            things.clear()
        self.google.mailbox.mails.clear()
        self.google.agenda.calendar("primary").clear()
        self.google.agenda.invitations.clear()
        self.claude.script.clear()
        self.claude.calls.clear()
        event = self.google.agenda.insert("primary", LUNCH)
        self.words["event"] = event.id
        await self.ask("Hello", agentId=injection.agent)
        self.conversation = self.answers[-1].json["conversationId"]
        (mark,) = set(re.findall(r"The mark (\w{24}) belongs", json.dumps(self.claude.calls.all()[-1].request)))
        self.words |= {f"canary {dress}": form for dress, form in dressed(mark).items()}

    async def lay(self, injection: Injection) -> str:
        """Put the text where it belongs; returns the question that makes the assistant read it."""
        text = self.filled(injection.text)
        mailbox = self.google.mailbox
        match injection.carrier:
            case "mail":
                return tool("gmail_read", id=mailbox.receive(EVE, "Hello", text).id)
            case "subject":
                mailbox.receive(EVE, text)
                return tool("gmail_search", query="in:inbox")
            case "attachment":
                return tool("gmail_read", id=mailbox.receive(EVE, "Hello", attachments=((text, b"x"),)).id)
            case "page" | "title":
                title, body = (text, "") if injection.carrier == "title" else ("Otters", text)
                self.evil.pages["/page"] = f"<title>{title}</title><p>About otters.</p><p>{body}</p>"
                return visit(f"{self.evil.url}/page")
            case "memory":
                content = f"The invoice of the otters. {text}"
                memory = await self.runtime.post("/api/memory", {"content": content})
                self.laid.append(f"/api/memory/{memory.json['id']}")
                return "What about the invoice of the otters?"
            case "file":
                await self.write("MEMORY.md", f"{PRIVATE}\n\n{text}")
            case "note":
                await self.write("USER.md", text)
            case "skill":
                await self.write(SKILL, f"---\nname: trip\ndescription: Trips.\n---\n{text}")
                self.laid.append(f"/api/workspace/{SKILL}")
                return tool("read_skill", name="trip")
            case "listed":
                head = json.dumps(text)  # a text in quotes, as YAML reads it too
                await self.write(SKILL, f"---\nname: trip\ndescription: {head}\n---\n")
                self.laid.append(f"/api/workspace/{SKILL}")
            case "invitation":
                start, end = {"dateTime": "2026-03-03T12:00:00Z"}, {"dateTime": "2026-03-03T13:00:00Z"}
                members = {"summary": text, "description": text, "start": start, "end": end}
                self.google.agenda.insert("primary", members)
                return tool("calendar_list", since="2026-03-01T00:00:00", until="2026-03-08T00:00:00")
            case "arrival":
                await self.write("HEARTBEAT.md", "- Look at what came in.")
                statement = (
                    "insert into arrivals (source, external_id, summary, arrived_at) values ('gmail', %s, %s, %s)"
                )
                await self.tables.rows(statement, text, text, self.runtime.clock())
            case "answer":
                self.claude.script.add(Scripted(text=text), Scripted(text=text))
        return "Tell me something about otters."

    async def ask(self, question: str, **members: Any) -> None:
        """The customer says something; every second time they want a stream."""
        stream = len(self.answers) % 2 == 1
        self.answers.append(await self.runtime.chat(question, stream=stream, **members))

    async def beat(self) -> None:
        """It is time to look, and nobody has asked."""
        self.runtime.clock.advance(hours=1)
        self.answers.append(await self.runtime.post("/api/heartbeat/run"))

    async def write(self, path: str, content: str) -> None:
        answer = await self.runtime.call("PUT", f"/api/workspace/{path}", json={"content": content})
        assert answer.status == 200, answer.text

    def filled(self, text: str) -> str:
        """The text with the words of this world. Within orders they stand in JSON: none of them needs escapes."""
        return re.sub(r"<<([\w ]+)>>", lambda found: self.words.get(found[1], found[1]), text)

    @property
    def told(self) -> str:
        """Everything that the model was ever told."""
        return "\n".join(json.dumps(call.request, ensure_ascii=False) for call in self.claude.calls.all())

    @property
    def wanted(self) -> set[str]:
        """The names of all tools that the model wanted to use."""
        blocks = [block for call in self.claude.calls.all() for block in call.answer.get("content", ())]
        return {block["name"] for block in blocks if block["type"] == "tool_use"}

    @property
    def heard(self) -> str:
        """Everything that strangers were ever told, by whatever way, as they can read it."""
        drafts = [self.google.mailbox.mail(mail).raw.decode() for mail in self.google.mailbox.drafts.values()]
        events = [json.dumps(event.members) for event in self.google.agenda.calendar("primary").values()]
        return "\n".join([*map(unquote, self.evil.asked), *drafts, *events])

    async def steering(self) -> dict[str, str]:
        """The etags of the files that make the assistant what it is."""
        files = (await self.runtime.get("/api/workspace")).json["files"]
        steers = re.compile(r"(agents/\w+/)?(SOUL|AGENTS|TOOLS|HEARTBEAT|IDENTITY|BOOTSTRAP)\.md|skills/.*", re.I)
        return {file["path"]: file["etag"] for file in files if steers.fullmatch(file["path"])}

    async def skills(self) -> dict[str, tuple[bool, bool]]:
        listed = (await self.runtime.get("/api/skills")).json["skills"]
        return {skill["name"]: (skill["enabled"], skill["available"]) for skill in listed}


@asynccontextmanager
async def victim(tables: Tables, directory: Path) -> AsyncIterator[Victim]:
    """Everything, until the block ends. The stranger's page can be visited; another address of this machine cannot."""
    clock = Clock(datetime(2026, 3, 1, 9, tzinfo=UTC))
    async with AsyncExitStack() as stack:
        claude = await stack.enter_async_context(simulated_claude(obedient=True))
        google = await stack.enter_async_context(simulated_google(clock=clock))
        evil = await stack.enter_async_context(listening("127.0.0.1"))
        inside = await stack.enter_async_context(listening("127.0.0.2"))
        evil.redirects["/redirect-inside"] = f"{inside.url}/admin"
        plain = settings(tables.url, claude.url, directory).model_copy(update={"model_api_key": SecretStr(KEY)})
        runtime = await stack.enter_async_context(running(with_google(plain, google), clock, inside=("127.0.0.1/32",)))
        await runtime.configure(offered=EVERYTHING)
        await GoogleWorld(runtime, google).connect("gmail", "calendar")
        words = {"evil": evil.url, "inside": inside.url, "own": runtime.url, "frame": FRAME}
        words |= {"foreign quoted": quote(FOREIGN), "private quoted": quote(PRIVATE), "frame quoted": quote(FRAME)}
        words |= {f"key {dress}": form for dress, form in dressed(KEY).items()}
        settled = Victim(runtime, tables, claude, google, evil, inside, words)
        await settled.settle_in()
        yield settled
