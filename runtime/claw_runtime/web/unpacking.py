"""Compressed bodies, unpacked no further than there is room. Pure.

A thousand bytes can hold a million. The decoder is asked for as many bytes as are wanted, and the rest stays packed.
"""

import zlib

ACCEPTED = "gzip, deflate"
"""What servers are told they may use."""

_GZIP = 16 + zlib.MAX_WBITS
_RAW = -zlib.MAX_WBITS


class BadPacking(Exception):
    """The body is not packed in the way that it says, or in one that nobody asked for."""


class Unpacking:
    """One body on its way. `coding` is what its header Content-Encoding says."""

    def __init__(self, coding: str) -> None:
        self._coding = coding.strip().lower().removeprefix("x-") or "identity"
        if self._coding not in {"identity", "gzip", "deflate"}:
            raise BadPacking
        self._decoder = zlib.decompressobj(_GZIP) if self._coding == "gzip" else None

    def feed(self, piece: bytes, room: int) -> bytes:
        """At most `room` (at least 1) bytes of what the piece holds. Raises BadPacking."""
        if self._coding == "identity" or not piece:
            return piece[:room]
        if self._decoder is None:
            self._decoder = zlib.decompressobj(zlib.MAX_WBITS if _has_header(piece) else _RAW)
        try:
            return self._decoder.decompress(piece, room)
        except zlib.error:
            raise BadPacking from None

    @property
    def complete(self) -> bool:
        """Whether the packed body has come to its own end. A body that is not packed has none."""
        return self._decoder is None or self._decoder.eof


def _has_header(piece: bytes) -> bool:
    """Deflate is sent with zlib's header, as it should be, and without it, as some servers do."""
    return piece[0] & 0x0F == 8 and (len(piece) == 1 or int.from_bytes(piece[:2]) % 31 == 0)
