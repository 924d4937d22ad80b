"""From an instance and its plan to what should exist. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from claw_crds import configuration as wire
from claw_crds.configuration import (
    AssistantConfiguration,
    InstanceIdentity,
    ModelPrices,
    PlanConfiguration,
    RuntimeConfiguration,
    SkillChoices,
)
from claw_crds.keys import sha256
from claw_crds.retention import Retention, retention
from claw_crds.v1alpha1 import ClawInstance, ClawPlan, State
from claw_operator.credentials import Credentials
from claw_operator.external import DesiredCompute, DesiredDatabase, Owner, Size


@dataclass(frozen=True)
class Defaults:
    """What an instance gets when its spec does not say."""

    compute_driver: str
    database_driver: str
    fleet: str = ""
    """The UID of the operator's namespace: part of every owner mark."""
    image: str | None = None
    repository: str | None = None
    ref: str | None = None
    variables: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Put into every runtime: the model's endpoint and key, and what else all runtimes share."""


@dataclass(frozen=True)
class Desired:
    """What should exist for one instance, as far as it is known before its credentials are."""

    instance: ClawInstance
    plan: ClawPlan
    defaults: Defaults

    @property
    def owner(self) -> Owner:
        """Whose it is."""
        meta = self.instance.metadata
        return Owner(namespace=meta.namespace, name=meta.name, uid=meta.uid, fleet=self.defaults.fleet)

    @property
    def stopped(self) -> bool:
        """Whether compute and database are to be kept without running."""
        return self.instance.spec.state == State.SUSPENDED and self.plan.spec.stop_when_suspended

    @property
    def closed(self) -> bool:
        """Whether nobody is to get into the database. Before it is deleted, its customer may fetch what is in it."""
        return self.stopped and self.instance.spec.delete_after is None

    @property
    def retention(self) -> Retention:
        """When it is to be deleted: by billing, never by the operator."""
        return retention(self.instance.spec.delete_after, self.instance.metadata.annotations)

    @property
    def compute_driver(self) -> str:
        """Which driver makes the compute."""
        choice = self.instance.spec.compute
        return self.defaults.compute_driver if choice is None else choice.driver

    @property
    def database_driver(self) -> str:
        """Which driver makes the database."""
        choice = self.instance.spec.database
        return self.defaults.database_driver if choice is None else choice.driver

    def of(self, instance: ClawInstance) -> "Desired":
        """The same for a newer body of the instance."""
        return replace(self, instance=instance)

    @property
    def model(self) -> str:
        """The model that the assistant uses: its own choice where the plan allows that, else the plan's default."""
        wanted = self.instance.spec.assistant.model
        if wanted is not None and self.plan.spec.allows_model(wanted):
            return wanted
        return self.plan.spec.models.default

    def refused(self) -> str:
        """What the spec asks for and the plan does not give, for the condition's message; empty when nothing."""
        spec, plan = self.instance.spec, self.plan.spec
        parts = []
        if spec.assistant.model is not None and spec.assistant.model != self.model:
            parts.append(f"model {spec.assistant.model} is not in plan {self.plan.metadata.name}; using {self.model}")
        lacking = sorted(skill for skill in spec.skills.enabled if not plan.offers(skill))
        if lacking:
            parts.append(f"plan {self.plan.metadata.name} does not offer {', '.join(lacking)}")
        return "; ".join(parts)

    def database(self) -> DesiredDatabase:
        """The database as it should be."""
        return DesiredDatabase(
            owner=self.owner,
            storage_bytes=self.plan.spec.resources.storage_bytes,
            region=self.instance.spec.region,
            cpu_millis=self.plan.spec.resources.cpu_millis,
        )

    def compute(self, credentials: Credentials | None) -> DesiredCompute:
        """The compute as it should be. Without credentials it is the empty one."""
        runtime, resources = self.instance.spec.runtime, self.plan.spec.resources
        own = runtime.image is not None or runtime.repository is not None
        return DesiredCompute(
            owner=self.owner,
            size=Size(resources.cpu_millis, resources.memory_bytes),
            image=runtime.image if own else self.defaults.image,
            repository=runtime.repository if own else self.defaults.repository,
            ref=runtime.ref if own else self.defaults.ref,
            region=self.instance.spec.region,
            sleep_when_idle=self.plan.spec.sleep_when_idle,
            domain=self.instance.spec.domain,
            variables=None if credentials is None else self._variables(credentials),
        )

    def configuration(self, credentials: Credentials, now: datetime) -> RuntimeConfiguration:
        """The runtime configuration. A previous key that has expired by `now` is not in it any more."""
        spec, meta, plan = self.instance.spec, self.instance.metadata, self.plan.spec
        keys = tuple(k for k in credentials.key_hashes() if k.expires_at is None or k.expires_at > now)
        return RuntimeConfiguration(
            instance=InstanceIdentity(namespace=meta.namespace, name=meta.name, uid=meta.uid),
            state=spec.state,
            customer=spec.customer,
            assistant=AssistantConfiguration(
                name=spec.assistant.name,
                persona=spec.assistant.persona,
                instructions=spec.assistant.instructions,
                model=self.model,
            ),
            plan=PlanConfiguration(
                name=self.plan.metadata.name,
                display_name=plan.display_name,
                limits=plan.limits,
                storage_bytes=plan.resources.storage_bytes,
                prices=ModelPrices(
                    currency=plan.price.currency,
                    per_million_input_tokens=plan.cost.per_million_input_tokens,
                    per_million_output_tokens=plan.cost.per_million_output_tokens,
                ),
                skills=plan.skills,
            ),
            skills=SkillChoices(enabled=spec.skills.enabled, disabled=spec.skills.disabled),
            keys=keys,
            workspace_files=spec.workspace.files,
        )

    def _variables(self, credentials: Credentials) -> dict[str, str]:
        # Only what a process needs to boot. Nothing that a customer typed is in here: Railway would resolve a
        # `${{…}}` in it, and that may read a neighbour's secrets.
        return {
            **self.defaults.variables,
            wire.ENV_DATABASE_URL: credentials.database_url,
            wire.ENV_CONFIGURATION_TOKEN_SHA256: sha256(credentials.configuration_token),
            wire.ENV_ENCRYPTION_KEY: credentials.encryption_key,
        }
