"""The stand-in for S3 knows a right signature by Amazon's own examples, and what is wrong with others."""

import hashlib
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from claw_dev.simulators.s3.signatures import Signed, refusal

KEY, SECRET, REGION = "AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "us-east-1"
NOW = datetime(2013, 5, 24, tzinfo=UTC)
BODY = b"Welcome to Amazon S3."


def signed(
    method: str, path: str, signature: str, *, query: tuple[tuple[str, str], ...] = (), body: bytes = b"", **extra: str
) -> Signed:
    headers = {name.replace("_", "-"): value for name, value in extra.items()} | {
        "Host": "examplebucket.s3.amazonaws.com",
        "x-amz-content-sha256": hashlib.sha256(body).hexdigest(),
        "x-amz-date": "20130524T000000Z",
    }
    names = ";".join(sorted(name.lower() for name in headers))
    headers["Authorization"] = (
        f"AWS4-HMAC-SHA256 Credential={KEY}/20130524/{REGION}/s3/aws4_request,"
        f"SignedHeaders={names},Signature={signature}"
    )
    return Signed(method, path, query, headers, body)


GET = signed("GET", "/test.txt", "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41", Range="bytes=0-9")
PUT = signed(
    "PUT",
    "/test$file.text",
    "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd",
    body=BODY,
    Date="Fri, 24 May 2013 00:00:00 GMT",
    x_amz_storage_class="REDUCED_REDUNDANCY",
)
LIST = signed(
    "GET",
    "/",
    "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7",
    query=(("prefix", "J"), ("max-keys", "2")),
)


def refused(request: Signed, *, now: datetime = NOW, secret: str = SECRET, key: str = KEY) -> str | None:
    return refusal(request, key_id=key, secret=secret, region=REGION, now=now)


@pytest.mark.parametrize("request_", [GET, PUT, LIST], ids=["get", "put", "list"])
def test_amazons_examples_are_right(request_: Signed) -> None:
    assert refused(request_) is None


def test_whatever_is_covered_cannot_be_changed() -> None:
    assert refused(replace(PUT, body=b"other")) == "XAmzContentSHA256Mismatch"
    assert refused(replace(GET, path="/other.txt")) == "SignatureDoesNotMatch"
    assert refused(replace(GET, method="DELETE")) == "SignatureDoesNotMatch"
    assert refused(replace(LIST, query=(("prefix", "K"), ("max-keys", "2")))) == "SignatureDoesNotMatch"
    assert refused(replace(GET, headers=dict(GET.headers) | {"Range": "bytes=0-99"})) == "SignatureDoesNotMatch"


def test_keys_times_and_missing_signatures_are_told_apart() -> None:
    assert refused(GET, secret="other") == "SignatureDoesNotMatch"
    assert refused(GET, key="AKIDOTHER") == "InvalidAccessKeyId"
    assert refused(GET, now=NOW + timedelta(minutes=16)) == "RequestTimeTooSkewed"
    assert refused(replace(GET, headers={})) == "AccessDenied"
    assert refusal(GET, key_id=KEY, secret=SECRET, region="eu-west-1", now=NOW) == "AuthorizationHeaderMalformed"
