"""What ends a command early."""


class Problem(Exception):
    """A sentence for the person at the terminal: what is wrong, where, and what to do."""
