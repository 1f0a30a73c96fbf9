"""The Modelwright operator: it turns Datasets, TrainingRuns, ModelVersions and Deployments into what they ask for.

A change travels one way, watch → cache → queue → view → reconciler → plan → kube; `docs/architecture.md` draws it.
Nothing is public here but `modelwright.api`, which is also the Python SDK; `python -m modelwright` starts the operator.
"""
