"""What Railway's errors mean. Pure.

Railway answers 200 for nearly everything that went wrong, with the code INTERNAL_SERVER_ERROR whatever it was: only
the words of the message tell one thing from another. So they are listed here, the most telling first.
"""

from collections.abc import Sequence
from enum import Enum, auto

from claw_operator.external import ExternalError, NameTaken, RateLimited, Rejected, Transient, Unauthorized
from claw_operator.external.http import NoAnswer
from claw_operator.external.railway.models import Model
from claw_operator.external.redaction import redacted

CREATION_PAUSE = 31.0
"""Seconds. Railway makes one project, environment or volume in 30 seconds, and says so without a Retry-After."""


class Trouble(Enum):
    """What is the matter."""

    FORBIDDEN = auto()
    """The token may not, or the thing is not there, or it was made a moment ago: nobody can tell which."""
    TOKEN = auto()
    """The token itself is wrong."""
    EXISTS = auto()
    """The name is taken, perhaps by what an earlier call of ours made."""
    NOT_FOUND = auto()
    """It is not there, or not to be seen yet."""
    THROTTLED = auto()
    """Nothing was made; the account made too much in a short time."""
    BUSY = auto()
    """Another change of the same environment is under way."""
    GATEWAY = auto()
    """Something in between failed: it may have been carried out."""
    INVALID = auto()
    """The request will never be accepted."""
    OTHER = auto()


_WORDS: tuple[tuple[str, Trouble], ...] = (
    ("project token not found", Trouble.TOKEN),
    ("two factor authentication required", Trouble.TOKEN),
    ("not authorized", Trouble.FORBIDDEN),
    ("already exists", Trouble.EXISTS),
    ("already in use", Trouble.EXISTS),
    ("too quickly", Trouble.THROTTLED),
    ("per user every", Trouble.THROTTLED),
    ("failed to create service domain", Trouble.BUSY),
    ("cannot redeploy", Trouble.BUSY),
    ("operation is already in progress", Trouble.BUSY),
    ("commit not found", Trouble.INVALID),
    ("is not a valid domain", Trouble.INVALID),
    ("invalid project name", Trouble.INVALID),
    ("not found", Trouble.NOT_FOUND),
    ("problem processing request", Trouble.GATEWAY),
)
_INVALID_CODES = ("GRAPHQL_PARSE_FAILED", "GRAPHQL_VALIDATION_FAILED", "BAD_USER_INPUT")


class Extensions(Model):
    """What comes beside a message."""

    code: str | None = None


class GraphQLError(Model):
    """One entry of `errors`."""

    message: str = ""
    extensions: Extensions | None = None
    trace_id: str | None = None

    @property
    def code(self) -> str:
        """The code, empty where Railway gives none."""
        return (self.extensions.code if self.extensions else None) or ""


class Forbidden(Unauthorized):
    """Not Authorized: says nothing about whether the thing exists."""


class Exists(Transient):
    """The name is taken; whose it is has to be looked at."""


class NotFound(Transient):
    """Gone, or not to be seen yet."""


class Busy(Transient):
    """Another change is under way; the same call may work in a moment."""


def trouble_of(error: GraphQLError) -> Trouble:
    """What the error means, by its words and only then by its code."""
    message = error.message.casefold()
    for words, trouble in _WORDS:
        if words in message:
            return trouble
    if "allows" in message and "per" in message and "second" in message:
        return Trouble.THROTTLED
    return Trouble.INVALID if error.code in _INVALID_CODES else Trouble.OTHER


def exception_of(errors: Sequence[GraphQLError], doing: str) -> ExternalError:
    """The exception for a call that was to do something ("create the service of claw-x"); the first error tells."""
    error = errors[0] if errors else GraphQLError()
    said = redacted(error.message) or "it does not say why"
    match trouble_of(error):
        case Trouble.TOKEN:
            return Unauthorized(f"Railway does not accept the token ({said}). Set RAILWAY_TOKEN to one that works.")
        case Trouble.FORBIDDEN:
            return Forbidden(
                f"Railway answered Not Authorized to the request to {doing}: the token does not reach it, or it does "
                "not exist. Check RAILWAY_TOKEN, RAILWAY_TOKEN_KIND and RAILWAY_PROJECT_ID."
            )
        case Trouble.EXISTS:
            return Exists(f"Railway did not {doing}: {said}")
        case Trouble.NOT_FOUND:
            return NotFound(f"Railway did not {doing}: {said}")
        case Trouble.THROTTLED:
            return RateLimited(f"Railway did not {doing} yet: {said}", CREATION_PAUSE)
        case Trouble.BUSY:
            return Busy(f"Railway did not {doing} yet: {said}")
        case Trouble.GATEWAY:
            return NoAnswer(f"Railway could not process the request to {doing}.")
        case Trouble.INVALID:
            return Rejected(f"Railway refuses to {doing}: {said}")
        case Trouble.OTHER:
            return Transient(f"Railway did not {doing}: {said}")


def taken(name: str) -> NameTaken:
    """A service of our name that does not bear our mark."""
    return NameTaken(
        f"A Railway service named {name} exists and does not bear this instance's owner mark. Remove or rename it."
    )
