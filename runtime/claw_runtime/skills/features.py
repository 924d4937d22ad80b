"""What a deployment has, as skills ask for it. Pure."""

from claw_runtime.settings import Settings
from claw_runtime.skills.catalogue import EMBEDDINGS, GOOGLE, SEARCH, SNAPSHOTS


def features_of(settings: Settings) -> frozenset[str]:
    """The names of what is set up completely."""
    needed = {
        GOOGLE: (settings.google_client_id, settings.google_client_secret, settings.encryption_key, settings.front_url),
        SEARCH: (settings.search_url,),
        EMBEDDINGS: (settings.embeddings_url,),
        SNAPSHOTS: (settings.snapshot_url,),
    }
    return frozenset(name for name, values in needed.items() if all(value is not None for value in values))
