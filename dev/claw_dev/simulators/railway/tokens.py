"""Who may ask: account, workspace and project tokens, each with its own header, each revocable."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from claw_dev.simulators.railway.problems import Problem, not_authorized, not_found

BEARER = "Bearer "
PROJECT_HEADER = "Project-Access-Token"


class TokenKind(StrEnum):
    """What a token reaches."""

    ACCOUNT = "account"
    """Everything its user can do."""
    WORKSPACE = "workspace"
    """One workspace, and no `me`."""
    PROJECT = "project"
    """One environment of one project. It makes no projects and no environments."""


@dataclass
class Token:
    """A token. It does not show in a repr."""

    secret: str
    kind: TokenKind
    project_id: str | None = None
    environment_id: str | None = None
    revoked: bool = False

    def __repr__(self) -> str:
        return f"Token({self.kind.value}{', revoked' if self.revoked else ''})"


class Tokens:
    """All tokens that were given out."""

    def __init__(self) -> None:
        self._tokens: dict[str, Token] = {}

    def add(self, token: Token) -> Token:
        """Accept it from now on."""
        self._tokens[token.secret] = token
        return token

    def all(self) -> tuple[Token, ...]:
        """All, also those that were revoked."""
        return tuple(self._tokens.values())

    def of(self, headers: Mapping[str, str]) -> Token | Problem:
        """The token that a request brings, or how every field of the request is refused."""
        if (secret := headers.get(PROJECT_HEADER)) is not None:
            token = self._valid(secret)
            return token if token is not None and token.kind is TokenKind.PROJECT else not_found("Project Token")
        authorization = headers.get("Authorization", "")
        token = self._valid(authorization.removeprefix(BEARER)) if authorization.startswith(BEARER) else None
        if token is None or token.kind is TokenKind.PROJECT:
            return not_authorized()
        return token

    def _valid(self, secret: str) -> Token | None:
        token = self._tokens.get(secret)
        return None if token is None or token.revoked else token
