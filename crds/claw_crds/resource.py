"""What every model of the API shares: camelCase on the wire, frozen in memory, tolerant of fields it does not know."""

from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, PlainSerializer
from pydantic.alias_generators import to_camel

# A customer's words go into prompts, files and mails. What nobody sees has no business in them, and a line break in
# a name or an address is how headers are forged: control characters, line and paragraph separators, and the marks
# that turn the direction of writing. The API server's regular expressions are RE2 and pydantic's are Rust's: both know
# \x{…}, neither knows lookarounds, and \s means different things to them, so it is not used.
_UNSEEN = r"\x00-\x1f\x7f-\x9f\x{61c}\x{200e}\x{200f}\x{2028}-\x{202e}\x{2066}-\x{2069}"
_BLANK = r"\x20\x{a0}\x{1680}\x{2000}-\x{200d}\x{202f}\x{205f}-\x{2065}\x{3000}\x{feff}"

LINE = rf"^[^{_UNSEEN}]*$"
"""One line of somebody's own words."""
TEXT = r"^[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f]*$"
"""Several lines of them; PostgreSQL could not store a NUL."""
EMAIL = rf'^[^{_UNSEEN}{_BLANK}@<>,;:"\\]{{1,64}}@[^{_UNSEEN}{_BLANK}@<>,;:"\\]{{1,189}}$'
"""An address that fits between < and > in a mail's header, in any script."""


def _rfc3339(moment: datetime) -> str:
    try:
        moment = moment.astimezone(UTC)
    except OverflowError:
        moment = moment.replace(tzinfo=UTC)  # another zone's last day of the calendar: hours do not matter there
    return moment.replace(tzinfo=None).isoformat(timespec="seconds") + "Z"


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

    model_config = ConfigDict(
        alias_generator=to_camel,
        populate_by_name=True,
        frozen=True,
        extra="ignore",
        defer_build=True,  # until first used: a runtime knows some 170 models, and starts with a dozen
    )

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
