"""Kubeconfig files of the stack's own. The person's is neither read nor written."""

import base64
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from claw_dev.certificates import write_secret


@dataclass(frozen=True)
class Kubeconfig:
    """What a client needs to know of an API server, and who it is."""

    url: str
    ca: bytes | None
    """PEM; None for a server that the system's own authorities vouch for."""
    token: str = field(repr=False)
    namespace: str = "default"

    def write(self, path: Path) -> Path:
        """Write it as a file that only its owner can read. Returns the path."""
        cluster: dict[str, Any] = {"server": self.url}
        if self.ca is not None:
            cluster["certificate-authority-data"] = base64.b64encode(self.ca).decode()
        document = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "claw",
            "clusters": [{"name": "claw", "cluster": cluster}],
            "users": [{"name": "claw", "user": {"token": self.token}}],
            "contexts": [{"name": "claw", "context": {"cluster": "claw", "user": "claw", "namespace": self.namespace}}],
        }
        # JSON is YAML, and every client reads it.
        write_secret(path, json.dumps(document, indent=2))
        return path
