"""Connecting Google, and disconnecting it."""

from claw_dev.simulators.faults import Fault, FaultKind
from claw_dev.simulators.google.world import Consent
from claw_runtime.google.places import GOOGLE_SCOPES
from tests.eventually import eventually
from tests.integration.runtime.google.world import FRONT, GoogleWorld
from tests.integration.runtime.world import UID, Tables


async def test_a_customer_connects_mail_and_calendar(world: GoogleWorld) -> None:
    assert (await world.integration())["connected"] is False
    answer = await world.connect("gmail", "calendar")
    assert answer.status == 200
    assert answer.json["address"] == "ada@example.com"
    assert answer.json["scopes"] == ["gmail", "calendar"]
    assert await world.integration() == answer.json
    assert world.runtime.services.google.connections() == {"gmail", "calendar"}


async def test_the_consent_page_is_asked_with_pkce_and_a_state_of_this_instance(world: GoogleWorld) -> None:
    begun = (await world.begin("gmail")).json
    assert begun["state"].startswith(f"{UID}.")
    for part in ("code_challenge_method=S256", "access_type=offline", "prompt=consent", "gmail.readonly"):
        assert part in begun["authorizationUrl"]
    assert "calendar" not in begun["authorizationUrl"]
    assert f"{FRONT}/google/callback".replace(":", "%3A").replace("/", "%2F") in begun["authorizationUrl"]


async def test_a_callback_that_comes_twice_connects_once_and_breaks_nothing(world: GoogleWorld) -> None:
    returned = await world.consent((await world.begin("gmail")).json["authorizationUrl"])
    assert (await world.finish(returned)).status == 200
    second = await world.finish(returned)
    assert (second.status, second.problem) == (409, "consent-invalid")
    assert (await world.runtime.services.google.gmail.search("", 5)) == []


async def test_a_state_is_worth_nothing_after_ten_minutes(world: GoogleWorld) -> None:
    returned = await world.consent((await world.begin("gmail")).json["authorizationUrl"])
    world.runtime.clock.advance(minutes=10)
    assert (await world.finish(returned)).problem == "consent-invalid"


async def test_a_state_that_was_not_given_out_is_refused(world: GoogleWorld) -> None:
    returned = await world.consent((await world.begin("gmail")).json["authorizationUrl"])
    for state in (f"{UID}.guessed", "other-instance.guessed", returned["state"] + "x"):
        assert (await world.finish(returned | {"state": state})).problem == "consent-invalid"
    assert (await world.finish(returned)).status == 200


async def test_a_code_of_another_consent_does_not_fit_the_verifier(world: GoogleWorld) -> None:
    first = await world.consent((await world.begin("gmail")).json["authorizationUrl"])
    second = await world.consent((await world.begin("gmail")).json["authorizationUrl"])
    assert (await world.finish({"code": second["code"], "state": first["state"]})).problem == "consent-invalid"
    assert (await world.integration())["connected"] is False


async def test_who_allows_nothing_is_told_what_to_tick(world: GoogleWorld) -> None:
    withheld = frozenset({"https://www.googleapis.com/auth/gmail.readonly"})
    world.google.world.consent = Consent(withhold=withheld)
    answer = await world.connect("gmail")
    assert answer.problem == "consent-invalid"
    assert "Tick all boxes" in answer.json["detail"]
    assert not world.google.world.refresh_tokens, "what was not used was taken back"


async def test_half_of_what_was_asked_for_is_connected_when_only_that_is_allowed(world: GoogleWorld) -> None:
    world.google.world.consent = Consent(withhold=frozenset({"https://www.googleapis.com/auth/calendar.events"}))
    assert (await world.connect("gmail", "calendar")).json["scopes"] == ["gmail"]


async def test_a_lost_answer_to_the_exchange_connects_nothing_and_says_so(world: GoogleWorld) -> None:
    world.google.faults.add(Fault(kind=FaultKind.LOST_ANSWER, path="/token"))
    answer = await world.connect("gmail")
    assert answer.problem == "integration-away"
    assert (await world.integration())["connected"] is False
    assert (await world.connect("gmail")).status == 200


async def test_a_plan_without_mail_is_told_before_anybody_goes_to_google(world: GoogleWorld) -> None:
    await world.runtime.configure(offered=("chat", "calendar"))
    answer = await world.begin("gmail")
    assert (answer.status, answer.problem) == (403, "skill-not-in-plan")


async def test_disconnecting_forgets_here_and_revokes_there(connected: GoogleWorld, tables: Tables) -> None:
    assert (await connected.runtime.call("DELETE", "/api/integrations/google")).status == 204
    for table in ("google_account", "google_channels", "google_authorizations", "arrivals"):
        assert await tables.value(f"select count(*) from {table}") == 0
    assert connected.runtime.services.google.connections() == frozenset()
    await eventually(lambda: not connected.google.world.refresh_tokens)
    assert connected.google.mailbox.watch is None
    assert connected.google.agenda.channels == {}


async def test_disconnecting_forgets_here_even_when_google_is_away(connected: GoogleWorld, tables: Tables) -> None:
    connected.google.faults.add(Fault(kind=FaultKind.CUT, path="/revoke", times=None))
    assert (await connected.runtime.call("DELETE", "/api/integrations/google")).status == 204
    assert await tables.value("select count(*) from google_account") == 0
    assert (await connected.integration())["connected"] is False


async def test_what_cannot_be_forgotten_is_not_revoked_either(connected: GoogleWorld, tables: Tables) -> None:
    await tables.go_away()
    answer = await connected.runtime.call("DELETE", "/api/integrations/google")
    assert (answer.status, answer.problem) == (503, "database-away")
    assert connected.google.world.refresh_tokens
    await tables.come_back()

    async def forgotten() -> bool:
        return (await connected.runtime.call("DELETE", "/api/integrations/google")).status == 204

    await eventually(forgotten)
    await eventually(lambda: not connected.google.world.refresh_tokens)


async def test_connecting_the_same_account_again_keeps_its_access_and_one_channel(connected: GoogleWorld) -> None:
    (former,) = connected.google.agenda.channels
    assert (await connected.connect("gmail", "calendar")).status == 200
    await eventually(lambda: connected.google.agenda.channels and former not in connected.google.agenda.channels)
    assert len(connected.google.agenda.channels) == 1
    assert connected.runtime.services.google.connections() == {"gmail", "calendar"}
    assert await connected.runtime.services.google.gmail.search("", 5) == []


async def test_connecting_another_account_takes_back_the_former_ones_access(connected: GoogleWorld) -> None:
    (former,) = connected.google.world.refresh_tokens
    connected.google.world.address = "Ada.Work@example.com"
    assert (await connected.connect("gmail")).json["address"] == "ada.work@example.com"
    await eventually(lambda: former not in connected.google.world.refresh_tokens)


async def test_a_visit_that_fails_does_not_cost_the_connection_that_there_is(connected: GoogleWorld) -> None:
    connected.google.world.consent = Consent(withhold=frozenset(GOOGLE_SCOPES["gmail"]))
    assert (await connected.connect("gmail")).problem == "consent-invalid"
    connected.runtime.clock.advance(hours=2)
    assert await connected.runtime.services.google.gmail.search("", 5) == []


async def test_access_that_could_not_be_kept_is_taken_back(world: GoogleWorld, tables: Tables) -> None:
    returned = await world.consent((await world.begin("gmail")).json["authorizationUrl"])
    world.google.faults.add(Fault(kind=FaultKind.ERROR, path="/oauth2/v3/certs", status=500, times=None))
    assert (await world.finish(returned)).problem == "integration-away"
    assert await tables.value("select count(*) from google_account") == 0
    assert world.google.world.refresh_tokens == {}


async def test_customers_are_sent_back_to_safe_addresses_only(world: GoogleWorld) -> None:
    for uri in ("http://evil.example", "javascript:alert(1)", "https://a@b", "https://", "//x", "x\ny"):
        body = {"scopes": ["gmail"], "redirectUri": uri}
        assert (await world.runtime.post("/api/integrations/google", body)).status == 422, uri


async def test_an_own_page_may_be_returned_to(world: GoogleWorld) -> None:
    body = {"scopes": ["gmail"], "redirectUri": "https://app.example/back?from=google"}
    begun = await world.runtime.post("/api/integrations/google", body)
    assert (await world.finish(await world.consent(begun.json["authorizationUrl"]))).status == 200


async def test_who_opens_the_page_again_and_again_leaves_no_heap(world: GoogleWorld, tables: Tables) -> None:
    returned = [await world.consent((await world.begin("gmail")).json["authorizationUrl"]) for _ in range(25)]
    assert await tables.value("select count(*) from google_authorizations") == 20
    assert (await world.finish(returned[-1])).status == 200
