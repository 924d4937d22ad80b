"""What the assistant does with the calendar."""

from typing import Any

from claw_dev.simulators.faults import Fault, FaultKind
from claw_dev.simulators.google.agenda import Invitation
from tests.integration.runtime.google.world import DENTIST, TEN, GoogleWorld, use


async def test_an_event_is_made_once_even_when_the_answer_is_lost(connected: GoogleWorld) -> None:
    connected.google.faults.add(
        Fault(kind=FaultKind.LOST_ANSWER, path="/calendar/v3/calendars/primary/events", method="POST")
    )
    for _ in range(2):
        assert not (await use(connected, "calendar_create", **DENTIST)).is_error
    (event,) = connected.google.agenda.calendar("primary").values()
    assert event.members["start"] == {"dateTime": "2026-12-01T10:00:00+00:00", "timeZone": "Europe/London"}


async def test_what_the_assistant_put_into_the_calendar_is_no_news(connected: GoogleWorld) -> None:
    await use(connected, "calendar_create", **DENTIST)
    await connected.notify()
    await connected.quiet()
    assert await connected.arrivals() == []


async def test_guests_are_invited_when_the_customer_has_confirmed(connected: GoogleWorld) -> None:
    result = await use(connected, "calendar_create", **DENTIST, attendees=["bob@example.com"])
    assert result.proposal is not None
    assert connected.google.agenda.calendar("primary") == {}
    await use(connected, "calendar_create", confirmed=True, **result.proposal.input)
    (event,) = connected.google.agenda.calendar("primary").values()
    assert connected.google.agenda.invitations == [Invitation("bob@example.com", event.id)]


async def test_all_of_an_invitation_is_shown_before_it_leaves(connected: GoogleWorld) -> None:
    invitation = DENTIST | {
        "attendees": ["bob@example.com"],
        "description": "Bring the papers.\n" * 20 + "Or\u200b else.",
    }
    result = await use(connected, "calendar_create", **invitation)
    assert result.proposal is not None
    assert result.proposal.summary.endswith("Bring the papers.\nOr\\u200b else.")


async def test_an_event_with_guests_changes_only_with_a_confirmation(connected: GoogleWorld) -> None:
    await use(connected, "calendar_create", confirmed=True, **DENTIST, attendees=["bob@example.com"])
    (event,) = connected.google.agenda.calendar("primary").values()
    moved: dict[str, Any] = {"id": event.id, "starts_at": "2026-12-01T12:00:00", "ends_at": "2026-12-01T13:00:00"}
    result = await use(connected, "calendar_update", **moved)
    assert result.proposal is not None
    assert "bob@example.com" in result.proposal.summary
    assert event.members["start"]["dateTime"] == "2026-12-01T10:00:00+00:00"
    await use(connected, "calendar_update", confirmed=True, **result.proposal.input)
    assert event.members["start"]["dateTime"] == "2026-12-01T12:00:00+00:00"
    assert len(connected.google.agenda.invitations) == 2


async def test_an_event_without_guests_is_changed_and_cancelled_at_once(connected: GoogleWorld) -> None:
    await use(connected, "calendar_create", **DENTIST)
    (event,) = connected.google.agenda.calendar("primary").values()
    await use(connected, "calendar_update", id=event.id, title="Dentist, second time")
    assert event.members["summary"] == "Dentist, second time"
    await use(connected, "calendar_update", id=event.id, cancel=True)
    assert event.is_cancelled


async def test_an_event_that_somebody_has_just_changed_is_left_alone(connected: GoogleWorld) -> None:
    await use(connected, "calendar_create", **DENTIST)
    (event,) = connected.google.agenda.calendar("primary").values()
    path = f"/calendar/v3/calendars/primary/events/{event.id}"
    connected.google.faults.add(Fault(kind=FaultKind.ERROR, path=path, method="PATCH", status=412))
    result = await use(connected, "calendar_update", id=event.id, title="Mine")
    assert result.is_error
    assert "just changed" in result.content


async def test_free_and_busy_are_told_in_the_customers_time(connected: GoogleWorld) -> None:
    await use(connected, "calendar_create", **DENTIST)
    result = await use(connected, "calendar_free_busy", **TEN, calendars=["stranger@example.com"])
    assert "The customer: Tue 2026-12-01 10:00 to 11:00" in result.content
    assert "stranger@example.com: Google does not tell" in result.content


REFUSED_EVENTS: tuple[dict[str, Any], ...] = (
    DENTIST | {"ends_at": "2026-12-01T09:00:00"},
    DENTIST | {"ends_at": "2026-12-01"},
    DENTIST | {"ends_at": "2026-12-01T11:00:00Z"},
    DENTIST | {"title": "a\nb"},
    DENTIST | {"calendar_id": "../users/me/calendarList"},
    DENTIST | {"attendees": ["bob"]},
)


async def test_an_event_that_makes_no_sense_is_refused(connected: GoogleWorld) -> None:
    for given in REFUSED_EVENTS:
        assert (await use(connected, "calendar_create", **given)).is_error, given
    assert connected.google.agenda.calendar("primary") == {}
