"""Where snapshots go, as the settings say it."""

import pytest

from claw_runtime.settings import Settings
from claw_runtime.workspace.s3 import Address, address_of

COMPLETE = {
    "snapshot_url": "s3://bucket/a/b/",
    "snapshot_endpoint": "https://s3.eu-central-1.amazonaws.com",
    "snapshot_access_key_id": "AKID",
    "snapshot_secret_access_key": "a secret",
}


def settings(given: dict[str, str]) -> Settings:
    needed = {"port": 0, "database_url": "postgresql://x", "configuration_token_sha256": "0" * 64, "model_api_key": "x"}
    return Settings.model_validate(needed | given)


def test_bucket_and_prefix_are_in_the_address() -> None:
    found = address_of(settings(COMPLETE))
    assert found == Address("bucket", "a/b", "https://s3.eu-central-1.amazonaws.com", "AKID", "a secret")
    assert found is not None
    assert found.region == "eu-central-1"
    assert "a secret" not in repr(found)


@pytest.mark.parametrize("missing", ["snapshot_url", "snapshot_access_key_id", "snapshot_secret_access_key"])
def test_an_address_without_credentials_is_none(missing: str) -> None:
    assert address_of(settings({name: value for name, value in COMPLETE.items() if name != missing})) is None


@pytest.mark.parametrize(
    ("endpoint", "region"),
    [
        (None, "us-east-1"),
        ("https://s3.us-west-2.amazonaws.com", "us-west-2"),
        ("https://s3-ap-southeast-1.amazonaws.com", "ap-southeast-1"),
        ("https://s3.us-gov-west-1.amazonaws.com", "us-gov-west-1"),
        ("https://abc.r2.cloudflarestorage.com", "us-east-1"),
        ("http://minio:9000", "us-east-1"),
        ("https://s3.eu-central-003.backblazeb2.com", "eu-central-003"),
        ("https://s3.fr-par.scw.cloud", "fr-par"),
        ("https://fsn1.your-objectstorage.com", "us-east-1"),
    ],
)
def test_the_region_follows_from_the_endpoint(endpoint: str | None, region: str) -> None:
    assert Address("b", "", endpoint, "k", "s").region == region
