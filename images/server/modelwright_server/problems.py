"""What goes wrong in words for people, and the HTTP status it has."""


class Problem(Exception):
    """A request that can't be answered: `sentence` says what is wrong, where, and what to send instead."""

    def __init__(self, sentence: str, status: int = 400) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.status = status


class ModelUnusable(Exception):
    """The model directory can't be served; the text is one plain sentence."""
