"""Whether a canary is worse than what serves now, and whether a model is asked other things than it was trained on.

Pure statistics, from counts to a verdict. `evidence` weighs a canary's counts, `verdict` turns evidence and the user's
limits into a decision; `two_samples` compares counts of one column with those of its training, `drift` decides over all
columns and windows. The Deployment's reconciler calls it; nothing here knows Kubernetes, and simulations
(benchmarks/canary_verdicts.py, benchmarks/drift.py) run the same code.
"""
