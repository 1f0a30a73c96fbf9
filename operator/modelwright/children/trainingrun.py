"""TrainingRuns that a retraining makes: facts, which outlive their maker."""

from modelwright import names
from modelwright.api.v1alpha1 import Deployment, TrainingRun
from modelwright.plan import Child, JsonObject


def retraining_run(resource: Deployment, template: TrainingRun, key: str, digest: str) -> Child:
    """The template's spec on the dataset version `digest`; the same `key` is the same run."""
    return Child(
        {
            "apiVersion": names.API_VERSION,
            "kind": "TrainingRun",
            "metadata": {
                "name": names.derived(template.model, "retraining", resource.metadata.name, key),
                "namespace": resource.metadata.namespace,
                "labels": {
                    names.MANAGED_BY_LABEL: names.MANAGED_BY,
                    names.MODEL_LABEL: template.model,
                    names.RETRAINING_LABEL: resource.metadata.name,
                },
            },
            "spec": _spec(template, digest),
        },
        mode="fact",
    )


def _spec(template: TrainingRun, digest: str) -> JsonObject:
    spec: JsonObject = template.spec.model_dump(mode="json", by_alias=True, exclude_unset=True, exclude_none=True)
    spec.pop("suspend", None)
    output = spec.get("output")
    spec["dataset"] = {"name": template.spec.dataset.name, "digest": digest}
    spec["output"] = {**(output if isinstance(output, dict) else {}), "model": template.model}
    return spec
