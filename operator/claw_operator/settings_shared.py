"""What all runtimes share beyond the model: read here, judged here, and handed on.

Each is optional, and what depends on it is simply not offered. A value that a runtime could not use ends the
operator's start instead of that of every runtime. A change of any of them deploys every runtime once.
"""

from pydantic import Field, SecretStr
from pydantic_core import Url
from pydantic_settings import BaseSettings, SettingsConfigDict

from claw_crds import configuration as wire
from claw_operator.settings_drivers import HttpUrl, Token


class SharedSettings(BaseSettings):
    """The variables of `wire.SHARED_VARIABLES`."""

    model_config = SettingsConfigDict(frozen=True, env_ignore_empty=True, hide_input_in_errors=True, extra="ignore")

    front_url: HttpUrl | None = Field(default=None, alias=wire.ENV_FRONT_URL)
    google_client_id: str | None = Field(default=None, alias=wire.ENV_GOOGLE_CLIENT_ID)
    google_client_secret: Token | None = Field(default=None, alias=wire.ENV_GOOGLE_CLIENT_SECRET)
    google_topic: str | None = Field(
        default=None, alias=wire.ENV_GOOGLE_TOPIC, pattern=r"^projects/[a-z0-9:.-]+/topics/[A-Za-z0-9._~%+-]+$"
    )
    google_push_account: str | None = Field(
        default=None, alias=wire.ENV_GOOGLE_PUSH_ACCOUNT, pattern=r"^[^@\s]+@[^@\s]+$"
    )
    google_url: HttpUrl | None = Field(default=None, alias=wire.ENV_GOOGLE_URL)
    search_url: HttpUrl | None = Field(default=None, alias=wire.ENV_SEARCH_URL)
    search_api_key: Token | None = Field(default=None, alias=wire.ENV_SEARCH_API_KEY)
    embeddings_url: HttpUrl | None = Field(default=None, alias=wire.ENV_EMBEDDINGS_URL)
    embeddings_api_key: Token | None = Field(default=None, alias=wire.ENV_EMBEDDINGS_API_KEY)
    embeddings_model: str | None = Field(default=None, alias=wire.ENV_EMBEDDINGS_MODEL)
    snapshot_url: str | None = Field(default=None, alias=wire.ENV_SNAPSHOT_URL, pattern=r"^s3://[a-z0-9.-]+(/.*)?$")
    snapshot_endpoint: HttpUrl | None = Field(default=None, alias=wire.ENV_SNAPSHOT_ENDPOINT)
    snapshot_access_key_id: str | None = Field(default=None, alias=wire.ENV_SNAPSHOT_ACCESS_KEY_ID)
    snapshot_secret_access_key: Token | None = Field(default=None, alias=wire.ENV_SNAPSHOT_SECRET_ACCESS_KEY)

    def handed_on(self) -> dict[str, str]:
        """Those that are set, as every runtime's environment gets them. The values may be secrets."""
        return {
            field.alias: _text(value)
            for name, field in SharedSettings.model_fields.items()
            if field.alias is not None and (value := getattr(self, name)) is not None
        }


def _text(value: str | Url | SecretStr) -> str:
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    return str(value).rstrip("/") if isinstance(value, Url) else value
