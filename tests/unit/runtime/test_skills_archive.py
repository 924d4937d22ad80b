"""A skill that comes as a zip, and what else may come as one."""

import io
import stat
import struct
import warnings
import zipfile
from random import Random

import pytest

from claw_runtime.skills.archive import MAX_ENTRIES, MAX_UNPACKED, NoSkill, unpack

HEAD = "---\nname: trip\ndescription: Plans trips.\n---\nGo.\n"


def zipped(files: dict[str, str | bytes], *, compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    target = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of names that are there twice: that is what some tests are about
        with zipfile.ZipFile(target, "w", compression) as archive:
            for path, content in files.items():
                archive.writestr(path, content)
    return target.getvalue()


def special(name: str, mode: int, content: str = "/etc/passwd") -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        archive.writestr("SKILL.md", HEAD)
        entry = zipfile.ZipInfo(name)
        entry.external_attr = mode << 16
        archive.writestr(entry, content)
    return target.getvalue()


def refused(data: bytes) -> str:
    with pytest.raises(NoSkill) as error:
        unpack(data)
    return str(error.value)


@pytest.mark.parametrize("folder", ["", "trip/", "trip-main/"])
def test_a_skill_is_at_the_top_or_in_the_only_folder(folder: str) -> None:
    bundle = unpack(zipped({f"{folder}SKILL.md": HEAD, f"{folder}lists/packing.md": "Socks"}))

    assert bundle.name == "trip"
    assert bundle.files == {"SKILL.md": HEAD, "lists/packing.md": "Socks"}


def test_what_other_systems_leave_in_archives_is_left_out() -> None:
    leftovers: dict[str, str | bytes] = {
        "__MACOSX/trip/._SKILL.md": b"\x00\x05",
        "trip/.DS_Store": b"\x00",
        "trip/a/": "",
    }

    data = zipped(leftovers | {"trip/SKILL.md": HEAD})

    assert unpack(data).files == {"SKILL.md": HEAD}


@pytest.mark.parametrize(
    "path",
    ["../SOUL.md", "a/../../SOUL.md", "/etc/passwd", "..\\SOUL.md", "C:\\x", "C:x", "a//b", "./a", "a/./b", "a/.."],
)
def test_a_path_that_leads_elsewhere_is_refused(path: str) -> None:
    assert "leads out of the archive" in refused(zipped({"SKILL.md": HEAD, path: "x"}))


def test_a_name_with_a_hidden_end_is_refused() -> None:
    data = zipped({"SKILL.md": HEAD, "aaaaa.txt": "x"}).replace(b"aaaaa.txt", b"a.md\x00.txt")

    assert "leads out of the archive" in refused(data)


@pytest.mark.parametrize("path", [".env", "a/.git/config", "lists/" + "x" * 250, "a/b/c/d/e/f/g/h.md", "tab\there.md"])
def test_a_name_that_no_file_of_the_workspace_has_is_refused(path: str) -> None:
    assert "is no name for a file of the workspace" in refused(zipped({"SKILL.md": HEAD, path: "x"}))


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFCHR, stat.S_IFIFO, stat.S_IFSOCK])
def test_a_link_or_a_device_is_refused(kind: int) -> None:
    assert "is a link or a device" in refused(special("notes.md", kind | 0o777))


def test_an_encrypted_file_is_refused() -> None:
    data = bytearray(zipped({"SKILL.md": HEAD}))
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = data.index(signature) + offset
        data[at : at + 2] = struct.pack("<H", struct.unpack("<H", data[at : at + 2])[0] | 1)

    assert "is encrypted" in refused(bytes(data))


@pytest.mark.parametrize("compression", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_an_unusual_packing_is_refused(compression: int) -> None:
    assert "packed in an unusual way" in refused(zipped({"SKILL.md": HEAD}, compression=compression))


@pytest.mark.parametrize(("first", "second"), [("a.md", "a.md"), ("a.md", "A.MD"), ("straße.md", "STRASSE.md")])
def test_a_path_that_is_there_twice_is_refused(first: str, second: str) -> None:
    target = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with zipfile.ZipFile(target, "w") as archive:
            for path in ("SKILL.md", first, second):
                archive.writestr(path, HEAD)

    assert "is in the archive twice" in refused(target.getvalue())


@pytest.mark.parametrize(
    ("size", "complaint"), [(3_000_000, "unpacks to more than 100 times"), (60_000_000, "larger than 4 MiB together")]
)
def test_a_bomb_is_refused_while_it_unpacks(size: int, complaint: str) -> None:
    assert complaint in refused(zipped({"SKILL.md": HEAD, "a.md": bytes(size)}))


def test_many_files_that_are_too_much_together_are_refused() -> None:
    text = Random(7).randbytes(75_000).hex()  # packs to half
    files: dict[str, str | bytes] = {f"{number}.md": text for number in range(MAX_UNPACKED // len(text) + 1)}

    assert "larger than 4 MiB together" in refused(zipped(files | {"SKILL.md": HEAD}))


def test_too_many_entries_are_refused() -> None:
    assert "more than 200 entries" in refused(zipped({f"{number}.md": "" for number in range(MAX_ENTRIES + 1)}))


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (zipped({"SKILL.md": HEAD}), "is no text in UTF-8"),
        (b"\x89PNG\r\n", "is no text in UTF-8"),
        (b"a\x00b", "holds the character U+0000"),
        (Random(7).randbytes(150_000).hex(), "is longer than 200,000 characters"),
    ],
)
def test_what_is_no_text_is_refused(content: str | bytes, complaint: str) -> None:
    assert complaint in refused(zipped({"SKILL.md": HEAD, "a.zip": content}))


@pytest.mark.parametrize(
    ("files", "complaint"),
    [
        ({}, "must have a SKILL.md"),
        ({"README.md": "x"}, "must have a SKILL.md"),
        ({"a/SKILL.md": HEAD, "b/SKILL.md": HEAD}, "must have a SKILL.md"),
        ({"SKILL.md": "# No front matter"}, "SKILL.md: It must begin with front matter"),
        ({"SKILL.md": HEAD.replace("trip", "chat", 1)}, "SKILL.md: The name chat is that of something"),
    ],
)
def test_an_archive_without_a_proper_skill_is_refused(files: dict[str, str | bytes], complaint: str) -> None:
    assert complaint in refused(zipped(files))


def test_nonsense_is_refused_whatever_it_looks_like() -> None:
    whole = zipped({"SKILL.md": HEAD, "a.md": "text " * 200})
    random = Random(7)
    assert "damaged, or no zip" in refused(b"")
    assert "damaged, or no zip" in refused(b"PK\x03\x04" + bytes(100))
    for _ in range(500):
        data = bytearray(whole)
        for _ in range(random.randint(1, 4)):
            data[random.randrange(len(data))] = random.randrange(256)
        del data[random.randint(len(data) // 2, len(data)) :]
        try:
            unpack(bytes(data))
        except NoSkill:
            continue
