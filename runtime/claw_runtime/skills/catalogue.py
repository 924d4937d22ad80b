"""The skills that the runtime bundles. The names are those that plans list."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Bundled:
    """A skill that every runtime knows, whether or not its plan includes it."""

    name: str
    description: str
    available: bool
    """Whether this version can do it. One that it cannot do yet is listed, and the assistant says that it cannot."""


CATALOGUE = (
    Bundled("chat", "Talks with you, and remembers each conversation.", available=True),
    Bundled("memory", "Brings memories that matter for a question into the answer.", available=True),
    Bundled("web_search", "Searches the web for what it does not know.", available=False),
    Bundled("gmail", "Reads and drafts mail in your Gmail account.", available=False),
    Bundled("calendar", "Looks at and changes your Google Calendar.", available=False),
    Bundled("browser", "Opens web pages and works with them.", available=False),
)
