"""Unpacking with little room."""

import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from claw_runtime.web.unpacking import BadPacking, Unpacking

WINDOWS = {"gzip": 31, "deflate": 15, "raw": -15}


@given(st.binary(min_size=3, max_size=2000), st.sampled_from(["gzip", "deflate", "raw", ""]), st.integers(1, 600))
def test_what_comes_out_is_what_was_packed(content: bytes, coding: str, step: int) -> None:
    packed = content
    if coding:
        packer = zlib.compressobj(wbits=WINDOWS[coding])
        packed = packer.compress(content) + packer.flush()
    unpacking = Unpacking(coding.replace("raw", "deflate"))

    out = b"".join(unpacking.feed(packed[start : start + step], 10_000) for start in range(0, len(packed), step))

    assert out == content
    assert unpacking.complete


@pytest.mark.parametrize("coding", ["gzip", "deflate", ""])
def test_no_more_comes_out_than_there_is_room_for(coding: str) -> None:
    content = bytes(10_000_000)
    packed = zlib.compress(content) if coding == "deflate" else content
    if coding == "gzip":
        packer = zlib.compressobj(wbits=31)
        packed = packer.compress(content) + packer.flush()
    unpacking = Unpacking(coding)

    assert len(unpacking.feed(packed, 1000)) == 1000
    assert unpacking.complete is (coding == "")


@pytest.mark.parametrize("coding", ["br", "zstd", "compress", "gzip, gzip", "\x00"])
def test_a_coding_that_nobody_asked_for_is_refused(coding: str) -> None:
    with pytest.raises(BadPacking):
        Unpacking(coding)
