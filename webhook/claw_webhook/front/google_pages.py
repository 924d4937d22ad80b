"""`/account/google/{subscription}` and `/google/callback`: a customer connects their Google account to their assistant.

The assistant's runtime has the secrets and speaks to Google; this page only leads there and back. Google knows one
address for all customers to come back to. The state that comes along begins with the UID of the instance, and whoever
comes back must be signed in as its customer; that the state is genuine is what the runtime finds out.
"""

import logging
import re
from collections.abc import Awaitable, Callable
from typing import Any

import psycopg
from aiohttp import web
from pydantic import Field, ValidationError

from claw_crds.resource import Model
from claw_templates import line
from claw_webhook.front.accounts import Accounts
from claw_webhook.front.pages import Pages
from claw_webhook.front.visitors import is_foreign
from claw_webhook.instances import ClusterUnavailable
from claw_webhook.runtimes import Runtime, RuntimeApi, RuntimeAway, RuntimeRefuses, Runtimes

PATH = "/account/google/{subscription:[A-Za-z0-9_]{1,255}}"
CALLBACK_PATH = "/google/callback"
SCOPES = {"gmail": "Gmail", "calendar": "Calendar"}

_LIST, _CONNECT, _CALLBACK = "/api/integrations", "/api/integrations/google", "/api/integrations/google/callback"
_STATE = re.compile(r"(?P<uid>[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12})\.[A-Za-z0-9_.-]{16,512}")
_LONGEST_CODE = 2048

logger = logging.getLogger(__name__)


class _Integration(Model):
    """Google, as the runtime tells of it. Without an address it is not connected."""

    name: str = "google"
    address: str | None = None
    scopes: tuple[str, ...] = ()
    problem: str | None = None


class _Integrations(Model):
    integrations: tuple[_Integration, ...] = ()


class _Started(Model):
    """Where the customer says yes."""

    authorization_url: str = Field(max_length=8192)


class GooglePages:
    """The handlers. `google` is where Google's own pages are: a scheme and a host."""

    def __init__(
        self,
        accounts: Accounts,
        *,
        runtimes: Runtimes,
        api: RuntimeApi,
        pages: Pages,
        public_url: str,
        google: str,
    ) -> None:
        self._accounts = accounts
        self._runtimes = runtimes
        self._api = api
        self._pages = pages
        self._public_url = public_url
        self._google = google

    async def show(self, request: web.Request) -> web.Response:
        """`GET /account/google/{subscription}`: what is connected, and what can be done about it."""

        async def answer(runtime: Runtime) -> web.Response:
            found = _read(_Integrations, await self._api.call(runtime, "GET", _LIST))
            google = next((one for one in found.integrations if one.name == "google"), _Integration())
            return self._page(runtime, google)

        return await self._with_own_runtime(request, answer)

    async def connect(self, request: web.Request) -> web.Response:
        """`POST …/connect`: to Google's page, where the customer says yes or no."""
        if is_foreign(request, self._public_url):
            return self._foreign()
        wanted = [scope for scope in SCOPES if scope in (await request.post()).getall("scope", [])]
        if not wanted:
            return self._pages.sorry(422, "Nothing chosen", "Choose at least one of Gmail and Calendar.")

        async def answer(runtime: Runtime) -> web.Response:
            started = _read(_Started, await self._api.call(runtime, "POST", _CONNECT, {"scopes": wanted}))
            # A runtime does what its customer tells it to; no page of ours leads anywhere because it says so.
            if not started.authorization_url.startswith(f"{self._google}/"):
                raise RuntimeAway(f"the runtime of {runtime.instance} leads away from Google")
            return _see_other(started.authorization_url)

        return await self._with_own_runtime(request, answer)

    async def disconnect(self, request: web.Request) -> web.Response:
        """`POST …/disconnect`: the assistant forgets the account."""
        if is_foreign(request, self._public_url):
            return self._foreign()

        async def answer(runtime: Runtime) -> web.Response:
            await self._api.call(runtime, "DELETE", _CONNECT)
            await self._runtimes.disconnected(runtime)
            return _see_other(f"/account/google/{runtime.subscription}")

        return await self._with_own_runtime(request, answer)

    async def callback(self, request: web.Request) -> web.Response:
        """`GET /google/callback`: back from Google."""
        state = _STATE.fullmatch(request.query.get("state", ""))
        if state is None:
            return self._not_ours()

        async def answer(runtime: Runtime) -> web.Response:
            page = f"/account/google/{runtime.subscription}"
            if refused := request.query.get("error"):
                return self._pages.render(
                    200, "pages/google_refused.html.j2", back=page, denied=refused == "access_denied"
                )
            code = request.query.get("code", "")
            if not code or len(code) > _LONGEST_CODE or not code.isprintable():
                return self._not_ours()
            body = {"code": code, "state": state[0]}
            connected = _read(_Integration, await self._api.call(runtime, "POST", _CALLBACK, body))
            if not connected.address:
                raise RuntimeAway(f"the runtime of {runtime.instance} does not say whom it is connected to")
            await self._runtimes.connected(runtime, connected.address)
            logger.info("instance %s is connected to a Google account", runtime.instance)
            return _see_other(page)

        return await self._with_own_runtime(request, answer, uid=state["uid"])

    async def _with_own_runtime(
        self, request: web.Request, answer: Callable[[Runtime], Awaitable[web.Response]], *, uid: str | None = None
    ) -> web.Response:
        """The answer for the runtime that is named and is the visitor's own; a page that says why there is none."""
        try:
            customer = await self._accounts.signed_in(request)
            if customer is None:
                return self._sign_in_first() if uid is not None else _see_other("/sign-in")
            find = self._runtimes.of_subscription if uid is None else self._runtimes.with_uid
            runtime = await find(uid or request.match_info["subscription"])
            if runtime is None or runtime.customer != customer:
                return self._not_yours()
            return await answer(runtime)
        except RuntimeRefuses as refusal:
            return self._pages.sorry(409, "That did not work", str(refusal))
        except (psycopg.OperationalError, ClusterUnavailable, RuntimeAway) as error:
            reason = str(error) if isinstance(error, RuntimeAway) else type(error).__name__
            logger.warning("a page about Google could not be shown: %s", reason)
            text = "Your assistant does not answer at the moment. Please try again in a minute."
            return self._pages.sorry(503, "Not right now", text, headers={"Retry-After": "10"})

    def _page(self, runtime: Runtime, google: _Integration) -> web.Response:
        return self._pages.render(
            200,
            "pages/google.html.j2",
            leads_out=True,
            subscription=runtime.subscription,
            scopes=SCOPES,
            address=line(google.address, 254) if google.address else None,
            connected=[SCOPES[scope] for scope in google.scopes if scope in SCOPES],
            problem=line(google.problem, 500) if google.problem else None,
        )

    def _not_ours(self) -> web.Response:
        text = "This address is not one that Google leads to after a question of ours. Begin again on your account."
        return self._pages.sorry(400, "Nothing was connected", text)

    def _not_yours(self) -> web.Response:
        text = "There is no assistant of yours here. Sign in as the customer whose assistant it is, and begin again."
        return self._pages.sorry(404, "Not found", text)

    def _sign_in_first(self) -> web.Response:
        text = "You are not signed in in this browser. Sign in, and begin again on your account's page."
        return self._pages.sorry(403, "Nothing was connected", text)

    def _foreign(self) -> web.Response:
        text = "This request came from a page of somebody else. Open our own page and try again."
        return self._pages.sorry(403, "Not from here", text)


def _read(model: Any, answer: Any) -> Any:
    try:
        return model.model_validate(answer)
    except ValidationError as error:
        raise RuntimeAway(f"the runtime's answer is not a {model.__name__.strip('_').lower()}") from error


def _see_other(place: str) -> web.Response:
    return web.Response(status=303, headers={"Location": place, "Cache-Control": "no-store"})
