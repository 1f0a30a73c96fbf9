"""What `/openapi.json` says is what the server does: generated requests, right and wrong, get documented answers.

MODELWRIGHT_TEST_FULL=1 makes many more of them.
"""

import os
from collections.abc import Iterator
from typing import Any, TypeAlias

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis import Case, GenerationMode
from schemathesis.config import SchemathesisConfig
from schemathesis.core.result import Ok
from schemathesis.schemas import APIOperation, BaseSchema
from schemathesis.specs.openapi.checks import positive_data_acceptance

from .model_directories import ModelDirectory
from .victim import Victim

EXAMPLES = 300 if os.environ.get("MODELWRIGHT_TEST_FULL") else 20
Operation: TypeAlias = APIOperation[Any, Any, Any, Any]
REFUSALS = [400, 413, 415, 422, 501]


@pytest.fixture(scope="module")
def victim(band: ModelDirectory) -> Iterator[Victim]:
    """A server."""
    with Victim(band) as running:
        yield running


@pytest.fixture(scope="module")
def api(victim: Victim) -> BaseSchema:
    """What it says of itself."""
    config = SchemathesisConfig.from_dict({"checks": {"negative_data_rejection": {"expected-statuses": REFUSALS}}})
    return schemathesis.openapi.from_url(f"{victim.server.url}/openapi.json", config=config)


def test_answers_are_as_documented(api: BaseSchema, victim: Victim) -> None:
    for operation in _operations(api):
        _check(operation, victim, GenerationMode.POSITIVE)
    victim.alive()
    victim.honest()


def test_wrong_requests_are_refused_as_documented(api: BaseSchema, victim: Victim) -> None:
    for operation in _operations(api):
        if operation.method == "post":
            _check(operation, victim, GenerationMode.NEGATIVE)
    victim.alive()
    victim.honest()


def _operations(api: BaseSchema) -> list[Operation]:
    results = list(api.get_all_operations())
    operations = [result.ok() for result in results if isinstance(result, Ok)]
    assert len(operations) == len(results), "an operation can't be read"
    return operations


def _check(operation: Operation, victim: Victim, mode: GenerationMode) -> None:
    @settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
    @given(case=operation.as_strategy(generation_mode=mode))
    def is_documented(case: Case[Any]) -> None:
        # A schema can't say all: that data fits its shape, or that CSV has a column.
        case.call_and_validate(session=victim.server.session, excluded_checks=[positive_data_acceptance])

    is_documented()
