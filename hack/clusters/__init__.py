"""Clusters to develop and test on: a native Kubernetes of this machine's own processes, kind, or one you have.

`hack/cluster` is its only caller. It uses the standard library alone, so that it works before anything is installed.
"""
