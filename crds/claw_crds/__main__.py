"""`python -m claw_crds`: writes the CustomResourceDefinitions; with `--check`, says whether they are current."""

import argparse
import sys
from pathlib import Path

import yaml

from claw_crds.schema import DEFINITIONS, Definition

HEADER = "# Generated from crds/claw_crds by `make generate`. Edit the models instead.\n"
OUT = Path(__file__).resolve().parents[1]
"""crds/ of the checkout."""


def render(definition: Definition) -> str:
    """The CustomResourceDefinition as YAML, the same for the same models."""
    return HEADER + yaml.safe_dump(definition.document(), sort_keys=False, allow_unicode=True, width=120)


def main(arguments: list[str] | None = None) -> int:
    """Write or check. Returns 1 when a checked file is not what would be written."""
    parser = argparse.ArgumentParser(prog="python -m claw_crds", description="The CustomResourceDefinitions of Claw.")
    parser.add_argument("--check", action="store_true", help="write nothing; fail if a file is not current")
    parser.add_argument("--out", type=Path, default=OUT, metavar="DIR", help="folder of the YAML files (%(default)s)")
    options = parser.parse_args(arguments)
    stale = []
    for definition in DEFINITIONS:
        path = options.out / f"{definition.plural}.yaml"
        content = render(definition)
        if path.is_file() and path.read_text(encoding="utf-8") == content:
            continue
        stale.append(path)
        if not options.check:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content, encoding="utf-8")
    for path in stale:
        print(f"{path} is not what the models say: run `make generate`." if options.check else f"wrote {path}")
    return 1 if stale and options.check else 0


if __name__ == "__main__":
    sys.exit(main())
