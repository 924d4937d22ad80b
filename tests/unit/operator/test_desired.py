"""From a spec and a plan to what should exist; and what a customer typed stays where it cannot do harm."""

from dataclasses import replace
from random import Random
from typing import Any

import pytest
from pydantic import ValidationError

from claw_crds.configuration import ModelPrices
from claw_crds.keys import sha256
from claw_crds.v1alpha1 import ClawInstance
from claw_operator.credentials import Credentials
from claw_operator.desired import Defaults, Desired
from claw_operator.external import ConnectionUrls, Owner, Size
from tests.unit.operator.examples import CREDENTIALS, NOW, body, desired, instance, plan, random_bytes

HOSTILE = [
    "${{shared.STRIPE_SECRET_KEY}}",
    "$(cat /etc/passwd) `id` ${HOME}",
    "{{ config }} {% include 'x' %}",
    "'; DROP TABLE memories; --",
    "\u202eevil\u2066",
    "a\nB=1\r\nBcc: x@example.com",
    "=cmd|' /C calc'!A0",
    "𝕬𝖉𝖆 \U0001f916 עברית",
    "\x00\x1b[2J",
    "x" * 10_000,
]


def test_variables_are_what_a_process_needs_to_boot_and_nothing_else() -> None:
    variables = desired().compute(CREDENTIALS).variables
    assert variables == {
        "ANTHROPIC_API_KEY": "canary-model",
        "DATABASE_URL": CREDENTIALS.database_url,
        "CLAW_CONFIGURATION_TOKEN_SHA256": sha256(CREDENTIALS.configuration_token),
        "CLAW_ENCRYPTION_KEY": CREDENTIALS.encryption_key,
    }


@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: ascii(text[:20]))
@pytest.mark.parametrize("seed", range(5))
def test_nothing_that_a_customer_typed_changes_what_is_deployed(text: str, seed: int) -> None:
    plain = desired()
    hostile = Desired(_typed(text, Random(seed)), plan(), plain.defaults)
    assert hostile.compute(CREDENTIALS) == plain.compute(CREDENTIALS)
    assert hostile.compute(CREDENTIALS).fingerprint == plain.compute(CREDENTIALS).fingerprint
    assert hostile.compute(None) == plain.compute(None)
    assert hostile.database() == plain.database()
    assert (hostile.owner.external_name, hostile.owner.mark) == (plain.owner.external_name, plain.owner.mark)


def test_what_a_customer_typed_arrives_in_the_configuration_letter_by_letter() -> None:
    text = "${{shared.SECRET}} 𝕬𝖉𝖆"
    wished = desired(assistant={"name": "Ada", "persona": text, "instructions": text})
    configuration = wished.configuration(CREDENTIALS, NOW)
    assert (configuration.assistant.persona, configuration.assistant.instructions) == (text, text)


def test_a_rotated_key_and_another_configuration_deploy_nothing() -> None:
    wished, rotated = desired(), CREDENTIALS.rotated(2, NOW, random_bytes(2))
    assert wished.compute(rotated).fingerprint == wished.compute(CREDENTIALS).fingerprint
    limits = {"concurrentStreams": 9}
    other = desired(of_plan=plan(limits=limits, cost={"perMillionInputTokens": 1}))
    assert other.compute(CREDENTIALS).fingerprint == wished.compute(CREDENTIALS).fingerprint


def test_what_all_runtimes_share_deploys_them_only_when_it_changes() -> None:
    def fingerprint(**shared: str) -> str:
        wished = desired()
        defaults = replace(wished.defaults, variables={**wished.defaults.variables, **shared})
        return replace(wished, defaults=defaults).compute(CREDENTIALS).fingerprint

    assert fingerprint(CLAW_SEARCH_URL="https://a.example") != fingerprint()
    assert fingerprint(A="1", B="2") == fingerprint(B="2", A="1")


def test_a_runtime_is_told_how_much_it_may_store_and_what_its_model_costs() -> None:
    cost = {"fixedMonthly": 900, "perMillionInputTokens": 300, "perMillionOutputTokens": 1500}
    limits = {"messagesPerMonth": 5, "concurrentStreams": 2}
    told = desired(of_plan=plan(cost=cost, limits=limits)).configuration(CREDENTIALS, NOW).plan

    assert told.storage_bytes == plan().spec.resources.storage_bytes
    assert told.prices == ModelPrices(per_million_input_tokens=300, per_million_output_tokens=1500)
    assert (told.limits.messages_per_month, told.limits.concurrent_streams) == (5, 2)


def _typed(text: str, random: Random) -> ClawInstance:
    """An instance with the text in every field that takes it, shortened, padded or mixed as chance will have it."""
    mixed = "".join(random.sample(text, k=min(len(text), 200)))
    fields: list[dict[str, Any]] = [
        {"customer": {"id": "cus_1", "email": "ada@example.com", "name": text, "company": mixed}},
        {"customer": {"id": "cus_1", "email": f"{mixed[:9]}@{mixed[-9:]}.example"}},
        {"assistant": {"name": text, "persona": mixed, "instructions": text}},
        {"assistant": {"name": mixed[:63]}},
        {"assistant": {"persona": text, "instructions": mixed}},
        {"workspace": {"files": [{"path": "SOUL.md", "content": text}]}},
    ]
    spec: dict[str, Any] = {}
    for field in random.sample(fields, k=len(fields)):
        try:
            instance(**(spec | field))
        except ValidationError:
            continue  # the API server refuses that one, too
        spec |= field
    return ClawInstance.parse(body(**spec))


@pytest.mark.parametrize(
    ("wanted", "used", "refused"),
    [
        (None, "claude-sonnet", ""),
        ("claude-sonnet", "claude-sonnet", ""),
        ("claude-opus", "claude-opus", ""),
        ("gpt-9", "claude-sonnet", "model gpt-9 is not in plan pro; using claude-sonnet"),
    ],
    ids=["none", "the default", "an allowed one", "another one"],
)
def test_the_model_is_the_customers_where_the_plan_allows_it(wanted: str | None, used: str, refused: str) -> None:
    wished = desired(assistant={} if wanted is None else {"model": wanted})
    assert wished.model == used
    assert wished.configuration(CREDENTIALS, NOW).assistant.model == used
    assert wished.refused() == refused


def test_a_plan_that_allows_no_choice_gives_its_default() -> None:
    wished = desired(of_plan=plan(models={"default": "claude-haiku"}), assistant={"model": "claude-opus"})
    assert wished.model == "claude-haiku"


@pytest.mark.parametrize(
    ("offered", "enabled", "refused"),
    [
        (["chat"], [], ""),
        (["chat"], ["chat"], ""),
        (["chat"], ["gmail", "browser"], "plan pro does not offer browser, gmail"),
        (["*"], ["gmail"], ""),
    ],
)
def test_skills_that_the_plan_lacks_are_named_in_one_order(
    offered: list[str], enabled: list[str], refused: str
) -> None:
    assert desired(of_plan=plan(skills=offered), skills={"enabled": enabled}).refused() == refused


def test_everything_that_is_refused_is_in_one_message() -> None:
    wished = desired(assistant={"model": "gpt-9"}, skills={"enabled": ["gmail"]})
    assert wished.refused().count(";") == 2


def test_drivers_are_the_specs_choice_or_the_operators() -> None:
    assert (desired().compute_driver, desired().database_driver) == ("local", "postgres")
    chosen = desired(compute={"driver": "railway"}, database={"driver": "neon"})
    assert (chosen.compute_driver, chosen.database_driver) == ("railway", "neon")


@pytest.mark.parametrize(
    ("runtime", "source"),
    [
        ({}, ("claw/runtime:1", None, None)),
        ({"image": "mine:2"}, ("mine:2", None, None)),
        ({"repository": "me/mine"}, (None, "me/mine", None)),
        ({"repository": "me/mine", "ref": "main"}, (None, "me/mine", "main")),
    ],
    ids=["default", "image", "repository", "branch"],
)
def test_an_own_runtime_replaces_the_default_whole(runtime: dict[str, str], source: tuple[str | None, ...]) -> None:
    compute = desired(runtime=runtime).compute(None)
    assert (compute.image, compute.repository, compute.ref) == source


def test_the_size_is_the_plans_and_needs_no_deployment() -> None:
    small, large = desired(), desired(of_plan=plan(resources={"cpu": "2", "memory": "2Gi", "storage": "2Gi"}))
    assert large.compute(CREDENTIALS).size == Size(cpu_millis=2000, memory_bytes=2 * 2**30)
    assert large.database().storage_bytes == 2 * 2**30
    assert large.compute(CREDENTIALS).fingerprint == small.compute(CREDENTIALS).fingerprint


def test_the_database_gets_the_plans_cpu_where_its_provider_sizes_it() -> None:
    large = desired(of_plan=plan(resources={"cpu": "1.5", "memory": "2Gi", "storage": "2Gi"}))
    assert large.database().cpu_millis == 1500


def test_marks_tell_the_fleet() -> None:
    wished = Desired(instance(), plan(), Defaults("local", "postgres", fleet="0f0f0f0f-91a4-4d4b-9a63-6f1d2a3b4c5d"))
    for owner in (wished.database().owner, wished.compute(None).owner):
        assert Owner.of_mark(owner.mark) == owner
        assert owner.fleet == wished.defaults.fleet


def test_a_domain_of_ones_own_needs_no_deployment() -> None:
    wished = desired(domain="chat.example.com").compute(CREDENTIALS)
    assert wished.domain == "chat.example.com"
    assert wished.fingerprint == desired().compute(CREDENTIALS).fingerprint


@pytest.mark.parametrize(
    ("state", "stops", "stopped"),
    [("Running", True, False), ("Suspended", False, False), ("Suspended", True, True)],
)
def test_only_what_is_suspended_stops_and_only_where_the_plan_says_so(state: str, stops: bool, stopped: bool) -> None:
    assert desired(of_plan=plan(stopWhenSuspended=stops), state=state).stopped is stopped


@pytest.mark.parametrize(
    "changed",
    [
        desired(runtime={"image": "mine:2"}).compute(CREDENTIALS),
        desired(region="eu-west").compute(CREDENTIALS),
        desired(of_plan=plan(sleepWhenIdle=True)).compute(CREDENTIALS),
        desired().compute(CREDENTIALS.moved("db-2", ConnectionUrls("postgresql://other"))),
        Desired(instance(), plan(), Defaults("local", "postgres", image="claw/runtime:1")).compute(CREDENTIALS),
    ],
    ids=["image", "region", "sleep", "database", "variables"],
)
def test_what_needs_a_deployment_changes_the_fingerprint(changed: object) -> None:
    assert changed.fingerprint != desired().compute(CREDENTIALS).fingerprint  # type: ignore[attr-defined]


def test_a_rotated_key_changes_the_configuration_and_not_the_deployment() -> None:
    rotated = CREDENTIALS.rotated(2, NOW, random_bytes(2))
    wished = desired()
    assert wished.compute(rotated).fingerprint == wished.compute(CREDENTIALS).fingerprint
    assert wished.configuration(rotated, NOW).revision != wished.configuration(CREDENTIALS, NOW).revision


def test_a_previous_key_leaves_the_configuration_at_its_end() -> None:
    rotated: Credentials = CREDENTIALS.rotated(2, NOW, random_bytes(2))
    assert rotated.previous_expires_at is not None
    assert len(desired().configuration(rotated, NOW).keys) == 2
    assert len(desired().configuration(rotated, rotated.previous_expires_at).keys) == 1


def test_no_secret_is_in_a_repr() -> None:
    wished = desired()
    shown = f"{wished!r} {wished.compute(CREDENTIALS)!r} {wished.configuration(CREDENTIALS, NOW)!r} {wished.defaults!r}"
    assert "canary" not in shown
    assert CREDENTIALS.api_key not in shown
