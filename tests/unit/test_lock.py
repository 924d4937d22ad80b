"""The lock says what pyproject.toml asks for. Read from the files alone: it needs no registry."""

import re
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
REQUIREMENTS = ROOT / "requirements"
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())
FILES = sorted(path.name for path in REQUIREMENTS.glob("*.txt"))
DIRECT = "claw (pyproject.toml"

OUTDATED = "run `make lock`"


@dataclass(frozen=True)
class Pin:
    """One entry of a lock file."""

    requirement: Requirement
    hashes: tuple[str, ...]
    direct: bool
    """Whether pyproject.toml names it, and not only another package."""

    @property
    def name(self) -> str:
        return canonicalize_name(self.requirement.name)

    @property
    def version(self) -> str:
        return next(iter(self.requirement.specifier)).version


def pins(file: str) -> list[Pin]:
    """The entries of a lock file."""
    entries = re.split(r"^(?=[A-Za-z0-9])", (REQUIREMENTS / file).read_text(), flags=re.MULTILINE)[1:]
    return [
        Pin(
            requirement=Requirement(re.split(r"\s\\", entry)[0]),
            hashes=tuple(re.findall(r"--hash=sha256:([0-9a-f]{64})", entry)),
            direct=DIRECT in entry,
        )
        for entry in entries
    ]


def group(name: str) -> list[Requirement]:
    """A dependency group, with the groups that it includes."""
    found: list[Requirement] = []
    for entry in PROJECT["dependency-groups"][name]:
        found += group(entry["include-group"]) if isinstance(entry, dict) else [Requirement(entry)]
    return found


def wanted(file: str) -> list[Requirement]:
    """What pyproject.toml asks for, as far as the file locks it."""
    if file == "bootstrap.txt":
        return group("bootstrap")
    project = PROJECT["project"]
    extras: dict[str, list[str]] = project["optional-dependencies"]
    chosen: Iterable[str] = extras if file == "dev.txt" else [file.removesuffix(".txt")]
    texts = [*project["dependencies"], *(text for extra in chosen for text in extras[extra])]
    return [Requirement(text) for text in texts] + (group("dev") if file == "dev.txt" else [])


def test_there_is_a_lock_for_each_extra_for_development_and_for_uv() -> None:
    extras = PROJECT["project"]["optional-dependencies"]

    assert set(FILES) == {f"{extra}.txt" for extra in extras} | {"bootstrap.txt", "dev.txt"}


@pytest.mark.parametrize("file", FILES)
def test_what_is_asked_for_is_locked_in_a_version_that_will_do(file: str) -> None:
    locked = {pin.name: pin.version for pin in pins(file)}

    for requirement in wanted(file):
        name = canonicalize_name(requirement.name)
        assert name in locked, f"{file} lacks {requirement}: {OUTDATED}"
        assert requirement.specifier.contains(locked[name]), f"{file} has {locked[name]}, not {requirement}: {OUTDATED}"


@pytest.mark.parametrize("file", FILES)
def test_what_is_asked_for_no_more_is_not_locked_any_more(file: str) -> None:
    asked = {canonicalize_name(requirement.name) for requirement in wanted(file)}

    assert {pin.name for pin in pins(file) if pin.direct} == asked, OUTDATED


@pytest.mark.parametrize("file", FILES)
def test_everything_is_locked_by_version_and_hash(file: str) -> None:
    for pin in pins(file):
        assert [specifier.operator for specifier in pin.requirement.specifier] == ["=="]
        assert pin.hashes, f"{pin.name} has no hash"


def test_a_package_has_one_version_in_all_files() -> None:
    """Or what is tested is not what is deployed."""
    development = {(pin.name, str(pin.requirement.marker)): pin.version for pin in pins("dev.txt")}

    for file in set(FILES) - {"dev.txt", "bootstrap.txt"}:
        for pin in pins(file):
            same = [version for (name, _marker), version in development.items() if name == pin.name]
            assert pin.version in same, f"{pin.name} is {pin.version} in {file} and {same} in dev.txt: {OUTDATED}"


@pytest.mark.parametrize("file", FILES)
def test_a_lock_names_no_address(file: str) -> None:
    assert "://" not in (REQUIREMENTS / file).read_text(), "a download host has no place in the repository"
