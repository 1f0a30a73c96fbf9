"""The parts of `benchmarks/chain.py`: one course of the chain, measured (`course`), and its table (`table`)."""
