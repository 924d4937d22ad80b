"""ClawPlan: a sample with every field, and a case for every constraint."""

from tests.conformance.cases import ABSENT, Table

SAMPLE = {
    "apiVersion": "claw.dev/v1alpha1",
    "kind": "ClawPlan",
    "metadata": {"name": "sample"},
    "spec": {
        "displayName": "Sample",
        "price": {"currency": "usd", "amountMonthly": 2900},
        "stripe": {
            "priceIds": ["price_1"],
            "lookupKeys": ["claw_sample"],
            "productIds": ["prod_1"],
            "meter": {"eventName": "claw_messages", "counts": "messages"},
        },
        "limits": {
            "messagesPerMonth": 1,
            "tokensPerMonth": 1,
            "apiCallsPerDay": 1,
            "agents": 1,
            "memories": 1,
            "concurrentStreams": 1,
        },
        "resources": {"cpu": "500m", "memory": "512Mi", "storage": "100Mi"},
        "skills": ["chat"],
        "models": {"default": "claude-sonnet-4-5", "allowed": ["claude-haiku-4-5", "claude-sonnet-4-5"]},
        "trialDays": 0,
        "graceDays": 7,
        "retentionDays": 30,
        "sleepWhenIdle": False,
        "stopWhenSuspended": True,
        "cost": {"fixedMonthly": 500, "perMillionInputTokens": 300, "perMillionOutputTokens": 1500},
    },
}

NAME = "a plan's name has at most 63 characters and no dot: instances refer to it"
DEFAULT_ALLOWED = "the default model must be one of the allowed models"
TRILLION = 1_000_000_000_000

table = Table("ClawPlan")

CASES = (
    *table.required("", "spec"),
    table.rule("", NAME, {"metadata.name": "a" * 63}, {"metadata.name": "a" * 64}),
    table.rule("", NAME, {"metadata.name": "pro-2"}, {"metadata.name": "pro.2"}),
    *table.required("spec", "displayName", "price", "resources", "models"),
    table.pattern("spec.displayName", "Für Große", "Pro\nSubject: free"),
    table.value("minLength", "spec.displayName", "P", ""),
    table.longest("spec.displayName", 63),
    # Money
    *table.required("spec.price", "currency", "amountMonthly"),
    table.pattern("spec.price.currency", "eur", "EUR"),
    table.longest("spec.price.currency", 3),
    *table.between("spec.price.amountMonthly", 0, 100_000_000),
    table.most("spec.stripe.priceIds", [f"price_{number}" for number in range(33)]),
    table.unique("spec.stripe.priceIds", "price_1", "price_2"),
    table.pattern("spec.stripe.priceIds[]", "price_1Ab_2", "prod_1"),
    table.longest("spec.stripe.priceIds[]", 70, start="price_"),
    table.most("spec.stripe.lookupKeys", [f"key_{number}" for number in range(33)]),
    table.unique("spec.stripe.lookupKeys", "key_1", "key_2"),
    table.pattern("spec.stripe.lookupKeys[]", "claw pro (monthly)", "claw_pro\n"),
    table.value("minLength", "spec.stripe.lookupKeys[]", "k", ""),
    table.longest("spec.stripe.lookupKeys[]", 200),
    table.most("spec.stripe.productIds", [f"prod_{number}" for number in range(33)]),
    table.unique("spec.stripe.productIds", "prod_1", "prod_2"),
    table.pattern("spec.stripe.productIds[]", "our-own-product_1", "prod 1"),
    table.longest("spec.stripe.productIds[]", 64, start="prod_"),
    *table.required("spec.stripe.meter", "eventName"),
    table.pattern("spec.stripe.meter.eventName", "claw.messages-2", "claw messages"),
    table.longest("spec.stripe.meter.eventName", 100),
    table.value("enum", "spec.stripe.meter.counts", "tokens", "minutes"),
    *table.between("spec.cost.fixedMonthly", 0, 100_000_000),
    *table.between("spec.cost.perMillionInputTokens", 0, 100_000_000),
    *table.between("spec.cost.perMillionOutputTokens", 0, 100_000_000),
    # What the customer gets
    *table.between("spec.limits.messagesPerMonth", 0, TRILLION),
    *table.between("spec.limits.tokensPerMonth", 0, TRILLION),
    *table.between("spec.limits.apiCallsPerDay", 0, TRILLION),
    *table.between("spec.limits.agents", 0, TRILLION),
    *table.between("spec.limits.memories", 0, TRILLION),
    *table.between("spec.limits.concurrentStreams", 0, TRILLION),
    *table.required("spec.resources", "cpu", "memory", "storage"),
    table.pattern("spec.resources.cpu", "0.25", "0.00"),
    table.value("maxLength", "spec.resources.cpu", "99999m", "100000m"),
    table.pattern("spec.resources.memory", "2Gi", "2GB"),
    table.value("maxLength", "spec.resources.memory", "999999Gi", "1000000Gi"),
    table.pattern("spec.resources.storage", "100Mi", "0Mi"),
    table.value("maxLength", "spec.resources.storage", "999999Mi", "1000000Mi"),
    table.most("spec.skills", [f"skill_{number}" for number in range(65)]),
    table.unique("spec.skills", "chat", "*"),
    table.pattern("spec.skills[]", "*", "web_*"),
    table.longest("spec.skills[]", 32),
    *table.required("spec.models", "default"),
    table.rule(
        "spec.models",
        DEFAULT_ALLOWED,
        {"spec.models": {"default": "a", "allowed": ["b", "a"]}},
        {"spec.models": {"default": "a", "allowed": ["b"]}},
    ),
    table.rule("spec.models", DEFAULT_ALLOWED, {"spec.models.allowed": ABSENT}, {"spec.models.allowed": ["b"]}),
    table.pattern("spec.models.default", "claude-haiku-4-5", "Claude"),
    table.longest("spec.models.default", 63, allowed=[]),
    table.most("spec.models.allowed", ["claude-sonnet-4-5", *(f"model-{number}" for number in range(32))]),
    table.unique("spec.models.allowed", "claude-sonnet-4-5", "claude-haiku-4-5"),
    table.pattern("spec.models.allowed[]", "claude-opus-4-5", "claude/opus"),
    table.longest("spec.models.allowed[]", 63),
    # Time
    *table.between("spec.trialDays", 0, 730),
    *table.between("spec.graceDays", 0, 365),
    *table.between("spec.retentionDays", 0, 3650),
)
