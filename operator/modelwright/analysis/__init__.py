"""Whether a canary is worse than what serves now: pure statistics, from counts to a verdict.

`evidence` weighs counts, `verdict` turns evidence and the user's limits into a decision. The Deployment's reconciler
calls it; nothing here knows Kubernetes, and a simulation (benchmarks/canary_verdicts.py) runs the same code.
"""
