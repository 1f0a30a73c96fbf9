"""The demonstration of `make demo`, told step by step; `hack/demo` is its only caller."""
