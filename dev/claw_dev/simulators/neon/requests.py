"""Bodies of requests. Fields that the simulator does not use are ignored, as unknown ones are by Neon."""

import json
from datetime import datetime
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, Field, ValidationError

from claw_dev.simulators.neon.problems import malformed

Id = Field(default=None, pattern=r"^[a-z0-9-]{1,60}$")
SuspendTimeout = Field(default=None, ge=-1, le=604800)
ComputeUnits = Field(default=None, ge=0.25)


class EndpointOptions(BaseModel):
    """A compute that is made with its branch."""

    type: Literal["read_write", "read_only"]
    autoscaling_limit_min_cu: float | None = ComputeUnits
    autoscaling_limit_max_cu: float | None = ComputeUnits
    suspend_timeout_seconds: int | None = SuspendTimeout
    settings: dict[str, Any] = {}


class NewEndpoint(EndpointOptions):
    """A compute for a branch that exists."""

    branch_id: str
    disabled: bool = False
    name: str | None = None


class EndpointChange(BaseModel):
    """What is to be different. Fields that were not sent stay."""

    autoscaling_limit_min_cu: float | None = ComputeUnits
    autoscaling_limit_max_cu: float | None = ComputeUnits
    suspend_timeout_seconds: int | None = SuspendTimeout
    disabled: bool | None = None
    name: str | None = None


class NewBranch(BaseModel):
    """A branch; everything has a default."""

    name: str | None = Field(default=None, min_length=1, max_length=256)
    parent_id: str | None = Id
    protected: bool = False
    init_source: Literal["parent-data", "schema-only"] = "parent-data"
    expires_at: datetime | None = None


class BranchChange(BaseModel):
    """What is to be different. Fields that were not sent stay; `expires_at: null` clears it."""

    name: str | None = Field(default=None, min_length=1, max_length=256)
    protected: bool | None = None
    expires_at: datetime | None = None


class CreateBranch(BaseModel):
    """`POST /projects/{project_id}/branches`."""

    branch: NewBranch = NewBranch()
    endpoints: list[EndpointOptions] = []
    annotation_value: dict[str, str] | None = Field(default=None, max_length=50)


class UpdateBranch(BaseModel):
    """`PATCH /projects/{project_id}/branches/{branch_id}`."""

    branch: BranchChange


class CreateEndpoint(BaseModel):
    """`POST /projects/{project_id}/endpoints`."""

    endpoint: NewEndpoint


class UpdateEndpoint(BaseModel):
    """`PATCH /projects/{project_id}/endpoints/{endpoint_id}`."""

    endpoint: EndpointChange


class NewRole(BaseModel):
    """A role."""

    name: str = Field(min_length=1, max_length=63)


class CreateRole(BaseModel):
    """`POST …/branches/{branch_id}/roles`."""

    role: NewRole


class NewDatabase(BaseModel):
    """A database."""

    name: str = Field(min_length=1, max_length=63)
    owner_name: str


class CreateDatabase(BaseModel):
    """`POST …/branches/{branch_id}/databases`."""

    database: NewDatabase


class FirstBranch(BaseModel):
    """The default branch of a new project."""

    name: str = "main"
    role_name: str | None = None
    database_name: str = "neondb"
    annotations: dict[str, str] | None = Field(default=None, max_length=50)


class NewProject(BaseModel):
    """A project; everything has a default."""

    name: str | None = None
    region_id: str = "aws-us-east-2"
    pg_version: int = Field(default=17, ge=14, le=18)
    org_id: str | None = Id
    store_passwords: bool = True
    history_retention_seconds: int = Field(default=86400, ge=0, le=2592000)
    default_endpoint_settings: dict[str, Any] = {}
    settings: dict[str, Any] = {}
    branch: FirstBranch = FirstBranch()


class CreateProject(BaseModel):
    """`POST /projects`."""

    project: NewProject


class ProjectChange(BaseModel):
    """What is to be different. Fields that were not sent stay."""

    name: str | None = None
    settings: dict[str, Any] = {}
    default_endpoint_settings: dict[str, Any] = {}
    history_retention_seconds: int | None = Field(default=None, ge=0, le=2592000)


class UpdateProject(BaseModel):
    """`PATCH /projects/{project_id}`."""

    project: ProjectChange


BodyT = TypeVar("BodyT", bound=BaseModel)


def parsed(model: type[BodyT], body: bytes) -> BodyT:
    """The body; an empty one is an empty object. Raises NeonProblem 400."""
    try:
        return model.model_validate(json.loads(body) if body.strip() else {})
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise malformed(f"request body has an error: {place}: {first['msg']}") from None
    except ValueError:
        raise malformed("request body has an error: invalid JSON") from None
