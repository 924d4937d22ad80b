"""Which drivers an operator has, and the variables of the two that need no account.

A driver is there when its settings are: RAILWAY_TOKEN, NEON_API_KEY, CLAW_LOCAL_DIRECTORY, CLAW_POSTGRES_ADMIN_URL.
What else each needs is asked for by its own validators, which find in `info.data` what was read before them.
"""

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, UrlConstraints, ValidationInfo, field_validator
from pydantic_core import Url
from pydantic_settings import BaseSettings, SettingsConfigDict


def _has_no_secret(url: Url) -> Url:
    if url.username or url.password:
        raise ValueError("must hold no user and no password: it is printed at the start")
    return url


HttpUrl = Annotated[Url, UrlConstraints(allowed_schemes=["http", "https"]), AfterValidator(_has_no_secret)]


def _without_line_end(value: Any) -> Any:
    # Files and Secrets end with one, and it would make a header that no HTTP client sends.
    return value.strip() if isinstance(value, str) else value


Token = Annotated[SecretStr, BeforeValidator(_without_line_end), Field(min_length=1)]


class DriverSettings(BaseSettings):
    """What decides which drivers there are. It is read before everything else."""

    # Values stay out of error messages: they would be printed, and some of them are secrets.
    model_config = SettingsConfigDict(
        frozen=True, env_ignore_empty=True, hide_input_in_errors=True, extra="ignore", validate_default=True
    )

    railway_token: Token | None = Field(default=None, alias="RAILWAY_TOKEN")
    neon_api_key: Token | None = Field(default=None, alias="NEON_API_KEY")
    compute_driver: Literal["local", "railway"] = Field(
        default_factory=lambda data: "railway" if data.get("railway_token") else "local", alias="CLAW_COMPUTE_DRIVER"
    )
    database_driver: Literal["postgres", "neon"] = Field(
        default_factory=lambda data: "neon" if data.get("neon_api_key") else "postgres", alias="CLAW_DATABASE_DRIVER"
    )

    @field_validator("compute_driver")
    @classmethod
    def _has_its_token(cls, driver: str, info: ValidationInfo) -> str:
        if driver == "railway" and not info.data.get("railway_token"):
            raise ValueError("is railway: set RAILWAY_TOKEN, too")
        return driver

    @field_validator("database_driver")
    @classmethod
    def _has_its_key(cls, driver: str, info: ValidationInfo) -> str:
        if driver == "neon" and not info.data.get("neon_api_key"):
            raise ValueError("is neon: set NEON_API_KEY, too")
        return driver


class LocalSettings(DriverSettings):
    """Computes and databases of this machine."""

    local_directory: Path | None = Field(default=None, alias="CLAW_LOCAL_DIRECTORY")
    postgres_admin_url: SecretStr | None = Field(default=None, alias="CLAW_POSTGRES_ADMIN_URL")

    @field_validator("local_directory")
    @classmethod
    def _is_there_for_local(cls, directory: Path | None, info: ValidationInfo) -> Path | None:
        if directory is None and info.data.get("compute_driver") == "local":
            raise ValueError("must be set: a directory for the local driver, or else RAILWAY_TOKEN for Railway")
        return directory

    @field_validator("postgres_admin_url")
    @classmethod
    def _is_postgres(cls, url: SecretStr | None, info: ValidationInfo) -> SecretStr | None:
        if url is None and info.data.get("database_driver") == "postgres":
            raise ValueError("must be set: a server for the postgres driver, or else NEON_API_KEY for Neon")
        if url is not None and not url.get_secret_value().startswith(("postgresql://", "postgres://")):
            raise ValueError("must look like postgresql://user:password@host:port/postgres")
        return url


def needed(value: Any, info: ValidationInfo, switch: str, message: str) -> None:
    """Raise ValueError when the value is missing although the driver is there whose field `switch` is set."""
    if value is None and info.data.get(switch) is not None:
        raise ValueError(message)
