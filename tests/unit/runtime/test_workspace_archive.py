"""A workspace as one file, and what a file from outside cannot do."""

import gzip
import io
import tarfile
from datetime import UTC, datetime

import pytest

from claw_runtime.workspace.archive import BrokenArchive, pack, unpack
from claw_runtime.workspace.content import MAX_FILES
from claw_runtime.workspace.rows import WorkspaceEntry

NOW = datetime(2026, 11, 22, 23, 30, tzinfo=UTC)
FILES = {"SOUL.md": "Be kind.\n", "メモ/買い物.md": "卵\n", "empty.md": "", "agents/bob/notes.md": "é" * 1000}


def entry(path: str, content: str) -> WorkspaceEntry:
    return WorkspaceEntry(path, "etag", len(content.encode()), "customer", NOW, content)


def archive(*members: tuple[tarfile.TarInfo, bytes]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as packed:
        for member, content in members:
            member.size = len(content) if member.isreg() else 0
            packed.addfile(member, io.BytesIO(content))
    return out.getvalue()


def of_type(name: str, kind: bytes, target: str = "/etc/passwd") -> tuple[tarfile.TarInfo, bytes]:
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, target
    return member, b""


def test_what_is_packed_is_unpacked() -> None:
    entries = [entry(path, content) for path, content in FILES.items()]
    assert unpack(pack(entries)) == FILES
    assert pack(entries) == pack(entries[::-1])


def test_the_systems_files_stay_out_of_it() -> None:
    packed = pack([entry("STATE.json", "{}"), entry(".env", "x=1"), entry("a.md", "a")])
    assert unpack(packed) == {"a.md": "a"}
    foreign = archive((tarfile.TarInfo("STATE.json"), b"{}"), (tarfile.TarInfo("a.md"), b"a"))
    assert unpack(foreign) == {"a.md": "a"}


@pytest.mark.parametrize("name", ["../evil.md", "/etc/passwd", "a/../../b", ".ssh/id", "a\\b", "soul.md", "a//b"])
def test_a_path_that_leads_elsewhere_is_refused(name: str) -> None:
    with pytest.raises(BrokenArchive, match="no file of a workspace"):
        unpack(archive((tarfile.TarInfo(name), b"x")))


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE])
def test_what_is_no_file_is_refused(kind: bytes) -> None:
    with pytest.raises(BrokenArchive, match="no file of a workspace"):
        unpack(archive(of_type("a.md", kind)))


def test_a_bomb_is_not_unpacked() -> None:
    with pytest.raises(BrokenArchive, match="more than a workspace takes"):
        unpack(archive((tarfile.TarInfo("a.md"), bytes(50_000_000))))
    with pytest.raises(BrokenArchive, match="more than a workspace takes"):
        unpack(archive(*((tarfile.TarInfo(f"{number}.md"), b"") for number in range(MAX_FILES + 1))))


def test_an_archive_without_files_is_refused() -> None:
    for content in (pack([]), gzip.compress(bytes(1_000_000))):
        with pytest.raises(BrokenArchive, match="no files"):
            unpack(content)


@pytest.mark.parametrize(
    "content", [b"", b"x" * 100, gzip.compress(b"no tar"), pack([entry("a.md", "a" * 5000)])[:-20]]
)
def test_what_is_no_archive_is_said_to_be_none(content: bytes) -> None:
    with pytest.raises(BrokenArchive):
        unpack(content)


def test_a_file_that_is_no_text_is_refused() -> None:
    with pytest.raises(BrokenArchive):
        unpack(archive((tarfile.TarInfo("a.png"), b"\x89PNG\xff")))
