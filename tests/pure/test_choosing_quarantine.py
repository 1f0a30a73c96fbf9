"""What was tried and taken back is not tried again, until a person says so: once for each time that it is said."""

from datetime import UTC, datetime

import pytest

from modelwright.api.v1alpha1 import Deployment
from modelwright.api.v1alpha1.deployment import QUARANTINED
from modelwright.api.v1alpha1.modelversion import Approval
from modelwright.api.v1alpha1.rollout import Quarantined
from modelwright.reconcilers.quarantine import quarantined, remembered, taken_back
from pure import samples
from pure.choosing_place import chosen, deployment, image, record, version

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
V1, V2, V3 = version("v1"), version("v2"), version("v3")
D2 = samples.digest("v2")


def after_rejecting(*names: str, serving: str = "v1", wanted: str = "latest", **rollout: object) -> Deployment:
    """A Deployment that has taken these back, newest first."""
    rejected = {"quarantined": [record(name) for name in names]}
    return deployment(serving, wanted=wanted, status=rejected, rollout={"strategy": "canary", **rollout})


def with_quarantine(resource: Deployment, records: tuple[Quarantined, ...]) -> Deployment:
    """The same once status says so."""
    return resource.model_copy(update={"status": resource.status.model_copy(update={"quarantined": records})})


def with_release(resource: Deployment, digest: str | None) -> Deployment:
    """The same with another word of a person."""
    rollout = resource.spec.rollout.model_copy(update={"release": digest})
    return resource.model_copy(update={"spec": resource.spec.model_copy(update={"rollout": rollout})})


@pytest.mark.parametrize("wanted", ["latest", "v2"])
def test_what_serves_goes_on_and_the_rejection_and_its_remedy_are_told(wanted: str) -> None:
    found = chosen(after_rejecting("v2", wanted=wanted), [V1, V2])
    assert (found.version, found.image) == ("v1", image("v1"))
    assert found.waiting is not None
    assert found.waiting.reason == "RolloutRejected"
    assert found.waiting.message == "ModelVersion v2 was taken back, ErrorRate: it failed"
    assert found.waiting.remedy == (
        f"a new version is tried by itself; to try this one again write spec.rollout.release: {D2}"
    )


def test_a_new_digest_is_tried_and_the_old_rejection_is_no_topic() -> None:
    found = chosen(after_rejecting("v2"), [V1, V2, V3])
    assert (found.version, found.waiting) == ("v3", None)


def test_the_same_image_under_another_name_is_not_tried() -> None:
    found = chosen(after_rejecting("v2"), [V1, V2, version("v3", of="v2")])
    assert found.version == "v1"
    assert found.waiting is not None
    assert "ModelVersion v3 was taken back" in found.waiting.message


def test_of_several_that_were_taken_back_the_newest_is_told_of() -> None:
    found = chosen(after_rejecting("v3", "v2"), [V1, V2, V3])
    assert found.version == "v1"
    assert found.waiting is not None
    assert "v3" in found.waiting.message


def test_a_good_version_between_is_served() -> None:
    found = chosen(after_rejecting("v3"), [V1, V2, V3])
    assert found.version == "v2"
    assert found.waiting is not None
    assert "v3" in found.waiting.message


def test_what_serves_goes_on_without_its_object() -> None:
    found = chosen(after_rejecting("v2"), [V2])
    assert (found.version, found.image) == ("v1", image("v1"))


def test_another_name_in_the_spec_is_another_wish() -> None:
    found = chosen(after_rejecting("v3", wanted="v2"), [V1, V2, V3])
    assert (found.version, found.waiting) == ("v2", None)


@pytest.mark.parametrize("wanted", ["latest", "v2"])
@pytest.mark.parametrize("word", ["release", "promote"])
def test_a_persons_word_lifts_it(word: str, wanted: str) -> None:
    found = chosen(after_rejecting("v2", wanted=wanted, **{word: D2}), [V1, V2])
    assert (found.version, found.waiting) == ("v2", None)


@pytest.mark.parametrize("word", ["release", "promote"])
def test_a_word_on_another_image_lifts_nothing(word: str) -> None:
    assert chosen(after_rejecting("v2", **{word: samples.digest("v3")}), [V1, V2]).version == "v1"


@pytest.mark.parametrize("wanted", ["latest", "v2"])
def test_an_abort_keeps_a_version_from_being_tried_at_all(wanted: str) -> None:
    resource = deployment("v1", wanted=wanted, rollout={"strategy": "canary", "abort": D2})
    found = chosen(resource, [V1, V2])
    assert found.version == "v1"
    assert found.waiting is not None
    assert found.waiting.message == "ModelVersion v2 was taken back, Aborted: spec.rollout.abort names its image"
    assert found.waiting.remedy == "a new version is tried by itself; to try this one again remove spec.rollout.abort"


def test_an_abort_of_what_serves_changes_nothing() -> None:
    resource = deployment("v2", rollout={"abort": D2})
    assert (chosen(resource, [V1, V2]).version, chosen(resource, [V1, V2]).waiting) == ("v2", None)


def test_an_abort_of_what_was_taken_back_has_two_words_to_lift() -> None:
    found = chosen(after_rejecting("v2", abort=D2), [V1, V2])
    assert found.waiting is not None
    assert "remove spec.rollout.abort, and write spec.rollout.release" in found.waiting.remedy


def test_a_rollback_passes_over_what_was_taken_back() -> None:
    told = {
        "quarantined": [record("v2")],
        "stable": {"model": "late-flights", "version": "v3", "image": image("v3")},
        "history": [{"version": name, "image": image(name)} for name in ("v3", "v2", "v1")],
    }
    resource = deployment("", status=told)
    no = Approval(approved=False, approved_by="ana")
    revoked = V3.model_copy(update={"spec": V3.spec.model_copy(update={"approval": no})})
    found = chosen(resource, [V1, V2, revoked])
    assert (found.version, found.revokes is not None) == ("v1", True)


def test_what_took_over_on_a_persons_word_is_in_no_quarantine_any_more() -> None:
    promoted = after_rejecting("v2", serving="v2")
    assert remembered(promoted) == ()
    assert quarantined(promoted, image("v2")) is None
    assert chosen(promoted, [V1, V2]).version == "v2"


def test_a_release_is_good_for_one_try() -> None:
    released = after_rejecting("v2", release=D2)
    assert remembered(released) == ()
    tried = with_quarantine(released, taken_back(released, image("v2"), "v2", "Latency", "it was slow", NOON))
    (again,) = remembered(tried)
    assert (again.reason, again.at, again.released) == ("Latency", "2026-05-01T12:00:00Z", True)
    found = chosen(tried, [V1, V2])
    assert found.version == "v1"
    assert found.waiting is not None
    assert "remove spec.rollout.release for a while, and write spec.rollout.release" in found.waiting.remedy


def test_a_release_that_is_written_anew_is_good_for_another_try() -> None:
    released = after_rejecting("v2", release=D2)
    tried = with_quarantine(released, taken_back(released, image("v2"), "v2", "Latency", "it was slow", NOON))
    without = with_release(tried, None)
    (kept,) = remembered(without)
    assert not kept.released
    assert chosen(without, [V1, V2]).version == "v1"
    anew = with_release(with_quarantine(without, remembered(without)), D2)
    assert (remembered(anew), chosen(anew, [V1, V2]).version) == ((), "v2")


def test_an_image_is_remembered_once_and_the_newest_come_first() -> None:
    resource = after_rejecting("v3", "v2")
    found = taken_back(resource, image("v2"), "v2", "CrashLoop", "x" * 2000, NOON)
    assert [(one.digest, one.reason) for one in found] == [(D2, "CrashLoop"), (samples.digest("v3"), "ErrorRate")]
    assert len(found[0].message) == 1024


def test_the_oldest_are_forgotten() -> None:
    full = after_rejecting(*(f"v{number}" for number in range(100, 100 + QUARANTINED)))
    found = taken_back(full, image("v9"), "v9", "ErrorRate", "it failed", NOON)
    assert len(found) == QUARANTINED
    assert (found[0].version, found[-1].version) == ("v9", f"v{100 + QUARANTINED - 2}")
