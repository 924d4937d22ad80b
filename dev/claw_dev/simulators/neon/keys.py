"""API keys: whose they are, and what they may. Pure."""

from dataclasses import dataclass, field

from claw_dev.simulators.neon.problems import forbidden, malformed, missing


@dataclass(frozen=True)
class Key:
    """One key."""

    secret: str = field(repr=False)
    org_id: str = "org-simulated-12345678"
    project_id: str | None = None
    """The only project that it may touch."""
    is_personal: bool = False
    """A person's key has to say which organisation it means."""
    may_write: bool = True

    @property
    def kind(self) -> str:
        """For the log, which must not hold the secret."""
        if self.is_personal:
            return "personal"
        return "project" if self.project_id else "organisation"

    def organisation(self, named: str | None) -> str:
        """The organisation of a call that makes or lists projects. Raises NeonProblem."""
        if self.project_id is not None:
            raise forbidden("project-scoped API keys cannot act on an organisation")
        if self.is_personal and not named:
            raise malformed("org_id is required, you can find it on your organization settings page")
        if named not in (None, self.org_id):
            raise missing("organization")
        return self.org_id

    def admit(self, project_id: str, owner: str | None) -> None:
        """Raise NeonProblem unless the key may touch the project, which belongs to the organisation `owner`."""
        if owner is not None and owner != self.org_id:
            raise missing("project")
        if self.project_id not in (None, project_id):
            raise forbidden("this API key has no access to the project")

    def admit_method(self, method: str) -> None:
        """Raise NeonProblem when it would change something and the key may only look."""
        if not self.may_write and method != "GET":
            raise forbidden("permission denied: this API key may only read")
