"""Names are the idempotency keys: they must be short, unique, and the same for ever."""

import re
import uuid
from random import Random

from claw_crds import naming
from claw_crds.instance import MAX_NAME_LENGTH

RANDOM = Random(20260131)
UIDS = [str(uuid.UUID(int=RANDOM.getrandbits(128), version=4)) for _ in range(500)]
EXTREMES = ["00000000-0000-0000-0000-000000000000", "ffffffff-ffff-ffff-ffff-ffffffffffff"]


def test_an_external_name_fits_everywhere() -> None:
    for uid in UIDS + EXTREMES:
        name = naming.external_name(uid)

        assert len(name) <= 32, "Railway's longest service name"
        assert re.fullmatch(r"[a-z][a-z0-9-]*[a-z0-9]", name), "PostgreSQL, DNS and Neon agree on these characters"


def test_an_external_name_never_changes() -> None:
    assert naming.external_name("12345678-1234-5678-1234-567812345678") == "claw-ci2fm6asgrlhqerukz4bencwpa"


def test_external_names_and_uids_are_one_to_one() -> None:
    names = {naming.external_name(uid): uid for uid in UIDS + EXTREMES}

    assert len(names) == len(UIDS + EXTREMES)
    assert {name: naming.uid_of(name) for name in names} == names


def test_a_uid_may_be_written_in_upper_case() -> None:
    assert naming.external_name(UIDS[0].upper()) == naming.external_name(UIDS[0])


def test_a_strangers_name_has_no_uid() -> None:
    ours = naming.external_name(UIDS[0])

    for name in (
        "",
        "claw-",
        "postgres",
        ours[:-1],
        ours + "a",
        ours.upper(),
        "claw-" + "1" * 26,
        "claw-" + "a" * 25 + "b",
        ours + "\n",
    ):
        assert naming.uid_of(name) is None, name


def test_an_instance_name_follows_from_the_subscription_alone() -> None:
    name = naming.instance_name("sub_1OqA2bC3dE4fG5hI")

    assert name == naming.instance_name("sub_1OqA2bC3dE4fG5hI")
    assert name != naming.instance_name("sub_1oqa2bc3de4fg5hi"), "Stripe's ids tell upper from lower case"
    assert re.fullmatch(r"claw-[a-z2-7]{16}", name)
    assert len(name) <= MAX_NAME_LENGTH


def test_an_instance_name_never_changes() -> None:
    assert naming.instance_name("sub_1") == "claw-coqhn7hh2f2uddgf"


def test_the_secret_of_the_longest_name_fits_a_label() -> None:
    assert len(naming.credentials_secret_name("a" * MAX_NAME_LENGTH)) == 63


def test_the_owner_mark_tells_namespace_name_and_uid() -> None:
    assert naming.owner_mark("claw", "ada", UIDS[0]) == f"claw.dev/instance=claw/ada,uid={UIDS[0]}"


def test_the_owner_mark_tells_fleets_that_share_an_account_apart() -> None:
    mark = naming.owner_mark("claw", "ada", UIDS[0], fleet=UIDS[1])

    assert mark == f"claw.dev/instance=claw/ada,uid={UIDS[0]},fleet={UIDS[1]}"
    assert naming.parse_owner_mark(mark) == ("claw", "ada", UIDS[0], UIDS[1])
    assert naming.parse_owner_mark(naming.owner_mark("claw", "ada.b", UIDS[0])) == ("claw", "ada.b", UIDS[0], "")


def test_what_only_looks_like_an_owner_mark_is_none() -> None:
    mark = naming.owner_mark("claw", "ada", UIDS[0], fleet=UIDS[1])

    for text in ("", "claw", mark + "\n", " " + mark, mark[:-1], mark.replace("fleet", "flock"), mark.upper()):
        assert naming.parse_owner_mark(text) is None, text


def test_any_text_becomes_a_label_value() -> None:
    valid = re.compile(r"([A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?)?")

    for text in ("", "ada", "Ada Lovelace", "ünïcode", "-_.x._-", "a" * 62 + ".b", "\n", "${{x}}", "a" * 1000):
        assert valid.fullmatch(naming.label_value(text)), text
