"""What parameters have in common. One that no model names is refused, as Stripe refuses what it does not know."""

from typing import Annotated, Any, ClassVar, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, ValidationError

from claw_dev.simulators.stripe.errors import StripeProblem, invalid
from claw_dev.simulators.stripe.forms import Clearable, FormList
from claw_dev.simulators.stripe.records import Metadata

MetadataChanges = Clearable[
    dict[
        Annotated[str, StringConstraints(min_length=1, max_length=40)],
        Annotated[str, StringConstraints(max_length=500)],
    ]
]
"""Keys to set; those with an empty value are removed, and an empty text removes all."""


class Part(BaseModel):
    """A group of parameters."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class WithMetadata(Part):
    """A group of parameters with metadata among them."""

    metadata: MetadataChanges = None

    def metadata_after(self, before: Metadata) -> Metadata:
        """The metadata after the request: given keys set, those given empty removed, and all by an empty text."""
        if "metadata" not in self.model_fields_set:
            return before
        return {key: value for key, value in {**before, **self.metadata}.items() if value} if self.metadata else {}


class Bare(Part):
    """What a request may carry that deletes something: nothing."""

    expand: ClassVar[tuple[str, ...]] = ()


class Params(Part):
    """What every other request may carry."""

    expand: FormList[str] = Field(default=[])


class Span(Part):
    """A span of time in seconds since 1970; a single moment is one too."""

    gt: int | None = None
    gte: int | None = None
    lt: int | None = None
    lte: int | None = None

    def contains(self, moment: int) -> bool:
        """Whether the moment lies in it."""
        return (
            (self.gt is None or moment > self.gt)
            and (self.gte is None or moment >= self.gte)
            and (self.lt is None or moment < self.lt)
            and (self.lte is None or moment <= self.lte)
        )


def _moment_as_span(value: Any) -> Any:
    return {"gte": value, "lte": value} if isinstance(value, str) else value


class Paged(Params):
    """What every list takes."""

    limit: int = Field(default=10, ge=1, le=100)
    starting_after: str | None = None
    ending_before: str | None = None


class Listed(Paged):
    """What most lists take besides."""

    created: Annotated[Span | None, BeforeValidator(_moment_as_span)] = None


P = TypeVar("P", bound=Part)


def validated(model: type[P], tree: dict[str, Any]) -> P:
    """The parameters of a request. Raises StripeProblem that names the first wrong one."""
    try:
        return model.model_validate(tree)
    except ValidationError as error:
        raise _refusal(error) from None


def _refusal(error: ValidationError) -> StripeProblem:
    first = error.errors(include_url=False)[0]
    outer, *inner = [str(step) for step in first["loc"]]
    param = outer + "".join(f"[{step}]" for step in inner)
    match first["type"]:
        case "missing":
            return invalid(f"Missing required param: {param}.", param, "parameter_missing")
        case "extra_forbidden":
            return invalid(f"Received unknown parameter: {param}", param, "parameter_unknown")
        case "int_parsing":
            return invalid(f"Invalid integer: {first['input']}", param, "parameter_invalid_integer")
        case "bool_parsing":
            return invalid(f"Invalid boolean: {first['input']}", param)
        case "greater_than_equal" | "less_than_equal":
            reason = first["msg"].removeprefix("Input should be ")
            message = f"This value must be {reason} (it currently is '{first['input']}')."
            return invalid(message, param, "parameter_invalid_integer")
    return invalid(f"Invalid {param}: {first['msg']}", param)
