"""What the worker and the server hold in common: tasks, results, manifests, and the feature contract.

The operator imports `border`, `metrics`, `tasks` and `results` (pydantic), and `profile`; the worker imports
everything; the server imports only modules that need NumPy and the standard library (`canonical`, `manifests`,
`vectors`, `features`, `profile`, `binning`, `model_archive`), and never `tasks`, `results` or `parse`.
Nothing here imports the operator, a Kubernetes client, or a store.
"""
