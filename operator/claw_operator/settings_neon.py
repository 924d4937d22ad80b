"""The variables of the Neon driver."""

from typing import Literal

from pydantic import Field, ValidationInfo, field_validator
from pydantic_core import Url

from claw_operator.settings_drivers import DriverSettings, HttpUrl, needed


class NeonSettings(DriverSettings):
    """One Neon project in which every instance gets a branch, or an account in which it gets a project."""

    neon_api_url: HttpUrl = Field(default=Url("https://console.neon.tech/api/v2"), alias="NEON_API_URL")
    neon_isolation: Literal["branch", "project"] = Field(default="branch", alias="NEON_ISOLATION")
    neon_project_id: str | None = Field(default=None, alias="NEON_PROJECT_ID")
    neon_parent_branch: str | None = Field(default=None, alias="NEON_PARENT_BRANCH")
    neon_role: str = Field(default="neondb_owner", alias="NEON_ROLE")
    neon_database: str = Field(default="neondb", alias="NEON_DATABASE")
    neon_org_id: str | None = Field(default=None, alias="NEON_ORG_ID")
    neon_region: str | None = Field(default=None, alias="NEON_REGION")
    neon_calls_per_minute: int = Field(default=700, alias="NEON_CALLS_PER_MINUTE", ge=10, le=100_000)

    @field_validator("neon_project_id")
    @classmethod
    def _holds_the_branches(cls, project: str | None, info: ValidationInfo) -> str | None:
        if info.data.get("neon_isolation") == "branch":
            message = "must be set: the Neon project that holds the branches, or else NEON_ISOLATION=project"
            needed(project, info, "neon_api_key", message)
        return project
