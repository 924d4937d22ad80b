"""`stack.json`: what runs in a folder and how to reach it, for every other command and for the person."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from claw_dev.certificates import write_secret
from claw_dev.errors import StackError
from claw_dev.lock import holder

RECORD_FILE = "stack.json"


class StackRecord(BaseModel):
    """Addresses, files and secrets of a stack. None: that part was not asked for."""

    model_config = ConfigDict(frozen=True)

    pid: int
    directory: Path
    logs: Path
    namespace: str
    """Where the ClawInstances are."""
    kubeconfig: Path | None = None
    """The administrator's."""
    postgres_url: str | None = None
    customers_url: str | None = None
    """The customers database, as the webhook service's role."""
    smtp_url: str | None = None
    mail_directory: Path | None = None
    stripe_url: str | None = None
    stripe_secret_key: str | None = None
    stripe_webhook_secret: str | None = None
    claude_url: str | None = None
    """The model's endpoint: the simulator, or Anthropic's own when the person has a key."""
    railway_url: str | None = None
    """Of the simulator, as `neon_url`: only where the providers are simulated."""
    neon_url: str | None = None
    operator_url: str | None = None
    webhook_url: str | None = None

    def write(self) -> None:
        """Write it where `read_record` looks, readable by its owner alone."""
        write_secret(self.directory / RECORD_FILE, self.model_dump_json(indent=2) + "\n")


def read_record(directory: Path) -> StackRecord:
    """The stack that runs in the directory. Raises StackError when none does."""
    try:
        record = StackRecord.model_validate_json((directory / RECORD_FILE).read_bytes())
    except FileNotFoundError:
        record = None
    except ValidationError as error:
        raise StackError(
            f"{directory / RECORD_FILE} cannot be read: {error.error_count()} errors", "claw down"
        ) from None
    if record is None or holder(directory) is None:
        raise StackError(f"no stack runs in {directory}", "start one with `claw up`")
    return record
