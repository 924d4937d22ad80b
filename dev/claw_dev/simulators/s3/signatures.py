"""AWS Signature Version 4, computed from the request as it arrived, to be compared with what it carries. Pure."""

import hashlib
import hmac
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

UNSIGNED = "UNSIGNED-PAYLOAD"
MAX_SKEW = timedelta(minutes=15)

_AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256 Credential=(?P<key>[^/]+)/(?P<day>\d{8})/(?P<region>[^/]+)/s3/aws4_request, ?"
    r"SignedHeaders=(?P<headers>[a-z0-9;-]+), ?Signature=(?P<signature>[0-9a-f]{64})"
)


@dataclass(frozen=True)
class Signed:
    """A request, as far as its signature covers it. The path is decoded."""

    method: str
    path: str
    query: tuple[tuple[str, str], ...]
    headers: Mapping[str, str]
    body: bytes


def refusal(request: Signed, *, key_id: str, secret: str, region: str, now: datetime) -> str | None:
    """S3's code for what is wrong with the request's signature; None when it is right."""
    headers = {name.lower(): value for name, value in request.headers.items()}
    given = _AUTHORIZATION.fullmatch(headers.get("authorization", ""))
    if given is None:
        return "AccessDenied"
    if given["key"] != key_id:
        return "InvalidAccessKeyId"
    if given["region"] != region:
        return "AuthorizationHeaderMalformed"
    moment = headers.get("x-amz-date", "")
    if not re.fullmatch(r"\d{8}T\d{6}Z", moment) or not moment.startswith(given["day"]):
        return "AccessDenied"
    if abs(datetime.strptime(moment, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC) - now) > MAX_SKEW:
        return "RequestTimeTooSkewed"
    digest = headers.get("x-amz-content-sha256", "")
    if digest not in (UNSIGNED, hashlib.sha256(request.body).hexdigest()):
        return "XAmzContentSHA256Mismatch"
    names = given["headers"].split(";")
    if not {"host", "x-amz-date", "x-amz-content-sha256"} <= set(names) or any(name not in headers for name in names):
        return "AccessDenied"
    scope = f"{given['day']}/{region}/s3/aws4_request"
    canonical = _canonical(request, headers, names, digest)
    text = f"AWS4-HMAC-SHA256\n{moment}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    expected = _signature(secret, (given["day"], region, "s3", "aws4_request"), text)
    return None if hmac.compare_digest(expected, given["signature"]) else "SignatureDoesNotMatch"


def _canonical(request: Signed, headers: Mapping[str, str], names: Iterable[str], digest: str) -> str:
    names = list(names)
    query = sorted((quote(name, safe="-_.~"), quote(value, safe="-_.~")) for name, value in request.query)
    return "\n".join(
        [
            request.method,
            quote(request.path, safe="/-_.~"),
            "&".join(f"{name}={value}" for name, value in query),
            *(f"{name}:{' '.join(headers[name].split())}" for name in names),
            "",
            ";".join(names),
            digest,
        ]
    )


def _signature(secret: str, scope: Iterable[str], text: str) -> str:
    key = f"AWS4{secret}".encode()
    for part in scope:
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
