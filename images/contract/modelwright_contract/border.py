"""The shapes at the border between operator and worker: a base model, and bounded scalar types."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

Digest = Annotated[str, Field(pattern=r"^sha256:[0-9a-f]{64}$")]
"""A content digest, `sha256:` and 64 hex digits."""

Key = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
"""The hash of a step's inputs: 64 hex digits."""

Name = Annotated[str, Field(min_length=1, max_length=253)]
"""A Kubernetes name, or the name of a check, gate, metric or column."""

Uri = Annotated[str, Field(min_length=1, max_length=2048)]
"""A location: `s3://bucket/path`, `pvc://claim/path`, `configmap://name/key`, `http(s)://host:port`."""

DECIMAL = r"^-?[0-9]+(\.[0-9]+)?([eE][-+]?[0-9]{1,3})?$"
MAX_DECIMAL_CHARS = 32
DecimalText = Annotated[str, Field(pattern=DECIMAL, max_length=MAX_DECIMAL_CHARS)]
"""A number as text, so that it survives every JSON reader unrounded."""


class Border(BaseModel):
    """camelCase in JSON, snake_case in Python, immutable, and closed to unknown fields."""

    model_config = ConfigDict(
        alias_generator=to_camel, validate_by_name=True, validate_by_alias=True, frozen=True, extra="forbid"
    )

    def to_json(self) -> str:
        """Compact JSON with camelCase names."""
        return self.model_dump_json(by_alias=True)
