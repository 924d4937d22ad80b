"""ClawInstance: a sample with every field, and a case for every constraint."""

from tests.conformance.cases import ABSENT, Table

NOW = "2026-01-31T12:00:00Z"

SAMPLE = {
    "apiVersion": "claw.dev/v1alpha1",
    "kind": "ClawInstance",
    "metadata": {"name": "sample"},
    "spec": {
        "customer": {
            "id": "cus_1",
            "email": "ada@example.com",
            "name": "Ada",
            "company": "Engines",
            "timezone": "Europe/London",
            "locale": "en-GB",
        },
        "planRef": {"name": "pro"},
        "state": "Suspended",
        "deleteAfter": NOW,
        "region": "europe-west4",
        "domain": "chat.example.com",
        "runtime": {},
        "assistant": {"name": "Claw", "persona": "Calm.", "model": "claude-sonnet-4-5", "instructions": "Be brief."},
        "skills": {"enabled": ["chat"], "disabled": ["browser"]},
        "workspace": {"files": [{"path": "SOUL.md", "content": "# Soul"}]},
        "deletionPolicy": "Delete",
        "credentialsRevision": 1,
        "provisioningDeadlineSeconds": 600,
        "compute": {"driver": "local"},
        "database": {"driver": "postgres"},
    },
    "status": {
        "observedGeneration": 1,
        "conditions": [
            {"type": "Ready", "status": "True", "reason": "Available", "message": "", "lastTransitionTime": NOW}
        ],
        "url": "https://ada.example.com",
        "credentialsSecretRef": {"name": "sample-credentials"},
        "credentials": {"revision": 1, "previousExpiresAt": NOW},
        "compute": {
            "driver": "local",
            "id": "c-1",
            "deploymentId": "d-1",
            "state": "Running",
            "domain": {"name": "chat.example.com", "records": ["CNAME chat -> abc.example"]},
        },
        "database": {"driver": "postgres", "id": "db-1", "host": "localhost", "sizeBytes": 1},
        "runtime": {"version": "1.0.0", "configurationRevision": "0123456789abcdef", "lastProbeTime": NOW},
        "usage": {"periodStart": NOW, "messagesUsed": 12, "messagesLimit": 20000},
        "deletionTime": NOW,
        "provisioning": {
            "requestedAt": NOW,
            "readyAt": NOW,
            "seconds": 1.5,
            "steps": [{"name": "create-database", "seconds": 0.5}],
        },
        "cost": {"monthly": 1100, "margin": 86},
    },
}

DRIVER_KEPT = "a driver cannot be changed: the data would stay behind"
DRIVERS_KEPT = "a driver cannot be added or removed: the data would stay behind"
SERVED = "only a suspended instance has a deleteAfter: who is served is not deleted"
CONDITIONS = [
    SAMPLE["status"]["conditions"][0] | {"type": kind}  # type: ignore[index]  # the sample is of many types
    for kind in ("Ready", "Synced", "DatabaseReady", "ComputeReady", "RuntimeReady", "WithinPlan", "Ready")
]

table = Table("ClawInstance")

SPEC = (
    *table.required("", "spec"),
    table.rule(
        "",
        "an instance's name has at most 51 characters: <name>-credentials names its Secret",
        {"metadata.name": "a" * 51},
        {"metadata.name": "a" * 52},
    ),
    *table.required("spec", "customer", "planRef"),
    # Who pays
    *table.required("spec.customer", "id", "email"),
    table.pattern("spec.customer.id", "cus_Ab.1-2", "-cus"),
    table.longest("spec.customer.id", 128),
    table.rule(
        "spec.customer.id",
        "an instance cannot be given to another customer",
        {"spec.customer.email": "new@example.com"},
        {"spec.customer.id": "cus_2"},
        stored={},
    ),
    table.pattern("spec.customer.email", "ada+claw@müller.example", "ada@example.com\nBcc: all@example.com"),
    table.longest("spec.customer.email", 254, start="a" * 64 + "@"),
    table.pattern("spec.customer.name", "Zoë “${{ secrets }}” Ångström", "Ada\r\nBcc: all@example.com"),
    table.longest("spec.customer.name", 200),
    table.pattern("spec.customer.company", "شرکت ماشین", "evil\u202eknab"),
    table.longest("spec.customer.company", 200),
    table.pattern("spec.customer.timezone", "America/Argentina/Buenos_Aires", "../etc/passwd"),
    table.longest("spec.customer.timezone", 64, start="Europe/"),
    table.pattern("spec.customer.locale", "zh_Hant-TW", "english"),
    table.longest("spec.customer.locale", 16, start="abc-abcdefgh-"),
    # What was bought
    *table.required("spec.planRef", "name"),
    table.pattern("spec.planRef.name", "pro-2", "Pro"),
    table.longest("spec.planRef.name", 63),
    table.value("enum", "spec.state", "Suspended", "Sleeping"),
    table.pattern("spec.region", "us-east-1", "us_east"),
    table.longest("spec.region", 63),
    table.pattern("spec.domain", "xn--mller-kva.example", "${{Postgres.PASSWORD}}.example"),
    table.longest("spec.domain", 253, start=("a" * 63 + ".") * 3),
    # The runtime's source
    table.rule(
        "spec.runtime",
        "give an image or a repository, not both",
        {"spec.runtime.image": "claw:1"},
        {"spec.runtime.image": "claw:1", "spec.runtime.repository": "acme/claw"},
    ),
    table.rule(
        "spec.runtime",
        "a ref needs a repository",
        {"spec.runtime.repository": "acme/claw", "spec.runtime.ref": "main"},
        {"spec.runtime.ref": "main"},
    ),
    table.pattern("spec.runtime.image", "registry.example.com:5000/claw/runtime:1.0", "${{Postgres.PASSWORD}}"),
    table.longest("spec.runtime.image", 255),
    table.pattern("spec.runtime.repository", "acme/claw.runtime", "acme/.."),
    table.longest("spec.runtime.repository", 140, start="a" * 39 + "/"),
    table.pattern("spec.runtime.ref", "release/1.0", "-rf", repository="acme/claw"),
    table.longest("spec.runtime.ref", 255, repository="acme/claw"),
    # The assistant
    table.pattern("spec.assistant.name", "Клод 🦀", "Claw\u2028"),
    table.longest("spec.assistant.name", 63),
    table.pattern("spec.assistant.persona", "Calm.\n\tNever hurried.", "\x00"),
    table.longest("spec.assistant.persona", 4000),
    table.pattern("spec.assistant.model", "claude-haiku-4-5", "claude haiku"),
    table.longest("spec.assistant.model", 63),
    table.pattern("spec.assistant.instructions", "1. Be brief.\n2. Be kind.", "\x1b[2J"),
    table.longest("spec.assistant.instructions", 20_000),
    # Skills
    table.rule(
        "spec.skills",
        "a skill cannot be both enabled and disabled",
        {"spec.skills": {"enabled": ["chat"], "disabled": ["gmail"]}},
        {"spec.skills": {"enabled": ["chat", "gmail"], "disabled": ["gmail"]}},
    ),
    *(
        case
        for path in ("spec.skills.enabled", "spec.skills.disabled")
        for case in (
            table.most(path, [f"skill_{number}" for number in range(65)]),
            table.unique(path, "gmail", "calendar"),
            table.pattern(f"{path}[]", "web_search", "Web-Search"),
            table.longest(f"{path}[]", 32),
        )
    ),
    # The workspace
    table.most("spec.workspace.files", [{"path": f"{number}.md", "content": ""} for number in range(33)]),
    table.unique(
        "spec.workspace.files", {"path": "A.md", "content": ""}, {"path": "B.md", "content": ""}, list_type="map"
    ),
    *table.required("spec.workspace.files[]", "path", "content"),
    table.pattern("spec.workspace.files[].path", "memory/2026-01-31.md", "../.ssh/authorized_keys"),
    table.longest("spec.workspace.files[].path", 128),
    table.pattern("spec.workspace.files[].content", "# Soul\r\n", "\x07"),
    table.longest("spec.workspace.files[].content", 20_000),
    # Life and death
    table.value("format", "spec.deleteAfter", NOW, "when it suits"),
    table.rule("spec", SERVED, {"spec.state": "Running", "spec.deleteAfter": ABSENT}, {"spec.state": "Running"}),
    table.rule("spec", SERVED, {"spec.deleteAfter": NOW}, {"spec.state": ABSENT}),
    table.value("enum", "spec.deletionPolicy", "Archive", "Forget"),
    *table.between("spec.credentialsRevision", 1, 1_000_000),
    table.rule(
        "spec.credentialsRevision",
        "credentialsRevision can only be raised",
        {"spec.credentialsRevision": 4},
        {"spec.credentialsRevision": 2},
        stored={"spec.credentialsRevision": 3},
    ),
    table.rule(
        "spec.credentialsRevision",  # to leave it out is to ask for the default, 1
        "credentialsRevision can only be raised",
        {"spec.credentialsRevision": 3},
        {"spec.credentialsRevision": ABSENT},
        stored={"spec.credentialsRevision": 3},
    ),
    *table.between("spec.provisioningDeadlineSeconds", 10, 86_400),
    # Drivers
    *(
        case
        for part in ("compute", "database")
        for case in (
            *table.required(f"spec.{part}", "driver"),
            table.pattern(f"spec.{part}.driver", "some-cloud-2", "Some_Cloud"),
            table.longest(f"spec.{part}.driver", 32),
            table.rule(
                f"spec.{part}.driver",
                DRIVER_KEPT,
                {"spec.region": "us-east-1"},
                {f"spec.{part}.driver": "other"},
                stored={},
            ),
            table.rule("spec", DRIVERS_KEPT, {"spec.region": "us-east-1"}, {f"spec.{part}": ABSENT}, stored={}),
            table.rule("spec", DRIVERS_KEPT, {f"spec.{part}": ABSENT}, {}, stored={f"spec.{part}": ABSENT}),
        )
    ),
)

STATUS = (
    table.most("status.conditions", CONDITIONS),
    table.unique("status.conditions", CONDITIONS[0], CONDITIONS[1], list_type="map"),
    *table.required("status.conditions[]", "type", "status", "reason", "lastTransitionTime"),
    table.value("enum", "status.conditions[].type", "Synced", "Happy"),
    table.value("enum", "status.conditions[].status", "Unknown", "true"),
    table.value("enum", "status.conditions[].reason", "Degraded", "Because"),
    table.longest("status.conditions[].message", 4096),
    table.value("format", "status.conditions[].lastTransitionTime", NOW, "yesterday"),
    table.longest("status.url", 2048, start="https://"),
    *table.required("status.credentialsSecretRef", "name"),
    table.longest("status.credentialsSecretRef.name", 253),
    *table.required("status.credentials", "revision"),
    table.value("format", "status.credentials.previousExpiresAt", NOW, "in an hour"),
    *table.required("status.compute", "driver"),
    *(table.longest(f"status.compute.{name}", 255) for name in ("driver", "id", "deploymentId", "state")),
    *table.required("status.compute.domain", "name"),
    table.longest("status.compute.domain.name", 253),
    table.most("status.compute.domain.records", [f"CNAME {number}" for number in range(17)]),
    table.longest("status.compute.domain.records[]", 512),
    *table.required("status.database", "driver"),
    *(table.longest(f"status.database.{name}", 255) for name in ("driver", "id", "host")),
    *(table.longest(f"status.runtime.{name}", 255) for name in ("version", "configurationRevision")),
    table.value("format", "status.runtime.lastProbeTime", NOW, 1_700_000_000),
    *table.required("status.usage", "periodStart"),
    table.value("format", "status.usage.periodStart", NOW, "2026-01"),
    table.value("format", "status.deletionTime", NOW, "2026-01"),
    *table.required("status.provisioning", "requestedAt"),
    table.value("format", "status.provisioning.requestedAt", NOW, "soon"),
    table.value("format", "status.provisioning.readyAt", NOW, "never"),
    table.most("status.provisioning.steps", [{"name": "step", "seconds": 1}] * 65),
    *table.required("status.provisioning.steps[]", "name", "seconds"),
    table.longest("status.provisioning.steps[].name", 255),
    table.longest("status.provisioning.failedRetry", 262_144),
    *table.required("status.cost", "monthly", "margin"),
)

CASES = SPEC + STATUS
