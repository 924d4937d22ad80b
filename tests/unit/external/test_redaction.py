"""Foreign words made fit for a message."""

import pytest

from claw_operator.external.redaction import redacted, shown


@pytest.mark.parametrize(
    "text",
    [
        "postgresql://neondb_owner:S3cret@ep-x.neon.tech/neondb",
        '{"password": "S3cret"}',
        '{"role": {"password":"S3cret", "name": "owner"}}',
        "PASSWORD=S3cret",
        "Authorization: Bearer S3cret",
        "authorization=S3cret",
        '{"variables": {"ANTHROPIC_API_KEY": "S3cret"}}',
        "https://example.org/?api_key=S3cret&x=1",
        "token S3cret",
        "the key S3cretS3cretS3cretS3cretS3cret is wrong",
        "S3cret-with-dashes-0123456789",
    ],
)
def test_nothing_that_looks_like_a_secret_stays(text: str) -> None:
    assert "S3cret" not in redacted(text)


def test_what_tells_something_stays() -> None:
    words = "branch limit exceeded: 10 of 10 branches in project lively-cloud-123456"
    assert redacted(words) == words


def test_many_lines_become_one_short_one() -> None:
    assert redacted("a\n  b\t c\r\n") == "a b c"
    assert len(redacted("word " * 1000)) == 200


def test_of_a_page_only_the_title_is_shown() -> None:
    page = b"<!DOCTYPE html>\n<html><head><title>502\n Bad gateway</title></head><body>Ray ID: 8f2a</body></html>"
    assert shown(page) == "502 Bad gateway"
    assert shown(b"<html><body>Ray ID: 8f2a</body></html>") == "an HTML page"


def test_bytes_that_are_no_text_are_shown_nevertheless() -> None:
    assert shown(b"\xff\xfe nonsense").endswith("nonsense")
    assert shown(b"") == ""


def test_an_answer_that_differs_only_in_its_request_id_is_shown_alike() -> None:
    first = shown(b'{"errors":[{"message":"Problem processing request","traceId":"e2ef520729dbe06c"}]}')
    second = shown(b'{"errors":[{"message":"Problem processing request","traceId":"99aa01"}]}')
    assert first == second
    assert "Problem processing request" in first
