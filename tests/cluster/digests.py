"""Everything that a chain has made, by digest."""

import hashlib
from dataclasses import dataclass

from .manifests import NAME
from .place import Place, read


@dataclass(frozen=True)
class Digests:
    """What must be the same for the same input, whoever made it and when."""

    dataset: str
    model: str
    metrics: str
    image: str


def digests(place: Place) -> Digests:
    """Of a chain that has got as far as the image; a manifest that lies in S3 must have the digest that names it."""
    run = place.get("TrainingRun", NAME)
    version = place.get("ModelVersion", run["status"].get("modelVersion") or NAME)
    dataset, artifact = place.get("Dataset", NAME)["status"]["version"], run["status"]["artifact"]
    for named in (dataset, artifact):
        if named["uri"].startswith("s3://"):
            assert f"sha256:{hashlib.sha256(read(named['uri'])).hexdigest()}" == named["digest"]
    assert version["status"]["lineage"]["model"] == artifact["digest"]
    return Digests(
        dataset=dataset["digest"],
        model=artifact["digest"],
        metrics=str(run["status"]["metrics"]),
        image=version["status"]["image"].rpartition("@")[2],
    )
