"""The variables of the Railway driver, and of what it deploys."""

from typing import Literal

from pydantic import Field, SecretStr, ValidationInfo, field_validator
from pydantic_core import Url

from claw_crds.instance import REPOSITORY
from claw_operator.settings_drivers import DriverSettings, HttpUrl, Token, needed


class RailwaySettings(DriverSettings):
    """One Railway project in which every instance gets a service."""

    railway_api_url: HttpUrl = Field(default=Url("https://backboard.railway.com/graphql/v2"), alias="RAILWAY_API_URL")
    railway_token_kind: Literal["workspace", "account", "project"] = Field(
        default="workspace", alias="RAILWAY_TOKEN_KIND"
    )
    railway_project_id: str | None = Field(default=None, alias="RAILWAY_PROJECT_ID")
    railway_environment_id: str | None = Field(default=None, alias="RAILWAY_ENVIRONMENT_ID")
    railway_region: str | None = Field(default=None, alias="RAILWAY_REGION")
    railway_domain_scheme: Literal["https", "http"] = Field(default="https", alias="RAILWAY_DOMAIN_SCHEME")
    railway_calls_per_hour: int = Field(default=1000, alias="RAILWAY_CALLS_PER_HOUR", ge=10, le=1_000_000)
    railway_poll_seconds: float = Field(default=5.0, alias="RAILWAY_POLL_SECONDS", gt=0, le=300)

    clawdbot_repo: str | None = Field(default=None, alias="CLAWDBOT_REPO", pattern=REPOSITORY)
    clawdbot_ref: str = Field(default="main", alias="CLAWDBOT_REF")
    clawdbot_image: str | None = Field(default=None, alias="CLAWDBOT_IMAGE")
    clawdbot_registry_username: str | None = Field(default=None, alias="CLAWDBOT_REGISTRY_USERNAME")
    clawdbot_registry_password: Token | None = Field(default=None, alias="CLAWDBOT_REGISTRY_PASSWORD")

    @field_validator("railway_project_id")
    @classmethod
    def _is_the_fleets_project(cls, project: str | None, info: ValidationInfo) -> str | None:
        needed(project, info, "railway_token", "must be set: the id of the Railway project that holds the services")
        return project

    @field_validator("clawdbot_image")
    @classmethod
    def _is_one_source(cls, image: str | None, info: ValidationInfo) -> str | None:
        if "clawdbot_repo" not in info.data:  # it is wrong, and said so itself
            return image
        repository = info.data["clawdbot_repo"]
        if image and repository:
            raise ValueError("must not be set together with CLAWDBOT_REPO: keep the one that is to be deployed")
        needed(image or repository, info, "railway_token", "must be set, or else CLAWDBOT_REPO: what Railway deploys")
        return image

    @field_validator("clawdbot_registry_password")
    @classmethod
    def _is_a_pair(cls, password: SecretStr | None, info: ValidationInfo) -> SecretStr | None:
        if (password is None) is not (info.data.get("clawdbot_registry_username") is None):
            raise ValueError("must be set together with CLAWDBOT_REGISTRY_USERNAME, or neither")
        return password
