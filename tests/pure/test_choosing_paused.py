"""While the spec is paused no version begins; what has begun goes on as far as it may."""

import pytest

from modelwright.api.v1alpha1.modelversion import Approval
from pure.choosing_place import chosen, deployment, image, record, under_way, version

V1, V2, V3 = version("v1"), version("v2"), version("v3")


def test_a_newer_version_waits_and_nothing_is_wrong() -> None:
    found = chosen(deployment(paused=True), [V1, V2], template="v1")
    assert (found.version, found.image, found.waiting, found.held) == ("v1", image("v1"), None, "v2")


def test_a_version_that_the_spec_names_waits_and_that_is_told() -> None:
    found = chosen(deployment(paused=True, wanted="v2"), [V1, V2], template="v1")
    assert (found.version, found.held) == ("v1", "v2")
    assert found.waiting is not None
    assert (found.waiting.reason, found.waiting.message, found.waiting.remedy) == (
        "Paused",
        "ModelVersion v2 waits, because spec.paused is true",
        "write spec.paused: false to let it begin",
    )


def test_the_first_version_waits_too() -> None:
    found = chosen(deployment("", paused=True), [V1])
    assert (found.version, found.image, found.held) == ("", "", "v1")
    assert found.waiting is not None
    assert found.waiting.reason == "Paused"


@pytest.mark.parametrize(
    ("status", "template"),
    [
        pytest.param({"rollout": under_way("v2")}, "v1", id="a canary"),
        pytest.param({}, "v2", id="a rolling update"),
        pytest.param({"rollout": {**under_way("v1"), "verdict": "Promoted"}}, "v2", id="after an earlier canary"),
    ],
)
class TestBegun:
    """Version v2 is on its way."""

    def test_it_goes_on(self, status: dict[str, object], template: str) -> None:
        found = chosen(deployment(status=status, paused=True), [V1, V2], template=template)
        assert (found.version, found.waiting, found.held) == ("v2", None, "")

    def test_no_newer_one_supersedes_it(self, status: dict[str, object], template: str) -> None:
        found = chosen(deployment(status=status, paused=True), [V1, V2, V3], template=template)
        assert (found.version, found.held) == ("v2", "v3")

    def test_it_ends_where_nobody_wishes_for_it_any_more(self, status: dict[str, object], template: str) -> None:
        found = chosen(deployment(status=status, paused=True, wanted="v1"), [V1, V2], template=template)
        assert (found.version, found.held) == ("v1", "")

    def test_it_ends_where_it_may_serve_no_longer(self, status: dict[str, object], template: str) -> None:
        no = Approval(approved=False, approved_by="ana")
        revoked = V2.model_copy(update={"spec": V2.spec.model_copy(update={"approval": no})})
        found = chosen(deployment(status=status, paused=True), [V1, revoked, V3], template=template)
        assert (found.version, found.held) == ("v1", "v3")

    def test_it_ends_where_it_was_taken_back(self, status: dict[str, object], template: str) -> None:
        told = {**status, "quarantined": [record("v2")]}
        found = chosen(deployment(status=told, paused=True), [V1, V2, V3], template=template)
        assert (found.version, found.held) == ("v1", "v3")


def test_the_first_version_goes_on_once_it_has_begun() -> None:
    assert chosen(deployment("", paused=True), [V1], template="v1").version == "v1"


def test_the_image_that_serves_under_another_name_waits_too() -> None:
    found = chosen(deployment(paused=True), [V1, version("v2", of="v1")], template="v1")
    assert (found.version, found.held) == ("v1", "v2")


def test_a_revoked_version_gives_way_all_the_same() -> None:
    no = Approval(approved=False, approved_by="ana")
    revoked = V1.model_copy(update={"spec": V1.spec.model_copy(update={"approval": no})})
    found = chosen(deployment(paused=True), [revoked, V2], template="v1")
    assert (found.version, found.held) == ("v2", "")
