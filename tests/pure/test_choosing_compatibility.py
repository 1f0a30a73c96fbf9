"""A version that does not understand the requests of the one that serves gets none, unless the spec allows it."""

from collections.abc import Mapping

import pytest

from modelwright.api.v1alpha1.modelversion import Approval, ModelVersion, Signature
from modelwright.reconcilers.compatibility import incompatible
from pure.choosing_place import chosen, deployment, version

Types = Mapping[str, str]
INPUTS: Types = {"distance": "FP64", "day": "INT64", "carrier": "BYTES"}
OUTPUTS: Mapping[str, tuple[str, list[int]]] = {"label": ("BOOL", [-1]), "probability": ("FP64", [-1, 2])}


def signature(
    inputs: Types = INPUTS, outputs: Mapping[str, tuple[str, list[int]]] = OUTPUTS, omitted: int = 0
) -> Signature:
    """What a model takes and gives."""
    return Signature.model_validate(
        {
            "inputs": [{"name": name, "datatype": kind, "shape": [-1]} for name, kind in inputs.items()],
            "outputs": [{"name": name, "datatype": kind, "shape": shape} for name, (kind, shape) in outputs.items()],
            "omitted": omitted,
        }
    )


def without(name: str) -> Types:
    """The inputs but for one."""
    return {other: kind for other, kind in INPUTS.items() if other != name}


@pytest.mark.parametrize(
    ("new", "said"),
    [
        pytest.param(signature(), None, id="the same"),
        pytest.param(signature(dict(reversed(list(INPUTS.items())))), None, id="another order"),
        pytest.param(signature({**INPUTS, "day": "FP64"}), None, id="whole numbers become numbers"),
        pytest.param(signature(outputs={**OUTPUTS, "why": ("BYTES", [-1])}), None, id="one more output"),
        pytest.param(
            signature({**INPUTS, "distance": "INT64"}),
            'input "distance" is INT64, and requests have FP64',
            id="numbers become whole",
        ),
        pytest.param(
            signature({**INPUTS, "day": "BYTES"}),
            'input "day" is BYTES, and requests have INT64',
            id="an input of another type",
        ),
        pytest.param(
            signature({**INPUTS, "price": "FP64"}),
            'it needs input "price", which requests do not have',
            id="one more input",
        ),
        pytest.param(
            signature(without("carrier")), 'input "carrier" of requests is unknown to it', id="one input less"
        ),
        pytest.param(
            signature({"a": "FP64", "b": "FP64", **without("day")}),
            'it needs input "a", which requests do not have; it needs input "b", which requests do not have; '
            'input "day" of requests is unknown to it',
            id="three things",
        ),
        pytest.param(
            signature({"a": "FP64", "b": "FP64"}),
            'it needs input "a", which requests do not have; it needs input "b", which requests do not have; '
            'input "distance" of requests is unknown to it; and 2 more',
            id="many things",
        ),
        pytest.param(
            signature(outputs={"label": ("BOOL", [-1])}), 'output "probability" is lacking', id="one output less"
        ),
        pytest.param(
            signature(outputs={**OUTPUTS, "label": ("INT64", [-1])}),
            'output "label" is INT64 [-1], and was BOOL [-1]',
            id="an output of another type",
        ),
        pytest.param(
            signature(outputs={**OUTPUTS, "probability": ("FP64", [-1, 3])}),
            'output "probability" is FP64 [-1, 3], and was FP64 [-1, 2]',
            id="one class more",
        ),
        pytest.param(
            signature(outputs={"prediction": ("FP64", [-1])}),
            'output "label" is lacking; output "probability" is lacking',
            id="another task",
        ),
    ],
)
def test_what_callers_would_stumble_over(new: Signature, said: str | None) -> None:
    assert incompatible(new, signature()) == said


def test_of_what_is_not_known_nothing_is_said() -> None:
    assert incompatible(None, signature()) is None
    assert incompatible(signature(), None) is None


def test_inputs_that_are_not_listed_are_taken_to_fit() -> None:
    assert incompatible(signature(), signature(without("carrier"), omitted=1)) is None
    assert incompatible(signature(without("carrier"), omitted=1), signature()) is None
    changed = signature({"distance": "BYTES"}, omitted=2)
    assert incompatible(changed, signature()) == 'input "distance" is BYTES, and requests have FP64'


def with_signature(name: str, found: Signature) -> ModelVersion:
    """A version with this signature."""
    return version(name, signature=found.model_dump(by_alias=True))


V1, V2 = with_signature("v1", signature()), with_signature("v2", signature(without("day")))


@pytest.mark.parametrize("wanted", ["latest", "v2"])
@pytest.mark.parametrize("strategy", ["rolling", "canary"])
def test_what_serves_goes_on(wanted: str, strategy: str) -> None:
    found = chosen(deployment(wanted=wanted, rollout={"strategy": strategy}), [V1, V2])
    assert found.version == "v1"
    assert found.waiting is not None
    assert found.waiting.reason == "SignatureIncompatible"
    assert found.waiting.message == (
        'requests to v1 would fail with ModelVersion v2: input "day" of requests is unknown to it'
    )
    assert "spec.rollout.allowIncompatible: true" in found.waiting.remedy


def test_the_spec_may_allow_it() -> None:
    found = chosen(deployment(rollout={"allowIncompatible": True}), [V1, V2])
    assert (found.version, found.waiting) == ("v2", None)


def test_the_first_version_breaks_nothing() -> None:
    assert chosen(deployment(""), [V2]).version == "v2"


def test_a_version_whose_object_has_gone_is_no_measure() -> None:
    assert chosen(deployment(), [V2]).version == "v2"


def test_a_revoked_version_gives_way_whatever_comes_after_it() -> None:
    no = Approval(approved=False, approved_by="ana")
    revoked = V1.model_copy(update={"spec": V1.spec.model_copy(update={"approval": no})})
    found = chosen(deployment(), [revoked, V2])
    assert (found.version, found.waiting) == ("v2", None)
