"""ClawInstance: what one customer gets. The spec is wished, the status is observed."""

from enum import StrEnum
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, StringConstraints

from claw_crds.conditions import Condition
from claw_crds.plan import ModelName, PlanName, SkillName
from claw_crds.resource import Model, ObjectMeta, Timestamp, rule, validated

# A customer's words go into prompts, files and mails. Control characters have no business in any of them, and a
# line break in a name or an address is how headers are forged. Only `instructions` and file contents are text of
# several lines. Written without lookarounds: the API server's regular expressions are RE2.
LINE = r"^[^\x00-\x1f\x7f\u2028\u2029\u202a-\u202e\u2066-\u2069]*$"
DRIVER = r"^[a-z][a-z0-9-]{0,31}$"


class State(StrEnum):
    """Whether the customer is served."""

    RUNNING = "Running"
    SUSPENDED = "Suspended"


class DeletionPolicy(StrEnum):
    """What happens to the database when the instance is deleted."""

    DELETE = "Delete"
    RETAIN = "Retain"
    ARCHIVE = "Archive"


class Customer(Model):
    """Who pays."""

    id: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,127}$", max_length=128)] = Field(
        description="The customer's id, for example Stripe's cus_….",
        json_schema_extra=validated(rule("self == oldSelf", "an instance cannot be given to another customer")),
    )
    email: Annotated[str, StringConstraints(pattern=r"^[^\s@<>,;:\"\\]{1,64}@[^\s@<>,;:\"\\]{1,189}$", max_length=254)]
    name: Annotated[str, StringConstraints(pattern=LINE, max_length=200)] | None = None
    company: Annotated[str, StringConstraints(pattern=LINE, max_length=200)] | None = None
    timezone: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_+-]+(/[A-Za-z0-9_+-]+){0,2}$", max_length=64)] = (
        Field(default="UTC", description="IANA name.")
    )
    locale: Annotated[str, StringConstraints(pattern=r"^[A-Za-z]{2,3}([_-][A-Za-z0-9]{2,8}){0,2}$", max_length=16)] = (
        Field(default="en", description="BCP 47 tag.")
    )


class PlanRef(Model):
    """The ClawPlan that was bought."""

    name: PlanName


class RuntimeSource(Model):
    """Where the runtime comes from; the operator's default when empty."""

    image: Annotated[str, StringConstraints(pattern=r"^[a-z0-9][A-Za-z0-9._/:@-]*$", max_length=255)] | None = None
    repository: (
        Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.-]+/[A-Za-z0-9_.-]+$", max_length=140)] | None
    ) = Field(default=None, description="owner/name on GitHub.")
    ref: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_./-]*$", max_length=255)] | None = Field(
        default=None, description="Branch of the repository."
    )


class Assistant(Model):
    """How the assistant presents itself."""

    name: Annotated[str, StringConstraints(pattern=LINE, max_length=63)] = "Claw"
    persona: Annotated[str, StringConstraints(max_length=4000)] | None = Field(
        default=None, description="Goes into SOUL.md when the workspace is first written."
    )
    model: ModelName | None = Field(default=None, description="The plan's default when absent.")
    instructions: Annotated[str, StringConstraints(max_length=20_000)] | None = Field(
        default=None, description="Standing orders, part of every prompt."
    )


SkillSet = Annotated[tuple[SkillName, ...], Field(max_length=64, json_schema_extra={"x-kubernetes-list-type": "set"})]


class Skills(Model):
    """Choices among the skills that the plan offers."""

    enabled: SkillSet = ()
    disabled: SkillSet = ()


class WorkspaceFile(Model):
    """A file that the workspace starts with, instead of the default of the same name."""

    path: Annotated[
        str,
        StringConstraints(
            pattern=r"^[A-Za-z0-9_-][A-Za-z0-9._-]*(/[A-Za-z0-9_-][A-Za-z0-9._-]*){0,4}$", max_length=128
        ),
    ]
    content: Annotated[str, StringConstraints(max_length=20_000)]


class Workspace(Model):
    """What the assistant starts with. Only written where the file does not exist yet."""

    files: Annotated[
        tuple[WorkspaceFile, ...],
        Field(
            max_length=32, json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["path"]}
        ),
    ] = ()


class DriverChoice(Model):
    """Which driver makes the external resource; the operator's default when absent."""

    driver: Annotated[str, StringConstraints(pattern=DRIVER, max_length=32)] = Field(
        json_schema_extra=validated(rule("self == oldSelf", "a driver cannot be changed: the data would stay behind"))
    )


class ClawInstanceSpec(Model):
    """What one customer is to have. The operator never writes here."""

    customer: Customer
    plan_ref: PlanRef
    state: State = State.RUNNING
    region: Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$", max_length=63)] | None = None
    runtime: RuntimeSource = Field(
        default=RuntimeSource(),
        json_schema_extra=validated(
            rule("!(has(self.image) && has(self.repository))", "give an image or a repository, not both"),
            rule("!has(self.ref) || has(self.repository)", "a ref needs a repository"),
        ),
    )
    assistant: Assistant = Assistant()
    skills: Skills = Field(
        default=Skills(),
        json_schema_extra=validated(
            rule(
                "!has(self.enabled) || !has(self.disabled) || !self.enabled.exists(s, s in self.disabled)",
                "a skill cannot be both enabled and disabled",
            )
        ),
    )
    workspace: Workspace = Workspace()
    deletion_policy: DeletionPolicy = DeletionPolicy.DELETE
    credentials_revision: Annotated[int, Field(ge=1, le=1_000_000)] = Field(
        default=1,
        description="Raise it to get a new API key; the old one works for another hour.",
        json_schema_extra=validated(rule("self >= oldSelf", "credentialsRevision can only be raised")),
    )
    provisioning_deadline_seconds: Annotated[int, Field(ge=10, le=86_400)] = Field(
        default=600, description="When an instance that was never ready is rolled back and marked Failed."
    )
    compute: DriverChoice | None = None
    database: DriverChoice | None = None

    model_config = Model.model_config | {
        "json_schema_extra": validated(
            rule(
                "has(self.compute) == has(oldSelf.compute) && has(self.database) == has(oldSelf.database)",
                "a driver cannot be added or removed: the data would stay behind",
            )
        )
    }


class SecretRef(Model):
    """A Secret in the instance's own namespace."""

    name: str


class ComputeStatus(Model):
    """The compute as last observed. A cache: one pass rebuilds it."""

    driver: str
    id: str | None = None
    deployment_id: str | None = None
    state: str | None = None


class DatabaseStatus(Model):
    """The database as last observed. A cache, too."""

    driver: str
    id: str | None = None
    host: str | None = None
    size_bytes: int | None = None


class RuntimeStatus(Model):
    """What the runtime said of itself."""

    version: str | None = None
    configuration_revision: str | None = None
    last_probe_time: Timestamp | None = Field(
        default=None, description="Written with other changes only: a status that changes every minute never rests."
    )


class UsageStatus(Model):
    """Usage of the running month."""

    period_start: Timestamp
    messages_used: int = 0
    messages_limit: int | None = None
    input_tokens: int = 0
    output_tokens: int = 0
    api_calls: int = 0


class StepTiming(Model):
    """How long one step of provisioning took."""

    name: str
    seconds: float


class ProvisioningStatus(Model):
    """From the wish to the first answer."""

    requested_at: Timestamp
    ready_at: Timestamp | None = None
    seconds: float | None = None
    steps: tuple[StepTiming, ...] = ()
    failed_generation: int | None = Field(
        default=None, description="The generation that missed its deadline and was rolled back."
    )


class CostStatus(Model):
    """Cost of the running month and what remains of the price."""

    monthly: int = Field(description="In the price's smallest unit.")
    margin: int = Field(description="Percent of the price.")


class CredentialsStatus(Model):
    """Which keys are valid. Never a key."""

    revision: int
    rotated_at: Timestamp | None = None


class ClawInstanceStatus(Model):
    """What is. Reproducible: delete it whole, and one pass rebuilds it."""

    observed_generation: int | None = None
    conditions: Annotated[
        tuple[Condition, ...],
        Field(json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"]}),
    ] = ()
    url: str | None = None
    credentials_secret_ref: SecretRef | None = None
    credentials: CredentialsStatus | None = None
    compute: ComputeStatus | None = None
    database: DatabaseStatus | None = None
    runtime: RuntimeStatus | None = None
    usage: UsageStatus | None = None
    provisioning: ProvisioningStatus | None = None
    cost: CostStatus | None = None


class ClawInstance(Model):
    """One customer's assistant."""

    KIND: ClassVar[str] = "ClawInstance"
    PLURAL: ClassVar[str] = "clawinstances"

    api_version: Literal["claw.dev/v1alpha1"] = "claw.dev/v1alpha1"
    kind: Literal["ClawInstance"] = "ClawInstance"
    metadata: ObjectMeta
    spec: ClawInstanceSpec
    status: ClawInstanceStatus = ClawInstanceStatus()

    @classmethod
    def parse(cls, body: dict[str, Any]) -> "ClawInstance":
        """The object as the API server holds it. Raises pydantic.ValidationError."""
        return cls.model_validate(body)
