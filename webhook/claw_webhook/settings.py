"""The environment, read and checked once at start; a wrong or missing variable is named before anything is opened."""

from dataclasses import dataclass, field
from email.errors import HeaderParseError
from email.headerregistry import Address
from email.utils import getaddresses
from typing import Annotated, Any, Literal
from urllib.parse import unquote, urlsplit

from pydantic import Field, FilePath, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict


@dataclass(frozen=True)
class MailServer:
    """Where mails are handed over."""

    host: str
    port: int
    tls: bool
    """TLS from the first byte (smtps). Without it STARTTLS is used where the server offers it."""
    username: str | None = None
    password: str | None = field(default=None, repr=False)

    @classmethod
    def parse(cls, url: str) -> "MailServer":
        """From `smtp[s]://user:password@host:port`, user and password percent-encoded. Raises ValueError."""
        parts = urlsplit(url)
        if parts.scheme not in {"smtp", "smtps"} or not parts.hostname:
            raise ValueError("must look like smtp://host:port or smtps://user:password@host:port")
        if parts.path not in {"", "/"} or parts.query or parts.fragment:
            raise ValueError("takes nothing after the port")
        tls = parts.scheme == "smtps"
        return cls(
            host=parts.hostname,
            port=parts.port or (465 if tls else 25),
            tls=tls,
            username=unquote(parts.username) if parts.username else None,
            password=unquote(parts.password) if parts.password else None,
        )


class Settings(BaseSettings):
    """Every variable that the webhook service reads; each field is called as its variable, in lower case."""

    # Values stay out of error messages: they would be printed, and some of them are secrets.
    model_config = SettingsConfigDict(frozen=True, extra="ignore", env_ignore_empty=True, hide_input_in_errors=True)

    host: str = "0.0.0.0"  # noqa: S104  # a container is reached through the port that its platform publishes
    port: Annotated[int, Field(ge=0, le=65535)] = 8080
    public_url: str
    database_url: Annotated[SecretStr, Field(min_length=1)]
    stripe_secret_key: Annotated[SecretStr, Field(min_length=1)]
    stripe_webhook_secret: Annotated[tuple[SecretStr, ...], NoDecode]
    stripe_api_url: str = "https://api.stripe.com"
    stripe_portal_configuration: Annotated[str, Field(pattern=r"^bpc_[A-Za-z0-9_]{1,250}$")] | None = None
    smtp_url: SecretStr
    smtp_ca_file: FilePath | None = None
    mail_from: str
    claw_namespace: Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$")] = "claw"
    kubeconfig: FilePath | None = None
    claw_google_client_id: str | None = None
    """As the operator hands it to the runtimes. Without it, no page offers to connect a Google account."""
    claw_google_url: str = "https://accounts.google.com"
    claw_billing_sweep_seconds: Annotated[float, Field(ge=1)] = 3600.0
    claw_log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"

    @field_validator("public_url", "stripe_api_url", "claw_google_url")
    @classmethod
    def _is_web_address(cls, url: str) -> str:
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment:
            raise ValueError("must be an http:// or https:// address")
        return url.rstrip("/")

    @field_validator("stripe_webhook_secret", mode="before")
    @classmethod
    def _splits_at_commas(cls, value: Any) -> Any:
        """While a secret is rolled, Stripe signs with the old and the new one, and both must be accepted."""
        if not isinstance(value, str):
            return value
        secrets = tuple(part.strip() for part in value.split(",") if part.strip())
        if not secrets:
            raise ValueError("must hold at least one signing secret (whsec_…)")
        return secrets

    @field_validator("smtp_url")
    @classmethod
    def _is_mail_server(cls, url: SecretStr) -> SecretStr:
        MailServer.parse(url.get_secret_value())
        return url

    @field_validator("mail_from")
    @classmethod
    def _is_one_address(cls, text: str) -> str:
        _mailbox(text)
        return text

    @property
    def mail_server(self) -> MailServer:
        """Where mails are handed over."""
        return MailServer.parse(self.smtp_url.get_secret_value())

    @property
    def sender(self) -> Address:
        """Whom mails come from."""
        return _mailbox(self.mail_from)

    def redacted(self) -> dict[str, Any]:
        """The settings as they may be logged: secrets are stars."""
        return self.model_dump(mode="json")


class InvalidSettings(Exception):
    """The environment is not usable. The message has one line for each wrong variable."""


def load_settings() -> Settings:
    """The settings from the environment. Raises InvalidSettings."""
    try:
        return Settings()
    except ValidationError as error:
        lines = [
            f"{str(fault['loc'][0]).upper()}: {fault['msg'].removeprefix('Value error, ')}" for fault in error.errors()
        ]
        raise InvalidSettings("\n".join(lines)) from None


def _mailbox(text: str) -> Address:
    mailboxes = getaddresses([text])
    if len(mailboxes) != 1 or not text.isprintable():
        raise ValueError(_NO_MAILBOX)
    name, address = mailboxes[0]
    try:
        return Address(display_name=name, addr_spec=address)
    except (ValueError, IndexError, HeaderParseError) as error:
        raise ValueError(_NO_MAILBOX) from error


_NO_MAILBOX = "must be one address, for example: Claw <hello@example.com>"
