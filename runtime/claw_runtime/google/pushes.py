"""Pushes: is it Google who says that something changed? Both routes are open to the world.

Pub/Sub signs its pushes for Gmail with an OpenID Connect token: right issuer, our address as audience, the service
account that this installation has configured. Calendar sends back the secret token of the channel.
"""

import base64
import binascii
import hmac
import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

from claw_crds.resource import Model
from claw_runtime.auth import bearer
from claw_runtime.google.account import Accounts
from claw_runtime.google.certificates import Certificates, Unverified
from claw_runtime.google.channels import Channels
from claw_runtime.google.incoming import Incoming
from claw_runtime.problems import UNVERIFIED, Problem

log = logging.getLogger(__name__)


class PubSubMessage(Model):
    """What was published."""

    data: str = Field(default="", max_length=4096, description="base64 of a JSON object.")
    message_id: str = Field(default="", max_length=200)


class PubSubPush(Model):
    """A push of Pub/Sub."""

    message: PubSubMessage
    subscription: str = Field(default="", max_length=500)


class _Notice(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True)

    email_address: str
    history_id: int


@dataclass(frozen=True)
class PushIdentity:
    """Whose signature we expect, for whom."""

    account: str
    audience: str


class Pushes:
    """Lets Google in, and nobody else."""

    def __init__(
        self,
        *,
        accounts: Accounts,
        channels: Channels,
        certificates: Certificates,
        incoming: Incoming,
        identity: PushIdentity | None,
    ) -> None:
        self._accounts = accounts
        self._channels = channels
        self._certificates = certificates
        self._incoming = incoming
        self._identity = identity

    async def mail(self, authorization: str | None, push: PubSubPush) -> None:
        """Gmail has news. Raises Problem when it is not proved that Google says so."""
        account = self._accounts.current
        if account is None or not account.may("gmail"):
            return  # nobody waits for it. Taken, so that it does not come again for a week
        await self._prove(authorization)
        notice = _notice(push.message.data)
        if notice is not None and notice.email_address.lower() == account.address:
            self._incoming.mail_changed(notice.history_id)

    async def calendar(self, headers: Mapping[str, str]) -> None:
        """Calendar has news. Raises Problem when it is not proved that Google says so."""
        account = self._accounts.current
        if account is None or not account.may("calendar"):
            return
        channel = self._channels.get(headers.get("X-Goog-Channel-ID", ""))
        token = headers.get("X-Goog-Channel-Token", "")
        if channel is None or not token.isascii() or not channel.is_from_google(token):
            raise _unproved("calendar", "channel or token")
        number = headers.get("X-Goog-Message-Number", "")
        if not number.isdecimal() or len(number) > 18 or int(number) <= channel.message_number:
            return  # it was here before
        if headers.get("X-Goog-Resource-State") == "sync":
            return  # says that the channel is open
        self._incoming.calendar_changed(channel, int(number))

    async def _prove(self, authorization: str | None) -> None:
        token = bearer(authorization)
        if token is None or self._identity is None:
            raise _unproved("gmail", "no token" if token is None else "no account is configured")
        try:
            claims = await self._certificates.verified(token, self._identity.audience)
        except Unverified as error:
            raise _unproved("gmail", str(error)) from None
        if not claims.email_verified or not hmac.compare_digest(claims.email.encode(), self._identity.account.encode()):
            raise _unproved("gmail", "another account")


def _notice(data: str) -> _Notice | None:
    """What Gmail published; None when it is nothing that we know."""
    try:
        return _Notice.model_validate(json.loads(base64.urlsafe_b64decode(data.replace("+", "-").replace("/", "_"))))
    except (ValueError, binascii.Error, ValidationError, RecursionError):
        return None


def _unproved(source: str, why: str) -> Problem:
    log.info("a push was refused", extra={"source": source, "why": why})
    return Problem(UNVERIFIED, "It is not proved that Google sent this.")
