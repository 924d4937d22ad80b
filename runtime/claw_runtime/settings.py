"""What a blank runtime needs to boot, from the environment. Everything about the customer arrives later, by PUT.

Read without pydantic-settings, which our other services use: a tenth of a cold start would go into loading it.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Self

from pydantic import AnyHttpUrl, BaseModel, ConfigDict, Field, SecretStr, StringConstraints, field_validator

from claw_crds import configuration as wire
from claw_crds.configuration import (
    ENV_CONFIGURATION_TOKEN_SHA256,
    ENV_DATABASE_URL,
    ENV_FINGERPRINT,
    ENV_HOST,
    ENV_MODEL_API_KEY,
    ENV_MODEL_BASE_URL,
    ENV_PORT,
    ENV_WORKSPACE_DIR,
)


class Settings(BaseModel):
    """The environment, validated once. Secrets print as asterisks."""

    host: str = Field(default="0.0.0.0", alias=ENV_HOST)  # noqa: S104 - a container is reached from outside it
    port: int = Field(alias=ENV_PORT, ge=0, le=65535, description="0 takes a free one.")
    database_url: SecretStr = Field(alias=ENV_DATABASE_URL)
    configuration_token_sha256: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")] = Field(
        alias=ENV_CONFIGURATION_TOKEN_SHA256, repr=False
    )
    model_base_url: AnyHttpUrl = Field(default=AnyHttpUrl("https://api.anthropic.com"), alias=ENV_MODEL_BASE_URL)
    model_api_key: SecretStr = Field(alias=ENV_MODEL_API_KEY, min_length=1)
    workspace_dir: Path = Field(default=Path("workspace"), alias=ENV_WORKSPACE_DIR)
    fingerprint: str | None = Field(default=None, alias=ENV_FINGERPRINT)
    encryption_key: SecretStr | None = Field(default=None, alias=wire.ENV_ENCRYPTION_KEY)
    front_url: AnyHttpUrl | None = Field(default=None, alias=wire.ENV_FRONT_URL)
    google_client_id: str | None = Field(default=None, alias=wire.ENV_GOOGLE_CLIENT_ID)
    google_client_secret: SecretStr | None = Field(default=None, alias=wire.ENV_GOOGLE_CLIENT_SECRET)
    google_topic: str | None = Field(default=None, alias=wire.ENV_GOOGLE_TOPIC)
    google_push_account: str | None = Field(default=None, alias=wire.ENV_GOOGLE_PUSH_ACCOUNT)
    google_url: AnyHttpUrl | None = Field(default=None, alias=wire.ENV_GOOGLE_URL)
    search_url: AnyHttpUrl | None = Field(default=None, alias=wire.ENV_SEARCH_URL)
    search_api_key: SecretStr | None = Field(default=None, alias=wire.ENV_SEARCH_API_KEY)
    embeddings_url: AnyHttpUrl | None = Field(default=None, alias=wire.ENV_EMBEDDINGS_URL)
    embeddings_api_key: SecretStr | None = Field(default=None, alias=wire.ENV_EMBEDDINGS_API_KEY)
    embeddings_model: str | None = Field(default=None, alias=wire.ENV_EMBEDDINGS_MODEL)
    snapshot_url: str | None = Field(default=None, alias=wire.ENV_SNAPSHOT_URL, pattern=r"^s3://[a-z0-9.-]+(/.*)?$")
    snapshot_endpoint: AnyHttpUrl | None = Field(default=None, alias=wire.ENV_SNAPSHOT_ENDPOINT)
    snapshot_access_key_id: str | None = Field(default=None, alias=wire.ENV_SNAPSHOT_ACCESS_KEY_ID)
    snapshot_secret_access_key: SecretStr | None = Field(default=None, alias=wire.ENV_SNAPSHOT_SECRET_ACCESS_KEY)

    model_config = ConfigDict(frozen=True, populate_by_name=True, hide_input_in_errors=True, extra="ignore")

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> Self:
        """From these variables, of which an empty one counts as not set. Raises pydantic's ValidationError."""
        return cls.model_validate({name: value for name, value in environment.items() if value})

    @field_validator("database_url")
    @classmethod
    def _is_postgres(cls, url: SecretStr) -> SecretStr:
        if not url.get_secret_value().startswith(("postgresql://", "postgres://")):
            raise ValueError("must be a URL that begins with postgresql://")
        return url
