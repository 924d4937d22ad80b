"""Events, as they are told and as they are asked for."""

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest
from pydantic import ValidationError

from claw_runtime.google.calendar_inputs import CalendarCreate, CalendarList, CalendarUpdate
from claw_runtime.google.consent import challenge
from claw_runtime.google.events import Event, bound, changed_guests, placed, told, zone_of
from claw_runtime.google.places import GOOGLE_SCOPES, Places, asked_for, granted

LONDON = ZoneInfo("Europe/London")


def test_a_time_without_an_offset_is_the_customers() -> None:
    assert placed(datetime(2026, 7, 1, 10), LONDON)["dateTime"] == "2026-07-01T10:00:00+01:00"  # noqa: DTZ001 - meant
    assert bound(datetime(2026, 7, 1, 10), LONDON) == "2026-07-01T09:00:00Z"  # noqa: DTZ001 - meant


def test_a_time_with_an_offset_stays_that_moment() -> None:
    assert bound(datetime(2026, 7, 1, 10, tzinfo=UTC), LONDON) == "2026-07-01T10:00:00Z"


def test_a_whole_day_takes_the_place_of_a_time() -> None:
    assert placed(date(2026, 7, 1), LONDON) == {"date": "2026-07-01", "dateTime": None, "timeZone": None}


@pytest.mark.parametrize("name", [None, "", "Nowhere/Atlantis", "../../etc/passwd", "\x00"])
def test_an_unknown_zone_is_utc(name: str | None) -> None:
    assert zone_of(name).key == "UTC"


def test_an_event_is_told_in_the_customers_time() -> None:
    event = Event.model_validate(
        {
            "id": "e1",
            "summary": "Dentist",
            "start": {"dateTime": "2026-07-01T09:00:00Z"},
            "end": {"dateTime": "2026-07-01T10:00:00Z"},
            "attendees": [{"email": "ada@example.com", "self": True}, {"email": "bob@example.com"}],
        }
    )
    assert told(event, LONDON).startswith("Wed 2026-07-01 10:00 to Wed 2026-07-01 11:00: Dentist  [id e1]")
    assert event.guests == ("bob@example.com",)


def test_a_deleted_event_has_nothing_but_its_id() -> None:
    event = Event.model_validate({"id": "e1", "status": "cancelled"})
    assert event.is_cancelled
    assert "(no title)" in told(event, LONDON)


def test_guests_who_stay_keep_their_answer() -> None:
    event = Event.model_validate(
        {
            "id": "e1",
            "attendees": [
                {"email": "bob@example.com", "responseStatus": "accepted"},
                {"email": "Eve@example.com"},
            ],
        }
    )
    assert changed_guests(event, ["carol@example.com", "BOB@example.com"], ["eve@example.com"]) == [
        {"email": "bob@example.com", "responseStatus": "accepted"},
        {"email": "carol@example.com"},
    ]


def test_a_search_over_years_is_refused() -> None:
    with pytest.raises(ValidationError, match="366 days"):
        CalendarList.model_validate({"since": "2020-01-01T00:00:00", "until": "2030-01-01T00:00:00"})


def test_a_day_is_no_time() -> None:
    whole = CalendarCreate.model_validate({"title": "Leave", "starts_at": "2026-12-01", "ends_at": "2026-12-03"})
    assert not isinstance(whole.starts_at, datetime)
    with pytest.raises(ValidationError, match="two times, or two dates"):
        CalendarCreate.model_validate({"title": "x", "starts_at": "2026-12-01", "ends_at": "2026-12-03T10:00:00"})


def test_half_a_change_of_time_is_refused() -> None:
    with pytest.raises(ValidationError, match="together"):
        CalendarUpdate.model_validate({"id": "e1", "starts_at": "2026-12-01T10:00:00"})


def test_the_challenge_is_that_of_rfc_7636() -> None:
    assert challenge("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk") == "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"


def test_half_of_a_scope_is_none_of_it() -> None:
    everything = asked_for(["gmail", "calendar"])
    assert granted(everything, ["gmail", "calendar"]) == ("gmail", "calendar")
    assert granted(everything, ["calendar"]) == ("calendar",)
    less = everything.replace("https://www.googleapis.com/auth/gmail.compose", "")
    assert granted(less, ["gmail", "calendar"]) == ("calendar",)


def test_nothing_that_deletes_mail_is_asked_for() -> None:
    every = " ".join(scope for scopes in GOOGLE_SCOPES.values() for scope in scopes)
    assert "gmail.modify" not in every
    assert "mail.google.com" not in every


def test_one_address_can_stand_for_all_of_googles() -> None:
    places = Places.at("http://127.0.0.1:1/")
    assert places.token == "http://127.0.0.1:1/token"
    assert Places.at(None).token == "https://oauth2.googleapis.com/token"
