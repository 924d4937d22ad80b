"""Neon without Neon: what refusals mean, where URLs lead, which names and sizes there are."""

from datetime import UTC, datetime, timedelta, timezone
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from claw_operator.external import ExternalError, Owner, Rejected, Transient, Unauthorized
from claw_operator.external.neon.database import NeonDatabase, chosen, read_write
from claw_operator.external.neon.errors import Conflict, Locked, Missing, PasswordsNotStored, refusal
from claw_operator.external.neon.models import Branch, Endpoint, Operation, Problem, RoleWritten
from claw_operator.external.neon.names import archived_name, archived_until
from claw_operator.external.neon.options import NeonOptions
from claw_operator.external.neon.sizes import LARGEST, compute_units, wishes
from claw_operator.external.neon.urls import composed_url, connection_urls

UID = "3f2504e0-4f89-41d3-9a0c-0305e82c3301"
OWNER = Owner(namespace="claw", name="claw-one", uid=UID)
TASK = "create the database of claw-one"


@pytest.mark.parametrize(
    ("status", "code", "kind", "words"),
    [
        (400, "", Rejected, "branch name is invalid"),
        (401, "", Unauthorized, "NEON_API_KEY"),
        (403, "", Unauthorized, "NEON_API_KEY"),
        (404, "", Missing, "does not know"),
        (408, "", Transient, "408"),
        (409, "", Conflict, "exists already"),
        (412, "", PasswordsNotStored, "stores no passwords"),
        (422, "", Rejected, "branch name is invalid"),
        (422, "BRANCHES_LIMIT_EXCEEDED", Rejected, "as many branches as its plan allows"),
        (422, "ROOT_BRANCHES_LIMIT_EXCEEDED", Rejected, "root branches"),
        (422, "PROJECTS_LIMIT_EXCEEDED", Rejected, "as many projects"),
        (422, "SNAPSHOTS_LIMIT_EXCEEDED", Rejected, "limit of snapshots is met"),
        (403, "BRANCHES_LIMIT_EXCEEDED", Rejected, "raise the limit"),
        (423, "", Locked, "busy"),
        (302, "", Transient, "302"),
        (418, "NEW", Rejected, "branch name is invalid"),
    ],
)
def test_the_status_of_a_refusal_decides_and_its_code_refines(
    status: int, code: str, kind: type[ExternalError], words: str
) -> None:
    error = refusal(status, Problem(code=code, message="branch name is invalid"), TASK)
    assert type(error) is kind
    assert words in str(error)
    assert TASK in str(error)


def test_a_refusal_is_the_same_text_whatever_ids_neon_puts_into_it() -> None:
    told = {
        str(refusal(422, Problem(message=f"branch {branch} is the parent of {other}"), TASK))
        for branch, other in (("br-calm-sun-123", "br-old-tree-9"), ("br-wild-sea-77", "br-new-lake-1"))
    }
    assert len(told) == 1


def test_a_refusal_without_a_body_tells_the_status() -> None:
    assert str(refusal(422, Problem(), TASK)) == f"Neon refuses to {TASK}: 422"


URI = "postgresql://neondb_owner:old@ep-calm-sun-1.eu.aws.neon.tech/neondb?sslmode=require&channel_binding=require"


def test_a_connection_url_carries_the_new_password_and_nothing_of_the_old() -> None:
    urls = connection_urls(URI, "ep-calm-sun-1", "n/e@w:é", "claw-one")
    assert urls.direct == (
        "postgresql://neondb_owner:n%2Fe%40w%3A%C3%A9@ep-calm-sun-1.eu.aws.neon.tech/neondb"
        "?sslmode=require&channel_binding=require"
    )
    assert urlsplit(urls.pooled or "").hostname == "ep-calm-sun-1-pooler.eu.aws.neon.tech"
    assert "old" not in urls.direct + (urls.pooled or "")
    assert "n%2Fe" not in repr(urls)


def test_a_connection_url_keeps_its_port_and_its_user() -> None:
    uri = "postgresql://a%40b@ep-x.simulated:6543/db?hostaddr=127.0.0.1"
    urls = connection_urls(uri, "ep-x", "p", "claw-one")
    assert urls.direct == "postgresql://a%40b:p@ep-x.simulated:6543/db?hostaddr=127.0.0.1"
    assert urls.pooled == "postgresql://a%40b:p@ep-x-pooler.simulated:6543/db?hostaddr=127.0.0.1"


@pytest.mark.parametrize(
    "uri",
    [
        "postgresql://o:p@ep-other-sea-2.eu.aws.neon.tech/neondb",
        "postgresql://o:p@ep-calm-sun-12.eu.aws.neon.tech/neondb",  # begins like ours
        "postgresql://o:p@ep-calm-sun-1-pooler.eu.aws.neon.tech/neondb",
        "postgresql:///neondb",
        "https://ep-calm-sun-1.eu.aws.neon.tech/",
        "postgresql://o:p@ep-calm-sun-1.eu:port/neondb",
        "postgresql://[broken/neondb",
        "",
    ],
)
def test_a_url_that_leads_elsewhere_is_refused(uri: str) -> None:
    with pytest.raises(Rejected, match="does not lead to the instance's own endpoint") as caught:
        connection_urls(uri, "ep-calm-sun-1", "p", "claw-one")
    assert "o:p" not in str(caught.value)


def test_a_url_can_be_composed_where_neon_tells_none() -> None:
    uri = composed_url("ep-calm-sun-1.eu.aws.neon.tech", "neondb_owner", "neondb")
    urls = connection_urls(uri, "ep-calm-sun-1", "secret", "claw-one")
    assert urls.direct == "postgresql://neondb_owner:secret@ep-calm-sun-1.eu.aws.neon.tech/neondb?sslmode=require"


def test_an_archived_name_is_kept_until_its_day_has_ended() -> None:
    until = datetime(2027, 1, 15, 23, 59, tzinfo=UTC)
    name = archived_name(OWNER.external_name, until)
    assert name == f"{OWNER.external_name}-archived-20270115"
    told = archived_until(name)
    assert told is not None
    assert until < told <= until + timedelta(days=1)


def test_the_day_in_an_archived_name_is_that_of_greenwich() -> None:
    until = datetime(2027, 1, 15, 23, 0, tzinfo=timezone(timedelta(hours=-5)))
    assert archived_name("claw-x", until) == "claw-x-archived-20270116"


@pytest.mark.parametrize("name", [OWNER.external_name, "claw-x-archived-", "claw-x-archived-20271399", "main", ""])
def test_other_names_are_not_archived(name: str) -> None:
    assert archived_until(name) is None


@pytest.mark.parametrize(
    ("cpu_millis", "least", "most"),
    [
        (1, 0.25, 0.25),
        (250, 0.25, 0.25),
        (251, 0.25, 0.5),
        (500, 0.25, 0.5),
        (501, 0.25, 1),
        (1000, 0.25, 1),
        (1001, 0.25, 2),
        (2000, 0.25, 2),
        (10_000, 2, 10),
        (64_000, 8, 16),
    ],
)
def test_compute_units_are_rounded_up_to_a_size_that_neon_has(cpu_millis: int, least: float, most: float) -> None:
    assert compute_units(cpu_millis) == (least, most)


@given(st.integers(min_value=1, max_value=99_999), st.integers(min_value=1, max_value=99_999))
def test_a_size_is_right_for_the_wishes_that_are_answered_with_it_and_for_no_others(one: int, other: int) -> None:
    assert one in wishes(*compute_units(one))
    assert (other in wishes(*compute_units(one))) == (compute_units(other) == compute_units(one))


@pytest.mark.parametrize("limits", [(0.5, 1), (0.25, 0.75), (1, 16), (16, 16), (8, 17), (0.25, 0), (0, -1)])
def test_limits_that_somebody_else_chose_are_right_for_no_wish(limits: tuple[float, float]) -> None:
    assert not wishes(*limits)
    assert LARGEST * 1000 in wishes(8, 16)


@pytest.mark.parametrize(
    ("status", "ended", "failed"),
    [
        ("scheduling", False, False),
        ("running", False, False),
        ("cancelling", False, False),
        ("a state of tomorrow", False, False),
        ("finished", True, False),
        ("skipped", True, False),
        ("failed", True, True),
        ("error", True, True),
        ("cancelled", True, True),
    ],
)
def test_operations_end_in_five_ways_and_every_other_state_is_under_way(status: str, ended: bool, failed: bool) -> None:
    operation = Operation.model_validate({"id": "1", "action": "of tomorrow", "status": status, "new_field": [1]})
    assert (operation.has_ended, operation.has_failed) == (ended, failed)


def test_a_password_shows_neither_in_an_answer_nor_in_a_complaint_about_one() -> None:
    assert "canary" not in repr(RoleWritten.model_validate({"role": {"name": "r", "password": "canary"}}))
    with pytest.raises(ValidationError) as caught:
        RoleWritten.model_validate({"role": {"password": "canary"}, "operations": "canary"})
    assert "canary" not in str(caught.value)


def test_the_key_shows_in_no_repr() -> None:
    assert "canary" not in repr(NeonOptions(key="canary"))


def database(
    name: str = OWNER.external_name, *, state: str = "ready", endpoint: Endpoint | None = None
) -> NeonDatabase:
    branch = Branch(id="br-1", name=name, current_state=state)
    return NeonDatabase("br-1", name, OWNER.mark, "project", branch, endpoint)


ENDPOINT = Endpoint(id="ep-1", branch_id="br-1", host="ep-1.neon.tech")


def test_a_database_is_ready_with_a_made_branch_and_an_endpoint_that_lets_in() -> None:
    seen = database(endpoint=ENDPOINT).observed
    assert (seen.ready, seen.suspended, seen.host, seen.message) == (True, False, "ep-1.neon.tech", "")
    assert database(state="a state of tomorrow", endpoint=ENDPOINT).observed.ready
    assert database(state="archived", endpoint=ENDPOINT).observed.ready  # only slow at first


@pytest.mark.parametrize(
    ("seen", "suspended", "message"),
    [
        (database(state="init", endpoint=ENDPOINT), False, "being made"),
        (database(state="resetting", endpoint=ENDPOINT), False, "being made"),
        (database(endpoint=ENDPOINT.model_copy(update={"disabled": True})), True, "suspended"),
        (database(endpoint=None), True, "no compute endpoint"),
        (database(name=f"{OWNER.external_name}-archived-20270115", endpoint=ENDPOINT), True, "archived"),
    ],
)
def test_a_database_that_lets_nobody_in_says_why(seen: NeonDatabase, suspended: bool, message: str) -> None:
    assert not seen.observed.ready
    assert seen.observed.suspended is suspended
    assert message in seen.observed.message


def test_of_several_with_one_mark_the_right_name_counts_then_age() -> None:
    def made(number: int, name: str) -> NeonDatabase:
        moment = datetime(2026, 1, number, tzinfo=UTC)
        return NeonDatabase(f"br-{number}", name, OWNER.mark, "p", Branch(id="b", name=name), None, moment)

    renamed, young, old = made(1, "renamed"), made(3, OWNER.external_name), made(2, OWNER.external_name)
    assert chosen([renamed, young, old], OWNER) is old
    assert chosen([renamed], OWNER) is renamed
    assert chosen([], OWNER) is None


def test_a_branch_is_written_through_its_own_read_write_endpoint_only() -> None:
    reader = ENDPOINT.model_copy(update={"id": "ep-2", "type": "read_only"})
    other = ENDPOINT.model_copy(update={"id": "ep-3", "branch_id": "br-2"})
    assert read_write((reader, other, ENDPOINT), "br-1") is ENDPOINT
    assert read_write((reader, other), "br-1") is None
