"""`modelwright validate`: the API server's answers without an API server."""

import re
import sys
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
import yaml

from api.admission_table import Case, cases
from modelwright import crdgen
from modelwright.api.v1alpha1 import KINDS
from modelwright.api.v1alpha1.schema import VALIDATIONS
from modelwright.cli import admission
from modelwright.cli.main import main

EXAMPLES = Path(__file__).parents[2] / "examples"
DOCS = Path(__file__).parents[2] / "docs"
GOOD = """apiVersion: modelwright.dev/v1alpha1
kind: Deployment
metadata: {name: flights}
spec: {model: {name: flights}}
"""
BAD = GOOD.replace("{model: {name: flights}}", "{model: {name: flights}, scaling: {minReplicas: 0}}")


def shown(page: str) -> list[dict[str, Any]]:
    """The manifests that a page of the documentation shows."""
    return [yaml.safe_load(text) for text in re.findall(r"```yaml\n(.*?)```", (DOCS / page).read_text(), re.DOTALL)]


@pytest.mark.parametrize("case", cases(), ids=lambda case: case.id)
def test_an_object_gets_the_messages_of_the_table(case: Case) -> None:
    found = {str(finding) for finding in admission.findings(case.manifest)}
    assert found == case.errors


@pytest.mark.parametrize("manifest", shown("other-servers.md"), ids=lambda found: str(sorted(found["spec"]["server"])))
def test_a_manifest_of_the_documentation_is_admitted(manifest: dict[str, Any]) -> None:
    base = {"apiVersion": "modelwright.dev/v1alpha1", "kind": "Deployment", "metadata": {"name": "late-flights"}}
    assert {str(finding) for finding in admission.findings({**base, **manifest})} == set()


def test_the_canary_of_the_documentation_is_admitted() -> None:
    (manifest,) = shown("canary.md")
    assert admission.findings(manifest) == []


def test_the_table_has_a_bad_case_for_every_rule() -> None:
    said = "\n".join(error for case in cases() for error in case.errors)
    for kind in KINDS:
        spec = crdgen.schema(kind)
        for rule in rules_of(
            {key: value for key, value in spec.items() if key != "properties"}, spec["properties"]["spec"]
        ):
            if "oldSelf" not in rule["rule"]:
                assert re.search(as_pattern(rule), said), f"no bad case of {rule}"


def rules_of(*schemas: Any) -> Iterator[dict[str, str]]:
    for schema in schemas:
        if isinstance(schema, dict):
            yield from schema.get(VALIDATIONS, [])
            yield from rules_of(*schema.values())


def as_pattern(rule: dict[str, str]) -> str:
    """What a broken rule's message looks like."""
    if expression := rule.get("messageExpression"):
        text = re.escape(expression.split("'.format(")[0].removeprefix("'"))
        return re.sub("%[sd]", ".*", text)
    return re.escape(rule["message"])


def test_all_examples_are_valid(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["validate", "-R", "-f", str(EXAMPLES)]) == 0
    assert "examples/late-flights/dataset.yaml: Dataset/flights: valid" in capsys.readouterr().out


def test_a_line_names_file_object_and_field(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "m.yaml"
    file.write_text(f"{GOOD}---\n{BAD}")
    assert main(["validate", "-f", str(file)]) == 1
    out, err = capsys.readouterr()
    assert out == f"{file}: Deployment/flights: valid\n"
    assert err == (
        f"{file}: Deployment/flights: spec.scaling.minReplicas: Invalid value: 0: spec.scaling.minReplicas in body "
        "should be greater than or equal to 1\n"
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param("a: [", "while parsing a flow node", id="what is no YAML"),
        pytest.param("- 1\n", "is no Kubernetes object", id="a list"),
        pytest.param(f"{GOOD}kind: Dataset\n", 'line 5: key "kind" already set in map', id="a key given twice"),
        pytest.param(
            GOOD.replace("v1alpha1", "v9"), 'no matches for kind "Deployment" in version', id="another version"
        ),
        pytest.param(GOOD.replace("Deployment", "Model"), 'no matches for kind "Model" in version', id="another kind"),
        pytest.param(GOOD.replace("{name: flights}\nspec", "{}\nspec"), "metadata.name: Required value", id="no name"),
        pytest.param(GOOD.replace("{name: flights}\nspec", "x\nspec"), "metadata", id="metadata of another type"),
        pytest.param("# nothing\n", "nothing to check", id="nothing"),
    ],
)
def test_what_is_no_object_is_told_so(
    text: str, said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", StringIO(text))
    assert main(["validate", "-f", "-"]) == 1
    assert said in capsys.readouterr().err


def test_other_apis_are_passed_over(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "list.json").write_text(
        '{"apiVersion": "v1", "kind": "List", "items": [{"apiVersion": "apps/v1", "kind": "Deployment"}]}'
    )
    assert main(["validate", "-f", str(tmp_path)]) == 0
    assert "Deployment/?: is not of modelwright.dev, passed over" in capsys.readouterr().out


def test_a_missing_file_is_a_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["validate", "-f", "nowhere.yaml"]) == 1
    assert capsys.readouterr().err == "modelwright: nowhere.yaml: there is no such file or folder\n"


def test_status_is_not_judged() -> None:
    obj = yaml.safe_load(GOOD) | {"status": {"url": 3}}
    assert admission.findings(obj) == []
