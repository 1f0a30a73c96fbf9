"""What users write and what the operator answers: the API of Modelwright, one package a version.

Imports nothing of the operator but the bounds and names it shares with the Jobs (`modelwright_contract`), no
Kubernetes client and no kopf; `crdgen` makes `crds/` from it, the engine parses objects with it at the border, and
people may import it as the Python SDK.
"""
