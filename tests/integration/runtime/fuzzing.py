"""What schemathesis does not know by itself: how to make a zip of whatever it has made up.

Every other one is an archive that can be opened. The rest are bytes that only claim to be one.
"""

import io
import zipfile
from typing import Any

from schemathesis.transport import SerializationContext
from schemathesis.transport.requests import REQUESTS_TRANSPORT


@REQUESTS_TRANSPORT.serializer("application/zip")
def zipped(_: SerializationContext, value: Any) -> dict[str, Any]:
    """An upload, as the client that schemathesis uses takes it."""
    text = str(value).encode(errors="surrogatepass")
    if len(text) % 2:
        return {"data": text}
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as opened:
        opened.writestr("made-up/SKILL.md", b"---\nname: made-up\ndescription: " + text + b"\n---\n")
    return {"data": archive.getvalue()}
