"""ClawPlan: what a customer buys. Plans are data, so `kubectl edit clawplan pro` changes the fleet."""

from enum import StrEnum
from typing import Annotated, ClassVar, Literal

from pydantic import Field, StringConstraints

from claw_crds.resource import LINE, Model, ObjectMeta, rule, validated

SkillName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,31}$", max_length=32)]
ModelName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9.-]{0,62}$", max_length=63)]
PlanName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$", max_length=63)]

CPU = r"^([1-9][0-9]{0,4}m|[1-9][0-9]?(\.[0-9]{1,2})?|0\.([1-9][0-9]?|0[1-9]))$"
"""More than nothing: thousandths, or a number with two decimal places."""

EVERY_SKILL = "*"
"""As in RBAC: in a plan's skills it stands for every skill that the runtime bundles."""

Limit = Annotated[int, Field(ge=0, le=1_000_000_000_000)]


class Price(Model):
    """What the customer pays a month."""

    currency: Annotated[str, StringConstraints(pattern=r"^[a-z]{3}$", max_length=3)] = Field(
        description="ISO 4217 code in lower case, as Stripe writes it."
    )
    amount_monthly: Annotated[int, Field(ge=0, le=100_000_000)] = Field(
        description="In the currency's smallest unit, as in Stripe: 2900 is $29."
    )


class Metered(StrEnum):
    """What is counted for a metered price."""

    MESSAGES = "messages"
    TOKENS = "tokens"


class Meter(Model):
    """A Stripe meter that usage is reported to."""

    event_name: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.-]{1,100}$", max_length=100)] = Field(
        description="As in Stripe's meter, which must aggregate by sum."
    )
    counts: Metered = Field(default=Metered.MESSAGES, description="messages, or input and output tokens.")


class StripePrices(Model):
    """Which Stripe prices mean this plan. A price that no plan names is an error that somebody sees."""

    price_ids: Annotated[
        tuple[Annotated[str, StringConstraints(pattern=r"^price_[A-Za-z0-9_]{1,64}$", max_length=70)], ...],
        Field(max_length=32, json_schema_extra={"x-kubernetes-list-type": "set"}),
    ] = Field(default=(), description="Price ids, archived ones included: old subscriptions still carry them.")
    lookup_keys: Annotated[
        tuple[Annotated[str, StringConstraints(pattern=LINE, min_length=1, max_length=200)], ...],
        Field(max_length=32, json_schema_extra={"x-kubernetes-list-type": "set"}),
    ] = Field(default=(), description="Stripe lookup keys, which survive a change of price id.")
    product_ids: Annotated[
        tuple[Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,64}$", max_length=64)], ...],
        Field(max_length=32, json_schema_extra={"x-kubernetes-list-type": "set"}),
    ] = Field(default=(), description="Products of which every price means this plan, archived prices included.")
    meter: Meter | None = Field(default=None, description="Reports usage to a metered price; absent: none is.")


class Limits(Model):
    """What the runtime enforces. An absent limit is no limit."""

    messages_per_month: Limit | None = Field(default=None, description="Chat messages in a calendar month, UTC.")
    tokens_per_month: Limit | None = Field(default=None, description="Input and output tokens in a month.")
    api_calls_per_day: Limit | None = Field(default=None, description="Calls of the customer's API in a day, UTC.")
    agents: Limit | None = Field(default=None, description="Agents in one instance.")
    memories: Limit | None = Field(default=None, description="Memories kept at the same time.")
    concurrent_streams: Limit | None = Field(default=None, description="Questions that are answered at the same time.")


class Resources(Model):
    """What one instance may use, as Kubernetes quantities."""

    cpu: Annotated[str, StringConstraints(pattern=CPU, max_length=6)] = Field(description="vCPUs: 500m, 0.5 or 2.")
    memory: Annotated[str, StringConstraints(pattern=r"^[1-9][0-9]{0,5}(Mi|Gi)$", max_length=8)] = Field(
        description="512Mi or 2Gi."
    )
    storage: Annotated[str, StringConstraints(pattern=r"^[1-9][0-9]{0,5}(Mi|Gi)$", max_length=8)] = Field(
        description="Size of the database: 100Mi or 2Gi."
    )

    @property
    def cpu_millis(self) -> int:
        """Thousandths of a vCPU."""
        return int(self.cpu[:-1]) if self.cpu.endswith("m") else round(float(self.cpu) * 1000)

    @property
    def memory_bytes(self) -> int:
        """Bytes of memory."""
        return _bytes(self.memory)

    @property
    def storage_bytes(self) -> int:
        """Bytes of database."""
        return _bytes(self.storage)


def _bytes(quantity: str) -> int:
    return int(quantity[:-2]) * {"Mi": 2**20, "Gi": 2**30}[quantity[-2:]]


class Models(Model):
    """The language models that the plan pays for."""

    default: ModelName = Field(description="Used when the instance names none.")
    allowed: Annotated[
        tuple[ModelName, ...], Field(max_length=32, json_schema_extra={"x-kubernetes-list-type": "set"})
    ] = Field(default=(), description="What an instance may choose; the default alone when empty.")


class Cost(Model):
    """What an instance costs us, in the price's currency and smallest unit. Gives `status.cost`."""

    fixed_monthly: Annotated[int, Field(ge=0, le=100_000_000)] = Field(default=0, description="Compute and database.")
    per_million_input_tokens: Annotated[int, Field(ge=0, le=100_000_000)] = Field(
        default=0, description="What the model's provider charges for a million tokens read."
    )
    per_million_output_tokens: Annotated[int, Field(ge=0, le=100_000_000)] = Field(
        default=0, description="What the model's provider charges for a million tokens written."
    )


class ClawPlanSpec(Model):
    """Everything a plan promises."""

    display_name: Annotated[str, StringConstraints(pattern=LINE, min_length=1, max_length=63)] = Field(
        description="The plan's name in mails and in the customer's own status."
    )
    price: Price
    stripe: StripePrices = StripePrices()
    limits: Limits = Limits()
    resources: Resources
    skills: Annotated[
        tuple[Annotated[str, StringConstraints(pattern=r"^(\*|[a-z][a-z0-9_]{0,31})$", max_length=32)], ...],
        Field(max_length=64, json_schema_extra={"x-kubernetes-list-type": "set"}),
    ] = Field(default=(), description="Names of skills; * stands for all.")
    models: Models = Field(
        json_schema_extra=validated(
            rule(
                "!has(self.allowed) || self.allowed.size() == 0 || self.default in self.allowed",
                "the default model must be one of the allowed models",
            )
        )
    )
    trial_days: Annotated[int, Field(ge=0, le=730)] = Field(
        default=0, description="Days of service before the first payment."
    )
    grace_days: Annotated[int, Field(ge=0, le=365)] = Field(
        default=7, description="Days of service after a payment failed."
    )
    retention_days: Annotated[int, Field(ge=0, le=3650)] = Field(
        default=30, description="Days that the data of an ended subscription is kept."
    )
    sleep_when_idle: bool = Field(default=False, description="Lets the compute sleep when nobody talks to it.")
    stop_when_suspended: bool = Field(
        default=False,
        description="Stops compute and database of a suspended instance; otherwise its runtime goes on to say why.",
    )
    cost: Cost = Cost()

    def offers(self, skill: str) -> bool:
        """Whether the plan includes the skill."""
        return skill in self.skills or EVERY_SKILL in self.skills

    def allows_model(self, model: str) -> bool:
        """Whether an instance of this plan may choose the model."""
        return model == self.models.default or model in self.models.allowed


class ClawPlan(Model):
    """A plan: cluster-scoped, shared by all instances."""

    KIND: ClassVar[str] = "ClawPlan"
    PLURAL: ClassVar[str] = "clawplans"

    api_version: Literal["claw.dev/v1alpha1"] = "claw.dev/v1alpha1"
    kind: Literal["ClawPlan"] = "ClawPlan"
    metadata: ObjectMeta
    spec: ClawPlanSpec

    model_config = Model.model_config | {
        "json_schema_extra": validated(
            rule(
                "self.metadata.name.size() <= 63 && !self.metadata.name.contains('.')",
                "a plan's name has at most 63 characters and no dot: instances refer to it",
            )
        )
    }
