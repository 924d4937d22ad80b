"""What a checklist asks for, what an answer means, and what can be set."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from claw_runtime.heartbeat.answers import REMARK, is_repeated, to_tell
from claw_runtime.heartbeat.checklist import is_empty
from claw_runtime.heartbeat.settings import Delivery, HeartbeatChanges, HeartbeatSettings, Webhook, changed

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    "checklist",
    [
        "",
        "\n \n\t\n",
        "# Heartbeat\n\n## Daily\n",
        "#",
        "<!-- nothing yet -->",
        "# Heartbeat\n<!-- several\nlines\n-->\n",
        "<!-- never closed\n- look at the mails",
        "- [ ]\n* [ ] \n+ [x]\n-\n1.\n2)\n",
        "[ ]",
        "---\n* * *\n",
        "\ufeff# Heartbeat\r\n\r\n- [ ]\r\n",
    ],
)
def test_a_checklist_with_nothing_on_it_is_empty(checklist: str) -> None:
    assert is_empty(checklist)


@pytest.mark.parametrize(
    "checklist",
    [
        "- [ ] look at the mails",
        "Look at the mails",
        "#mails",
        "<!-- a --> b",
        "1. x",
        "-x",
        "- [x] done",
        "# A\n- b\n",
    ],
)
def test_a_checklist_with_anything_on_it_is_not(checklist: str) -> None:
    assert not is_empty(checklist)


@pytest.mark.parametrize(
    "answer",
    [
        "HEARTBEAT_OK",
        "  HEARTBEAT_OK\n",
        "**HEARTBEAT_OK**",
        "`HEARTBEAT_OK`.",
        "HEARTBEAT_OK - all is quiet.",
        "Nothing is due today.\n\nHEARTBEAT_OK",
        "HEARTBEAT_OK " + "x" * REMARK,
        "HEARTBEAT_OK\nquiet\nHEARTBEAT_OK",
        "",
    ],
)
def test_an_answer_that_says_that_all_is_well_is_not_told(answer: str) -> None:
    assert to_tell(answer) is None


def test_an_answer_that_goes_on_after_the_token_is_told_without_it() -> None:
    alarm = "The train at 18:10 is cancelled. " * 12
    assert to_tell(f"HEARTBEAT_OK {alarm}") == alarm.strip()
    assert to_tell(f"{alarm}\n\n**HEARTBEAT_OK**") == alarm.strip()


@pytest.mark.parametrize(
    "answer",
    [
        "The invoice is due today.",
        "I would say HEARTBEAT_OK if the invoice were paid.",
        "HEARTBEAT_OKAY is not the word.",
        "MY_HEARTBEAT_OK",
        "heartbeat_ok",
    ],
)
def test_an_answer_that_says_something_is_told_as_it_is(answer: str) -> None:
    assert to_tell(answer) == answer


def test_a_long_row_of_decoration_is_read_at_once() -> None:
    assert to_tell("-" * 100_000) == "-" * 100_000


def test_the_same_thing_is_not_told_twice_in_a_day() -> None:
    hour_ago, yesterday = NOW - timedelta(hours=1), NOW - timedelta(hours=24)
    assert is_repeated("Pay the  invoice.", "pay the invoice.", hour_ago, NOW)
    assert not is_repeated("Pay the invoice.", "Pay the invoice.", yesterday, NOW)
    assert not is_repeated("Pay the rent.", "Pay the invoice.", hour_ago, NOW)
    assert not is_repeated("Pay the rent.", None, None, NOW)


@pytest.mark.parametrize(
    "wrong",
    [
        {"every": "0m"},
        {"every": "4m"},
        {"every": "25h"},
        {"every": "24h1m"},
        {"every": ""},
        {"every": "1d"},
        {"every": "-5m"},
        {"every": "٣٠m"},
        {"every": None},
        {"enabled": None},
        {"enabled": "sometimes"},
        {"activeHours": {"start": "24:00", "end": "09:00"}},
        {"activeHours": {"start": "9:00", "end": "10:00"}},
        {"activeHours": {"start": "09:00", "end": "24:01"}},
        {"activeHours": {"start": "09:00"}},
        {"timeZone": "Europe"},
        {"timeZone": "../../etc/passwd"},
        {"timeZone": "Mars/Olympus"},
        {"timeZone": "Europe/\x00"},
        {"timeZone": ""},
        {"agentId": "../main"},
        {"deliver": {"webhook": {"url": "http://hooks.example/x"}}},
        {"deliver": {"webhook": {"url": "https://user:pass@hooks.example/"}}},
        {"deliver": {"webhook": {"url": "https://"}}},
        {"deliver": {"webhook": {"url": "https://[::1"}}},
        {"deliver": {"webhook": {"url": "https://hooks.example:99999/"}}},
        {"deliver": {"webhook": {"url": "https://hooks.example/a b"}}},
        {"deliver": {"webhook": {"url": "https://hooks.example/#part"}}},
        {"deliver": {"webhook": {"url": "https://127.0.0.1/"}}},
        {"deliver": {"webhook": {"url": "https://169.254.169.254/latest/meta-data/"}}},
        {"deliver": {"webhook": {"url": "https://[::ffff:10.0.0.1]/"}}},
        {"deliver": {"webhook": {"url": "https://localhost/"}}},
        {"deliver": {"webhook": {"url": "https://0x7f000001/"}}},
        {"deliver": {"webhook": "https://hooks.example/"}},
        {"deliver": {"mail": "yes please"}},
        {"deliver": None},
    ],
)
def test_what_makes_no_sense_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        HeartbeatChanges.model_validate(wrong)


@pytest.mark.parametrize("every", ["5m", "30m", "1h", "1h30m", "24h", "1440m"])
def test_an_interval_is_from_five_minutes_to_a_day(every: str) -> None:
    assert HeartbeatChanges.model_validate({"every": every}).every == every


def test_a_change_leaves_everything_else_as_it_is() -> None:
    before = HeartbeatSettings(
        enabled=True, every="1h", deliver=Delivery(webhook=Webhook(url="https://hooks.example/"), mail=True)
    )
    after = changed(before, HeartbeatChanges.model_validate({"deliver": {"mail": False}, "timeZone": "Asia/Tokyo"}))
    assert after == before.model_copy(
        update={"time_zone": "Asia/Tokyo", "deliver": before.deliver.model_copy(update={"mail": False})}
    )


def test_null_takes_away_what_may_be_missing() -> None:
    before = HeartbeatSettings(deliver=Delivery(webhook=Webhook(url="https://hooks.example/")), time_zone="Asia/Tokyo")
    changes = HeartbeatChanges.model_validate({"deliver": {"webhook": None}, "timeZone": None})
    assert changed(before, changes) == HeartbeatSettings()
