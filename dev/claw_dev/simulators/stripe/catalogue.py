"""Products and prices: what is for sale from the start, and what requests add to it."""

from claw_dev.simulators.stripe.account import Account
from claw_dev.simulators.stripe.errors import invalid
from claw_dev.simulators.stripe.events import change, tell
from claw_dev.simulators.stripe.listing import Page, page
from claw_dev.simulators.stripe.params import (
    CreatePrice,
    CreateProduct,
    ListPrices,
    ListProducts,
    Params,
    RecurringFilter,
    UpdatePrice,
    UpdateProduct,
)
from claw_dev.simulators.stripe.records import Meter, Price, Product

SEEDED = {"starter": 2900, "pro": 7900, "team": 19900}
"""The plans that are for sale from the start, in cents a month."""
UNKNOWN_PRICE = "price_unknown_monthly"
"""A price that is for sale although no plan names it."""


def seed(account: Account) -> None:
    """Put up for sale what a fresh simulator sells. Nobody is told: it was there before anybody listened."""
    for plan, amount in SEEDED.items():
        product = account.new(Product, id=f"prod_claw_{plan}", name=f"Claw {plan.title()}")
        price = account.new(
            Price, id=f"price_{plan}_monthly", product=product.id, unit_amount=amount, lookup_key=f"claw_{plan}_monthly"
        )
        account.change(product, default_price=price.id)
    stray = account.new(Product, id="prod_unknown", name="Something that no plan knows")
    account.new(Price, id=UNKNOWN_PRICE, product=stray.id, unit_amount=4200)


def retrieve_product(account: Account, product_id: str, _: Params) -> Product:
    """`GET /v1/products/{id}`."""
    return account.get(Product, product_id)


def list_products(account: Account, params: ListProducts) -> Page[Product]:
    """`GET /v1/products`."""
    return page(
        account.all(Product),
        params,
        lambda product: params.active in (None, product.active) and (not params.ids or product.id in params.ids),
    )


def create_product(account: Account, params: CreateProduct) -> Product:
    """`POST /v1/products`."""
    if any(product.id == params.id for product in account.all(Product)):
        raise invalid("Product already exists.", "id", "resource_already_exists")
    product = account.new(
        Product,
        id=params.id,
        name=params.name,
        description=params.description,
        active=params.active,
        metadata=params.metadata_after({}),
    )
    tell(account, "product.created", product)
    return product


def update_product(account: Account, product_id: str, params: UpdateProduct) -> Product:
    """`POST /v1/products/{id}`."""
    before = account.get(Product, product_id)
    if (
        params.default_price is not None
        and account.get(Price, params.default_price, "default_price").product != before.id
    ):
        raise invalid("The default price has to be one of the product's.", "default_price")
    given = params.model_fields_set
    return change(
        account,
        "product.updated",
        before,
        name=params.name or before.name,
        description=params.description if "description" in given else before.description,
        active=before.active if params.active is None else params.active,
        default_price=params.default_price or before.default_price,
        metadata=params.metadata_after(before.metadata),
    )


def retrieve_price(account: Account, price_id: str, _: Params) -> Price:
    """`GET /v1/prices/{id}`."""
    return account.get(Price, price_id)


def list_prices(account: Account, params: ListPrices) -> Page[Price]:
    """`GET /v1/prices`."""

    def matches(price: Price) -> bool:
        return (
            params.active in (None, price.active)
            and params.currency in (None, price.currency)
            and params.product in (None, price.product)
            and params.type in (None, "recurring")
            and (params.recurring is None or _is_billed_so(price, params.recurring))
            and (not params.lookup_keys or price.lookup_key in params.lookup_keys)
        )

    return page(account.all(Price), params, matches)


def _is_billed_so(price: Price, wanted: RecurringFilter) -> bool:
    usage = "licensed" if price.meter is None else "metered"
    return (
        wanted.interval in (None, price.interval)
        and wanted.meter in (None, price.meter)
        and wanted.usage_type in (None, usage)
    )


def create_price(account: Account, params: CreatePrice) -> Price:
    """`POST /v1/prices`."""
    account.get(Product, params.product, "product")
    if params.recurring.meter is not None:
        account.get(Meter, params.recurring.meter, "recurring[meter]")
    if (params.recurring.meter is not None) != (params.recurring.usage_type == "metered"):
        raise invalid("Metered prices, and only those, have a meter.", "recurring[meter]")
    _free_lookup_key(account, params.lookup_key, take_over=params.transfer_lookup_key)
    price = account.new(
        Price,
        product=params.product,
        unit_amount=params.unit_amount,
        currency=params.currency,
        interval=params.recurring.interval,
        interval_count=params.recurring.interval_count,
        meter=params.recurring.meter,
        tax_behavior=params.tax_behavior,
        lookup_key=params.lookup_key,
        nickname=params.nickname,
        active=params.active,
        metadata=params.metadata_after({}),
    )
    tell(account, "price.created", price)
    return price


def update_price(account: Account, price_id: str, params: UpdatePrice) -> Price:
    """`POST /v1/prices/{id}`."""
    before = account.get(Price, price_id)
    given = params.model_fields_set
    if "lookup_key" in given and params.lookup_key != before.lookup_key:
        _free_lookup_key(account, params.lookup_key, take_over=params.transfer_lookup_key)
    return change(
        account,
        "price.updated",
        before,
        active=before.active if params.active is None else params.active,
        lookup_key=params.lookup_key if "lookup_key" in given else before.lookup_key,
        nickname=params.nickname if "nickname" in given else before.nickname,
        metadata=params.metadata_after(before.metadata),
    )


def _free_lookup_key(account: Account, key: str | None, *, take_over: bool) -> None:
    """See to it that no price has the lookup key. Raises StripeProblem when one has and may not lose it."""
    holder = next((price for price in account.all(Price) if key and price.lookup_key == key), None)
    if holder is None:
        return
    if not take_over:
        raise invalid(f"A price (`{holder.id}`) already uses that lookup key.", "lookup_key")
    change(account, "price.updated", holder, lookup_key=None)
