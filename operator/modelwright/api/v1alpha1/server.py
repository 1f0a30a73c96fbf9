"""How a server runs: our own, or any other by its image."""

from typing import Annotated, ClassVar

from pydantic import Field

from modelwright.api.v1alpha1.callers import Peer
from modelwright.api.v1alpha1.schema import ListOf, Matches, Rule, Schema
from modelwright.api.v1alpha1.shared import (
    Duration,
    ForeignName,
    ImageReference,
    Milliseconds,
    Port,
    Resources,
    TlsSecret,
    UrlPath,
)

TUNABLE = tuple(
    f"MODELWRIGHT_{name}"
    for name in (
        "PROCESSES", "MAX_BODY_BYTES", "MAX_HEAD_BYTES", "MAX_ROWS", "MAX_BUFFER_BYTES", "MAX_MEMORY_BYTES",
        "HEAD_TIMEOUT_SECONDS", "BODY_TIMEOUT_SECONDS", "IDLE_TIMEOUT_SECONDS", "QUEUE_SIZE", "QUEUE_SECONDS",
        "HANG_SECONDS", "WINDOW_SECONDS", "ACCESS_LOG_SAMPLE", "LOG_LEVEL",
    )
)  # fmt: skip
"""Settings of our own server that its user may choose; all others are the operator's."""

Argument = Annotated[str, Field(max_length=4096)]


class EnvironmentVariable(Schema):
    """One environment variable of the server."""

    name: Annotated[
        str,
        Field(max_length=128),
        Matches(r"^[A-Za-z_][A-Za-z0-9_]*$", "must be the name of an environment variable, for example LOG_LEVEL"),
        Rule(
            f"!self.startsWith('MODELWRIGHT_') || self in [{', '.join(repr(name) for name in TUNABLE)}]",
            "names that begin with MODELWRIGHT_ are set by the operator, but for these: "
            + ", ".join(name.removeprefix("MODELWRIGHT_") for name in TUNABLE),
        ),
    ] = Field(
        description="Its name: `OMP_NUM_THREADS`; or a setting of Modelwright's server that docs/serving.md explains, "
        "such as `MODELWRIGHT_MAX_BODY_BYTES`."
    )
    value: str = Field(
        default="",
        max_length=4096,
        description="Its value. Not for secrets: anyone who may read the Deployment reads it.",
    )


class Batching(Schema):
    """How requests that come at the same time share a call of the model."""

    max_size: int | None = Field(
        default=None, ge=1, le=10_000, description="Rows of one call of the model at most. Default: 1024."
    )
    max_delay: Milliseconds = Field(
        default="0ms",
        description="How long the first request of a batch may wait for others: `2ms`. `0ms`, the default, adds no "
        "wait: what comes while the model is busy is the next batch.",
    )


class Tokens(Schema):
    """Who may ask, by bearer token."""

    tokens_secret_name: ForeignName = Field(
        description="Secret in the Deployment's namespace; the value of each of its keys is one token. A request must "
        "have the header `Authorization: Bearer <token>`. A changed Secret is read again within about a minute."
    )


class Probe(Schema):
    """A path that is asked over HTTP; an answer from 200 to 399 is good."""

    path: UrlPath = Field(description="The path: `/v2/health/ready`.")
    port: Port | None = Field(default=None, description="Its port. Default: `server.port`.")


class MetricsEndpoint(Schema):
    """Where Prometheus finds the server's metrics."""

    path: UrlPath = Field(default="/metrics", description="The path.")
    port: Port | None = Field(default=None, description="Its port. Default: `server.port`.")


_ANOTHERS = ("command", "args", "port", "grpcPort", "readiness", "liveness", "metrics", "modelPath")
_OUR_OWN = ("batching", "tls", "auth")


def _any(names: tuple[str, ...]) -> str:
    return " || ".join(f"has(self.{name})" for name in names)


class Server(Schema):
    """How a server runs. Without `image` it is Modelwright's own."""

    rules: ClassVar = (
        Rule(
            f"has(self.image) || !({_any(_ANOTHERS)})",
            f"{', '.join(_ANOTHERS)} describe another server; write its image too, or remove them",
        ),
        Rule(
            f"!has(self.image) || !({_any(_OUR_OWN)})",
            "batching, tls and auth are settings of Modelwright's own server; remove them, and write in args and env "
            "what this image takes instead",
        ),
        Rule(
            "!has(self.grpcPort) || self.grpcPort != (has(self.port) ? self.port : 8080)",
            "grpcPort and port (8080 where it is left out) must differ",
        ),
    )

    resources: Resources = Field(default=Resources(), description="What one server may use.")
    env: Annotated[tuple[EnvironmentVariable, ...], Field(max_length=64), ListOf("map", "name")] = Field(
        default=(), description="Environment variables of the server."
    )
    startup_deadline: Duration = Field(
        default="10m",
        description="How long a server may take until it is ready for the first time; then it is started again.",
    )
    callers: Annotated[tuple[Peer, ...], Field(max_length=16), ListOf("atomic")] = Field(
        default=(),
        description="Who may open connections for predictions, by NetworkPolicy. A controller behind `route` must be "
        "among them. Default: the configuration's, usually everyone who can reach the Pod.",
    )
    batching: Batching | None = Field(
        default=None,
        description="How requests that come at the same time share a call of the model: "
        "`{maxSize: 64, maxDelay: 2ms}`.",
    )
    tls: TlsSecret | None = Field(
        default=None,
        description="The server speaks TLS, with the certificate of this Secret; a renewed one is taken up by itself. "
        "It must name `<deployment>.<namespace>.svc.cluster.local`. Health and metrics, on port 8082, stay plain.",
    )
    auth: Tokens | None = Field(
        default=None, description="Requests need a bearer token: `{tokensSecretName: late-flights-tokens}`."
    )
    image: ImageReference | None = Field(
        default=None,
        description="Another server: any image that runs under any user id on a read-only file system with a `/tmp`, "
        "such as Triton, MLServer or vLLM. The model's files are at `modelPath`. docs/other-servers.md has examples.",
    )
    command: Annotated[tuple[Argument, ...], Field(max_length=16), ListOf("atomic")] = Field(
        default=(), description="What is started instead of the image's entry point: `[tritonserver]`."
    )
    args: Annotated[tuple[Argument, ...], Field(max_length=64), ListOf("atomic")] = Field(
        default=(),
        description="Arguments; `$(MODELWRIGHT_MODEL_NAME)`, `$(MODELWRIGHT_MODEL_VERSION)` and "
        "`$(MODELWRIGHT_MODEL_DIR)` are filled in: `[--model-repository=/mnt/models]`.",
    )
    port: Port | None = Field(default=None, description="Where that server answers HTTP. Default: 8080.")
    grpc_port: Port | None = Field(default=None, description="Where it answers gRPC. Default: nowhere.")
    readiness: Probe | None = Field(
        default=None,
        description="What says that it can answer, at its start and ever after. Default: `{path: /v2/health/ready}`.",
    )
    liveness: Probe | None = Field(
        default=None,
        description="What says that it need not be started again: `{path: /v2/health/live}`. Default: only its end "
        "starts it again.",
    )
    metrics: MetricsEndpoint | None = Field(
        default=None, description="Where its metrics are: `{port: 8002, path: /metrics}`. Default: it has none."
    )
    model_path: UrlPath | None = Field(
        default=None,
        description="The folder with the model's files, read-only. Default: `/mnt/models`. "
        "`/mnt/models/late-flights/1` makes `/mnt/models` a model repository of Triton's form.",
    )
