"""Where Google is, what we ask for, and what this installation needs for it. Pure."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Literal

from claw_crds import configuration as wire
from claw_runtime.settings import Settings

Scope = Literal["gmail", "calendar"]
"""What a customer connects."""
NAMES: Mapping[Scope, str] = {"gmail": "Gmail", "calendar": "Google Calendar"}

_AUTH = "https://www.googleapis.com/auth/"
GOOGLE_SCOPES: Mapping[Scope, frozenset[str]] = {
    # Reading, and drafts that can be sent. Not `gmail.modify`: nothing is ever deleted or filed.
    "gmail": frozenset({_AUTH + "gmail.readonly", _AUTH + "gmail.compose"}),
    "calendar": frozenset({_AUTH + "calendar.readonly", _AUTH + "calendar.events"}),
}
IDENTITY = ("openid", "email")


@dataclass(frozen=True)
class Places:
    """Google's addresses. The paths are the same in a stand-in that serves all of them from one address."""

    consent: str = "https://accounts.google.com/o/oauth2/v2/auth"
    token: str = "https://oauth2.googleapis.com/token"
    revoke: str = "https://oauth2.googleapis.com/revoke"
    certificates: str = "https://www.googleapis.com/oauth2/v3/certs"
    gmail: str = "https://gmail.googleapis.com/gmail/v1/users/me"
    calendar: str = "https://www.googleapis.com/calendar/v3"

    @classmethod
    def at(cls, url: str | None) -> "Places":
        """The real ones, or all at one address."""
        if url is None:
            return cls()
        base = url.rstrip("/")
        return cls(
            consent=f"{base}/o/oauth2/v2/auth",
            token=f"{base}/token",
            revoke=f"{base}/revoke",
            certificates=f"{base}/oauth2/v3/certs",
            gmail=f"{base}/gmail/v1/users/me",
            calendar=f"{base}/calendar/v3",
        )


def asked_for(scopes: Collection[Scope]) -> str:
    """The `scope` of a consent page."""
    return " ".join([*IDENTITY, *sorted(frozenset().union(*(GOOGLE_SCOPES[scope] for scope in scopes)))])


def granted(told: str, asked: Collection[Scope]) -> tuple[Scope, ...]:
    """What the customer allowed of what we asked for: people untick boxes. Half of a scope is none of it."""
    have = set(told.split())
    return tuple(scope for scope in GOOGLE_SCOPES if scope in asked and GOOGLE_SCOPES[scope] <= have)


def lacking(settings: Settings, *, key_is_usable: bool) -> tuple[str, ...]:
    """The variables without which nobody can connect, by their names."""
    needed = {
        wire.ENV_GOOGLE_CLIENT_ID: settings.google_client_id is not None,
        wire.ENV_GOOGLE_CLIENT_SECRET: settings.google_client_secret is not None,
        wire.ENV_ENCRYPTION_KEY: settings.encryption_key is not None,
        f"{wire.ENV_ENCRYPTION_KEY} as 32 bytes in base64url": settings.encryption_key is None or key_is_usable,
    }
    return tuple(name for name, is_there in needed.items() if not is_there)
