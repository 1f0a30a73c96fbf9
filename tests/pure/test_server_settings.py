"""What a Deployment says to its servers, as the server itself reads it."""

from pathlib import Path

import pytest
import yaml

from modelwright.api.v1alpha1.server import TUNABLE
from modelwright.children.deployment import LEAVING_SECONDS
from modelwright_server.settings import SettingError, Settings

GOLDEN = Path(__file__).parent / "golden"


def settings_of(name: str) -> tuple[Settings, dict[str, object]]:
    """The settings that the server takes from a golden Deployment's environment, and its Pod's spec."""
    spec = yaml.safe_load((GOLDEN / f"{name}.yaml").read_text())["manifest"]["spec"]["template"]["spec"]
    environment = {one["name"]: one["value"] for one in spec["containers"][0]["env"]}
    return Settings.from_environment(environment), spec


@pytest.mark.parametrize("name", TUNABLE)
def test_the_server_reads_every_setting_that_a_user_may_choose(name: str) -> None:
    with pytest.raises(SettingError, match=name):
        Settings.from_environment({name: "nonsense"})


def test_a_plain_deployment_leaves_the_server_its_own_defaults() -> None:
    settings, _ = settings_of("deployment-plain")
    told = {"model_name": "late-flights", "model_version": "v1", "routing_dir": "/etc/modelwright/routing"}
    assert settings == Settings.from_environment({f"MODELWRIGHT_{name.upper()}": value for name, value in told.items()})


def test_a_full_deployment_is_read_as_it_was_meant() -> None:
    settings, spec = settings_of("deployment-full")
    assert (settings.batch_rows, settings.batch_delay_s) == (64, 0.002)
    assert settings.max_rows == 500
    assert (str(settings.tls_dir), str(settings.tokens_dir)) == ("/etc/modelwright/tls", "/etc/modelwright/tokens")
    assert settings.grace_s + LEAVING_SECONDS < float(str(spec["terminationGracePeriodSeconds"]))
