"""Shared memory for what the processes of one Pod counted of features and answers, and for the profile of the bins.

Made with the board, before the first fork and before it is known whether the model has a profile: room for the largest
one is mapped, of which the kernel gives what is touched. The supervisor writes the profile in once it is proven; from
then on the process that has no model, and no NumPy, can tell it and name the counts.
"""

from __future__ import annotations

import mmap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from modelwright_contract.canonical import Digest, digest_of
from modelwright_contract.profile import MAX_BINS, MAX_PROFILE_BYTES, Profile, by_name

CHANGES = 0
"""Cell of a slot: goes up by one before a batch is added and by one after, so it is odd while that is being done."""
ROWS = 1
"""Cell of a slot: rows that were counted."""
BINS_AT = 2
"""Cell of a slot: the first bin's count; those of the features come first, then those of the outputs."""

_SLOT_SIZE = BINS_AT + MAX_BINS
_CELL = 8
_PROFILE_AT = _CELL
_SLOTS_AT = _PROFILE_AT + MAX_PROFILE_BYTES
_ATTEMPTS = 100


@dataclass(frozen=True, slots=True)
class FeatureFigures:
    """Rows in each bin of the profile, and all rows that were counted, over all processes since the Pod began."""

    profile: Digest
    rows: int
    features: Mapping[str, Sequence[int]]
    outputs: Mapping[str, Sequence[int]]


class FeatureBoard:
    """A slot for each process that counts, who is its only writer; one that takes the place of another counts on."""

    def __init__(self, slots: int) -> None:
        self._slots = slots
        self._memory = mmap.mmap(-1, _SLOTS_AT + slots * _SLOT_SIZE * _CELL)
        self._length = memoryview(self._memory)[:_CELL].cast("q")
        self._cells = memoryview(self._memory)[_SLOTS_AT:].cast("q")
        self._read: tuple[Digest, Profile] | None = None

    def publish(self, document: bytes) -> None:
        """Tell a profile that was found sound, once (the supervisor does)."""
        self._memory[_PROFILE_AT : _PROFILE_AT + len(document)] = document
        self._length[0] = len(document)

    def document(self) -> bytes | None:
        """The profile that was told; None before, and for a model without one."""
        return self._memory[_PROFILE_AT : _PROFILE_AT + self._length[0]] or None

    def slot(self, index: int) -> memoryview[int]:
        """The cells of one process."""
        return self._cells[index * _SLOT_SIZE : (index + 1) * _SLOT_SIZE]

    def figures(self) -> FeatureFigures | None:
        """What was counted; None without a profile."""
        if self._read is None:
            document = self.document()
            if document is None:
                return None
            self._read = digest_of(document), Profile.parse(document)
        digest, profile = self._read
        size = sum(len(column.counts) for column in (*profile.features, *profile.outputs))
        sums = [sum(cells) for cells in zip(*(self._copy(index, size) for index in range(self._slots)), strict=True)]
        inputs = sum(len(column.counts) for column in profile.features)
        bins = sums[BINS_AT:]
        return FeatureFigures(
            digest,
            sums[ROWS],
            dict(by_name(profile.features, bins[:inputs])),
            dict(by_name(profile.outputs, bins[inputs:])),
        )

    def _copy(self, index: int, bins: int) -> list[int]:
        """A slot's cells as they stood between two batches."""
        cells = self.slot(index)[: BINS_AT + bins]
        for _ in range(_ATTEMPTS):
            copied = cells.tolist()
            if copied[CHANGES] % 2 == 0 and copied[CHANGES] == cells[CHANGES]:
                return copied
        # Its process died, or was stopped, in the middle of it: each count is still one that was true.
        return cells.tolist()
