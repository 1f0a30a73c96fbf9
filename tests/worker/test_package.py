"""`fetch` and `push` as processes: images by content, in a registry with and without a login."""

from __future__ import annotations

import io
import json
import platform
import tarfile
from pathlib import Path

import pytest

from modelwright_contract.results import Failure, PackageSummary, TrainSummary
from modelwright_worker.references import login_for, parse_reference, read_logins

from .registry import PASSWORD, USER, Registry, serving
from .steps import Run, Steps

HERE = {"x86_64": "amd64", "aarch64": "arm64"}[platform.machine()]


def packaging(model: str, registry: Registry, base: str, **task: object) -> dict[str, object]:
    """A package task."""
    host = registry.address
    return {
        "step": "package",
        "model": {"digest": model},
        "image": f"{host}/models/late",
        "tag": "v1",
        "baseImage": f"{host}/base/server@{base}",
        "insecure": True,
        **task,
    }


def package(steps: Steps, task: dict[str, object]) -> Run:
    """Fetch, then push, over one scratch directory, as their Pod does."""
    scratch = steps.root / f"scratch-{next(steps.numbers)}"
    fetched = steps.run("fetch", task, scratch=scratch)
    assert (fetched.code, fetched.report) == (0, None), fetched
    assert {path.name: oct(path.stat().st_mode & 0o777) for path in (scratch / "model").iterdir()} == {
        "manifest.json": "0o644", "model.skops": "0o644", "golden.json": "0o644", "profile.json": "0o644",
    }  # fmt: skip
    return steps.run("push", task, scratch=scratch)


def push_login(steps: Steps, host: str, *, password: str = PASSWORD) -> Path:
    """A push Secret as it is mounted."""
    path = steps.root / "mnt" / "push" / ".dockerconfigjson"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps({"auths": {f"https://{host}": {"username": USER, "password": password}}}))
    return path


def test_an_image_is_the_base_and_one_layer(packaged: tuple[Steps, TrainSummary]) -> None:
    steps, model = packaged
    with serving(Registry()) as registry:
        base = registry.add_base(architecture=HERE)
        run = package(steps, packaging(model.digest, registry, base, key="1" * 64))
        assert isinstance(run.report, PackageSummary), run
        name = run.report.image.partition("@")[2]
        _, content = registry.manifests["models/late", "v1"]
        assert registry.manifests["models/late", name][1] == content
        manifest = json.loads(content)
        config = json.loads(registry.blobs["models/late", manifest["config"]["digest"]])
        layer = manifest["layers"][-1]
        assert len(manifest["layers"]) == 3
        assert config["rootfs"]["diff_ids"][-1] == layer["digest"]
        assert config["config"]["Entrypoint"] == ["modelwright-server"]
        assert config["config"]["Env"] == ["PATH=/bin", "MODELWRIGHT_MODEL_DIR=/model"]
        assert config["config"]["Labels"]["dev.modelwright.model.digest"] == model.digest
        assert any("mount=" in line for line in registry.asked)
        with tarfile.open(fileobj=io.BytesIO(registry.blobs["models/late", layer["digest"]])) as tar:
            members = tar.getmembers()
        assert [member.name for member in members] == [
            "model", "model/golden.json", "model/manifest.json", "model/model.skops", "model/profile.json",
        ]  # fmt: skip
        assert {(m.uid, m.gid, m.mtime, m.uname) for m in members} == {(0, 0, 0, "")}
        assert run.report.sizes.image == sum(item["size"] for item in manifest["layers"])
        assert run.report.golden_rows == 32
        assert run.report.signature.inputs[0].name == "month"


def test_the_same_model_on_the_same_base_is_the_same_image(packaged: tuple[Steps, TrainSummary]) -> None:
    steps, model = packaged
    images = set()
    for index, mounts in enumerate((True, False)):
        with serving(Registry(mounts=mounts)) as registry:
            base = registry.add_base(architecture=HERE)
            run = package(steps, packaging(model.digest, registry, base, key=f"2{index}" * 32))
            assert isinstance(run.report, PackageSummary), run
            images.add(run.report.image.partition("@")[2])
    assert len(images) == 1


def test_what_is_there_is_not_pushed_again(packaged: tuple[Steps, TrainSummary]) -> None:
    steps, model = packaged
    with serving(Registry()) as registry:
        base = registry.add_base(architecture=HERE)
        package(steps, packaging(model.digest, registry, base, key="3" * 64))
        registry.asked.clear()
        package(steps, packaging(model.digest, registry, base, key="4" * 64))
        assert not [line for line in registry.asked if line.startswith(("PUT", "POST"))]


def test_a_finished_step_is_only_repeated(packaged: tuple[Steps, TrainSummary]) -> None:
    steps, model = packaged
    with serving(Registry()) as registry:
        task = packaging(model.digest, registry, registry.add_base(architecture=HERE), key="5" * 64)
        first = package(steps, task)
        registry.asked.clear()
        again = steps.run("fetch", task)
        assert (again.scratch / "model" / ".done").exists()
        assert json.loads((again.scratch / "done.json").read_text())["step"] == "package"
        assert steps.run("push", task, scratch=again.scratch).report == first.report
        assert registry.asked == []


@pytest.mark.parametrize("login", ["basic", "token"])
def test_a_login_is_used_where_the_registry_asks_for_one(packaged: tuple[Steps, TrainSummary], login: str) -> None:
    steps, model = packaged
    with serving(Registry(login)) as registry:
        secret = push_login(steps, registry.address)
        task = packaging(model.digest, registry, registry.add_base(architecture=HERE), key=login[0] * 4 + "6" * 60)
        task["key"] = {"basic": "6", "token": "7"}[login] * 64
        try:
            assert isinstance(package(steps, task).report, PackageSummary)
        finally:
            secret.unlink()


@pytest.mark.parametrize(
    ("login", "password", "says"),
    [
        ("basic", None, "there is no push Secret"),
        ("token", None, "no push Secret"),
        ("token", "wrong", "login may not"),
    ],
)
def test_a_refused_login_is_told(
    packaged: tuple[Steps, TrainSummary], login: str, password: str | None, says: str
) -> None:
    steps, model = packaged
    with serving(Registry(login)) as registry:
        if password is not None:
            push_login(steps, registry.address, password=password)
        task = packaging(model.digest, registry, registry.add_base(architecture=HERE), key="8" * 64)
        report = package(steps, task).report
        (steps.root / "mnt" / "push" / ".dockerconfigjson").unlink(missing_ok=True)
    assert isinstance(report, Failure)
    assert (report.reason, report.retry) == ("ImagePushForbidden", True)
    assert says in report.message


@pytest.mark.parametrize(
    ("task", "reason", "says"),
    [
        pytest.param({"baseImage": "{host}/base/none:1"}, "BaseImageNotFound", "is not in the registry", id="no base"),
        pytest.param({"baseImage": "{host}/base/server@sha256:" + "1" * 64}, "BaseImageNotFound", "images.server",
                     id="no base of that digest"),
        pytest.param({"image": "127.0.0.1:9/models/late"}, "RegistryUnreachable", "127.0.0.1:9", id="unreachable"),
        pytest.param({"baseImage": "127.0.0.1:9/base:1"}, "RegistryUnreachable", "127.0.0.1:9", id="base unreachable"),
        pytest.param({"insecure": False}, "RegistryUnreachable", "https", id="https where there is http"),
    ],
)  # fmt: skip
def test_a_registry_that_can_not_be_used_is_told(
    packaged: tuple[Steps, TrainSummary], task: dict[str, object], reason: str, says: str
) -> None:
    steps, model = packaged
    with serving(Registry()) as registry:
        base = registry.add_base(architecture=HERE)
        changed = {k: v.replace("{host}", registry.address) if isinstance(v, str) else v for k, v in task.items()}
        report = package(steps, packaging(model.digest, registry, base, key="9" * 64, **changed)).report
    assert isinstance(report, Failure)
    assert (report.reason, report.retry) == (reason, True), report.message
    assert says in report.message


def test_a_base_for_other_machines_is_told(packaged: tuple[Steps, TrainSummary]) -> None:
    steps, model = packaged
    with serving(Registry()) as registry:
        base = registry.add_base(architecture="riscv64")
        report = package(steps, packaging(model.digest, registry, base, key="a" * 64)).report
    assert isinstance(report, Failure)
    assert report.reason == "BaseImageNotFound"


def test_a_model_that_is_gone_is_told(packaged: tuple[Steps, TrainSummary]) -> None:
    steps, _ = packaged
    failure = steps.failure("fetch", packaging("sha256:" + "e" * 64, Registry(), "x", key="b" * 64))
    assert (failure.reason, failure.retry) == ("ModelNotFound", True)


def test_files_altered_between_fetch_and_push_are_refused(packaged: tuple[Steps, TrainSummary]) -> None:
    steps, model = packaged
    with serving(Registry()) as registry:
        task = packaging(model.digest, registry, registry.add_base(architecture=HERE), key="c" * 64)
        fetched = steps.run("fetch", task)
        (fetched.scratch / "model" / "golden.json").write_text("{}")
        report = steps.run("push", task, scratch=fetched.scratch).report
    assert isinstance(report, Failure)
    assert report.reason == "ModelNotFound"


@pytest.mark.parametrize(
    ("text", "host", "repository", "version"),
    [
        ("registry.example.org/models/late:v1", "registry.example.org", "models/late", "v1"),
        ("10.0.0.1:5000/late", "10.0.0.1:5000", "late", ""),
        ("localhost/late:1@sha256:abc", "localhost", "late", "sha256:abc"),
        ("team/late", "registry-1.docker.io", "team/late", ""),
        ("python:3", "registry-1.docker.io", "library/python", "3"),
    ],
)
def test_references(text: str, host: str, repository: str, version: str) -> None:
    reference = parse_reference(text)
    assert (reference.host, reference.repository, reference.version) == (host, repository, version)


def test_the_login_of_the_longest_path_is_taken(tmp_path: Path) -> None:
    auths = {"https://index.docker.io/v1/": "hub", "host:5000": "all", "host:5000/team": "team"}
    path = tmp_path / "config.json"
    path.write_text(json.dumps({"auths": {name: {"username": user, "password": "x"} for name, user in auths.items()}}))
    logins = read_logins(path)
    users = {
        image: getattr(login_for(logins, parse_reference(image)), "user", None)
        for image in ("host:5000/team/late", "host:5000/teams/late", "late", "other:1/x")
    }
    assert users == {"host:5000/team/late": "team", "host:5000/teams/late": "all", "late": "hub", "other:1/x": None}
