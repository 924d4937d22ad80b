"""Parameters of customers and of test clocks."""

from pydantic import Field

from claw_dev.simulators.stripe.forms import Clearable, FormList
from claw_dev.simulators.stripe.params.parts import Listed, Params, Part, WithMetadata


class ListCustomers(Listed):
    """`GET /v1/customers`."""

    email: str | None = None
    test_clock: str | None = None


class InvoiceSettings(Part):
    """Of the customer's invoices."""

    default_payment_method: Clearable[str] = None


class UpdateCustomer(WithMetadata, Params):
    """`POST /v1/customers/{id}`."""

    email: Clearable[str] = None
    name: Clearable[str] = None
    phone: Clearable[str] = None
    description: Clearable[str] = None
    business_name: Clearable[str] = None
    preferred_locales: FormList[str] = Field(default=[])
    invoice_settings: InvoiceSettings | None = None


class CreateCustomer(UpdateCustomer):
    """`POST /v1/customers`."""

    payment_method: str | None = None
    test_clock: str | None = None


class CreateClock(Params):
    """`POST /v1/test_helpers/test_clocks`."""

    frozen_time: int
    name: str | None = None


class AdvanceClock(Params):
    """`POST /v1/test_helpers/test_clocks/{id}/advance`."""

    frozen_time: int
