"""Mails as Gmail shows them."""

from email.message import EmailMessage
from typing import Any

from claw_dev.simulators.google.mailbox import Mail, base64url_with_padding

_INLINE_BYTES = 100_000
"""A larger body is only reached as an attachment."""


def minimal(mail: Mail) -> dict[str, Any]:
    """What every format has."""
    parsed = mail.parsed
    body = parsed.get_body(("plain", "html"))
    text = " ".join(str(body.get_content()).split()) if body is not None else ""
    return {
        "id": mail.id,
        "threadId": mail.thread_id,
        "labelIds": list(mail.label_ids),
        "snippet": text[:180].replace("&", "&amp;").replace("<", "&lt;").replace("'", "&#39;"),
        "historyId": str(mail.history_id),
        "internalDate": str(int(mail.received_at.timestamp() * 1000)),
        "sizeEstimate": len(mail.raw),
    }


def message(mail: Mail, form: str, headers: list[str]) -> dict[str, Any]:
    """In the format `full`, `metadata`, `minimal` or `raw`."""
    match form:
        case "minimal":
            return minimal(mail)
        case "raw":
            return minimal(mail) | {"raw": base64url_with_padding(mail.raw)}
        case "metadata":
            wanted = {name.lower() for name in headers}
            payload = _part(mail.parsed, "", shallow=True)
            if wanted:
                payload["headers"] = [entry for entry in payload["headers"] if entry["name"].lower() in wanted]
            return minimal(mail) | {"payload": payload}
    return minimal(mail) | {"payload": _part(mail.parsed, "")}


def _part(part: EmailMessage, part_id: str, *, shallow: bool = False) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "partId": part_id,
        "mimeType": part.get_content_type(),
        "filename": part.get_filename() or "",
        "headers": [{"name": name, "value": str(value)} for name, value in part.items()],
        "body": {"size": 0},
    }
    if shallow:
        return {name: shown[name] for name in ("mimeType", "headers")}
    if part.is_multipart():
        prefix = f"{part_id}." if part_id else ""
        shown["parts"] = [
            _part(inner, f"{prefix}{number}")
            for number, inner in enumerate(part.iter_parts())
            if isinstance(inner, EmailMessage)
        ]
        return shown
    payload = part.get_payload(decode=True)
    content = payload if isinstance(payload, bytes) else b""
    if part.get_filename() or len(content) > _INLINE_BYTES:
        shown["body"] = {"attachmentId": f"ANGjdJ{part_id}{len(content):x}", "size": len(content)}
    else:
        shown["body"] = {"size": len(content), "data": base64url_with_padding(content)}
    return shown
