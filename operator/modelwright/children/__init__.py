"""What should be in the cluster, built as plain values: one module a child kind, pure functions only.

Called by `modelwright.reconcilers`; nothing here knows how a manifest is applied.
"""
