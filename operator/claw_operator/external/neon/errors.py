"""What a refusal of Neon means. Pure.

The status decides, because it always tells the truth at Neon; the code only refines it, since it may be empty and no
list of codes is published. A message names what was asked for and what a person can do. It never repeats Neon's words
where they hold ids, as it would change with every pass.
"""

import re

from claw_operator.external import ExternalError, Rejected, Transient, Unauthorized
from claw_operator.external.neon.models import Problem
from claw_operator.external.redaction import redacted


class Locked(Transient):
    """The project is busy with another operation, and nothing was done (423)."""


class Conflict(Rejected):
    """A thing of that name exists, or a branch has its one read-write endpoint already (409)."""


class Missing(Rejected):
    """There is no such thing (404)."""


class PasswordsNotStored(Rejected):
    """The project keeps no passwords, so none can be told (412)."""


_LIMITS = {
    "BRANCHES_LIMIT_EXCEEDED": "the Neon project holds as many branches as its plan allows",
    "ROOT_BRANCHES_LIMIT_EXCEEDED": "the Neon project holds as many root branches as its plan allows",
    "PROTECTED_BRANCHES_LIMIT_EXCEEDED": "the Neon project holds as many protected branches as its plan allows",
    "PROJECTS_LIMIT_EXCEEDED": "the Neon account holds as many projects as its plan allows",
    "ENDPOINTS_LIMIT_EXCEEDED": "the Neon project holds as many compute endpoints as its plan allows",
    "ACTIVE_ENDPOINTS_LIMIT_EXCEEDED": "as many compute endpoints of the Neon project are active as its plan allows",
}
_IDS = re.compile(r"\b(br|ep)-[a-z0-9-]+|\b[0-9a-f]{8}-[0-9a-f-]{27}\b")


def refusal(status: int, problem: Problem, task: str) -> ExternalError:
    """The error for an answer of 300 to 499. `task` in words: `create the branch of claw-x`."""
    if status == 401:
        return Unauthorized(f"Neon does not accept the API key, so it was not possible to {task}; set NEON_API_KEY")
    if problem.code.endswith("LIMIT_EXCEEDED"):
        return Rejected(f"It was not possible to {task}: {_limit(problem.code)}; free some, or raise the limit")
    match status:
        case 403:
            return Unauthorized(f"The Neon API key may not {task}; set a NEON_API_KEY with more rights")
        case 404:
            return Missing(f"It was not possible to {task}: Neon does not know it")
        case 409:
            return Conflict(f"It was not possible to {task}: it exists already")
        case 412:
            return PasswordsNotStored(f"It was not possible to {task}: the Neon project stores no passwords")
        case 423:
            return Locked(f"It was not possible to {task} yet: the Neon project is busy, or its quota is used up")
    if status < 400 or status in (408, 425):
        return Transient(f"It was not possible to {task}: Neon answered {status}")
    return Rejected(f"Neon refuses to {task}: {_told(problem) or status}")


def _limit(code: str) -> str:
    known = _LIMITS.get(code)
    return known or f"Neon's limit of {code.removesuffix('LIMIT_EXCEEDED').strip('_').replace('_', ' ').lower()} is met"


def _told(problem: Problem) -> str:
    """Neon's own words without the ids in them."""
    return redacted(_IDS.sub("***", problem.message))
