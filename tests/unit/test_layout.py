"""The shape of the repository, kept by a test because nothing else would complain."""

import re
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCE_ROOTS = {
    "crds": "claw_crds",
    "templates": "claw_templates",
    "operator": "claw_operator",
    "webhook": "claw_webhook",
    "runtime": "claw_runtime",
    "dev": "claw_dev",
}
PYTHON_FILES = sorted(
    path.relative_to(ROOT)
    for folder in (*SOURCE_ROOTS, "tests")
    for path in (ROOT / folder).rglob("*.py")
    if "__pycache__" not in path.parts
)
SAYS_NOTHING = {"utils", "util", "helpers", "helper", "common", "manager", "base", "misc"}
LONGEST = 400


def test_no_folder_shadows_the_standard_library() -> None:
    """A file operator/__init__.py would break `import collections` for all that is started in the root."""
    assert not (ROOT / "operator" / "__init__.py").exists()

    started = subprocess.run(
        [sys.executable, "-c", "import collections, operator; print(operator.__file__)"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )

    assert Path(started.stdout.strip()).parent == Path(sysconfig.get_path("stdlib"))


@pytest.mark.parametrize(("folder", "package"), SOURCE_ROOTS.items())
def test_a_source_root_holds_one_package(folder: str, package: str) -> None:
    found = {path.parent.name for path in (ROOT / folder).glob("*/__init__.py")}

    assert found == {package}
    assert not list((ROOT / folder).glob("*.py")), "a module beside the package would be importable by its bare name"


@pytest.mark.parametrize(("folder", "package"), SOURCE_ROOTS.items())
def test_a_package_is_typed(folder: str, package: str) -> None:
    assert (ROOT / folder / package / "py.typed").is_file()


def test_every_folder_of_tests_is_a_package() -> None:
    """Or two files of the same name in two folders would be one module to pytest."""
    folders = {path.parent for path in PYTHON_FILES if path.parts[0] == "tests"}

    assert [str(folder) for folder in sorted(folders) if not (ROOT / folder / "__init__.py").is_file()] == []


def test_a_name_says_what_a_module_does() -> None:
    names = {path: {path.stem, *path.parent.parts} for path in PYTHON_FILES}

    assert [str(path) for path, parts in names.items() if parts & SAYS_NOTHING] == []


def test_a_source_file_can_be_read_in_one_go() -> None:
    sources = [path for path in PYTHON_FILES if path.parts[0] != "tests"]
    lengths = {str(path): len((ROOT / path).read_text(encoding="utf-8").splitlines()) for path in sources}

    assert {path: lines for path, lines in lengths.items() if lines > LONGEST} == {}


def make(*arguments: str) -> str:
    return subprocess.run(["make", *arguments], cwd=ROOT, capture_output=True, text=True, check=True).stdout


def phony_targets() -> set[str]:
    """What the Makefile offers; a name with a dot is its own business."""
    lines = re.findall(r"^\.PHONY: (.+)$", (ROOT / "Makefile").read_text(), flags=re.MULTILINE)
    return {name for line in lines for name in line.split() if not name.startswith(".")}


def test_make_help_lists_every_target_with_a_line() -> None:
    listed = dict(re.findall(r"^  make (\S+) +(\S.*)$", make("help"), flags=re.MULTILINE))

    assert listed.keys() == phony_targets()
    assert listed.keys() >= {"demo", "up", "down", "test", "test-unit", "lint", "generate", "verify", "bench", "lock"}


@pytest.mark.parametrize("target", sorted(phony_targets()))
def test_every_target_of_make_can_be_made(target: str) -> None:
    assert make("--dry-run", target)


def test_make_alone_is_help() -> None:
    assert make() == make("help")
