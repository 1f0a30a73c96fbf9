"""Which images were tried and taken back, and may not be tried again: status remembers, and a person's word decides.

An image is meant by its digest, so a version that is packaged anew from the same model is the same image, and a new
model never is.
"""

from datetime import datetime

from modelwright.api.v1alpha1 import Deployment
from modelwright.api.v1alpha1.deployment import QUARANTINED
from modelwright.api.v1alpha1.rollout import Quarantined
from modelwright.conditions import timestamp


def digest_of(image: str) -> str:
    """The digest of an image that is named by it."""
    return image.rpartition("@")[2]


def quarantined(resource: Deployment, image: str) -> Quarantined | None:
    """Why the image is not to be tried, or None where it may: also where it serves already, or is to be promoted."""
    digest, rollout = digest_of(image), resource.spec.rollout
    if digest == _stable(resource):
        return None
    known = next((record for record in remembered(resource) if record.digest == digest), None)
    if rollout.abort == digest:
        return known or Quarantined(digest=digest, reason="Aborted", message="spec.rollout.abort names its image")
    return None if rollout.promote == digest else known


def remembered(resource: Deployment) -> tuple[Quarantined, ...]:
    """What `status.quarantined` should say by now.

    A release takes a record away, once: what is taken back on its word stays so until the word is written anew. An
    image that serves is in no quarantine.
    """
    release, stable = resource.spec.rollout.release, _stable(resource)
    return tuple(
        record.model_copy(update={"released": record.digest == release})
        for record in resource.status.quarantined
        if record.digest != stable and (record.digest != release or record.released)
    )


def taken_back(
    resource: Deployment, image: str, version: str, reason: str, message: str, now: datetime
) -> tuple[Quarantined, ...]:
    """The same with this image, which was tried and has failed, as the newest."""
    digest = digest_of(image)
    new = Quarantined(
        digest=digest,
        version=version,
        reason=reason,
        message=message[:1024],
        at=timestamp(now),
        released=resource.spec.rollout.release == digest,
    )
    others = (record for record in remembered(resource) if record.digest != digest)
    return (new, *others)[:QUARANTINED]


def _stable(resource: Deployment) -> str:
    stable = resource.status.stable
    return digest_of(stable.image) if stable is not None and stable.revoked_at is None else ""
