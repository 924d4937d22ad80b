"""What the Railway driver is told about the account it works in."""

from dataclasses import dataclass, field
from typing import Literal

TokenKind = Literal["account", "workspace", "project"]


@dataclass(frozen=True)
class RailwayOptions:
    """Settings of one driver. Secrets show in no repr."""

    url: str
    """The GraphQL endpoint."""
    token: str = field(repr=False)
    project_id: str
    token_kind: TokenKind = "workspace"
    environment_id: str | None = None
    """None: the project token's own, else the project's only one."""
    domain_scheme: str = "https"
    """A simulator's domains have no certificates."""
    registry_username: str | None = None
    registry_password: str | None = field(default=None, repr=False)
    region: str | None = None
    """For instances whose spec names none; None leaves it to Railway."""
    poll_seconds: float = 5.0
    settle_seconds: float | None = None
    """How long reads may lag writes; None: three polls."""

    @property
    def settle(self) -> float:
        """How long reads may lag writes, in seconds."""
        return 3 * self.poll_seconds if self.settle_seconds is None else self.settle_seconds

    @property
    def registry(self) -> tuple[str, str] | None:
        """User name and password of a private registry."""
        if not self.registry_username or not self.registry_password:
            return None
        return self.registry_username, self.registry_password

    @property
    def token_header(self) -> tuple[str, str]:
        """A project token has a header of its own; Railway refuses it as a Bearer, and the others without."""
        if self.token_kind == "project":
            return "Project-Access-Token", self.token
        return "Authorization", f"Bearer {self.token}"
