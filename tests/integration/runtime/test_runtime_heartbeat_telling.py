"""What beats have found: told to whom it was meant, once, and through crashes and outages."""

import base64
import hashlib
import hmac
from collections.abc import AsyncIterator

import pytest

from claw_runtime.heartbeat.settings import HeartbeatChanges
from claw_runtime.problems import MODEL_BUSY, Problem
from tests.integration.runtime.heartbeats import HOOK, NEWS, Ward, outcomes, ward
from tests.integration.runtime.world import Runtime, Tables


@pytest.fixture
async def instance(runtime: Runtime, tables: Tables) -> AsyncIterator[Ward]:
    async with ward(runtime, tables) as made:
        yield made


async def test_all_is_well_is_told_to_nobody(instance: Ward) -> None:
    await instance.turn_on(**HOOK)
    await instance.pass_due()
    assert outcomes(await instance.ended(1)) == [("quiet", None)]
    assert (instance.receiver.notes, instance.receiver.taken) == ([], [])


async def test_news_is_noted_posted_and_mailed_once(instance: Ward) -> None:
    instance.assistant.says = [NEWS]
    await instance.turn_on(deliver={"webhook": {"url": "https://hooks.example/claw"}, "mail": True})
    await instance.pass_due()

    (row,) = await instance.ended(1)
    assert (row["outcome"], row["said"], row["ways"], row["problem"]) == ("told", NEWS, [], None)
    assert row["conversation_id"] is not None
    assert instance.receiver.notes == [("main", NEWS, "heartbeat")]
    hook, mail = instance.receiver.documents
    assert (hook["type"], hook["data"]["text"]) == ("heartbeat.told", NEWS)
    assert hook["data"]["conversationId"] == str(row["conversation_id"])
    assert mail == {"subject": f"Clawdia: {NEWS}", "text": NEWS}
    (path, headers, _) = instance.receiver.taken[1]
    assert path == "/runtime/mails"
    assert headers["Authorization"] == "Bearer " + "f" * 64
    assert headers["X-Claw-Instance"] == instance.configuration.instance.uid


async def test_a_webhook_can_be_verified_with_its_secret(instance: Ward) -> None:
    secret = await instance.heart.change(HeartbeatChanges.model_validate(HOOK))
    assert secret is not None
    instance.assistant.says = ["Grüße: „fällig“ 🧾"]
    await instance.now()

    (_, headers, body) = instance.receiver.taken[0]
    content = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.{body}".encode()
    key = base64.b64decode(secret.removeprefix("whsec_"))
    expected = base64.b64encode(hmac.new(key, content, hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"] == f"v1,{expected}"
    assert int(headers["webhook-timestamp"]) == int(instance.runtime.clock.now.timestamp())


async def test_news_that_cannot_be_stored_as_it_is_is_told_as_it_can_be(instance: Ward) -> None:
    instance.assistant.says = ["A NUL \x00 and half a pair \ud800."]
    beat = await instance.now()
    assert (beat.outcome, beat.text) == ("told", "A NUL \ufffd and half a pair \ufffd.")


async def test_news_that_a_crash_kept_from_being_told_is_told_by_the_next_beat(instance: Ward) -> None:
    await instance.heart.change(HeartbeatChanges.model_validate(HOOK))
    await instance.tables.rows(
        """insert into heartbeat_runs (due_at, cause, started_at, lease_until, ended_at, outcome, said, ways)
           select at, 'time', at, at, at, 'told', 'Old news.', '{conversation,webhook}'
             from (select %s::timestamptz - interval '1 hour' as at) as moment""",
        instance.runtime.clock.now,
    )
    await instance.now()
    assert [answer for _, answer, _ in instance.receiver.notes] == ["Old news."]
    assert [document["data"]["text"] for document in instance.receiver.documents] == ["Old news."]
    assert (await instance.rows())[0]["ways"] == []


async def test_the_same_news_is_not_told_twice_in_a_day(instance: Ward) -> None:
    instance.assistant.says = [NEWS, NEWS.upper(), "Something else."]
    assert (await instance.now()).outcome == "told"
    repeated = await instance.now()
    assert (repeated.outcome, repeated.reason) == ("quiet", "repeated")
    assert (await instance.now()).outcome == "told"
    assert NEWS in instance.assistant.occasions[1].volatile_extra


async def test_after_a_day_the_same_news_is_told_again(instance: Ward) -> None:
    instance.assistant.says = [NEWS, NEWS]
    await instance.now()
    instance.runtime.clock.advance(hours=25)
    assert (await instance.now()).outcome == "told"


@pytest.mark.parametrize(
    ("problem", "outcome", "reason"),
    [
        (Problem(MODEL_BUSY, "Try again.", retry_after=3), "failed", "model-busy"),
        (RuntimeError("unheard of"), "failed", "internal"),
    ],
)
async def test_a_failure_is_recorded_and_told_to_nobody(
    instance: Ward, problem: Exception, outcome: str, reason: str
) -> None:
    instance.assistant.says = [problem]
    beat = await instance.now()
    assert (beat.outcome, beat.reason, beat.text) == (outcome, reason, None)
    assert instance.receiver.notes == []
    assert (await instance.now()).outcome == "quiet"


@pytest.mark.parametrize(
    ("answers", "taken", "problem"),
    [
        ([503, 429, 204], 3, None),
        ([500, 500, 500], 3, "The webhook answered 500."),
        ([410, 410], 1, "The webhook answered 410."),
        ([302], 1, "The webhook answered 302."),
    ],
)
async def test_a_webhook_is_tried_thrice_where_that_helps(
    instance: Ward, answers: list[int], taken: int, problem: str | None
) -> None:
    await instance.heart.change(HeartbeatChanges.model_validate(HOOK))
    instance.assistant.says, instance.receiver.answers = [NEWS], answers
    beat = await instance.now()
    assert beat.outcome == "told"
    assert beat.problem == problem
    assert beat.untold == (("webhook",) if taken == 3 and problem else ())
    assert len(instance.receiver.taken) == taken
    assert len({headers["webhook-id"] for _, headers, _ in instance.receiver.taken}) == 1
    assert len(instance.receiver.notes) == 1


async def test_a_webhook_that_was_down_is_told_later_and_once(instance: Ward) -> None:
    await instance.heart.change(HeartbeatChanges.model_validate(HOOK))
    instance.assistant.says, instance.receiver.answers = [NEWS], [500, 500, 500]
    await instance.now()
    for _ in range(2):
        instance.runtime.clock.advance(minutes=11)
        await instance.now()
    assert len(instance.receiver.taken) == 4
    assert len({headers["webhook-id"] for _, headers, _ in instance.receiver.taken}) == 1
    assert (await instance.rows())[0]["ways"] == []
    assert len(instance.receiver.notes) == 1
