"""What a SKILL.md may say of itself, and what it may not do to whoever reads it."""

import time

import pytest

from claw_runtime.skills.front_matter import MAX_CHARACTERS, BrokenSkill, body, parse


def skill(front: str, text: str = "# How") -> str:
    return f"---\n{front}\n---\n{text}\n"


def broken(text: str) -> str:
    with pytest.raises(BrokenSkill) as refused:
        parse(text)
    return str(refused.value)


MINIMAL = "name: trip-planning\ndescription: Plans trips."


def test_a_skill_needs_a_name_and_what_it_is_for() -> None:
    front = parse(skill(MINIMAL))

    assert (front.name, front.description, front.listed) == ("trip-planning", "Plans trips.", True)
    assert body(skill(MINIMAL, "# How\n\nLike this.")) == "# How\n\nLike this."


@pytest.mark.parametrize("text", ["", "# No front matter", "---\nname: x\ndescription: y\n", "name: x\n---\n"])
def test_without_front_matter_it_says_how_a_skill_begins(text: str) -> None:
    assert "It must begin with front matter" in broken(text)


def test_windows_line_ends_and_a_byte_order_mark_are_read_over() -> None:
    assert parse("\ufeff" + skill(MINIMAL).replace("\n", "\r\n")).name == "trip-planning"


@pytest.mark.parametrize("name", ["Trip", "trip_planning", "-trip", "trip--plan", "a" * 65, "../x", "", "7.5", "[a]"])
def test_a_name_that_is_none_is_told(name: str) -> None:
    assert "name is not right: it must be 1 to 64 lower-case letters" in broken(skill(f"name: {name}\ndescription: x"))


@pytest.mark.parametrize("description", ["", "'  '", "[a, b]", "x" * 1025, '"\\0"'])
def test_a_description_that_is_none_is_told(description: str) -> None:
    assert "description is not right" in broken(skill(f"name: trip\ndescription: {description}"))


@pytest.mark.parametrize("prefix", ["", "metadata:\n  claw:\n    ", 'metadata: {"openclaw": {'])
def test_what_it_needs_stands_at_the_top_or_in_the_metadata(prefix: str) -> None:
    needs = 'requires: {skills: gmail, anyBins: [a, "b"], config: [google]}'
    front = parse(skill(f"{MINIMAL}\n{prefix}{needs}" + ("}}" if prefix.endswith("{") else "")))

    assert front.requires.skills == ("gmail",)
    assert front.requires.any_bins == ("a", "b")
    assert front.requires.config == ("google",)


def test_metadata_may_be_json_in_a_text_and_hold_what_nobody_knows() -> None:
    metadata = """metadata: '{"openclaw": {"emoji": "🦀", "os": ["linux"], "requires": {"env": ["TOKEN"], "x": 1}}}'"""

    assert parse(skill(f"{MINIMAL}\n{metadata}\nversion: 1.2\nlicense: MIT")).requires.env == ("TOKEN",)


def test_a_colon_in_a_description_is_read_as_people_mean_it() -> None:
    front = parse(skill("name: trip\ndescription: Use when: somebody travels: far.\ndisable-model-invocation: true"))

    assert front.description == "Use when: somebody travels: far."
    assert front.listed is False


BOMB = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "\n".join(
    f"{new}: &{new} [{','.join([f'*{old}'] * 9)}]" for old, new in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.mark.parametrize(
    ("front", "complaint"),
    [
        (f"{MINIMAL}\n{BOMB}", "uses anchors"),
        (f"{MINIMAL}\nx: &x [*x]", "uses anchors"),
        (f"{MINIMAL}\nx: {'[' * 7000}", "nested too deeply"),
        (f"{MINIMAL}\nx: {'{a: ' * 2000}", "nested too deeply"),
        (f"{MINIMAL}\nx:\n  {'- ' * 7000}", "nested too deeply"),
        (f"{MINIMAL}\nx: {'x' * MAX_CHARACTERS}", "longer than 16,000 characters"),
        ("- name\n- description", "must have the members"),
        ("name: [", "is not YAML: look at line"),
        ("!!python/object/apply:os.system ['true']", "is not YAML"),
        (f"{MINIMAL}\nmetadata: '{{'", "metadata is neither YAML nor JSON"),
        (f"{MINIMAL}\nrequires: 7", "requires is not right"),
        (f"{MINIMAL}\nrequires: {{skills: [[1]]}}", "requires.skills.0 is not right"),
    ],
)
def test_hostile_front_matter_is_refused_quickly(front: str, complaint: str) -> None:
    began = time.process_time()

    assert complaint in broken(skill(front))

    assert time.process_time() - began < 1


def test_tags_make_no_objects() -> None:
    hostile = f"{MINIMAL}\nx: !!python/object/apply:os.system ['exit 1']"

    assert parse(skill(hostile)).name == "trip-planning"
