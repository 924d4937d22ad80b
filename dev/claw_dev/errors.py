"""The one error that a person at the keyboard sees: what happened, and what to do."""


class StackError(Exception):
    """Something that the local stack needs is missing or does not work."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint
        """What to do about it; may have several lines."""


REINSTALL = "rm -f .venv/installed, then `make up`"
"""The hint for whatever the virtual environment lacks."""
