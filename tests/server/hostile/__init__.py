"""What clients that mean harm send, and what must come of it.

Tables of attacks (`*_attacks.py`), an independent reading of RFC 9112 (`reference.py`), the server's side of one
connection without a socket (`in_process.py`) and what must hold of it (`properties.py`), and generators (`streams.py`,
`bodies.py`). Used by the tests one folder up and by `hack/fuzz`; nothing here starts a server.
"""
