"""The generated CustomResourceDefinitions: structural, bounded, described, and up to date."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from modelwright import crdgen
from modelwright.api.v1alpha1 import KINDS, Resource

CRDS = Path(__file__).parents[2] / "crds"
FORBIDDEN = {"$ref", "$defs", "anyOf", "oneOf", "allOf", "title", "const", "patternProperties"}

kinds = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)


def nodes(schema: dict[str, Any], path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every schema of a field, with its path."""
    yield path, schema
    for name, child in schema.get("properties", {}).items():
        yield from nodes(child, f"{path}.{name}")
    for key in ("items", "additionalProperties"):
        if isinstance(schema.get(key), dict):
            yield from nodes(schema[key], f"{path}[]")


def own(kind: type[Resource]) -> Iterator[tuple[str, dict[str, Any]]]:
    """The nodes of spec and status."""
    properties: Any = crdgen.schema(kind)["properties"]
    for part in ("spec", "status"):
        yield from nodes(properties[part], part)


def test_the_files_are_what_the_models_say() -> None:
    assert crdgen.stale(CRDS) == []


def test_generation_is_deterministic() -> None:
    assert crdgen.render() == crdgen.render()


def test_check_names_what_is_stale(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert crdgen.main([str(tmp_path)]) == 0
    file = tmp_path / "modelwright.dev_datasets.yaml"
    file.write_text(file.read_text().replace("csv", "xls"))
    (tmp_path / "old.yaml").write_text("")
    capsys.readouterr()
    assert crdgen.main(["--check", str(tmp_path)]) == 1
    err = capsys.readouterr().err
    assert "modelwright.dev_datasets.yaml is stale" in err
    assert "old.yaml is stale" in err
    assert crdgen.main([str(tmp_path)]) == 0
    assert crdgen.main(["--check", str(tmp_path)]) == 0


@kinds
def test_schemas_are_structural(kind: type[Resource]) -> None:
    for path, node in own(kind):
        assert not FORBIDDEN & node.keys(), path
        assert ("nullable" in node) == ("params[]" in path), path
        untyped = node.get("x-kubernetes-int-or-string") or node.get("x-kubernetes-preserve-unknown-fields")
        assert "type" in node or untyped, path


@kinds
def test_everything_is_bounded(kind: type[Resource]) -> None:
    for path, node in own(kind):
        match node.get("type"):
            case "string":
                assert "maxLength" in node or "enum" in node, f"{path} has no maxLength"
            case "array":
                assert "maxItems" in node, f"{path} has no maxItems"
                assert "x-kubernetes-list-type" in node, f"{path} has no list type"
            case "object" if "additionalProperties" in node:
                assert "maxProperties" in node, f"{path} has no maxProperties"
            case "integer":
                assert "minimum" in node or "[]" in path, f"{path} has no minimum"
            case None if not node.get("x-kubernetes-int-or-string"):
                assert {"maxLength", "maxItems", "maxProperties"} <= node.keys(), f"{path} holds anything"


@kinds
def test_every_field_is_described(kind: type[Resource]) -> None:
    for path, node in own(kind):
        if not path.endswith("[]"):
            assert node.get("description", "").endswith((".", ":", "`")), f"{path} has no sentence"


@kinds
def test_conditions_are_a_map_list(kind: type[Resource]) -> None:
    conditions = dict(own(kind))["status.conditions"]
    assert conditions["x-kubernetes-list-type"] == "map"
    assert conditions["x-kubernetes-list-map-keys"] == ["type"]


@kinds
def test_the_generation_is_minus_one_before_the_operator_came(kind: type[Resource]) -> None:
    status = dict(own(kind))["status"]
    assert status["default"] == {"observedGeneration": -1}


@kinds
def test_columns_begin_with_ready_and_end_with_reason_and_age(kind: type[Resource]) -> None:
    definition: Any = crdgen.definition(kind)
    names = [column["name"] for column in definition["spec"]["versions"][0]["additionalPrinterColumns"]]
    assert names[0] == "Ready"
    assert names[-2:] == ["Reason", "Age"]


@pytest.mark.parametrize(
    ("kind", "plural", "short"),
    [
        pytest.param("Dataset", "datasets", "mds", id="Dataset"),
        pytest.param("TrainingRun", "trainingruns", "mrun", id="TrainingRun"),
        pytest.param("ModelVersion", "modelversions", "mver", id="ModelVersion"),
        pytest.param("Deployment", "modeldeployments", "mdeploy", id="Deployment leaves `deployments` to apps/v1"),
    ],
)
def test_names(kind: str, plural: str, short: str) -> None:
    definition: Any = crdgen.definition(next(k for k in KINDS if k.__name__ == kind))
    names = definition["spec"]["names"]
    assert definition["metadata"]["name"] == f"{plural}.modelwright.dev"
    assert (names["plural"], names["shortNames"], names["categories"]) == (plural, [short], ["modelwright"])
