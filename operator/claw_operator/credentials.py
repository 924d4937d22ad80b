"""An instance's credentials and their life: issued, rotated, retired. Pure.

They live in one Secret owned by the instance. Nobody else keeps them: the runtime gets hashes, the status a revision.
"""

import base64
import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from claw_crds import naming
from claw_crds.configuration import KeyHash
from claw_crds.keys import is_well_formed, new_key, sha256
from claw_operator.external import ConnectionUrls

OVERLAP = timedelta(hours=1)
"""How long a rotated key still works: time for its owner to put the new one in."""

RandomBytes = Callable[[int], bytes]


@dataclass(frozen=True)
class Credentials:
    """The content of the Secret. Nothing in it shows in a repr, and so in no log and no traceback."""

    revision: int
    api_key: str = field(repr=False)
    configuration_token: str = field(repr=False)
    database_url: str = field(repr=False)
    database_id: str
    """Which database the URL opens: one that replaces a lost one needs other credentials."""
    database_pooled_url: str | None = field(default=None, repr=False)
    """Where the provider has a pooler, for whoever wants it; the runtime needs a session and uses the other."""
    previous_api_key: str | None = field(default=None, repr=False)
    previous_expires_at: datetime | None = None

    @classmethod
    def issue(cls, revision: int, database_id: str, urls: ConnectionUrls, random_bytes: RandomBytes) -> "Credentials":
        """The first credentials of an instance."""
        return cls(
            revision=revision,
            api_key=new_key(random_bytes),
            configuration_token=random_bytes(32).hex(),
            database_url=urls.direct,
            database_pooled_url=urls.pooled,
            database_id=database_id,
        )

    def moved(self, database_id: str, urls: ConnectionUrls) -> "Credentials":
        """The same keys for another database, or for another password of the same one."""
        return replace(self, database_id=database_id, database_url=urls.direct, database_pooled_url=urls.pooled)

    def rotated(self, revision: int, now: datetime, random_bytes: RandomBytes) -> "Credentials":
        """A new key; the present one becomes the previous one for another hour."""
        return replace(
            self,
            revision=revision,
            api_key=new_key(random_bytes),
            previous_api_key=self.api_key,
            previous_expires_at=(now + OVERLAP).replace(microsecond=0),
        )

    def retired(self) -> "Credentials":
        """Without the previous key."""
        return replace(self, previous_api_key=None, previous_expires_at=None)

    @property
    def encryption_key(self) -> str:
        """What the runtime encrypts with: 32 bytes, base64url. Follows from the token, which is never changed.

        So nothing more needs to be kept, and a copy of the runtime's database opens nothing without the Secret.
        """
        key = derived(self.configuration_token.encode(), b"claw runtime encryption")
        return base64.urlsafe_b64encode(key).decode()

    def key_hashes(self) -> tuple[KeyHash, ...]:
        """What the runtime is told."""
        hashes = [KeyHash(sha256=sha256(self.api_key))]
        if self.previous_api_key is not None:
            hashes.append(KeyHash(sha256=sha256(self.previous_api_key), expires_at=self.previous_expires_at))
        return tuple(hashes)

    def to_secret(self) -> dict[str, str]:
        """The Secret's `stringData`."""
        data = {
            naming.SECRET_API_KEY: self.api_key,
            naming.SECRET_CREDENTIALS_REVISION: str(self.revision),
            naming.SECRET_CONFIGURATION_TOKEN: self.configuration_token,
            naming.SECRET_DATABASE_URL: self.database_url,
            naming.SECRET_DATABASE_ID: self.database_id,
        }
        if self.database_pooled_url is not None:
            data[naming.SECRET_DATABASE_POOLED_URL] = self.database_pooled_url
        if self.previous_api_key is not None and self.previous_expires_at is not None:
            data[naming.SECRET_PREVIOUS_API_KEY] = self.previous_api_key
            data[naming.SECRET_PREVIOUS_API_KEY_EXPIRES_AT] = self.previous_expires_at.isoformat()
        return data

    @classmethod
    def from_secret(cls, data: Mapping[str, str]) -> "Credentials | None":
        """What the Secret holds; None when a person emptied or garbled it, so that it is issued anew."""
        expires = data.get(naming.SECRET_PREVIOUS_API_KEY_EXPIRES_AT)
        try:
            found = cls(
                revision=int(data[naming.SECRET_CREDENTIALS_REVISION]),
                api_key=data[naming.SECRET_API_KEY],
                configuration_token=data[naming.SECRET_CONFIGURATION_TOKEN],
                database_url=data[naming.SECRET_DATABASE_URL],
                database_id=data[naming.SECRET_DATABASE_ID],
                database_pooled_url=data.get(naming.SECRET_DATABASE_POOLED_URL),
                previous_api_key=data.get(naming.SECRET_PREVIOUS_API_KEY) if expires else None,
                previous_expires_at=_moment(expires) if expires else None,
            )
        except (KeyError, ValueError):
            return None
        return found if is_well_formed(found.api_key) and found.configuration_token and found.database_url else None


def derived(secret: bytes, purpose: bytes) -> bytes:
    """HKDF-SHA256 (RFC 5869) without salt, for 32 bytes: extract, and the first block of expand."""
    extracted = hmac.digest(bytes(32), secret, "sha256")
    return hmac.digest(extracted, purpose + b"\x01", "sha256")


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
