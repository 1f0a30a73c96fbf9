"""A server that counts features and answers of every batch, however many there are.

Run as a program, in place of `modelwright-server`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from modelwright_server import supervisor
from modelwright_server.__main__ import main

if TYPE_CHECKING:
    # The supervisor switches the threads of NumPy's libraries off before it is imported.
    from modelwright_server.endpoint import Endpoint
    from modelwright_server.settings import Settings

_load = supervisor.load


def load(settings: Settings) -> Endpoint | str:
    """As `supervisor.load`."""
    from modelwright_server import feature_counts

    class Everything(feature_counts.Thinning):
        """Leaves nothing out."""

        def takes(self, rows: int, now: float) -> bool:
            return True

    vars(feature_counts)["Thinning"] = Everything
    return _load(settings)


if __name__ == "__main__":
    supervisor.load = load
    main()
