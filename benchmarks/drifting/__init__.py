"""The parts of drift.py: what is asked, and the rules that judge it."""
