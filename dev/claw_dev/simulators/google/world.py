"""The person, what they allowed, and the tokens that follow from it."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random

from claw_dev.simulators.google.agenda import Agenda
from claw_dev.simulators.google.mailbox import Mailbox
from claw_dev.simulators.google.problems import OAuthProblem
from claw_dev.simulators.google.signing import Signer, base64url

CODE_LIFE = timedelta(minutes=10)
TOKEN_LIFE = timedelta(seconds=3600)


@dataclass(frozen=True)
class Client:
    """The application, as it is registered with Google."""

    id: str = "1234.apps.googleusercontent.com"
    secret: str = "GOCSPX-simulated"
    redirect_uris: frozenset[str] | None = None
    """None: any will do."""


@dataclass
class Consent:
    """What the person does with the consent page."""

    deny: bool = False
    withhold: frozenset[str] = frozenset()
    """Scopes whose box they leave empty."""


@dataclass(frozen=True)
class Grant:
    """A code, waiting for its exchange."""

    redirect_uri: str
    scopes: frozenset[str]
    challenge: str | None
    offline: bool
    nonce: str | None
    expires_at: datetime


@dataclass(frozen=True)
class AccessToken:
    """What a bearer may do, and until when."""

    scopes: frozenset[str]
    expires_at: datetime
    refresh_token: str | None


@dataclass
class World:
    """Everything there is."""

    clock: Callable[[], datetime]
    random: Random
    client: Client
    address: str
    mailbox: Mailbox
    agenda: Agenda
    signer: Signer
    consent: Consent = field(default_factory=Consent)
    grants: dict[str, Grant] = field(default_factory=dict)
    access_tokens: dict[str, AccessToken] = field(default_factory=dict)
    refresh_tokens: dict[str, frozenset[str]] = field(default_factory=dict)
    used_codes: dict[str, str | None] = field(default_factory=dict)
    """Codes that were exchanged, and the refresh token that each became."""

    def secret(self, prefix: str, characters: int = 48) -> str:
        """A new token or code."""
        return prefix + base64url(self.random.randbytes(characters))[:characters]

    def allow(self, grant: Grant) -> str:
        """The person says yes. Returns the code."""
        code = self.secret("4/0A")
        self.grants[code] = grant
        return code

    def exchange(self, code: str, redirect_uri: str, verifier: str | None) -> tuple[str, str | None, Grant]:
        """Access token and refresh token for a code, once. Raises OAuthProblem."""
        if code in self.used_codes:
            # Whoever uses a code twice may have stolen it: what the first one got is worth nothing any more.
            self.revoke(self.used_codes[code] or "")
            raise OAuthProblem("invalid_grant")
        grant = self.grants.get(code)
        if grant is None or grant.expires_at <= self.clock():
            raise OAuthProblem("invalid_grant", "Malformed auth code.")
        if grant.redirect_uri != redirect_uri:
            raise OAuthProblem("redirect_uri_mismatch")
        if grant.challenge is not None and grant.challenge != _challenge(verifier):
            raise OAuthProblem("invalid_grant", "Invalid code verifier." if verifier else "Missing code verifier.")
        del self.grants[code]
        refresh = self.secret("1//0") if grant.offline else None
        if refresh is not None:
            self.refresh_tokens[refresh] = grant.scopes
        self.used_codes[code] = refresh
        return self._access(grant.scopes, refresh), refresh, grant

    def refresh(self, refresh_token: str) -> tuple[str, frozenset[str]]:
        """A new access token. Raises OAuthProblem."""
        scopes = self.refresh_tokens.get(refresh_token)
        if scopes is None:
            raise OAuthProblem("invalid_grant", "Token has been expired or revoked.")
        return self._access(scopes, refresh_token), scopes

    def revoke(self, token: str) -> bool:
        """Take back a token, and with it everything else that the application was ever given; whether it was known."""
        known = token in self.access_tokens or token in self.refresh_tokens
        if known:
            self.revoke_all()
        return known

    def revoke_all(self) -> None:
        """The person removes the application from their account."""
        self.refresh_tokens.clear()
        self.access_tokens.clear()

    def bearer(self, token: str) -> AccessToken | None:
        """What the token allows now; None when nothing."""
        held = self.access_tokens.get(token)
        return held if held is not None and held.expires_at > self.clock() else None

    def _access(self, scopes: frozenset[str], refresh: str | None) -> str:
        token = self.secret("ya29.a0")
        self.access_tokens[token] = AccessToken(scopes, self.clock() + TOKEN_LIFE, refresh)
        return token


def _challenge(verifier: str | None) -> str:
    return base64url(hashlib.sha256((verifier or "").encode()).digest())
