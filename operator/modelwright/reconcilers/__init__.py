"""What should be: one pure module a kind, each with `references(resource)` and `reconcile(resource, view, now)`.

May import `api`, `children`, `conditions` and the other pure modules; never kopf, a Kubernetes client or boto3.
Called by `modelwright.engine`, which carries out the plans.
"""
