"""A server under attack: what it has counted, what it holds, and whether it still answers rightly."""

import contextlib
import json
import re
import time
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
import pytest

from modelwright_server.inference_proto.open_inference_pb2 import ModelInferRequest, ModelInferResponse

from .hostile.attack import Attack
from .hostile.honest import NAME, PREDICT, ROW, ROWS, post
from .hostile.http2 import OPEN, call, talk
from .hostile.wire import Answer, answers_in, exchange
from .model_directories import ModelDirectory
from .processes import Server

OK = 200
_LONGEST_ERROR = 4096
"""Bytes of an error: what a client sent is quoted, never repeated."""

HONEST_S = 0.25
"""How long an honest request may take right after an attack."""
UNDER_ATTACK_S = 2.0
"""How long it may take while many attackers are served too."""

SETTINGS = {
    "model_name": NAME,
    "model_version": "v7",
    "max_body_bytes": "200000",
    "max_head_bytes": "4096",
    "head_timeout_seconds": "0.6",
    "body_timeout_seconds": "0.6",
    "idle_timeout_seconds": "1.5",
}
"""Small bounds, so that attacks reach them soon."""


class Victim:
    """A running server of the model `band`; use as a context manager."""

    def __init__(self, model: ModelDirectory, **settings: str) -> None:
        self.server = Server(model.path, wait_ready=True, **(SETTINGS | settings))
        self.port = self.server.port
        row = json.loads(ROW)
        matrix = model.matrix([row])
        tensor = {"name": "features", "datatype": "FP64", "shape": matrix.shape}
        content = [matrix.tobytes()]
        request = ModelInferRequest(model_name=NAME, inputs=[tensor], raw_input_contents=content)
        self._grpc_request = request.SerializeToString()
        self._label: object = model.estimator.predict(matrix).tolist()[0]  # type: ignore[attr-defined]
        self._probabilities: list[float] = model.estimator.predict_proba(matrix).tolist()[0]  # type: ignore[attr-defined]
        self._honest = 0
        self._logged = 0
        # The first question to the management port opens a connection to it.
        self.rows()
        self.processes = processes_of(self.server.process.pid)

    def withstands(self, attack: Attack) -> None:
        """Attack it: the answers are those that must be given, nothing else was executed, and it goes on serving."""
        rows = self.rows()
        answers = answers_in(exchange(self.port, attack.sent))
        attack.check(answers)
        assert answers[-1].headers["connection"] == "close"
        assert all(len(answer.body) < _LONGEST_ERROR for answer in answers if answer.status != OK)
        predicted = sum(_rows(json.loads(answer.body)) for answer in answers)
        self.honest()
        # A request that was executed without an answer would have been counted.
        assert self.rows() - rows == predicted + 1
        self.alive()

    def honest(self, within_s: float = HONEST_S) -> None:
        """One honest request on a new connection gets the right answer, its own id, and soon enough.

        Time is not counted in which it was ready to run while other programs of the machine had the processors.
        """
        self._honest += 1
        request_id = f"honest-{self._honest}"
        request = post(PREDICT, ROWS, b"x-request-id: " + request_id.encode(), b"connection: close")
        began, waited_s = time.monotonic(), self._waited_s()
        received = exchange(self.port, request)
        took_s = time.monotonic() - began
        waited_s = self._waited_s() - waited_s
        (answer,) = answers_in(received)
        self.is_right(answer)
        assert answer.request_id == request_id
        assert took_s - waited_s <= within_s, f"an honest request took {took_s:.3f} s, {waited_s:.3f} s of it in line"
        assert took_s <= UNDER_ATTACK_S + within_s, f"an honest request took {took_s:.3f} s"

    def honest_grpc(self, within_s: float = HONEST_S) -> None:
        """One honest gRPC call on a new connection gets the right answer, soon enough (see `honest`)."""
        began, waited_s = time.monotonic(), self._waited_s()
        heard = talk(self.server.grpc_port, OPEN + call(self._grpc_request), awaited=(1,))
        took_s, waited_s = time.monotonic() - began, self._waited_s() - waited_s
        assert heard.outcome() == "0", heard
        answer = ModelInferResponse.FromString(heard.body())
        assert [output.name for output in answer.outputs] == ["label", "probability"]
        assert np.frombuffer(answer.raw_output_contents[1]) == pytest.approx(self._probabilities, rel=1e-9)
        assert took_s - waited_s <= within_s, f"an honest call took {took_s:.3f} s, {waited_s:.3f} s of it in line"

    def is_right(self, answer: Answer) -> None:
        """`answer` is what scikit-learn says of ROW."""
        assert answer.status == 200, answer.body
        (prediction,) = json.loads(answer.body)["predictions"]
        assert prediction["label"] == self._label
        # In a batch with other requests the last bits may differ.
        assert list(prediction["probabilities"].values()) == pytest.approx(self._probabilities, rel=1e-9)

    def rows(self) -> int:
        """Rows predicted so far, in all of its processes."""
        return int(self.server.series("rows_total"))

    def in_flight(self) -> int:
        """Requests read and not yet answered."""
        return int(self.server.series("requests_in_flight"))

    def alive(self) -> None:
        """The processes are those that were started, and none has met what it was not made for."""
        assert self.server.process.poll() is None, f"the server ended: {self.server.log[-3:]}"
        logged, self._logged = self.server.log[self._logged :], len(self.server.log)
        errors = [line for line in logged if line.get("level", "error") == "error"]
        assert not errors, errors
        assert processes_of(self.server.process.pid) == self.processes

    def memory_bytes(self) -> int:
        """Resident memory of all its processes together."""
        return sum(_resident_bytes(pid) for pid in self.processes)

    def peak_bytes(self) -> int:
        """The most resident memory that its processes ever had, each at its own time."""
        return sum(_peak_bytes(pid) for pid in self.processes)

    def open_files(self) -> int:
        """Open file descriptors of all its processes together."""
        return sum(len(list(Path(f"/proc/{pid}/fd").iterdir())) for pid in self.processes)

    def _waited_s(self) -> float:
        tasks = [task for pid in self.processes for task in Path(f"/proc/{pid}/task").iterdir()]
        return sum(map(_in_line_s, (*tasks, Path("/proc/thread-self"))))

    def __enter__(self) -> Self:
        self.server.__enter__()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.server.__exit__(kind, error, at)


def _rows(document: dict[str, list[dict[str, list[int]]]]) -> int:
    """Rows of an answer of any form; 0 where it holds no predictions."""
    if "outputs" in document:
        return document["outputs"][0]["shape"][0]
    return len(document.get("predictions", ()))


def processes_of(pid: int) -> list[int]:
    """A process and all that come from it, in order."""
    parents: dict[int, int] = {}
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # it has ended meanwhile
            parents[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
    found = {pid}
    while more := {child for child, parent in parents.items() if parent in found} - found:
        found |= more
    return sorted(found)


def _resident_bytes(pid: int) -> int:
    # Pages that several processes share count once over all of them.
    rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return sum(1024 * int(size) for size in re.findall(r"^Pss:\s+(\d+) kB$", rollup, re.MULTILINE))


def _peak_bytes(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    return sum(1024 * int(size) for size in re.findall(r"^VmHWM:\s+(\d+) kB$", status, re.MULTILINE))


def _in_line_s(task: Path) -> float:
    """Seconds that a thread has been ready to run without a processor."""
    try:
        return int((task / "schedstat").read_text().split()[1]) / 1e9
    except FileNotFoundError:  # it has ended, or the kernel keeps no count
        return 0.0
