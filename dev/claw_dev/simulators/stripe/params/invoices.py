"""Parameters of invoices and of events."""

from typing import Literal

from pydantic import Field

from claw_dev.simulators.stripe.forms import FormList
from claw_dev.simulators.stripe.params.parts import Listed, Params


class ListInvoices(Listed):
    """`GET /v1/invoices`."""

    customer: str | None = None
    subscription: str | None = None
    status: Literal["draft", "open", "paid", "uncollectible", "void"] | None = None


class FinalizeInvoice(Params):
    """`POST /v1/invoices/{id}/finalize`."""

    auto_advance: bool | None = None


class PayInvoice(Params):
    """`POST /v1/invoices/{id}/pay`."""

    paid_out_of_band: bool = False
    payment_method: str | None = None


class ListEvents(Listed):
    """`GET /v1/events`."""

    type: str | None = None
    types: FormList[str] = Field(default=[], max_length=20)
    delivery_success: bool | None = None
