"""Resources, quantities and durations as people write them."""

import pytest

from modelwright import durations, quantities
from modelwright.config import Resources

DEFAULT = Resources(requests={"cpu": "100m", "memory": "1Gi"}, limits={"memory": "2Gi"})


@pytest.mark.parametrize(
    ("requests", "limits", "both"),
    [
        pytest.param({}, {}, (dict(DEFAULT.requests), dict(DEFAULT.limits)), id="nothing said: the defaults"),
        pytest.param({"cpu": "2"}, {}, ({"cpu": "2", "memory": "1Gi"}, {"memory": "2Gi"}), id="one name said"),
        pytest.param(
            {}, {"memory": "512Mi"}, ({"cpu": "100m", "memory": "512Mi"}, {"memory": "512Mi"}),
            id="a lowered limit takes our request with it",
        ),
        pytest.param(
            {"memory": "8Gi"}, {}, ({"cpu": "100m", "memory": "8Gi"}, {"memory": "8Gi"}),
            id="a raised request takes our limit with it",
        ),
        pytest.param(
            {"memory": "3Gi"}, {"memory": "4Gi"}, ({"cpu": "100m", "memory": "3Gi"}, {"memory": "4Gi"}),
            id="both said: both kept",
        ),
    ],
)  # fmt: skip
def test_resources_over_the_defaults(
    requests: dict[str, str], limits: dict[str, str], both: tuple[dict[str, str], dict[str, str]]
) -> None:
    merged = DEFAULT.overridden(requests, limits)
    assert (merged.requests, merged.limits) == both


@pytest.mark.parametrize(
    ("text", "number"),
    [
        pytest.param("500m", "0.5", id="half a core"), pytest.param("2", "2", id="two cores"),
        pytest.param("1Gi", "1073741824", id="a binary suffix"), pytest.param("1.5G", "1500000000", id="a fraction"),
    ],
)  # fmt: skip
def test_quantities(text: str, number: str) -> None:
    assert quantities.parse(text) == quantities.parse(number)


@pytest.mark.parametrize("text", ["", "1 Gi", "-1", "1GB", "lots", "1Gi\n"])
def test_what_is_no_quantity(text: str) -> None:
    with pytest.raises(ValueError, match="is not a quantity"):
        quantities.parse(text)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [pytest.param("90s", 90, id="s"), pytest.param("1h30m", 5400, id="hm"), pytest.param("500ms", 0.5, id="ms")],
)
def test_durations(text: str, seconds: float) -> None:
    assert durations.parse(text).total_seconds() == seconds


@pytest.mark.parametrize("text", ["", "5", "5 m", "m", "1d", "5m!"])
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(ValueError, match="is not a duration"):
        durations.parse(text)
