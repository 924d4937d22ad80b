"""`/_sim/`: what the person and the outside world do."""

from typing import TypeVar

from aiohttp import web
from pydantic import BaseModel, ValidationError

from claw_dev.simulators.google.pushing import Sender
from claw_dev.simulators.google.world import Consent, World
from claw_dev.simulators.injection import CONTROL_PREFIX

Body = TypeVar("Body", bound=BaseModel)


class ArrivingMail(BaseModel):
    """`POST /_sim/mails`."""

    sender: str = "Bob <bob@example.com>"
    subject: str = "Hello"
    text: str = "Hello!"
    html: str | None = None


class Answer(BaseModel):
    """`PUT /_sim/consent`: what the person does from now on with the consent page."""

    deny: bool = False
    withhold: frozenset[str] = frozenset()


class PushTarget(BaseModel):
    """`PUT /_sim/subscription`: where Pub/Sub pushes to."""

    url: str
    audience: str = ""


class Control:
    """Answers `/_sim/`."""

    def __init__(self, world: World, sender: Sender) -> None:
        self._world = world
        self._sender = sender

    def routes(self) -> list[web.RouteDef]:
        """All but the faults."""
        return [
            web.post(CONTROL_PREFIX + "mails", self._mail),
            web.get(CONTROL_PREFIX + "sent", self._sent),
            web.post(CONTROL_PREFIX + "events", self._event),
            web.put(CONTROL_PREFIX + "consent", self._consent),
            web.put(CONTROL_PREFIX + "subscription", self._subscription),
            web.post(CONTROL_PREFIX + "revoke", self._revoke),
        ]

    async def _mail(self, request: web.Request) -> web.Response:
        arriving = await _parsed(request, ArrivingMail)
        mail = self._world.mailbox.receive(arriving.sender, arriving.subject, arriving.text, html=arriving.html)
        return web.json_response({"id": mail.id}, status=201)

    async def _sent(self, _: web.Request) -> web.Response:
        sent = [
            {"to": str(mail["To"]), "subject": str(mail["Subject"]), "text": str(mail.get_content())}
            for mail in self._world.mailbox.sent
        ]
        return web.json_response({"sent": sent})

    async def _event(self, request: web.Request) -> web.Response:
        event = self._world.agenda.insert("primary", await request.json())
        return web.json_response({"id": event.id}, status=201)

    async def _consent(self, request: web.Request) -> web.Response:
        answer = await _parsed(request, Answer)
        self._world.consent = Consent(answer.deny, answer.withhold)
        return web.Response(status=204)

    async def _subscription(self, request: web.Request) -> web.Response:
        target = await _parsed(request, PushTarget)
        self._sender.subscription.url, self._sender.subscription.audience = target.url, target.audience
        return web.Response(status=204)

    async def _revoke(self, _: web.Request) -> web.Response:
        self._world.revoke_all()
        return web.Response(status=204)


async def _parsed(request: web.Request, model: type[Body]) -> Body:
    try:
        return model.model_validate_json(await request.read())
    except ValidationError as error:
        raise web.HTTPBadRequest(text=str(error)) from None
