"""What every list takes."""

from typing import Annotated

from pydantic import Field

from claw_crds.resource import Model


class PageQuery(Model):
    """Which page of a list."""

    limit: Annotated[int, Field(ge=1, le=100, description="Entries of a page.")] = 50
    cursor: Annotated[str, Field(max_length=300)] | None = Field(
        default=None, description="The nextCursor of the page before."
    )
