"""`/api/integrations` and the two webhooks: the customer's Google account."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, StringConstraints

from claw_crds.instance import State
from claw_crds.resource import Model, Timestamp
from claw_runtime.google.account import Account
from claw_runtime.google.places import Scope
from claw_runtime.google.pushes import PubSubPush
from claw_runtime.problems import (
    CONSENT_INVALID,
    INTEGRATION_AWAY,
    INTEGRATION_NOT_SET_UP,
    INTEGRATION_REFUSED,
    NOT_CONFIGURED,
    SKILL_NOT_IN_PLAN,
    UNVERIFIED,
    not_configured,
)
from claw_runtime.routes import Access, Call, Nothing, Route
from claw_runtime.text import Text


def _sendable(uri: str) -> str:
    from urllib.parse import urlsplit

    try:
        parts = urlsplit(uri)
        host = parts.hostname or ""
    except ValueError:
        raise ValueError("must be a URL") from None
    if not uri.isascii() or not host or parts.fragment or parts.username:
        raise ValueError("must be a plain URL without fragment and user")
    if parts.scheme != "https" and not (parts.scheme == "http" and host in {"localhost", "127.0.0.1"}):
        raise ValueError("must begin with https://")
    return uri


RedirectUri = Annotated[str, StringConstraints(max_length=500, pattern=r"^[!-~]+$"), AfterValidator(_sendable)]
"""One of those that are registered with Google: it refuses all others."""


class ConnectGoogle(Model):
    """What the assistant may use."""

    scopes: Annotated[frozenset[Scope], Field(min_length=1)]
    redirect_uri: RedirectUri | None = Field(
        default=None, description="Where Google sends the customer back to; by default the page of this installation."
    )


class GoogleConsent(Model):
    """Where the customer allows it. Valid for ten minutes, once."""

    authorization_url: str
    state: str
    expires_at: Timestamp


class GoogleCallback(Model):
    """What Google has sent the customer back with."""

    code: Annotated[Text, StringConstraints(min_length=1, max_length=2048)]
    state: Annotated[Text, StringConstraints(min_length=1, max_length=300)]


class Integration(Model):
    """A service of others that the assistant uses for the customer."""

    name: Literal["google"] = "google"
    connected: bool
    address: str | None = None
    scopes: tuple[Scope, ...] = ()
    connected_at: Timestamp | None = None
    problem: str | None = Field(default=None, description="Why it does not work, and what helps.")


class IntegrationList(Model):
    """Every service that can be connected."""

    integrations: tuple[Integration, ...]


async def connect(call: Call[ConnectGoogle, Nothing]) -> GoogleConsent:
    """Begin to connect Google: the customer goes to the address that is answered."""
    scopes = tuple(sorted(call.body.scopes))
    started = await call.services.google.begin(scopes, call.body.redirect_uri)
    return GoogleConsent(authorization_url=started.url, state=started.state, expires_at=started.expires_at)


async def callback(call: Call[GoogleCallback, Nothing]) -> Integration:
    """Connect Google with what its consent page gave."""
    return _shown(await call.services.google.finish(call.body.code, call.body.state))


async def listing(call: Call[Nothing, Nothing]) -> IntegrationList:
    """What is connected. Never touches the database."""
    google = call.services.google
    account = google.account
    shown = _shown(account) if account is not None else Integration(connected=False, problem=google.missing)
    return IntegrationList(integrations=(shown,))


async def disconnect(call: Call[Nothing, Nothing]) -> None:
    """Forget the Google account, and take the access back. Works while suspended, and when nothing is connected."""
    await call.services.google.disconnect()


async def mail_push(call: Call[PubSubPush, Nothing]) -> None:
    """Pub/Sub says that there is mail. Verified by its OpenID Connect token."""
    if _is_awaited(call, "gmail"):
        await call.services.google.pushes.mail(call.request.headers.get("Authorization"), call.body)


async def calendar_push(call: Call[Nothing, Nothing]) -> None:
    """Google Calendar says that something changed. Verified by its channel's token."""
    if _is_awaited(call, "calendar"):
        await call.services.google.pushes.calendar(call.request.headers)


def _is_awaited(call: Call[PubSubPush, Nothing] | Call[Nothing, Nothing], scope: Scope) -> bool:
    """Neither a suspended assistant nor one whose plan lacks it is woken. Raises Problem while it is blank."""
    if not call.services.prepared.is_set():
        raise not_configured()  # what is known of the account is not read yet
    return call.configuration.state is not State.SUSPENDED and call.services.google.offered(scope)


def _shown(account: Account) -> Integration:
    return Integration(
        connected=True,
        address=account.address,
        scopes=account.scopes,
        connected_at=account.connected_at,
        problem=account.problem,
    )


ROUTES: tuple[Route[Any, Any], ...] = (
    Route("GET", "/api/integrations", listing, Access.CUSTOMER, Nothing, Nothing, IntegrationList),
    Route(
        "POST",
        "/api/integrations/google",
        connect,
        Access.CUSTOMER,
        ConnectGoogle,
        Nothing,
        GoogleConsent,
        problems=(SKILL_NOT_IN_PLAN, INTEGRATION_NOT_SET_UP),
        body_limit=16 * 1024,
    ),
    Route(
        "POST",
        "/api/integrations/google/callback",
        callback,
        Access.CUSTOMER,
        GoogleCallback,
        Nothing,
        Integration,
        problems=(CONSENT_INVALID, INTEGRATION_REFUSED, INTEGRATION_AWAY, INTEGRATION_NOT_SET_UP),
        body_limit=16 * 1024,
    ),
    Route("DELETE", "/api/integrations/google", disconnect, Access.CUSTOMER_ALWAYS, Nothing, Nothing, None),
    Route(
        "POST",
        "/webhooks/gmail",
        mail_push,
        Access.OPEN,
        PubSubPush,
        Nothing,
        None,
        problems=(UNVERIFIED, NOT_CONFIGURED, INTEGRATION_AWAY),
        body_limit=64 * 1024,
        headers=("Authorization",),
    ),
    Route(
        "POST",
        "/webhooks/calendar",
        calendar_push,
        Access.OPEN,
        Nothing,
        Nothing,
        None,
        problems=(UNVERIFIED, NOT_CONFIGURED),
        headers=("X-Goog-Channel-ID", "X-Goog-Channel-Token", "X-Goog-Message-Number", "X-Goog-Resource-State"),
    ),
)
