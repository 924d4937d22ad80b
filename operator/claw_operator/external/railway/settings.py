"""What the driver writes into a service, and how it finds out later whether somebody changed it. Pure.

Railway keeps no record of who set what, several settings cannot be read back, and the operator remembers nothing. So
the service itself bears the note: the variable CLAW_SETTINGS holds a digest of everything that was sent and can be
read again, and the id of the newest deployment at that moment. It tells, after any crash, whether the settings were
deployed (a newer deployment exists) and what was edited by hand (a digest differs).
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from claw_crds import configuration as wire
from claw_operator.external import DesiredCompute, Drift, Rejected, Size
from claw_operator.external.railway.models import ConfigService, ServiceInstance

OWNER = "CLAW_OWNER"
SETTINGS = "CLAW_SETTINGS"

REPLICAS = 1
RESTART_POLICY, RESTARTS = "ON_FAILURE", 10
DEFAULT_BRANCH = "main"

_VARIABLE = "variable "
_NEAR = 0.1
"""Railway rounds limits, and nobody says whether its gigabyte has 1000 or 1024 megabytes."""
_GIGABYTE = 10**9


class _NoteText(BaseModel):
    model_config = ConfigDict(extra="ignore")

    after: str | None
    cpu: int
    memory: int
    domain: str | None = None
    facts: dict[str, str]


@dataclass(frozen=True)
class Note:
    """What CLAW_SETTINGS says."""

    after: str | None
    """The newest deployment when the settings were written; None when there was none."""
    size: Size
    domain: str | None = None
    """The custom domain that we made. Others are a person's and are left alone."""
    facts: Mapping[str, str] = field(default_factory=dict)
    """A digest of everything sent, by the word that a message calls it."""

    @property
    def text(self) -> str:
        """The variable's value. Digests only: a value may be a secret."""
        note = _NoteText(
            after=self.after,
            cpu=self.size.cpu_millis,
            memory=self.size.memory_bytes,
            domain=self.domain,
            facts=dict(self.facts),
        )
        return json.dumps(note.model_dump(), sort_keys=True, separators=(",", ":"))

    @classmethod
    def of_text(cls, text: str | None) -> "Note | None":
        """What the value says; None when it is missing or was edited beyond understanding."""
        try:
            note = _NoteText.model_validate_json(text or "")
        except ValidationError:
            return None
        return cls(note.after, Size(note.cpu, note.memory), note.domain, note.facts)


def note_of(desired: DesiredCompute, *, after: str | None, domain: str | None, region: str | None = None) -> Note:
    """The note for a deployment of the desired compute. `region`: where it goes unless its spec says."""
    facts = {word: _digest(word, value) for word, value in _facts(desired, desired.region or region).items()}
    return Note(after=after, size=desired.size, domain=domain, facts=facts)


def variables_of(desired: DesiredCompute, note: Note) -> dict[str, str]:
    """All variables of the service. Raises Rejected for a value that Railway would take for a template."""
    variables = {**_variables(desired), SETTINGS: note.text}
    for name, value in variables.items():
        if "${{" in value:
            # Railway would put in what it refers to: that may be a neighbour's secret. There is no way to escape it.
            raise Rejected(f"The variable {name} of {desired.owner.name} contains ${{{{, which Railway would resolve.")
    return variables


def instance_input(
    desired: DesiredCompute, *, registry: tuple[str, str] | None = None, region: str | None = None
) -> dict[str, Any]:
    """The ServiceInstanceUpdateInput. `registry`: user name and password of a private registry."""
    settings: dict[str, Any] = {
        "healthcheckPath": wire.HEALTH_PATH,
        "restartPolicyType": RESTART_POLICY,
        "restartPolicyMaxRetries": RESTARTS,
        "numReplicas": REPLICAS,  # left out, Railway resets it anyway
        "sleepApplication": desired.sleep_when_idle,
        "source": {"image": desired.image} if desired.image else {"repo": desired.repository},
    }
    if desired.region or region:
        settings["region"] = desired.region or region
    if desired.image and registry:
        settings["registryCredentials"] = {"username": registry[0], "password": registry[1]}
    return settings


def limits_of(size: Size) -> dict[str, float]:
    """The part of a ServiceInstanceLimitsUpdateInput that says how much."""
    return {"vCPUs": size.cpu_millis / 1000, "memoryGB": size.memory_bytes / _GIGABYTE}


def size_in(config: ConfigService | None, note: Note | None) -> Size | None:
    """The limits as they are; None when Railway does not tell. What is about as it was sent counts as sent."""
    limits = config.deploy.limit_override if config is not None and config.deploy is not None else None
    containers = limits.containers if limits is not None else None
    if containers is None or containers.cpu is None or containers.memory_bytes is None:
        return None
    size = Size(round(containers.cpu * 1000), round(containers.memory_bytes))
    return note.size if note is not None and _is_near(size, note.size) else size


def drift_in(note: Note, instance: ServiceInstance, config: ConfigService) -> tuple[str, ...]:
    """What differs from what was sent, in words. What Railway does not tell is no difference."""
    found = _observed_facts(instance, config)
    changed = [
        word
        for word, digest in note.facts.items()
        if (value := found.get(word)) is not None and _digest(word, value) != digest
    ]
    if config.variables is not None:
        present = {_VARIABLE + name for name in config.variables if not name.startswith("RAILWAY_")}
        noted = {word for word in note.facts if word.startswith(_VARIABLE)}
        changed += sorted((present - {_VARIABLE + SETTINGS}) ^ noted)
    return tuple(changed)


def drift(words: tuple[str, ...], *, renamed: bool) -> Drift | None:
    """All that was changed by hand; a name alone is put right without a deployment."""
    what = ", ".join((*words, "name") if renamed else words)
    return Drift(what, needs_deployment=bool(words)) if what else None


def _variables(desired: DesiredCompute) -> dict[str, str]:
    return {**(desired.variables or {}), OWNER: desired.owner.mark, wire.ENV_FINGERPRINT: desired.fingerprint}


def _facts(desired: DesiredCompute, region: str | None) -> dict[str, str]:
    facts = {_VARIABLE + name: value for name, value in sorted(_variables(desired).items())}
    facts |= {
        "health check": wire.HEALTH_PATH,
        "replicas": str(REPLICAS),
        "restart policy": f"{RESTART_POLICY} {RESTARTS}",
        "sleep": str(desired.sleep_when_idle),
    }
    if desired.image:
        facts["image"] = desired.image
    else:
        facts |= {"repository": desired.repository or "", "branch": desired.ref or DEFAULT_BRANCH}
    if region:
        facts["region"] = region
    return facts


def _observed_facts(instance: ServiceInstance, config: ConfigService) -> dict[str, str | None]:
    source, configured = instance.source, config.source
    facts: dict[str, str | None] = {
        "health check": instance.healthcheck_path,
        "replicas": None if instance.num_replicas is None else str(instance.num_replicas),
        "restart policy": _restart_policy(instance),
        "sleep": None if instance.sleep_application is None else str(instance.sleep_application),
        "image": None if source is None else source.image or "",
        "repository": None if source is None else source.repo or "",
        "branch": None if configured is None else configured.branch,
        "region": instance.region,
    }
    for name, variable in (config.variables or {}).items():
        facts[_VARIABLE + name] = None if variable is None or variable.is_sealed else variable.value
    return facts


def _restart_policy(instance: ServiceInstance) -> str | None:
    if instance.restart_policy_type is None or instance.restart_policy_max_retries is None:
        return None
    return f"{instance.restart_policy_type} {instance.restart_policy_max_retries}"


def _is_near(size: Size, sent: Size) -> bool:
    return (
        abs(size.cpu_millis - sent.cpu_millis) <= _NEAR * sent.cpu_millis
        and abs(size.memory_bytes - sent.memory_bytes) <= _NEAR * sent.memory_bytes
    )


def _digest(word: str, value: str) -> str:
    return hashlib.sha256(f"{word}={value}".encode()).hexdigest()[:12]
