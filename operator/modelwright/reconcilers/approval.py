"""Whether a ModelVersion may be served: the one place that every way to serving asks.

A person approves one image, by digest, in `spec.approval`; where policy asks nobody, it approves by itself, and a
person may still say no. What counted last, and until when, is in `status.approval`.
"""

import json
from dataclasses import dataclass
from datetime import datetime

from modelwright.api.v1alpha1 import ModelVersion
from modelwright.api.v1alpha1.modelversion import Approval, ApprovalRecord
from modelwright.conditions import timestamp
from modelwright.config import Policy


@dataclass(frozen=True, slots=True)
class Approved:
    """It may be served: a person (`by`) or a `policy` has said so of this very image."""

    reason: str
    message: str
    by: str = ""
    policy: str = ""


@dataclass(frozen=True, slots=True)
class Refusal:
    """It may not be served; `remedy` is what a person could write, `revoked` whether a person has said no."""

    reason: str
    message: str
    remedy: str = ""
    revoked: bool = False


def may_serve(version: ModelVersion, policy: Policy) -> Refusal | None:
    """Why this version may not be served, or None where it may."""
    found = standing(version, policy)
    return found if isinstance(found, Refusal) else None


def standing(version: ModelVersion, policy: Policy) -> Approved | Refusal:
    """Who has approved the version's image, or why nobody has."""
    approval, record = version.spec.approval, version.status.approval
    name, digest = f"ModelVersion {version.metadata.name}", _digest(version)
    if approval is not None and not approval.approved:
        said = f"{approval.approved_by} has said no to {name}{_because(approval)}"
        return Refusal("ApprovalRevoked", said, _remedy(version), revoked=True)
    if not digest:
        return Refusal("NotPackaged", "there is no image yet that could be approved")
    if approval is not None and approval.image_digest == digest:
        said = f"{approval.approved_by} has approved {digest}{_because(approval)}"
        return Approved("Approved", said, by=approval.approved_by)
    if policy.approval == "automatic":
        return Approved("ApprovedByPolicy", "the namespace's policy asks no person", policy=policy.approval)
    by = record.by if record is not None else ""
    if approval is not None:
        said = f"{approval.approved_by} has approved {approval.image_digest}, but the image of {name} is {digest}"
        return Refusal("ApprovalOutdated", said, _remedy(version), revoked=by != "")
    if by:
        said = f"the approval of {name} by {by} has been removed"
        return Refusal("ApprovalRevoked", said, _remedy(version), revoked=True)
    return Refusal("AwaitingApproval", f"{name} is not approved", _remedy(version))


def recorded(version: ModelVersion, found: Approved | Refusal, now: datetime) -> ApprovalRecord | None:
    """What `status.approval` should say: the approval that counts, or the last one that did and until when."""
    record, time = version.status.approval, timestamp(now)
    if isinstance(found, Refusal):
        if record is None or record.until is not None:
            return record
        return record.model_copy(update={"until": time})
    new = ApprovalRecord(by=found.by, policy=found.policy, at=time, image_digest=_digest(version))
    if record is not None and record.model_copy(update={"at": time}) == new:
        return record
    return new


def _digest(version: ModelVersion) -> str:
    return version.status.image.rpartition("@")[2]


def _because(approval: Approval) -> str:
    words = " ".join(approval.comment.split()).rstrip(".")
    return f": {words}" if words else ""


def _remedy(version: ModelVersion) -> str:
    """The command that approves, once there is an image."""
    metadata, digest = version.metadata, _digest(version)
    if not digest:
        return ""
    word = {"approved": True, "approvedBy": "YOUR USER NAME", "imageDigest": digest}
    patch = json.dumps({"spec": {"approval": word}}, separators=(",", ":"))
    return (
        "to approve it: "
        f"kubectl patch modelversion {metadata.name} --namespace {metadata.namespace} --type merge --patch '{patch}'"
    )
