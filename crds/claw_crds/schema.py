"""From the models to CustomResourceDefinitions.

What pydantic writes is JSON Schema; what the API server accepts is a *structural* schema: everything in place instead
of `$ref`, one type for each value, absence instead of null. `StructuralSchema` teaches pydantic's generator that
dialect, so that a new field of a model needs nothing here.
"""

from dataclasses import dataclass
from typing import Any, cast

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from claw_crds.resource import Model
from claw_crds.v1alpha1 import GROUP, VERSION, ClawInstance, ClawPlan

CRD_API_VERSION = "apiextensions.k8s.io/v1"


class StructuralSchema(GenerateJsonSchema):
    """pydantic's generator, writing the dialect of apiextensions.k8s.io/v1."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._named: dict[str, CoreSchema] = {}

    def generate_inner(self, schema: Any) -> JsonSchemaValue:
        """Write the schema in place and without a title: pydantic makes a `$ref` of what has a `ref`."""
        json_schema = super().generate_inner({key: value for key, value in schema.items() if key != "ref"})
        json_schema.pop("title", None)
        return json_schema

    def definitions_schema(self, schema: core_schema.DefinitionsSchema) -> JsonSchemaValue:
        """Remember what pydantic shares between fields; it is written again wherever it is used."""
        self._named |= {cast(str, cast(dict[str, Any], named)["ref"]): named for named in schema["definitions"]}
        return self.generate_inner(schema["schema"])

    def definition_ref_schema(self, schema: core_schema.DefinitionReferenceSchema) -> JsonSchemaValue:
        """Write what is shared in place."""
        return self.generate_inner(self._named[schema["schema_ref"]])

    def field_title_should_be_set(self, schema: Any) -> bool:
        """Never: a title would only repeat the field's name."""
        return False

    def nullable_schema(self, schema: core_schema.NullableSchema) -> JsonSchemaValue:
        """Absence says it: the API server would prune a null anyway."""
        return self.generate_inner(schema["schema"])

    def literal_schema(self, schema: core_schema.LiteralSchema) -> JsonSchemaValue:
        """Structural schemas have no `const`: an enum of one."""
        json_schema = super().literal_schema(schema)
        if "const" in json_schema:
            json_schema["enum"] = [json_schema.pop("const")]
        return json_schema

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        """Keep the defaults that say something: those of numbers, words and truths.

        The API server writes a default into every stored object. `credentialsRevision: 1` must be there, or the rule
        that it only rises could be evaded by removing it; `runtime: {}` and `files: []` would be noise, since an
        object or a list that is absent says the same.
        """
        json_schema = super().default_schema(schema)
        if not isinstance(json_schema.get("default"), bool | int | float | str):
            json_schema.pop("default", None)
        return json_schema

    def update_with_validations(
        self, json_schema: JsonSchemaValue, core_schema: CoreSchema, mapping: dict[str, str]
    ) -> None:
        """Write exclusive bounds as in OpenAPI 3.0: the bound, and a boolean beside it."""
        super().update_with_validations(json_schema, core_schema, mapping)
        for exclusive, bound in (("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")):
            if exclusive in json_schema:
                json_schema |= {bound: json_schema[exclusive], exclusive: True}


@dataclass(frozen=True)
class Column:
    """A column of `kubectl get`. One that is not `always` needs `-o wide`."""

    name: str
    path: str
    type: str = "string"
    description: str = ""
    always: bool = True

    def document(self) -> dict[str, Any]:
        """As an entry of additionalPrinterColumns."""
        column: dict[str, Any] = {"name": self.name, "type": self.type, "jsonPath": self.path}
        if self.description:
            column["description"] = self.description
        if not self.always:
            column["priority"] = 1
        return column


@dataclass(frozen=True)
class Definition:
    """What a CustomResourceDefinition says besides its schema."""

    model: type[Model]
    kind: str
    plural: str
    scope: str
    columns: tuple[Column, ...]
    short_names: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    selectable: tuple[str, ...] = ()
    """Fields that `kubectl get --field-selector` can ask for."""

    @property
    def name(self) -> str:
        """The CustomResourceDefinition's name."""
        return f"{self.plural}.{GROUP}"

    def document(self) -> dict[str, Any]:
        """The whole CustomResourceDefinition, as JSON types."""
        schema = structural_schema(self.model)
        version = {
            "name": VERSION,
            "served": True,
            "storage": True,
            "additionalPrinterColumns": [column.document() for column in self.columns],
            "selectableFields": [{"jsonPath": path} for path in self.selectable],
            "schema": {"openAPIV3Schema": schema},
            "subresources": {"status": {}} if "status" in schema["properties"] else {},
        }
        names = {
            "kind": self.kind,
            "listKind": f"{self.kind}List",
            "plural": self.plural,
            "singular": self.kind.lower(),
            "shortNames": list(self.short_names),
            "categories": list(self.categories),
        }
        return {
            "apiVersion": CRD_API_VERSION,
            "kind": "CustomResourceDefinition",
            "metadata": {"name": self.name},
            "spec": {
                "group": GROUP,
                "scope": self.scope,
                "names": {key: value for key, value in names.items() if value},
                "versions": [{key: value for key, value in version.items() if value}],
            },
        }


def structural_schema(model: type[Model]) -> dict[str, Any]:
    """The schema of a whole resource. apiVersion, kind and metadata stay the API server's own."""
    schema = model.model_json_schema(by_alias=True, schema_generator=StructuralSchema)
    properties = schema["properties"]
    mine = {name: value for name, value in properties.items() if name in ("spec", "status")}
    server = {
        "apiVersion": {"type": "string", "description": "Always claw.dev/v1alpha1."},
        "kind": {"type": "string", "description": f"Always {model.__name__}."},
        "metadata": {"type": "object"},
    }
    return schema | {"properties": server | mine, "required": ["spec"]}


PLAN = Definition(
    model=ClawPlan,
    kind=ClawPlan.KIND,
    plural=ClawPlan.PLURAL,
    scope="Cluster",
    categories=("claws",),
    columns=(
        Column("Price", ".spec.price.amountMonthly", "integer", "A month, in the currency's smallest unit."),
        Column("Messages", ".spec.limits.messagesPerMonth", "integer", "A month; none is no limit."),
        Column("Agents", ".spec.limits.agents", "integer", "None is no limit."),
        Column("CPU", ".spec.resources.cpu"),
        Column("Memory", ".spec.resources.memory"),
        Column("Storage", ".spec.resources.storage", description="Of the database."),
        Column("Currency", ".spec.price.currency", always=False),
        Column("Model", ".spec.models.default", always=False),
        Column("Skills", ".spec.skills", always=False),
        Column("Age", ".metadata.creationTimestamp", "date", always=False),
    ),
)

INSTANCE = Definition(
    model=ClawInstance,
    kind=ClawInstance.KIND,
    plural=ClawInstance.PLURAL,
    scope="Namespaced",
    short_names=("claw",),
    categories=("all", "claws"),
    selectable=(".spec.planRef.name", ".spec.customer.id"),
    columns=(
        Column("Plan", ".spec.planRef.name"),
        Column("Status", '.status.conditions[?(@.type=="Ready")].reason', description="Reason of the Ready condition."),
        Column("URL", ".status.url"),
        Column("Messages", ".status.usage.messagesUsed", "integer", "Used in the running month."),
        Column("Age", ".metadata.creationTimestamp", "date"),
        Column("Customer", ".spec.customer.email", always=False),
        Column("Compute", ".status.compute.state", description="What the compute is doing.", always=False),
        Column("Database", ".status.database.id", description="The provider's id.", always=False),
        Column("Model", ".spec.assistant.model", description="If the instance chose one.", always=False),
        Column("Ready-Seconds", ".status.provisioning.seconds", "number", "From wish to first answer.", always=False),
        # Not of type date, which kubectl prints as an age: a moment to come has none.
        Column("Deletion", ".status.deletionTime", description="When billing will delete it.", always=False),
        Column("Margin", ".status.cost.margin", "integer", "Percent of the price.", always=False),
    ),
)

DEFINITIONS = (INSTANCE, PLAN)
