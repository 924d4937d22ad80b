"""The abilities that the runtime bundles: tools behind one name, under which plans list them. Pure."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Ability:
    """What every runtime knows, whether or not its plan includes it."""

    name: str
    description: str
    connection: str | None = None
    """What the customer has to connect first: a scope of their Google account."""
    feature: str | None = None
    """What whoever runs the assistant has to set up first: one of FEATURES."""


GOOGLE, SEARCH, EMBEDDINGS, SNAPSHOTS = "google", "search", "embeddings", "snapshots"
FEATURES = {
    GOOGLE: "Google sign-in",
    SEARCH: "a search API",
    EMBEDDINGS: "an API for embeddings",
    SNAPSHOTS: "a place for snapshots",
}
"""What a deployment can have, in the words of a sentence. The keys are those of `requires.config` in a SKILL.md."""

CATALOGUE = (
    Ability("chat", "Talks with you, and remembers each conversation."),
    Ability("memory", "Brings memories that matter for a question into the answer."),
    Ability("web_search", "Searches the web for what it does not know."),
    Ability("browser", "Opens web pages and reads them to you."),
    Ability(
        "gmail", "Searches, reads, drafts and sends mail in your Gmail account.", connection="gmail", feature=GOOGLE
    ),
    Ability("calendar", "Looks at and changes your Google Calendar.", connection="calendar", feature=GOOGLE),
)
ABILITIES = frozenset(ability.name for ability in CATALOGUE)
