"""What every model of the API shares: camelCase on the wire, frozen in memory, tolerant of fields it does not know."""

from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, PlainSerializer
from pydantic.alias_generators import to_camel


def _rfc3339(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


Timestamp = Annotated[datetime, PlainSerializer(_rfc3339, return_type=str, when_used="json")]
"""A moment in UTC with whole seconds, as Kubernetes writes it."""


def rule(expression: str, message: str) -> dict[str, str]:
    """One CEL rule of the schema. `message` is what the person who applied the manifest reads."""
    return {"rule": expression, "message": message}


def validated(*rules: dict[str, str], **extra: Any) -> dict[str, Any]:
    """`json_schema_extra` with CEL rules and other `x-kubernetes-*` keywords."""
    return {"x-kubernetes-validations": list(rules), **extra} if rules else dict(extra)


class Model(BaseModel):
    """A frozen record with snake_case names in Python and camelCase names on the wire."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, frozen=True, extra="ignore")

    def wire(self) -> dict[str, Any]:
        """The document as JSON types, without what is not set."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)


class ObjectMeta(Model):
    """The part of Kubernetes' ObjectMeta that Claw reads."""

    name: str
    namespace: str = ""
    uid: str = ""
    generation: int = 0
    resource_version: str = ""
    creation_timestamp: datetime | None = None
    deletion_timestamp: datetime | None = None
    finalizers: tuple[str, ...] = ()
    labels: dict[str, str] = Field(default_factory=dict)
    annotations: dict[str, str] = Field(default_factory=dict)
