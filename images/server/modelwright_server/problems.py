"""What goes wrong in words for people, and the HTTP status it has."""


class Problem(Exception):
    """A request that can't be answered: `sentence` says what is wrong, where, and what to send instead.

    The status is 422 for what can be read and doesn't fit the model, 400 for what can't be read at all.
    """

    def __init__(self, sentence: str, status: int = 422) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.status = status


class ModelUnusable(Exception):
    """The model directory can't be served; the text is one plain sentence."""
