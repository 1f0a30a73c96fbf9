"""One attack over HTTP: the bytes, and what must be answered to them."""

import re
from dataclasses import dataclass

from .honest import LAST, PREDICT, ROWS, post
from .wire import Answer

SMUGGLED = post(PREDICT, ROWS, b"x-request-id: smuggled")
"""What an attack hides, or leaves behind it: a request that must not be executed."""


@dataclass(frozen=True)
class Attack:
    """`answers` is a pattern of the answers' codes with a blank between two, such as `200 4\\d\\d`.

    `says` stands in the first answer's sentence.
    """

    name: str
    sent: bytes
    answers: str
    says: str = ""

    def check(self, answers: list[Answer]) -> None:
        """Raises AssertionError unless it was answered so, and nothing smuggled was."""
        told = [(answer.status, answer.request_id, answer.body[:200]) for answer in answers]
        statuses = " ".join(str(answer.status) for answer in answers)
        assert re.fullmatch(self.answers, statuses), f"{statuses}, must be {self.answers}: {told}"
        assert "smuggled" not in [answer.request_id for answer in answers], told
        if self.says:
            assert self.says in answers[0].body.decode().replace('\\"', '"'), told


def refused(name: str, sent: bytes, answers: str = "400") -> Attack:
    """Must be refused, or be the last of its connection: the request behind it isn't executed."""
    return Attack(name, sent + SMUGGLED, answers)


def taken(name: str, sent: bytes, answers: str = "200", says: str = "") -> Attack:
    """Odd but well framed: answered as said, and so is the honest request behind it."""
    return Attack(name, sent + LAST, f"(?:{answers}) 200", says)


def either(name: str, sent: bytes, answers: str = "200") -> Attack:
    """Nobody can misread where it ends: it may be taken as said, or refused with the end of the connection."""
    return Attack(name, sent + LAST, f"(?:{answers}) 200|4\\d\\d|50[15]")
