"""Who may speak to the runtime: the customer with an API key, the operator with the configuration token. Pure.

Only SHA-256 hashes are known here. Shape and checksum are looked at first, so a typo or a scanner's guess costs next
to nothing; the hashes are then compared with all that are accepted, in constant time and without stopping early.
"""

import hmac
from collections.abc import Iterable
from datetime import datetime

from claw_crds import keys
from claw_crds.configuration import KeyHash


def bearer(header: str | None) -> str | None:
    """The credential in an Authorization header; None when there is none that could be one."""
    scheme, _, credential = (header or "").partition(" ")
    credential = credential.strip(" ")
    if scheme.lower() != "bearer" or not credential or not credential.isascii():
        return None
    return credential


def is_customer(accepted: Iterable[KeyHash], credential: str | None, now: datetime) -> bool:
    """Whether the credential is one of the API keys that are valid now."""
    if credential is None or not keys.is_well_formed(credential):
        return False
    presented = keys.sha256(credential)
    matches = [
        hmac.compare_digest(key.sha256, presented) & (key.expires_at is None or now < key.expires_at)
        for key in accepted
    ]
    return any(matches)


def is_operator(token_sha256: str, credential: str | None) -> bool:
    """Whether the credential is the configuration token."""
    return credential is not None and hmac.compare_digest(token_sha256, keys.sha256(credential))
