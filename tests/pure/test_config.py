"""The configuration: what a namespace may decide for itself, and what nobody may ask for."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from modelwright.config import Config, Resources, Store, load, parse_namespace
from modelwright.reconcilers.ceilings import above
from pure import samples


def test_a_namespace_decides_where_its_artifacts_and_images_go_and_nothing_else() -> None:
    config = samples.config(ceilings={"cpu": "16"})
    override = parse_namespace("store: {uri: 'pvc://mine/here'}")
    ours = config.for_namespace(override)
    assert ours == config.model_copy(update={"store": Store(uri="pvc://mine/here")})
    assert config.for_namespace(None) is config
    assert config.for_namespace(parse_namespace("")) == config


@pytest.mark.parametrize("field", ["images", "ceilings", "policy", "defaults", "retry"])
def test_a_namespace_cannot_decide(field: str) -> None:
    with pytest.raises(ValidationError, match=field):
        parse_namespace(f"{field}: {{}}")


def test_the_file_is_read_and_an_empty_one_is_all_defaults(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text("")
    assert load(path) == Config()
    path.write_text("retry: {initial: 1s}\nceilings: {memory: 1Gi}\n")
    assert load(path).retry.initial == "1s"
    path.write_text("ceiling: {memory: 1Gi}\n")
    with pytest.raises(ValidationError, match="ceiling"):
        load(path)


@pytest.mark.parametrize(
    ("text", "field", "words"),
    [
        pytest.param("retry: {initial: 10}", "retry.initial", "valid string", id="a number for a duration"),
        pytest.param("retry: {max: 5 minutes}", "retry.max", '"5 minutes" is not a duration', id="a wait in words"),
        pytest.param(
            "defaults: {jobDeadline: 1d}", "defaults.jobDeadline",
            '"1d" is not a duration; write hours, minutes and seconds, for example 90s, 5m or 1h30m', id="days",
        ),
        pytest.param(
            "serving: {liveFigures: {interval: 500ms}}", "serving.liveFigures.interval", '"500ms" is not from 1s to 5m',
            id="figures twice a second",
        ),
        pytest.param("defaults: {jobHistory: ''}", "defaults.jobHistory", '"" is not a duration', id="an empty one"),
        pytest.param(
            "ceilings: {memory: lots}", "ceilings.memory",
            '"lots" is not a quantity; write for example 500m, 2 or 1Gi', id="a ceiling in words",
        ),
        pytest.param(
            "defaults: {train: {limits: {memory: 4GB}}}", "defaults.train.limits.memory", '"4GB" is not a quantity',
            id="a limit with another unit",
        ),
        pytest.param(
            "defaults: {serve: {requests: {cpu: '-1'}}}", "defaults.serve.requests.cpu", '"-1" is not a quantity',
            id="a negative request",
        ),
    ],
)  # fmt: skip
def test_a_duration_or_a_quantity_that_is_none_is_told_when_the_file_is_read(
    text: str, field: str, words: str, tmp_path: Path
) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(text)
    with pytest.raises(ValidationError) as caught:
        load(path)
    (error,) = caught.value.errors()
    assert ".".join(str(part) for part in error["loc"]) == field
    assert words in error["msg"]


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        pytest.param({"limits": {"memory": "64Gi"}}, None, id="as much as the ceiling"),
        pytest.param({"limits": {"nvidia.com/gpu": "8"}}, None, id="what has no ceiling"),
        pytest.param(
            {"limits": {"memory": "65536Mi", "cpu": "16001m"}},
            "spec.resources.limits.cpu: 16001m is above what the platform allows, write at most 16",
            id="a thousandth more",
        ),
        pytest.param(
            {"requests": {"memory": "65Gi"}},
            "spec.resources.requests.memory: 65Gi is above what the platform allows, write at most 64Gi",
            id="a request",
        ),
    ],
)
def test_ceilings(asked: dict[str, dict[str, str]], words: str | None) -> None:
    assert above(Resources.model_validate(asked), {"cpu": "16", "memory": "64Gi"}, "spec.resources") == words
