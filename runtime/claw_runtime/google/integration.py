"""The Google account of this instance, as routes and services see it: connect, look, disconnect, be told.

What is kept of it is in the instance's own database and nowhere else. When an instance is deleted, the refresh token
goes with its database; the customer still sees the access listed at Google until they remove it there, or disconnect
before they leave.
"""

import asyncio
import logging
import uuid
from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from pydantic import SecretStr

from claw_crds.configuration import ENV_FRONT_URL, RuntimeConfiguration
from claw_crds.plan import EVERY_SKILL
from claw_runtime.database import DatabaseAway
from claw_runtime.google.account import Account, Accounts
from claw_runtime.google.api import Api
from claw_runtime.google.arrivals import Arrivals
from claw_runtime.google.calendar import Calendar
from claw_runtime.google.certificates import Certificates, Unverified
from claw_runtime.google.channels import Channels
from claw_runtime.google.consent import Consents, Started
from claw_runtime.google.failures import NO_LASTING_ACCESS, consent_invalid, not_allowed, not_set_up, told_missing
from claw_runtime.google.gmail import Gmail
from claw_runtime.google.goodbye import Goodbyes
from claw_runtime.google.http import Http
from claw_runtime.google.incoming import Incoming
from claw_runtime.google.places import NAMES, Places, Scope, granted, lacking
from claw_runtime.google.pushes import Pushes, PushIdentity
from claw_runtime.google.renewals import Renewals
from claw_runtime.google.tokens import Exchanged, OAuthClient, Tokens
from claw_runtime.google.vault import Vault
from claw_runtime.problems import SKILL_NOT_IN_PLAN, Problem, not_configured
from claw_runtime.settings import Settings

if TYPE_CHECKING:
    from claw_runtime.database import Database

log = logging.getLogger(__name__)


class Google:
    """One instance's Google account. `configuration` is the one in effect, None while the runtime is blank."""

    def __init__(
        self,
        settings: Settings,
        database: "Database",
        configuration: Callable[[], RuntimeConfiguration | None],
        clock: Callable[[], datetime],
        http: Http | None = None,
    ) -> None:
        self._configuration = configuration
        self._clock = clock
        front = str(settings.front_url).rstrip("/") if settings.front_url is not None else None
        self._redirect_uri = f"{front}/google/callback" if front is not None else None
        self._client = OAuthClient(settings.google_client_id or "", _secret(settings.google_client_secret))
        self._places = Places.at(str(settings.google_url) if settings.google_url is not None else None)
        vault = _vault(_secret(settings.encryption_key))
        self._missing = lacking(settings, key_is_usable=vault.can_seal)
        self._http = http or Http()
        self._accounts = Accounts(database)
        self._channels = Channels(database)
        self._consents = Consents(database, vault, clock)
        self._tokens = Tokens(
            http=self._http,
            places=self._places,
            client=self._client,
            vault=vault,
            accounts=self._accounts,
            uid=self._uid,
            clock=clock,
        )
        self._certificates = Certificates(self._http, self._places.certificates, clock)
        api = Api(self._http, self._tokens, self._accounts)
        self.gmail = Gmail(api, self._places.gmail)
        self.calendar = Calendar(api, self._places.calendar)
        self.arrivals = Arrivals(database, clock)
        self.incoming = Incoming(
            database=database,
            accounts=self._accounts,
            channels=self._channels,
            gmail=self.gmail,
            calendar=self.calendar,
            clock=clock,
        )
        pusher = settings.google_push_account
        self.pushes = Pushes(
            accounts=self._accounts,
            channels=self._channels,
            certificates=self._certificates,
            incoming=self.incoming,
            identity=PushIdentity(pusher, f"{front}/google/gmail") if pusher and front else None,
        )
        self.renewals = Renewals(
            accounts=self._accounts,
            channels=self._channels,
            gmail=self.gmail,
            calendar=self.calendar,
            incoming=self.incoming,
            topic=settings.google_topic if pusher and front else None,
            address=f"{front}/google/calendar" if front is not None else None,
            uid=self._uid,
            clock=clock,
        )
        self._goodbyes = Goodbyes(self._http, self._tokens, self._places)
        self._changing = asyncio.Lock()

    @property
    def account(self) -> Account | None:
        """The connected account."""
        return self._accounts.current

    @property
    def missing(self) -> str | None:
        """Why nobody can connect here; None when everybody can."""
        return told_missing(self._missing) if self._missing else None

    def connections(self) -> frozenset[str]:
        """What is connected and works: "gmail", "calendar". From memory."""
        account = self._accounts.current
        return frozenset(account.scopes) if account is not None and account.problem is None else frozenset()

    async def load(self) -> None:
        """Read what is known of the account, and keep Google telling us. Raises DatabaseAway."""
        await self._accounts.load()
        if self._accounts.current is not None:
            await self._channels.load()
        self.renewals.start()

    async def stop(self) -> None:
        """End everything that is under way."""
        await self.renewals.stop()
        await self.incoming.stop()
        await self._goodbyes.stop()
        await self._http.close()

    async def begin(self, scopes: Collection[Scope], redirect_uri: str | None) -> Started:
        """Where the customer goes to allow these. Raises Problem, and DatabaseAway."""
        configuration = self._configured()
        redirect_uri = redirect_uri or self._redirect_uri
        missing = self._missing if redirect_uri is not None else (*self._missing, ENV_FRONT_URL)
        if missing or redirect_uri is None:
            raise not_set_up(missing)
        plan = configuration.plan
        for scope in scopes:
            if not self.offered(scope):
                raise Problem(
                    SKILL_NOT_IN_PLAN,
                    f"The plan {plan.display_name} does not include {NAMES[scope]}. A larger plan does.",
                    plan=plan.display_name,
                )
        return await self._consents.start(
            self._uid(), scopes, page=self._places.consent, client_id=self._client.id, redirect_uri=redirect_uri
        )

    async def finish(self, code: str, state: str) -> Account:
        """The customer is back from the consent page. Raises Problem, and DatabaseAway."""
        if self._missing:
            raise not_set_up(self._missing)
        returned = await self._consents.returned(self._uid(), state)
        exchanged = await self._tokens.exchange(code, returned.verifier, returned.redirect_uri)
        try:
            account = await self._accepted(exchanged, returned.scopes)
            async with self._changing:
                former, channels = self._accounts.current, self._channels.all
                await self._accounts.connect(account)
                self._channels.forget()
        except (Problem, DatabaseAway):
            if self._accounts.current is None:
                # What nobody will use is taken back. Not beside a connection: Google ends all access at once.
                await self._tokens.revoke_token(exchanged.refresh_token or exchanged.access_token)
            raise
        log.info("Google was connected", extra={"scopes": sorted(account.scopes)})
        if former is not None and former.address != account.address:
            self._goodbyes.say(former, channels)
        else:
            self._goodbyes.close(account, channels)  # never more for the same address, for the same reason
        self.renewals.wake()
        return account

    def offered(self, scope: Scope) -> bool:
        """Whether the plan includes it."""
        plan = self._configured().plan
        return scope in plan.skills or EVERY_SKILL in plan.skills

    async def disconnect(self) -> None:
        """Forget the account here, then take the access back at Google if it answers. Raises DatabaseAway."""
        async with self._changing:
            channels = self._channels.all
            forgotten = await self._accounts.forget()
            self._channels.forget()
        self.renewals.wake()
        if forgotten is not None:
            log.info("Google was disconnected")
            self._goodbyes.say(forgotten, channels)

    async def _accepted(self, exchanged: Exchanged, wanted: Sequence[Scope]) -> Account:
        """The account that these tokens are for. Raises Problem, which says what is missing."""
        scopes = granted(exchanged.scope, wanted)
        if not scopes:
            raise not_allowed(wanted)
        if exchanged.refresh_token is None:
            raise consent_invalid(NO_LASTING_ACCESS)
        return Account(
            id=uuid.uuid4(),
            address=await self._address_in(exchanged.id_token),
            scopes=scopes,
            sealed=self._tokens.seal(exchanged.refresh_token),
            connected_at=self._clock(),
        )

    async def _address_in(self, id_token: str) -> str:
        try:
            claims = await self._certificates.verified(id_token, self._client.id)
        except Unverified:
            raise consent_invalid("Google's answer is not signed as it should be. Connect Google again.") from None
        if not claims.email or not claims.email_verified:
            raise consent_invalid("Google did not say whose account this is. Connect Google again.")
        return claims.email.lower()

    def _configured(self) -> RuntimeConfiguration:
        configuration = self._configuration()
        if configuration is None:
            raise not_configured()
        return configuration

    def _uid(self) -> str:
        return self._configured().instance.uid


def _vault(key: str) -> Vault:
    """A key that is none keeps nobody from talking to their assistant; it is named to whoever wants to connect."""
    try:
        return Vault.of(key) if key else Vault(())
    except ValueError as error:
        log.error("Google cannot be connected: %s", error)
        return Vault(())


def _secret(value: SecretStr | None) -> str:
    return value.get_secret_value() if value is not None else ""
