"""What a server may be made of where a person must approve what it serves."""

from typing import Any

import pytest

from pure import samples
from pure.approving import approve, asking, packaged, running
from pure.served import ME

SERVER = "registry.test/triton@" + samples.digest("triton")


@pytest.mark.parametrize(
    ("server", "policy", "words"),
    [
        pytest.param({}, {}, None, id="our own server"),
        pytest.param({"env": [{"name": "MODELWRIGHT_MAX_ROWS", "value": "9"}]}, {}, None, id="a setting of it"),
        pytest.param({"image": SERVER}, {"serverImages": [SERVER]}, None, id="an image on the list"),
        pytest.param({"env": [{"name": "TZ"}]}, {"environment": ["TZ"]}, None, id="a variable on the list"),
        pytest.param(
            {"image": "registry.test/triton:1"}, {"serverImages": [SERVER]},
            "spec.server.image: registry.test/triton:1 is not allowed where approval is required; remove it, or write "
            + SERVER, id="an image by tag",
        ),
        pytest.param(
            {"image": SERVER}, {},
            f"spec.server.image: {SERVER} is not allowed where approval is required; remove it, or write nothing, "
            "because policy lists none", id="an image, and no list",
        ),
        pytest.param(
            {"env": [{"name": "LD_PRELOAD"}]}, {"environment": ["TZ", "LANG"]},
            "spec.server.env: LD_PRELOAD may not be set where approval is required; remove it; what may be set beside "
            "settings of Modelwright's own server is one of TZ, LANG", id="a variable that is not on the list",
        ),
    ],
)  # fmt: skip
def test_what_a_server_may_be_made_of(server: dict[str, Any], policy: dict[str, Any], words: str | None) -> None:
    world = asking(**policy)
    packaged(world, "v1")
    approve(world, "v1")
    world.apply(samples.deployment(server=server))
    world.chain()
    if words is None:
        assert world.ready(*ME) == ("True", "Serving")
        return
    assert world.ready(*ME) == ("False", "NotAllowedByPolicy")
    assert world.said(*ME) == words
    assert running(world) == ""
    world.config = samples.config()
    world.chain()
    assert world.ready(*ME) == ("True", "Serving")
