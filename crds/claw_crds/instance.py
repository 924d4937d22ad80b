"""ClawInstance: what one customer gets. The spec is wished, the status is observed."""

from enum import StrEnum
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, StringConstraints, ValidationError

from claw_crds.conditions import Condition, ConditionType
from claw_crds.plan import ModelName, PlanName, SkillName
from claw_crds.resource import EMAIL, LINE, TEXT, Model, ObjectMeta, Timestamp, rule, validated

DRIVER = r"^[a-z][a-z0-9-]{0,31}$"
REPOSITORY = r"^[A-Za-z0-9][A-Za-z0-9-]{0,38}/[A-Za-z0-9_-][A-Za-z0-9_.-]{0,99}$"

DOMAIN = r"^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,63}$"

MAX_NAME_LENGTH = 51
"""Of an instance, so that the name of its Secret, `<name>-credentials`, fits wherever a label's value does."""

Id = Annotated[str, StringConstraints(max_length=255)]
"""Somebody else's name for a thing."""


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
    email: Annotated[str, StringConstraints(pattern=EMAIL, max_length=254)] = Field(
        description="Where the welcome mail goes."
    )
    name: Annotated[str, StringConstraints(pattern=LINE, max_length=200)] | None = Field(
        default=None, description="What the assistant calls the customer."
    )
    company: Annotated[str, StringConstraints(pattern=LINE, max_length=200)] | None = Field(
        default=None, description="Who the customer works for."
    )
    timezone: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_+-]+(/[A-Za-z0-9_+-]+){0,2}$", max_length=64)] = (
        Field(default="UTC", description="IANA name.")
    )
    locale: Annotated[str, StringConstraints(pattern=r"^[A-Za-z]{2,3}([_-][A-Za-z0-9]{2,8}){0,2}$", max_length=16)] = (
        Field(default="en", description="BCP 47 tag.")
    )


class PlanRef(Model):
    """The ClawPlan that was bought."""

    name: PlanName = Field(description="Name of the ClawPlan.")


class RuntimeSource(Model):
    """Where the runtime comes from; the operator's default when empty."""

    image: Annotated[str, StringConstraints(pattern=r"^[a-z0-9][A-Za-z0-9._/:@-]*$", max_length=255)] | None = Field(
        default=None, description="A container image."
    )
    repository: Annotated[str, StringConstraints(pattern=REPOSITORY, max_length=140)] | None = Field(
        default=None, description="owner/name on GitHub."
    )
    ref: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_./-]*$", max_length=255)] | None = Field(
        default=None, description="Branch of the repository."
    )


class Assistant(Model):
    """How the assistant presents itself."""

    name: Annotated[str, StringConstraints(pattern=LINE, max_length=63)] = Field(
        default="Claw", description="What the assistant calls itself."
    )
    persona: Annotated[str, StringConstraints(pattern=TEXT, max_length=4000)] | None = Field(
        default=None, description="Goes into SOUL.md when the workspace is first written."
    )
    model: ModelName | None = Field(default=None, description="The plan's default when absent.")
    instructions: Annotated[str, StringConstraints(pattern=TEXT, max_length=20_000)] | None = Field(
        default=None, description="Standing orders, part of every prompt."
    )


SkillSet = Annotated[tuple[SkillName, ...], Field(max_length=64, json_schema_extra={"x-kubernetes-list-type": "set"})]


class Skills(Model):
    """Choices among the skills that the plan offers."""

    enabled: SkillSet = Field(default=(), description="Switched on from the start.")
    disabled: SkillSet = Field(default=(), description="Switched off from the start.")


class WorkspaceFile(Model):
    """A file that the workspace starts with, instead of the default of the same name."""

    path: Annotated[
        str,
        StringConstraints(
            pattern=r"^[A-Za-z0-9_-][A-Za-z0-9._-]*(/[A-Za-z0-9_-][A-Za-z0-9._-]*){0,4}$", max_length=128
        ),
    ] = Field(description="Relative, without hidden parts: SOUL.md or memory/2026-01-31.md.")
    content: Annotated[str, StringConstraints(pattern=TEXT, max_length=20_000)] = Field(description="UTF-8 text.")


class Workspace(Model):
    """What the assistant starts with. Only written where the file does not exist yet."""

    files: Annotated[
        tuple[WorkspaceFile, ...],
        Field(
            max_length=32, json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["path"]}
        ),
    ] = Field(default=(), description="At most one for each path.")


class DriverChoice(Model):
    """Which driver makes the external resource; the operator's default when absent."""

    driver: Annotated[str, StringConstraints(pattern=DRIVER, max_length=32)] = Field(
        description="railway or local for compute, neon or postgres for the database.",
        json_schema_extra=validated(rule("self == oldSelf", "a driver cannot be changed: the data would stay behind")),
    )


class ClawInstanceSpec(Model):
    """What one customer is to have. The operator never writes here."""

    customer: Customer
    plan_ref: PlanRef
    state: State = State.RUNNING
    delete_after: Timestamp | None = Field(
        default=None, description="When the data of an ended subscription is to go; only of a suspended instance."
    )
    region: Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$", max_length=63)] | None = Field(
        default=None, description="Where compute and database are made; the drivers' default when absent."
    )
    domain: Annotated[str, StringConstraints(pattern=DOMAIN, max_length=253)] | None = Field(
        default=None, description="A domain of the customer's own, for example chat.example.com."
    )
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
    compute: DriverChoice | None = Field(default=None, description="Choice of the compute's driver.")
    database: DriverChoice | None = Field(default=None, description="Choice of the database's driver.")

    model_config = Model.model_config | {
        "json_schema_extra": validated(
            rule(
                "has(self.compute) == has(oldSelf.compute) && has(self.database) == has(oldSelf.database)",
                "a driver cannot be added or removed: the data would stay behind",
            ),
            rule(
                "!has(self.deleteAfter) || (has(self.state) && self.state == 'Suspended')",
                "only a suspended instance has a deleteAfter: who is served is not deleted",
            ),
        )
    }


class SecretRef(Model):
    """A Secret in the instance's own namespace."""

    name: Annotated[str, StringConstraints(max_length=253)] = Field(description="Name of the Secret.")


class DomainStatus(Model):
    """The customer's own domain."""

    name: Annotated[str, StringConstraints(max_length=253)] = Field(description="As wished in the spec.")
    records: Annotated[tuple[Annotated[str, StringConstraints(max_length=512)], ...], Field(max_length=16)] = Field(
        default=(), description="DNS records that its owner still has to set; none when it works."
    )


class ComputeStatus(Model):
    """The compute as last observed. A cache: one pass rebuilds it."""

    driver: Id = Field(description="Which driver made it.")
    id: Id | None = Field(default=None, description="The provider's id.")
    deployment_id: Id | None = Field(default=None, description="The provider's id of the newest deployment.")
    state: Id | None = Field(default=None, description="What it is doing, for example Running.")
    domain: DomainStatus | None = None


class DatabaseStatus(Model):
    """The database as last observed. A cache, too."""

    driver: Id = Field(description="Which driver made it.")
    id: Id | None = Field(default=None, description="The provider's id.")
    host: Id | None = Field(default=None, description="The server it is on.")
    size_bytes: int | None = Field(default=None, description="What the data takes.")


class RuntimeStatus(Model):
    """What the runtime said of itself."""

    version: Id | None = Field(default=None, description="Of the runtime's code.")
    configuration_revision: Id | None = Field(default=None, description="Of the configuration that is in effect.")
    last_probe_time: Timestamp | None = Field(
        default=None, description="Written with other changes only: a status that changes every minute never rests."
    )


class UsageStatus(Model):
    """Usage of the running month."""

    period_start: Timestamp = Field(description="When the month began.")
    messages_used: int = Field(default=0, description="Chat messages that were answered.")
    messages_limit: int | None = Field(default=None, description="The plan's; absent when there is none.")
    input_tokens: int = Field(default=0, description="Tokens that the model read.")
    output_tokens: int = Field(default=0, description="Tokens that the model wrote.")
    api_calls: int = Field(default=0, description="Calls of the customer's API.")


class StepTiming(Model):
    """How long one step of provisioning took."""

    name: Id = Field(description="What was done.")
    seconds: float = Field(description="How long it took.")


class ProvisioningStatus(Model):
    """From the wish to the first answer."""

    requested_at: Timestamp = Field(description="When the instance was wished for.")
    ready_at: Timestamp | None = Field(default=None, description="When it was first available.")
    seconds: float | None = Field(default=None, description="From the one to the other.")
    steps: Annotated[tuple[StepTiming, ...], Field(max_length=64)] = Field(default=(), description="In their order.")
    recovered: bool = Field(
        default=False,
        description="The status was lost and rebuilt for an instance that had credentials: it is never rolled back.",
    )
    failed_generation: int | None = Field(
        default=None, description="The generation that missed its deadline and was rolled back."
    )
    # All annotations of an object together are no longer than that.
    failed_retry: Annotated[str, StringConstraints(max_length=262_144)] | None = Field(
        default=None, description="The retry annotation as it was then; another value asks for another try."
    )


class CostStatus(Model):
    """Cost of the running month and what remains of the price."""

    monthly: int = Field(description="In the price's smallest unit.")
    margin: int = Field(description="Percent of the price.")


class CredentialsStatus(Model):
    """Which keys are valid. Never a key."""

    revision: int = Field(description="The spec's credentialsRevision that the Secret holds.")
    previous_expires_at: Timestamp | None = Field(default=None, description="Until then a rotated key still works.")


class ClawInstanceStatus(Model):
    """What is. Reproducible: delete it whole, and one pass rebuilds it."""

    observed_generation: int | None = Field(default=None, description="The spec's generation that was looked at.")
    conditions: Annotated[
        tuple[Condition, ...],
        Field(
            max_length=len(ConditionType),
            json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"]},
        ),
    ] = Field(default=(), description="Ready summarises the others; its reason is the STATUS column.")
    url: Annotated[str, StringConstraints(max_length=2048)] | None = Field(
        default=None, description="Where the customer's API answers."
    )
    credentials_secret_ref: SecretRef | None = None
    credentials: CredentialsStatus | None = None
    compute: ComputeStatus | None = None
    database: DatabaseStatus | None = None
    runtime: RuntimeStatus | None = None
    usage: UsageStatus | None = None
    deletion_time: Timestamp | None = Field(
        default=None,
        description="When billing will delete the instance: spec.deleteAfter, or the keep-until annotation if later.",
    )
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

    model_config = Model.model_config | {
        "json_schema_extra": validated(
            rule(
                f"self.metadata.name.size() <= {MAX_NAME_LENGTH}",
                f"an instance's name has at most {MAX_NAME_LENGTH} characters: <name>-credentials names its Secret",
            )
        )
    }

    @classmethod
    def parse(cls, body: dict[str, Any]) -> "ClawInstance":
        """The object as the API server holds it. Raises pydantic.ValidationError.

        A status that does not parse is as good as none: it is a cache, and one pass rebuilds it.
        """
        try:
            return cls.model_validate(body)
        except ValidationError as error:
            if any(problem["loc"][0] != "status" for problem in error.errors()):
                raise
            return cls.model_validate({name: value for name, value in body.items() if name != "status"})
