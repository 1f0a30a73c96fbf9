"""What the four kinds share: metadata, conditions, attempts, and the small types that fields are made of."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal, Self

from pydantic import BeforeValidator, Field, WithJsonSchema

from modelwright.api.v1alpha1.schema import INT_OR_STRING, ListOf, Matches, Observed, Rule, Schema, literal
from modelwright_contract.border import DECIMAL, MAX_DECIMAL_CHARS

JsonObject = dict[str, object]
"""A Kubernetes object, or a part of one, as plain JSON."""

NAME_LENGTH = 40
MIB = 1024 * 1024

_DNS_1035 = r"^[a-z]([-a-z0-9]*[a-z0-9])?$"
_DNS_1123 = r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$"

ObjectName = Annotated[
    str,
    Field(max_length=NAME_LENGTH),
    Matches(_DNS_1035, "must begin with a letter and have only a-z, 0-9 and -, for example late-flights"),
]
"""The name of an object of ours, or of a model."""
ForeignName = Annotated[
    str, Field(max_length=253), Matches(_DNS_1123, "must have only a-z, 0-9, - and ., for example modelwright-store")
]
"""The name of a Secret or a service account."""
EntryName = Annotated[
    str,
    Field(max_length=63),
    Matches(r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", "must have only a-z, 0-9 and -, for example enough-rows"),
]
"""The name of an entry of a list, such as a check or a gate."""
Digest = Annotated[
    str,
    Field(max_length=71),
    Matches(r"^sha256:[0-9a-f]{64}$", "must be sha256: and 64 hexadecimal digits, as in status.version.digest"),
]
Fraction = Annotated[
    str,
    Field(max_length=16),
    Matches(r"^(0(\.[0-9]+)?|1(\.0+)?)$", 'must be a fraction from 0 to 1 as a string, for example "0.01"'),
]
Decimal = Annotated[
    str,
    Field(max_length=MAX_DECIMAL_CHARS),
    Matches(DECIMAL, 'must be a decimal number as a string, for example "0.65"'),
]
Duration = Annotated[
    str,
    Field(max_length=16),
    Matches(
        r"^([1-9][0-9]{0,4}h([0-9]{1,5}m)?([0-9]{1,5}s)?|[1-9][0-9]{0,4}m([0-9]{1,5}s)?|[1-9][0-9]{0,4}s)$",
        "must be hours, minutes and seconds in this order, for example 90s, 5m or 1h30m",
    ),
]
Schedule = Annotated[
    str,
    Field(max_length=64),
    Matches(
        r"^[0-9A-Za-z*/,#-]+( [0-9A-Za-z*/,#-]+){4}$",
        'must be five fields of cron: minute, hour, day, month and weekday, for example "0 3 * * 1"',
    ),
]
TimeZone = Annotated[
    str,
    Field(max_length=64),
    Matches(r"^[A-Za-z0-9_+-]+(/[A-Za-z0-9_+-]+){0,2}$", "must be a name such as Europe/Berlin or UTC"),
]
"""A name of the IANA database."""
Milliseconds = Annotated[
    str,
    Field(max_length=5),
    Matches(r"^(0|[1-9][0-9]{0,2})ms$", "must be milliseconds up to 999, for example 2ms"),
]
ImageReference = Annotated[
    str,
    Field(max_length=512),
    Matches(
        r"^[a-z0-9]+([._-]+[a-z0-9]+)*(:[0-9]+)?(/[a-z0-9]+([._-]+[a-z0-9]+)*)*"
        r"(:[A-Za-z0-9_][A-Za-z0-9_.-]*(@sha256:[0-9a-f]{64})?|@sha256:[0-9a-f]{64})$",
        "must be an image with a tag or a digest, for example registry.example.org/server:1.0",
    ),
]
Port = Annotated[int, Field(ge=1, le=65535, json_schema_extra={"format": "int32"})]
"""A TCP port."""
UrlPath = Annotated[
    str,
    Field(max_length=256),
    Matches(
        r"^/[A-Za-z0-9/._~-]*$", "must begin with / and have letters, digits, /, ., _, ~ and - only, for example /v2"
    ),
]
"""The path of a URL, without a query."""
ImageRepository = Annotated[
    str,
    Field(max_length=255),
    Matches(
        r"^(localhost|[a-z0-9-]+(\.[a-z0-9-]+)+|[a-z0-9.-]+:[0-9]+)(:[0-9]+)?(/[a-z0-9]+([._-]+[a-z0-9]+)*)+$",
        "must be registry/path in small letters, without tag and digest: registry.example.org/models/flights",
    ),
]
Time = Annotated[str, Field(max_length=32, json_schema_extra={"format": "date-time"})]
"""RFC 3339, as Kubernetes writes it."""
Key = Annotated[str, Field(max_length=64)]
"""The 64 hexadecimal digits that stand for one step with its inputs; names the step's Job and result."""
Quantity = Annotated[
    str,
    BeforeValidator(lambda value: str(value) if isinstance(value, int) else value),
    Matches(
        r"^[0-9]+(\.[0-9]+)?(m|k|M|G|T|P|Ki|Mi|Gi|Ti|Pi)?$", "must be a Kubernetes quantity, for example 500m, 2 or 1Gi"
    ),
    WithJsonSchema(
        {
            INT_OR_STRING: True,
            "maxLength": 32,
            "x-kubernetes-validations": [
                {
                    "rule": "string(self).matches("
                    + literal(r"^[0-9]+(\.[0-9]+)?(m|k|M|G|T|P|Ki|Mi|Gi|Ti|Pi)?$")
                    + ")",
                    "message": "must be a Kubernetes quantity, for example 500m, 2 or 1Gi",
                }
            ],
        }
    ),
]

Count = Annotated[int, Field(ge=0, json_schema_extra={"format": "int64"})]


class SecretReference(Schema):
    """A Secret in the object's own namespace."""

    name: ForeignName = Field(description="Name of the Secret, for example `modelwright-store`.")


class TlsSecret(Schema):
    """A certificate and its key."""

    secret_name: ForeignName = Field(
        description="Secret (kubernetes.io/tls) in the object's own namespace, with the keys `tls.crt` and `tls.key`."
    )


_RESOURCE_NAMES = ("cpu", "memory", "ephemeral-storage", "nvidia.com/gpu")
_ONLY_KNOWN = Rule(
    f"self.all(name, name in [{', '.join(literal(name) for name in _RESOURCE_NAMES)}])",
    f"only {', '.join(_RESOURCE_NAMES)} can be asked for",
)
Quantities = Annotated[Mapping[str, Quantity], Field(max_length=len(_RESOURCE_NAMES)), _ONLY_KNOWN]


class Resources(Schema):
    """What a container may use, as in a Pod."""

    rules: ClassVar = (
        Rule(
            "!has(self.requests) || !has(self.limits) || self.requests.all(name, !(name in self.limits) || "
            "!isQuantity(string(self.requests[name])) || !isQuantity(string(self.limits[name])) || "
            "!quantity(string(self.requests[name])).isGreaterThan(quantity(string(self.limits[name]))))",
            "a request is above its limit; raise the limit or lower the request",
        ),
    )

    requests: Quantities = Field(
        default={},
        description="What the node must have free, by resource: cpu in cores (`500m` is half a core), memory and "
        "ephemeral-storage in bytes (`2Gi`), nvidia.com/gpu in cards. Default: the configuration's.",
    )
    limits: Quantities = Field(
        default={},
        description="What the container may not exceed, by resource; beyond its memory it is killed, and status says "
        "`OutOfMemory`. Default: the configuration's. Above the platform's ceilings the object is Stalled.",
    )


ServiceAccountName = Annotated[
    ForeignName | None,
    Field(
        description="Service account of the Pods, in this namespace; its token is not mounted. Default: the "
        "configuration's, usually `default`.",
    ),
]
ImagePullSecrets = Annotated[
    tuple[SecretReference, ...],
    Field(
        max_length=16,
        description="Secrets (kubernetes.io/dockerconfigjson) that the Pods' images are pulled with. Default: the "
        "configuration's.",
    ),
    ListOf("map", "name"),
]


class Condition(Observed):
    """One aspect of the object's state, as in every Kubernetes API."""

    type: str = Field(
        max_length=64,
        description="The aspect, for example `Ready`. `docs/conditions.md` lists them with their reasons.",
    )
    status: Literal["True", "False", "Unknown"] = Field(description="Whether it holds.")
    reason: str = Field(max_length=64, description="Why, in one stable CamelCase word for programs.")
    message: str = Field(max_length=1024, description="Why, and what would fix it, for people.")
    last_transition_time: Time = Field(description="When `status` changed last.")
    observed_generation: Count | None = Field(
        default=None, description="The metadata.generation that this condition was decided for."
    )


class Attempt(Observed):
    """The failed tries of the current step; absent when it has not failed."""

    key: Key = Field(description="Which step with which inputs failed; another input counts anew.")
    job: str = Field(default="", max_length=64, description="UID of the Job that failed last.")
    generation: Count = Field(default=0, description="The metadata.generation that it failed for.")
    count: Count = Field(description="How often it failed in a row.")
    deaths: Count = Field(default=0, description="How often of these its Pod ended without telling why.")
    failed_at: Time | None = Field(default=None, description="When it failed last.")
    next_at: Time | None = Field(default=None, description="When it is tried again; absent when a person must act.")
    reason: str = Field(default="", max_length=64, description="The reason of the last failure.")
    message: str = Field(default="", max_length=1024, description="The message of the last failure.")


class Status(Observed):
    """What the operator has made of the object."""

    observed_generation: int = Field(
        default=-1,
        ge=-1,
        json_schema_extra={"format": "int64"},
        description="The metadata.generation that this status answers; -1 until the operator has seen the object.",
    )
    conditions: Annotated[tuple[Condition, ...], Field(max_length=16), ListOf("map", "type")] = Field(
        default=(),
        description="The state of the object. `Ready` is there from the first pass; `Reconciling` is there while a "
        "change of the spec is being fulfilled; `Stalled` is there when a person must act.",
    )

    def condition(self, type_: str) -> Condition | None:
        """The condition of this type."""
        return next((condition for condition in self.conditions if condition.type == type_), None)

    @property
    def ready(self) -> bool:
        """Whether `Ready` is True, for whatever generation it was said."""
        condition = self.condition("Ready")
        return condition is not None and condition.status == "True"


class OwnerReference(Observed):
    """Who owns an object; `controller` marks the one that manages it."""

    api_version: str
    kind: str
    name: str
    uid: str
    controller: bool = False


class ObjectMeta(Observed):
    """The metadata that decisions rest on."""

    name: str = ""
    namespace: str = ""
    uid: str = ""
    generation: int = 0
    resource_version: str = ""
    creation_timestamp: str = ""
    deletion_timestamp: str | None = None
    labels: Mapping[str, str] = {}
    annotations: Mapping[str, str] = {}
    owner_references: tuple[OwnerReference, ...] = ()


@dataclass(frozen=True)
class Names:
    """How a kind is called in URLs and by kubectl."""

    plural: str
    singular: str
    short: str


@dataclass(frozen=True)
class PrinterColumn:
    """One column of `kubectl get`; `priority` 1 shows it with `-o wide` only."""

    name: str
    type: Literal["string", "integer", "date"]
    path: str
    description: str
    priority: Literal[0, 1] = 0


READY_COLUMN = PrinterColumn(
    "Ready", "string", '.status.conditions[?(@.type=="Ready")].status', "Whether the spec is fulfilled."
)
REASON_COLUMN = PrinterColumn(
    "Reason", "string", '.status.conditions[?(@.type=="Ready")].reason', "Why it is ready or not."
)
AGE_COLUMN = PrinterColumn("Age", "date", ".metadata.creationTimestamp", "Time since its creation.")


class Resource(Schema):
    """An object of one of the four kinds."""

    rules: ClassVar = (
        Rule(
            f"size(self.metadata.name) <= {NAME_LENGTH}",
            f"longer than {NAME_LENGTH} characters; choose a shorter one, so that names made from it fit",
            f"""'"%s" is longer than {NAME_LENGTH} characters; choose a shorter one, so that the names of the """
            """objects made from it fit'.format([self.metadata.name])""",
            ".metadata.name",
        ),
        Rule(
            f"self.metadata.name.matches({literal(_DNS_1035)})",
            "must begin with a letter and have only a-z, 0-9 and -, for example late-flights",
            """'"%s" must begin with a letter and have only a-z, 0-9 and -, for example """
            """late-flights'.format([self.metadata.name])""",
            ".metadata.name",
        ),
    )
    names: ClassVar[Names]
    columns: ClassVar[tuple[PrinterColumn, ...]]

    api_version: Literal["modelwright.dev/v1alpha1"] = "modelwright.dev/v1alpha1"
    kind: str
    metadata: ObjectMeta
    status: Status

    @classmethod
    def parse(cls, obj: Mapping[str, object]) -> Self:
        """The object from its JSON; raises pydantic's ValidationError, which names each wrong field."""
        return cls.model_validate(obj)
