"""What operator and runtime say to each other: the runtime configuration, and the runtime's answer.

A runtime boots blank. Who the customer is, limits, skills, key hashes and the workspace arrive through
`PUT /internal/configuration` as one revisioned document, so a plan change, a key rotation or a suspension needs no
redeploy, and nothing that a customer typed ever becomes an environment variable.
"""

import hashlib
import json
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any

from pydantic import Field, StringConstraints

from claw_crds.instance import Customer, State, WorkspaceFile
from claw_crds.plan import Limits, SkillName
from claw_crds.resource import Model, Timestamp

CONFIGURATION_PATH = "/internal/configuration"
STATUS_PATH = "/internal/status"
HEALTH_PATH = "/health"
"""What a platform asks before it sends traffic: alive, whatever the database does."""

# The environment that a runtime boots with: the operator sets it, claw_runtime/settings.py reads it.
ENV_HOST = "HOST"
ENV_PORT = "PORT"
ENV_DATABASE_URL = "DATABASE_URL"
ENV_CONFIGURATION_TOKEN_SHA256 = "CLAW_CONFIGURATION_TOKEN_SHA256"
ENV_MODEL_BASE_URL = "ANTHROPIC_BASE_URL"
ENV_MODEL_API_KEY = "ANTHROPIC_API_KEY"
ENV_ENCRYPTION_KEY = "CLAW_ENCRYPTION_KEY"
"""Of what the runtime keeps encrypted in its database: 32 bytes, base64url. Derived from the instance's Secret."""
ENV_WORKSPACE_DIR = "CLAW_WORKSPACE_DIR"
ENV_FINGERPRINT = "CLAW_FINGERPRINT"
"""Which deployment this is. The runtime repeats it in its report, so that nobody takes an old one for the new."""

# What all runtimes of a fleet share, each of it optional: the operator hands on its own variables of these names.
ENV_FRONT_URL = "CLAW_FRONT_URL"
"""Where the webhook service is reached: it takes Google's calls for all runtimes, and sends their mails."""
ENV_GOOGLE_CLIENT_ID = "CLAW_GOOGLE_CLIENT_ID"
ENV_GOOGLE_CLIENT_SECRET = "CLAW_GOOGLE_CLIENT_SECRET"
ENV_GOOGLE_TOPIC = "CLAW_GOOGLE_TOPIC"
"""The Pub/Sub topic that Gmail publishes to: projects/…/topics/…; without it mail is not pushed."""
ENV_GOOGLE_PUSH_ACCOUNT = "CLAW_GOOGLE_PUSH_ACCOUNT"
"""The service account in whose name Pub/Sub signs its pushes."""
ENV_GOOGLE_URL = "CLAW_GOOGLE_URL"
"""Instead of all of Google's hosts; for tests."""
ENV_SEARCH_URL = "CLAW_SEARCH_URL"
ENV_SEARCH_API_KEY = "CLAW_SEARCH_API_KEY"
"""A search API, instead of the model provider's own search."""
ENV_EMBEDDINGS_URL = "CLAW_EMBEDDINGS_URL"
ENV_EMBEDDINGS_API_KEY = "CLAW_EMBEDDINGS_API_KEY"
ENV_EMBEDDINGS_MODEL = "CLAW_EMBEDDINGS_MODEL"
"""Makes memory search use meaning as well as words; any API that is shaped like OpenAI's."""
ENV_SNAPSHOT_URL = "CLAW_SNAPSHOT_URL"
"""s3://bucket/prefix, where copies of workspaces are kept."""
ENV_SNAPSHOT_ENDPOINT = "CLAW_SNAPSHOT_ENDPOINT"
ENV_SNAPSHOT_ACCESS_KEY_ID = "CLAW_SNAPSHOT_ACCESS_KEY_ID"
ENV_SNAPSHOT_SECRET_ACCESS_KEY = "CLAW_SNAPSHOT_SECRET_ACCESS_KEY"
SHARED_VARIABLES = (
    ENV_FRONT_URL,
    ENV_GOOGLE_CLIENT_ID,
    ENV_GOOGLE_CLIENT_SECRET,
    ENV_GOOGLE_TOPIC,
    ENV_GOOGLE_PUSH_ACCOUNT,
    ENV_GOOGLE_URL,
    ENV_SEARCH_URL,
    ENV_SEARCH_API_KEY,
    ENV_EMBEDDINGS_URL,
    ENV_EMBEDDINGS_API_KEY,
    ENV_EMBEDDINGS_MODEL,
    ENV_SNAPSHOT_URL,
    ENV_SNAPSHOT_ENDPOINT,
    ENV_SNAPSHOT_ACCESS_KEY_ID,
    ENV_SNAPSHOT_SECRET_ACCESS_KEY,
)


class KeyHash(Model):
    """One API key that the runtime accepts."""

    sha256: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
    expires_at: Timestamp | None = Field(default=None, description="A rotated key still works until then.")


class InstanceIdentity(Model):
    """Which ClawInstance this is."""

    namespace: str
    name: str
    uid: str


class ModelPrices(Model):
    """What the model's provider charges us for a million tokens, in the currency's smallest unit."""

    currency: str = "usd"
    per_million_input_tokens: int = 0
    per_million_output_tokens: int = 0


class PlanConfiguration(Model):
    """What the plan promises, as far as the runtime enforces it."""

    name: str
    display_name: str
    limits: Limits = Limits()
    storage_bytes: int | None = None
    """Of the database. The provider refuses more as well, but less politely."""
    prices: ModelPrices | None = None
    skills: tuple[str, ...] = ()
    """Names of skills; `*` stands for every bundled one."""


class AssistantConfiguration(Model):
    """How the assistant presents itself, with the model already chosen."""

    name: str
    persona: str | None = None
    instructions: str | None = None
    model: str


class SkillChoices(Model):
    """The customer's choices in the ClawInstance; what the customer sets through the API comes after."""

    enabled: tuple[str, ...] = ()
    disabled: tuple[str, ...] = ()


class RuntimeConfiguration(Model):
    """The whole document. Equal content has an equal revision, whoever computes it."""

    instance: InstanceIdentity
    state: State
    customer: Customer
    assistant: AssistantConfiguration
    plan: PlanConfiguration
    skills: SkillChoices = SkillChoices()
    keys: tuple[KeyHash, ...]
    workspace_files: tuple[WorkspaceFile, ...] = ()

    @property
    def revision(self) -> str:
        """Sixteen hexadecimal digits that change when anything in the document does."""
        return revision_of(self.wire())


def revision_of(document: Mapping[str, Any]) -> str:
    """The revision of a document as it came. A member that is null and one that is absent mean the same.

    A runtime computes it from what it was sent and not from its own model: a newer operator sends members that the
    model drops, and would send the document again for ever.
    """
    canonical = json.dumps(_without_nulls(document), sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(canonical.encode()).hexdigest()[:16]


def _without_nulls(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _without_nulls(member) for name, member in value.items() if member is not None}
    if isinstance(value, list):
        return [_without_nulls(entry) for entry in value]
    return value


Count = Annotated[int, Field(ge=0, le=2**63 - 1)]
"""What a status can hold; the API server refuses more."""


class RuntimeUsage(Model):
    """Usage of the running month, from memory: reading it never wakes a sleeping database."""

    period_start: Timestamp
    messages_used: Count = 0
    messages_limit: Count | None = None
    input_tokens: Count = 0
    output_tokens: Count = 0
    api_calls: Count = 0


class RuntimeHoldings(Model):
    """What is kept of the things that a plan limits, from memory as well. Absent where the runtime does not know."""

    memories: Count | None = None
    agents: Count | None = None
    skills_not_in_plan: tuple[SkillName, ...] = Field(
        default=(), max_length=64, description="Skills that the customer has switched on, and that the plan lacks."
    )


class RuntimeReport(Model):
    """The answer of `GET /internal/status`, and of a successful `PUT /internal/configuration`."""

    version: str
    uid: str | None = Field(default=None, description="Whose configuration it holds; None while it is blank.")
    configuration_revision: str | None = None
    ready: bool
    message: str = ""
    usage: RuntimeUsage | None = None
    holdings: RuntimeHoldings | None = None
    started_at: datetime | None = None
    fingerprint: str | None = Field(default=None, description="The deployment's, as its environment told it.")
    database_refuses: bool = Field(
        default=False, description="The database did not accept the credentials when they were last used."
    )
