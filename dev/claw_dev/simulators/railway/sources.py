"""Where a deployment's program comes from, and why it does not come. Pure."""

from claw_dev.simulators.railway.pace import Quirks
from claw_dev.simulators.railway.records import Deployment


def is_built(deployment: Deployment) -> bool:
    """Whether there is anything to build: an image is there already."""
    return bool(deployment.source.get("repo"))


def build_failure(deployment: Deployment, quirks: Quirks) -> list[str] | None:
    """The build's log when it fails; None when it succeeds."""
    repository = deployment.source.get("repo")
    if not repository:
        return None
    if _ends_with(repository, quirks.broken_sources):
        return [
            "scheduling build on Metal builder",
            f"fetched snapshot of {repository}",
            "[builder] ERROR: could not determine how to build the app",
            "Build failed: exit code 1",
        ]
    if not deployment.source.get("branch"):
        # A repository without a branch fails without a word.
        return []
    return None


def pull_failure(deployment: Deployment, quirks: Quirks) -> list[str] | None:
    """The deployment's log when its image cannot be pulled; None when it can."""
    image = deployment.source.get("image")
    if image is None:
        return None if is_built(deployment) else ["No source is connected to this service"]
    name = image.partition("@")[0].rpartition(":")[0] or image
    if _ends_with(name, quirks.broken_sources) or _ends_with(image, quirks.broken_sources):
        return [f"Failed to pull image {image}: manifest unknown"]
    if _ends_with(name, quirks.refused_sources) and not deployment.registry:
        return [f"Failed to pull image {image}: unauthorized: authentication required"]
    return None


def _ends_with(source: str, endings: tuple[str, ...]) -> bool:
    return source.endswith(endings)
