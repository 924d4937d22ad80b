"""What the documents promise is what the code has."""

import re
from pathlib import Path

from claw_crds import naming
from claw_crds.v1alpha1 import ConditionType, Reason
from claw_operator.metrics import Metrics

API = (Path(__file__).parents[2] / "docs" / "api.md").read_text()


def test_every_reason_is_published_and_every_published_reason_exists() -> None:
    table = API.split("| reason |")[1].split("\n\n")[0]
    published = set(re.findall(r"`([A-Z][A-Za-z]+)`", "\n".join(row.split("|")[1] for row in table.splitlines()[2:])))
    assert published == {reason.value for reason in Reason}


def test_every_condition_and_annotation_is_published() -> None:
    for kind in ConditionType:
        assert f"`{kind.value}`" in API
    for name in naming.STEERING:
        assert f"`{name}:" in API


def test_every_link_of_the_documents_leads_somewhere() -> None:
    root = Path(__file__).parents[2]
    for page in [root / "README.md", root / "CHANGELOG.md", *(root / "docs").glob("**/*.md")]:
        for target in re.findall(r"\]\(([^)#]+)", page.read_text()):
            assert "://" in target or (page.parent / target).exists(), f"{page.name}: {target}"


def test_every_metric_of_the_operator_is_published() -> None:
    page = (Path(__file__).parents[2] / "docs" / "architecture.md").read_text()
    exposed = set(re.findall(r"^# TYPE (claw_\w+)", Metrics().render().decode(), re.MULTILINE))
    for name in {name for name in exposed if not name.endswith("_created")}:
        assert f"`{name}" in page, name
