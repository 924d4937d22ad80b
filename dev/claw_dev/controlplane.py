"""Where etcd, kube-apiserver and kube-controller-manager come from.

No package registry ships them, so they are built from `dev/controlplane`, a small Go module, once per machine. In this
order: the cache of an earlier build, the directory named by KUBEBUILDER_ASSETS if it is complete, a new build. The
cache is keyed by the Kubernetes version, the platform and the Go module, so a second checkout starts in seconds.
"""

import hashlib
import os
import platform
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from claw_dev.build import Build, build_control_plane
from claw_dev.errors import StackError
from claw_dev.toolchain import Report

MODULE = Path(__file__).parent.parent / "controlplane"
_SOURCES = ("go.mod", "go.sum", "main.go")
_PROGRAMS = ("etcd", "kube-apiserver", "kube-controller-manager")


@dataclass(frozen=True)
class Binaries:
    """The three programs of a control plane."""

    etcd: Path
    apiserver: Path
    controller_manager: Path

    @classmethod
    def of(cls, directory: Path) -> "Binaries | None":
        """The programs in a directory; None unless all three are there and can be run."""
        paths = [directory / program for program in _PROGRAMS]
        if not all(os.access(path, os.X_OK) for path in paths):
            return None
        return cls(*paths)


async def control_plane_binaries(environment: Mapping[str, str], report: Report) -> Binaries:
    """The programs, built if need be: minutes the first time. Raises StackError when that cannot be done."""
    if present := present_binaries(environment):
        return present
    version = kubernetes_version(MODULE)
    cache = cache_directory(environment)
    target = _cached(environment)
    await build_control_plane(Build(MODULE, version, target, _PROGRAMS, cache), environment, report)
    if built := Binaries.of(target):
        return built
    raise StackError(f"there is no complete control plane in {target}", f"rm -r {target}, then try again")


def present_binaries(environment: Mapping[str, str]) -> Binaries | None:
    """The programs if this machine has them already."""
    if cached := Binaries.of(_cached(environment)):
        return cached
    # The usual assets of envtest have no controller manager, and so count as none.
    assets = environment.get("KUBEBUILDER_ASSETS")
    return Binaries.of(Path(assets)) if assets else None


def cache_directory(environment: Mapping[str, str]) -> Path:
    """Where Claw keeps what is expensive to make and belongs to no checkout."""
    base = environment.get("XDG_CACHE_HOME") or Path(environment.get("HOME", "~")).expanduser() / ".cache"
    return Path(base) / "claw"


def _cached(environment: Mapping[str, str]) -> Path:
    return cache_directory(environment) / "controlplane" / cache_key(MODULE, kubernetes_version(MODULE))


def kubernetes_version(module: Path) -> str:
    """The version of Kubernetes that the Go module builds, for example `v1.36.3`."""
    if not (module / "go.mod").is_file():
        raise StackError(f"the Go module of the control plane is not at {module}", "run claw from a checkout")
    match = re.search(r"^\s*k8s\.io/kubernetes (v\S+)", (module / "go.mod").read_text(), re.MULTILINE)
    if match is None:
        raise StackError(f"{module / 'go.mod'} requires no k8s.io/kubernetes")
    return match[1]


def cache_key(module: Path, version: str) -> str:
    """The name of the cache's directory for this module on this machine."""
    digest = hashlib.sha256()
    for source in _SOURCES:
        digest.update((module / source).read_bytes())
    machine = f"{platform.system().lower()}-{platform.machine().lower()}"
    return f"{version}-{machine}-{digest.hexdigest()[:12]}"
