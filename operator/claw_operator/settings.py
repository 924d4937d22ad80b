"""The environment of the operator: validated once, at the start, and printed without its secrets."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, SecretStr, UrlConstraints, ValidationError, field_validator
from pydantic_core import Url
from pydantic_settings import BaseSettings, SettingsConfigDict

_IN_CLUSTER = Path("/var/run/secrets/kubernetes.io/serviceaccount/token")
_MODEL_API = "https://api.anthropic.com"

HttpUrl = Annotated[Url, UrlConstraints(allowed_schemes=["http", "https"])]


class Settings(BaseSettings):
    """Every variable that the operator reads. A wrong or missing one ends the start with its name."""

    # Values stay out of error messages: they would be printed, and some of them are secrets.
    model_config = SettingsConfigDict(env_ignore_empty=True, hide_input_in_errors=True, extra="ignore")

    kubeconfig: Path | None = Field(default=None, alias="KUBECONFIG", validate_default=True)
    namespace: str = Field(default="claw", alias="CLAW_NAMESPACE", pattern=r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$")
    host: str = Field(default="0.0.0.0", alias="HOST")  # noqa: S104 - probes come from outside the pod
    port: int = Field(default=8081, alias="PORT", ge=1, le=65535)
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(default="INFO", alias="CLAW_LOG_LEVEL")

    compute_driver: Literal["local"] = Field(default="local", alias="CLAW_COMPUTE_DRIVER")
    database_driver: Literal["postgres"] = Field(default="postgres", alias="CLAW_DATABASE_DRIVER")
    local_directory: Path = Field(alias="CLAW_LOCAL_DIRECTORY")
    postgres_admin_url: SecretStr = Field(alias="CLAW_POSTGRES_ADMIN_URL")

    model_base_url: HttpUrl = Field(default=Url(_MODEL_API), alias="ANTHROPIC_BASE_URL")
    model_api_key: SecretStr = Field(alias="ANTHROPIC_API_KEY", min_length=1)

    workers: int = Field(default=50, alias="CLAW_WORKERS", ge=1, le=1000)
    resync_seconds: float = Field(default=60.0, alias="CLAW_RESYNC_SECONDS", ge=1.0)
    shutdown_seconds: float = Field(default=20.0, alias="CLAW_SHUTDOWN_SECONDS", ge=0.0)

    @field_validator("kubeconfig")
    @classmethod
    def _is_an_api_server_that_is_meant(cls, path: Path | None) -> Path | None:
        if path is None and not _IN_CLUSTER.exists():
            # Never a person's current context by accident: it may be anybody's production.
            raise ValueError("must be set: this is no pod, and the current context is never used")
        if path is not None and not path.exists():
            raise ValueError(f"there is no file {path}")
        return path

    @field_validator("postgres_admin_url")
    @classmethod
    def _is_postgres(cls, url: SecretStr) -> SecretStr:
        if not url.get_secret_value().startswith(("postgresql://", "postgres://")):
            raise ValueError("must look like postgresql://user:password@host:port/postgres")
        return url

    @field_validator("model_base_url")
    @classmethod
    def _has_no_secret(cls, url: Url) -> Url:
        if url.username or url.password:
            raise ValueError("must hold no user and no password: it is printed at the start")
        return url


def complaints(error: ValidationError) -> list[str]:
    """What is wrong with the environment, a line for each variable, without its value."""
    variables = {name: field.alias for name, field in Settings.model_fields.items()}
    problems = error.errors(include_url=False, include_input=False)
    return [f"{variables.get(str(p['loc'][0]), p['loc'][0])}: {p['msg']}" for p in problems]
