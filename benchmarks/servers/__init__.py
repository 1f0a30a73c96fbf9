"""The parts of serving.py: models, peers, load, rounds, and what is made of the figures."""
