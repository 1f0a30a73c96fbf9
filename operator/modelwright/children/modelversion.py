"""ModelVersions that a TrainingRun makes: facts, which outlive their maker."""

import json

from modelwright import names
from modelwright.api.v1alpha1 import TrainingRun
from modelwright.plan import Child


def model_version(run: TrainingRun, digest: str) -> Child:
    """The ModelVersion of the artifact `digest`; the same artifact from the same run is the same version."""
    output = run.spec.output
    model = output.model or run.metadata.name
    spec: dict[str, object] = {"model": model, "source": {"trainingRun": run.metadata.name, "digest": digest}}
    package = output.package.model_dump(mode="json", by_alias=True, exclude_none=True)
    if package:
        spec["package"] = package
    if run.spec.service_account_name:
        spec["serviceAccountName"] = run.spec.service_account_name
    if run.spec.image_pull_secrets:
        spec["imagePullSecrets"] = [{"name": ref.name} for ref in run.spec.image_pull_secrets]
    return Child(
        {
            "apiVersion": names.API_VERSION,
            "kind": "ModelVersion",
            "metadata": {
                "name": names.derived(model, json.dumps(spec, sort_keys=True)),
                "namespace": run.metadata.namespace,
                "labels": {
                    names.MANAGED_BY_LABEL: names.MANAGED_BY,
                    names.MODEL_LABEL: model,
                    names.TRAINING_RUN_LABEL: run.metadata.name,
                },
            },
            "spec": spec,
        },
        mode="fact",
    )
