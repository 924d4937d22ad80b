"""The environment of the operator: validated once, at the start, and printed without its secrets."""

from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationError, field_validator
from pydantic_core import Url

from claw_operator.settings_drivers import HttpUrl, LocalSettings, Token
from claw_operator.settings_neon import NeonSettings
from claw_operator.settings_railway import RailwaySettings
from claw_operator.settings_shared import SharedSettings

_IN_CLUSTER = Path("/var/run/secrets/kubernetes.io/serviceaccount/token")
_MODEL_API = "https://api.anthropic.com"


class Settings(RailwaySettings, NeonSettings, LocalSettings, SharedSettings):
    """Every variable that the operator reads. A wrong or missing one ends the start with its name."""

    kubeconfig: Path | None = Field(default=None, alias="KUBECONFIG")
    namespace: str = Field(default="claw", alias="CLAW_NAMESPACE", pattern=r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$")
    host: str = Field(default="0.0.0.0", alias="HOST")  # noqa: S104 - probes come from outside the pod
    port: int = Field(default=8081, alias="PORT", ge=1, le=65535)
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(default="INFO", alias="CLAW_LOG_LEVEL")

    model_base_url: HttpUrl = Field(default=Url(_MODEL_API), alias="ANTHROPIC_BASE_URL")
    model_api_key: Token = Field(alias="ANTHROPIC_API_KEY")

    workers: int = Field(default=100, alias="CLAW_WORKERS", ge=1, le=1000)
    resync_seconds: float = Field(default=60.0, alias="CLAW_RESYNC_SECONDS", ge=1.0)
    shutdown_seconds: float = Field(default=20.0, alias="CLAW_SHUTDOWN_SECONDS", ge=0.0)

    sweep_seconds: float = Field(default=600.0, alias="CLAW_SWEEP_SECONDS", ge=1.0)
    orphan_grace_seconds: float = Field(default=3600.0, alias="CLAW_ORPHAN_GRACE_SECONDS", ge=0.0)
    orphan_deletion: bool = Field(default=True, alias="CLAW_ORPHAN_DELETION")

    @field_validator("kubeconfig")
    @classmethod
    def _is_an_api_server_that_is_meant(cls, path: Path | None) -> Path | None:
        if path is None and not _IN_CLUSTER.exists():
            # Never a person's current context by accident: it may be anybody's production.
            raise ValueError("must be set: this is no pod, and the current context is never used")
        if path is not None and not path.exists():
            raise ValueError(f"there is no file {path}")
        return path


def complaints(error: ValidationError) -> list[str]:
    """What is wrong with the environment, a line for each variable, without its value."""
    variables = {name: field.alias for name, field in Settings.model_fields.items()}
    lines = []
    for problem in error.errors(include_url=False, include_input=False):
        field, kind = str(problem["loc"][0]), problem["type"]
        if kind == "default_factory_not_called":  # follows from another line
            continue
        said = "must be set" if kind == "missing" else problem["msg"].removeprefix("Value error, ")
        lines.append(f"{variables.get(field, field)}: {said}")
    return lines
