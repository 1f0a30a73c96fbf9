"""What the server counts in the bins of the training profile: the same as training did, and every process's part."""

from __future__ import annotations

import csv
import io
import json
import os
import random
import shutil
import signal
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest

from modelwright_contract.canonical import digest_of
from modelwright_contract.profile import Column, Profile, ProfileError, Ranges, Values
from modelwright_server.feature_board import BINS_AT, CHANGES, ROWS, FeatureBoard
from modelwright_server.feature_counts import COUNTED_ROWS_PER_S, FeatureCounts, Thinning
from modelwright_server.loading import load, load_or_say_why
from modelwright_server.prediction import Prediction
from modelwright_server.profile_bins import ProfileBins
from modelwright_server.settings import Settings

from . import counting_server
from .model_directories import ModelDirectory, Row, rewrite_profile
from .processes import Server, eventually

MODEL = "/v2/models/model"
PROGRAM = (str(Path(counting_server.__file__)),)
PROFILE = Profile(
    (
        Column("height", "number", Ranges((0.0, 10.0)), (5, 5, 5, 1)),
        Column("city", "string", Values((1,), ("Bonn",)), (8, 6, 2)),
    ),
    (
        Column("label", "boolean", Values((0, 1), (False, True)), (9, 7, 0, 0)),
        Column("probability", "number", Ranges((0.5, 0.75)), (0, 8, 8, 0)),
    ),
    "validation",
)
ROWS_OF_TWO = np.array([[1.0, -1.0], [0.0, 12.0]])
"""The columns city and height: the model's own order."""
ANSWERS = Prediction(labels=np.array([1, 0]), probabilities=np.array([[0.4, 0.6], [0.9, 0.1]]))


def _bins(profile: Profile = PROFILE) -> ProfileBins:
    return ProfileBins(profile.to_bytes(), ("city", "height"))


def _always() -> Thinning:
    return Thinning(rows_per_s=1e18)


class _Batches:
    """A stream of batches, and what was counted of it by size."""

    def __init__(self, seed: int) -> None:
        self.thinning = Thinning(draw=random.Random(seed).random)
        self.now = 1000.0
        self.rows: dict[int, int] = {}
        self.counted: dict[int, int] = {}

    def send(self, rows: int) -> None:
        self.rows[rows] = self.rows.get(rows, 0) + rows
        if self.thinning.takes(rows, self.now):
            self.counted[rows] = self.counted.get(rows, 0) + rows

    def share(self, rows: int) -> float:
        return self.counted[rows] / self.rows[rows]


def test_everything_is_counted_where_there_is_little() -> None:
    batches = _Batches(1)
    for _ in range(10_000):
        batches.now += 0.0125
        batches.send(10)
    assert batches.share(10) == 1


def test_a_burst_now_and_then_is_little() -> None:
    batches = _Batches(2)
    for _ in range(100):
        batches.now += 20.0
        batches.send(10_000)
    assert batches.share(10_000) == 1


def test_about_so_many_rows_a_second_are_counted_where_there_are_many() -> None:
    batches = _Batches(3)
    seconds = 60.0
    for _ in range(60_000):
        batches.now += seconds / 60_000
        batches.send(20)
    assert 0.9 < batches.counted[20] / (seconds * COUNTED_ROWS_PER_S) < 1.2


def test_rows_of_large_and_of_small_batches_have_the_same_chance() -> None:
    batches = _Batches(4)
    for _ in range(1000):
        batches.send(2000)
        for _ in range(200):
            batches.now += 0.002
            batches.send(2)
    assert batches.share(2) == pytest.approx(batches.share(2000), rel=0.2)
    assert batches.share(2) < 0.25


def test_clients_that_take_turns_have_the_same_chance() -> None:
    # One batch in two is counted, and two kinds of them alternate.
    thinning = Thinning(draw=random.Random(5).random)
    counted = [0, 0]
    for number in range(200_000):
        counted[number % 2] += thinning.takes(20, 1000.0 + number * 0.01)
    assert counted[0] == pytest.approx(counted[1], rel=0.02)
    assert sum(counted) == pytest.approx(100_000, rel=0.05)


def test_a_batch_counts_in_its_bins() -> None:
    board = FeatureBoard(2)
    board.publish(PROFILE.to_bytes())
    FeatureCounts(_bins(), board.slot(1), _always()).answered(ROWS_OF_TWO, ANSWERS)
    figures = board.figures()
    assert figures is not None
    assert figures.profile == digest_of(PROFILE.to_bytes())
    assert figures.rows == 2
    assert figures.features == {"height": [1, 0, 1, 0], "city": [1, 1, 0]}
    assert figures.outputs == {"label": [1, 1, 0, 0], "probability": [0, 1, 1, 0]}


def test_processes_add_up_and_one_that_takes_the_place_of_another_counts_on() -> None:
    board = FeatureBoard(2)
    board.publish(PROFILE.to_bytes())
    for place in (0, 1, 1):
        # The second one in place 1 finds the mark of one that was killed while it added a batch.
        board.slot(place)[CHANGES] |= 1
        FeatureCounts(_bins(), board.slot(place), _always()).answered(ROWS_OF_TWO, ANSWERS)
        assert board.slot(place)[CHANGES] % 2 == 0
    figures = board.figures()
    assert figures is not None
    assert figures.rows == 6
    assert figures.features["city"] == [3, 3, 0]


def test_a_slot_that_is_being_changed_for_ever_is_read_all_the_same() -> None:
    board = FeatureBoard(1)
    board.publish(PROFILE.to_bytes())
    cells = board.slot(0)
    cells[CHANGES], cells[ROWS], cells[BINS_AT] = 7, 4, 4
    figures = board.figures()
    assert figures is not None
    assert (figures.rows, figures.features["height"]) == (4, [4, 0, 0, 0])


def test_there_are_no_figures_without_a_profile() -> None:
    board = FeatureBoard(1)
    assert board.document() is None
    assert board.figures() is None


def test_what_can_not_be_counted_costs_no_answer(caplog: pytest.LogCaptureFixture) -> None:
    board = FeatureBoard(1)
    counts = FeatureCounts(_bins(), board.slot(0), _always())
    for _ in range(3):
        counts.answered(ROWS_OF_TWO, Prediction())
    assert [record.message for record in caplog.records] == ["features are counted no longer"]
    assert board.slot(0)[ROWS] == 0


def test_a_profile_of_another_model_is_refused() -> None:
    with pytest.raises(ProfileError, match='has a feature "height", the model has none'):
        ProfileBins(PROFILE.to_bytes(), ("city",))


@pytest.fixture(scope="module")
def pod(late: ModelDirectory) -> Iterator[Server]:
    """Two processes."""
    with Server(late.path, program=PROGRAM, processes="2") as server:
        yield server


def _trained(directory: ModelDirectory) -> Profile:
    return Profile.parse((directory.path / "profile.json").read_bytes())


def _plain(rows: Sequence[Row]) -> list[dict[str, object]]:
    return [{**row} for row in rows]


def _as_rows(server: Server, directory: ModelDirectory) -> None:
    assert server.post(f"{MODEL}/predict", _plain(directory.rows)).status_code == 200


def _one_by_one(server: Server, directory: ModelDirectory) -> None:
    for row in directory.rows:
        assert server.post(f"{MODEL}/predict", _plain([row])).status_code == 200


def _as_csv(server: Server, directory: ModelDirectory) -> None:
    text = io.StringIO()
    writer = csv.DictWriter(text, list(directory.rows[0]))
    writer.writeheader()
    writer.writerows(directory.rows)
    answer = server.session.post(
        server.url + f"{MODEL}/predict", data=text.getvalue().encode(), headers={"content-type": "text/csv"}, timeout=20
    )
    assert answer.status_code == 200


def _as_matrix(server: Server, directory: ModelDirectory) -> None:
    matrix = directory.matrix(directory.rows)
    data = [None if value != value else value for value in matrix.ravel().tolist()]
    tensor = {"name": "features", "datatype": "FP64", "shape": list(matrix.shape), "data": data}
    assert server.post(f"{MODEL}/infer", {"inputs": [tensor]}).status_code == 200


@pytest.mark.parametrize("send", [_as_rows, _one_by_one, _as_csv, _as_matrix])
def test_the_rows_of_the_train_split_count_as_they_did_in_training(
    pod: Server, late: ModelDirectory, send: Callable[[Server, ModelDirectory], None]
) -> None:
    before = pod.managed("/live").json()["totals"]
    send(pod, late)
    after = pod.managed("/live").json()["totals"]
    profile = _trained(late)
    for part, columns in (("features", profile.features), ("outputs", profile.outputs)):
        grown = {
            name: [new - old for new, old in zip(after[part][name], before[part][name], strict=True)]
            for name in after[part]
        }
        assert grown == {column.name: list(column.counts) for column in columns}
    assert after["profiled_rows"] - before["profiled_rows"] == len(late.rows)


@pytest.mark.parametrize("kind", ["delay", "band"])
def test_regressions_and_several_classes(kind: str, request: pytest.FixtureRequest) -> None:
    directory: ModelDirectory = request.getfixturevalue(kind)
    with Server(directory.path, program=PROGRAM) as server:
        _as_rows(server, directory)
        totals = server.managed("/live").json()["totals"]
    assert totals["outputs"] == {column.name: list(column.counts) for column in _trained(directory).outputs}


def test_the_profile_is_told_with_its_digest(pod: Server, late: ModelDirectory) -> None:
    answer = pod.managed("/profile")
    assert answer.content == (late.path / "profile.json").read_bytes()
    assert answer.headers["content-type"] == "application/json"
    assert pod.managed("/live").json()["profile"] == digest_of(answer.content)


def test_no_count_is_lost_with_a_process(late: ModelDirectory) -> None:
    with Server(late.path, program=PROGRAM) as server:
        for times in (1, 2, 3):
            _as_rows(server, late)
            assert server.managed("/live").json()["totals"]["profiled_rows"] == times * len(late.rows)
            os.kill(server.workers()[-1], signal.SIGKILL)
            server.wait_for("worker started", times + 1)
            server.session.close()
            eventually(lambda: server.managed("/v2/health/ready").status_code == 200)
        assert server.managed("/live").json()["totals"]["features"]["carrier"] == [
            3 * count for count in _trained(late).features[0].counts
        ]


def test_a_model_without_a_profile_is_served(late: ModelDirectory, tmp_path: Path) -> None:
    path = tmp_path / "model"
    shutil.copytree(late.path, path)
    _without_profile(path)
    with Server(path) as server:
        _as_rows(server, late)
        live = server.managed("/live").json()
        assert "profile" not in live
        assert not live["totals"].keys() & {"features", "outputs", "profiled_rows"}
        assert server.managed("/profile").status_code == 404


def _without_profile(path: Path) -> None:
    manifest = json.loads((path / "manifest.json").read_bytes())
    del manifest["profile"]
    (path / "manifest.json").write_text(json.dumps(manifest))
    (path / "profile.json").unlink()


@pytest.mark.parametrize("content", [b"{}", b"\xff", PROFILE.to_bytes()])
def test_a_profile_that_is_not_sound_is_found_where_the_model_is_packaged(
    late: ModelDirectory, tmp_path: Path, content: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "model"
    shutil.copytree(late.path, path)
    rewrite_profile(path, content)
    settings = Settings.from_environment({"MODELWRIGHT_MODEL_DIR": str(path)})
    assert "profile" in str(load_or_say_why(settings, all_forms=True))
    assert load(settings).profile is None
    assert "features are not counted" in caplog.messages
