"""The id under which one request is found in logs of client, gateway and server."""

import os
import re
from itertools import count

_ACCEPTED = re.compile(rb"[\x21-\x7e]{1,128}")
_PROCESS = os.urandom(6).hex().encode("ascii")
_NUMBERS = count(1)


def request_id_of(given: bytes | None) -> bytes:
    """The client's own id when it is 1 to 128 visible ASCII characters, else a fresh one."""
    if given is not None and _ACCEPTED.fullmatch(given):
        return given
    return b"%b-%x" % (_PROCESS, next(_NUMBERS))
