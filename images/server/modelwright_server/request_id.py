"""The id under which one request is found in logs of client, gateway and server, and its trace."""

import os
import re
from itertools import count

_ACCEPTED = re.compile(rb"[\x21-\x7e]{1,128}")
_TRACE = re.compile(rb"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")
_numbers = count(1)
_prefix = b""


def _name_process() -> None:
    global _prefix
    _prefix = os.urandom(6).hex().encode("ascii") + b"-"


_name_process()
# Processes forked from one that has this module would otherwise give the same ids.
os.register_at_fork(after_in_child=_name_process)


def accepted_id(given: bytes | None) -> bytes | None:
    """The client's own id when it is 1 to 128 visible ASCII characters, else None."""
    return given if given is not None and _ACCEPTED.fullmatch(given) else None


def accepted_trace(given: bytes | None) -> bytes | None:
    """The client's `traceparent` when it has the form of W3C Trace Context, section 3.2, else None."""
    return given if given is not None and _TRACE.fullmatch(given) else None


def fresh_id() -> bytes:
    """An id that no other process makes."""
    return b"%b%x" % (_prefix, next(_numbers))
