"""`claw doctor`: everything that a stack needs and that a machine may lack, each with what to do about it."""

import asyncio
import importlib.util
import os
import platform
import shutil
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from importlib.metadata import entry_points
from pathlib import Path
from random import SystemRandom

import typer
from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from claw_dev import build, folder, notes, postgres
from claw_dev.agreement import with_dotenv
from claw_dev.commands import DEFAULT_DIRECTORY, Directory
from claw_dev.controlplane import cache_directory, present_binaries
from claw_dev.errors import REINSTALL, StackError
from claw_dev.installation import CRDS, PLANS, documents
from claw_dev.kubectl import Kubectl, kubectl_program
from claw_dev.kubernetes import KUBECONFIG_VARIABLE, named_kubeconfig, reach
from claw_dev.lock import holder
from claw_dev.ports import free_port
from claw_dev.services import chosen_model
from claw_dev.stack import DATABASE_VARIABLE
from claw_dev.toolchain import is_new_enough

_OLDEST_PYTHON = (3, 11)
_PACKAGES = ("claw_operator", "claw_webhook", "claw_runtime", "kopf", "kubernetes", "stripe", "anthropic", "psycopg")
_FOREIGN = {"KUBECONFIG": KUBECONFIG_VARIABLE, "DATABASE_URL": DATABASE_VARIABLE}


CHECKS = "claw.checks"
"""The entry-point group of functions that look at a person's accounts: environment in, checks out."""


class Verdict(StrEnum):
    """Whether the stack can start."""

    OK = "ok"
    NOTE = "note"
    """It can, and the person should know this."""
    MISSING = "missing"


@dataclass(frozen=True)
class Finding:
    """One line of the table."""

    subject: str
    verdict: Verdict
    detail: str
    hint: str = ""


def doctor(directory: Directory = DEFAULT_DIRECTORY) -> None:
    """Check everything that the stack needs and that this machine or your accounts may lack. Changes nothing."""
    findings = asyncio.run(examine(directory.absolute(), with_dotenv(os.environ)))
    table = Table("", "", Column(overflow="fold"), box=None, padding=(0, 2, 0, 0), show_header=False)
    styles = {Verdict.OK: "green", Verdict.NOTE: "yellow", Verdict.MISSING: "bold red"}
    for finding in findings:
        text = "\n".join(filter(None, (finding.detail, finding.hint and f"→ {finding.hint}")))
        table.add_row(finding.subject, Text(finding.verdict, style=styles[finding.verdict]), Text(text))
    Console().print(table)
    if any(finding.verdict is Verdict.MISSING for finding in findings):
        raise typer.Exit(1)


async def examine(directory: Path, environment: Mapping[str, str]) -> list[Finding]:
    """Look at everything; nothing is changed, and nothing is installed."""
    return [
        _python(),
        _packages(),
        await _kubernetes(directory, environment),
        _kubectl(),
        await _postgres(environment),
        _manifests(),
        _ports(),
        _disk(directory),
        _claude(environment),
        *_foreign(environment),
        _folder(directory),
        *await _accounts(environment),
    ]


async def _accounts(environment: Mapping[str, str]) -> list[Finding]:
    """What the installed services say of the accounts that the person has tokens for. Found by name, not imported."""
    findings = []
    for point in entry_points(group=CHECKS):
        examine = point.load()
        findings += [
            Finding(check.subject, Verdict(check.verdict), check.detail, check.hint)
            for check in await examine(environment)
        ]
    return findings


def _python() -> Finding:
    version = f"{platform.python_version()} on {platform.system()} {platform.machine()}"
    if sys.version_info < _OLDEST_PYTHON:
        return Finding("Python", Verdict.MISSING, version, "Python 3.11 or newer")
    if platform.system() not in {"Linux", "Darwin"}:
        return Finding("Python", Verdict.MISSING, version, "the stack runs on Linux and macOS")
    return Finding("Python", Verdict.OK, version)


def _packages() -> Finding:
    missing = [package for package in _PACKAGES if importlib.util.find_spec(package) is None]
    if missing:
        return Finding("packages", Verdict.MISSING, f"not installed: {', '.join(missing)}", REINSTALL)
    return Finding("packages", Verdict.OK, "operator, webhook service, runtime and what they need")


async def _kubernetes(directory: Path, environment: Mapping[str, str]) -> Finding:
    if named := named_kubeconfig(environment):
        return await _named_cluster(Kubectl(named, cache=directory / "kubectl-cache"))
    try:
        present = present_binaries(environment)
    except StackError as error:
        return Finding("Kubernetes", Verdict.MISSING, str(error), error.hint)
    if present:
        return Finding("Kubernetes", Verdict.OK, f"a control plane of our own, from {present.etcd.parent}")
    cache = cache_directory(environment)
    if _free(cache) < build.NEEDED_BYTES:
        needs = f"the first start builds it, for which {cache} needs {build.NEEDED_BYTES / 2**30:.0f} GiB"
        return Finding("Kubernetes", Verdict.MISSING, needs, "make room, or set XDG_CACHE_HOME to a larger disk")
    go = shutil.which("go", path=environment.get("PATH"))
    whose = go if go and await is_new_enough(Path(go)) else "Go from PyPI, as there is no Go 1.26 here"
    return Finding("Kubernetes", Verdict.NOTE, f"the first start builds it with {whose}: about five minutes, once")


async def _named_cluster(kubectl: Kubectl) -> Finding:
    try:
        await reach(kubectl)
    except StackError as error:
        return Finding("Kubernetes", Verdict.MISSING, str(error), f"correct or unset {KUBECONFIG_VARIABLE}")
    return Finding("Kubernetes", Verdict.OK, f"the cluster of {kubectl.kubeconfig}")


def _kubectl() -> Finding:
    try:
        return Finding("kubectl", Verdict.OK, str(kubectl_program()))
    except StackError as error:
        return Finding("kubectl", Verdict.MISSING, str(error), error.hint)


async def _postgres(environment: Mapping[str, str]) -> Finding:
    if url := environment.get(DATABASE_VARIABLE):
        place = postgres.without_credentials(url)
        if await postgres.is_reachable(url):
            return Finding("PostgreSQL", Verdict.OK, f"the server at {place}")
        return Finding(
            "PostgreSQL", Verdict.MISSING, f"{place} does not answer", f"correct or unset {DATABASE_VARIABLE}"
        )
    try:
        programs, before = postgres.postgres_programs(), postgres.unprivileged()
    except StackError as error:
        return Finding("PostgreSQL", Verdict.MISSING, str(error), error.hint)
    return Finding("PostgreSQL", Verdict.OK, f"{programs}{', run as nobody because you are root' if before else ''}")


def _manifests() -> Finding:
    if list(documents(CRDS)) and list(documents(PLANS)):
        return Finding("manifests", Verdict.OK, f"CRDs and plans of {CRDS.parent}")
    return Finding("manifests", Verdict.MISSING, f"no CRDs in {CRDS}, or no plans in {PLANS}", "make generate")


def _ports() -> Finding:
    try:
        free_port(SystemRandom())
    except StackError as error:
        return Finding("ports", Verdict.MISSING, str(error))
    return Finding("ports", Verdict.OK, "free ones on 127.0.0.1")


def _disk(directory: Path) -> Finding:
    detail = f"{_free(directory) / 2**30:.1f} GiB free for {directory}"
    if _free(directory) < folder.NEEDED_BYTES:
        return Finding("disk", Verdict.MISSING, detail, f"{folder.NEEDED_BYTES / 2**30:.0f} GiB is enough")
    return Finding("disk", Verdict.OK, detail)


def _claude(environment: Mapping[str, str]) -> Finding:
    model = chosen_model(environment, "the simulator")
    if model.simulated:
        return Finding("Claude", Verdict.OK, "the simulator, as ANTHROPIC_API_KEY is not set")
    return Finding("Claude", Verdict.NOTE, f"{model.url}, with your ANTHROPIC_API_KEY: replies cost money")


def _foreign(environment: Mapping[str, str]) -> Iterator[Finding]:
    for name, ours in _FOREIGN.items():
        if name in environment and ours not in environment:
            detail = f"set, and not used: it may name anybody's production; {ours} names one for the stack"
            yield Finding(name, Verdict.NOTE, detail)


def _folder(directory: Path) -> Finding:
    if pid := holder(directory):
        return Finding("this folder", Verdict.NOTE, f"a stack runs here (process {pid})", "claw down ends it")
    left = [note.name for note in notes.read_notes(directory) if note.process()]
    if left:
        detail = f"a stack that was killed has left {', '.join(left)}"
        return Finding("this folder", Verdict.NOTE, detail, "claw down, or the next claw up, ends them")
    return Finding("this folder", Verdict.OK, f"no stack runs in {directory}")


def _free(path: Path) -> int:
    """Bytes that are free where the path is, or would be."""
    there = next(parent for parent in (path, *path.parents) if parent.exists())
    return shutil.disk_usage(there).free
