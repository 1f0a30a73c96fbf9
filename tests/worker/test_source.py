"""Which keys a source in S3 is read with, and which part of the artifact store it may be."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from modelwright_contract.tasks import SourceLocation, StoreLocation
from modelwright_worker import s3
from modelwright_worker.failures import Told
from modelwright_worker.places import Places
from modelwright_worker.source import open_source

STORE = {"AWS_ACCESS_KEY_ID": "store", "AWS_SECRET_ACCESS_KEY": "s"}
OWN = {"SOURCE_AWS_ACCESS_KEY_ID": "own", "SOURCE_AWS_SECRET_ACCESS_KEY": "s"}


class Asked(Exception):
    """The client was made, with the keys of this prefix."""


@pytest.fixture
def keys_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    def client(endpoint: str | None, region: str | None, environment: Mapping[str, str], *, prefix: str) -> None:
        raise Asked(environment[f"{prefix}AWS_ACCESS_KEY_ID"])

    monkeypatch.setattr(s3, "s3_client", client)


def brought(tmp_path: Path, uri: str, environment: Mapping[str, str], own_keys: bool = False) -> None:
    places = Places.from_environment({"MODELWRIGHT_SCRATCH": str(tmp_path)})
    store = StoreLocation(uri="s3://bucket/mw/", endpoint="http://127.0.0.1:9")
    open_source(SourceLocation(uri=uri, own_keys=own_keys), store, "team", places, environment)


@pytest.mark.usefixtures("keys_asked_for")
@pytest.mark.parametrize(
    ("environment", "own_keys", "asked"),
    [
        pytest.param(STORE, False, "store", id="the store's"),
        pytest.param(STORE | OWN, True, "own", id="its own"),
        pytest.param(STORE | OWN, False, "store", id="not those of a Secret that the spec does not name"),
    ],
)
def test_the_keys_of_a_source(tmp_path: Path, environment: Mapping[str, str], own_keys: bool, asked: str) -> None:
    with pytest.raises(Asked, match=asked):
        brought(tmp_path, "s3://raw/x.csv", environment, own_keys)


@pytest.mark.parametrize("lacking", OWN)
def test_own_keys_are_never_made_up_for_by_the_stores(tmp_path: Path, lacking: str) -> None:
    environment = {name: value for name, value in (STORE | OWN).items() if name != lacking}
    with pytest.raises(Told, match=f"Secret must hold {lacking.removeprefix('SOURCE_')}$") as caught:
        brought(tmp_path, "s3://raw/x.csv", environment, own_keys=True)
    assert (caught.value.reason, caught.value.retry) == ("SourceForbidden", True)


@pytest.mark.parametrize(
    "uri",
    [
        "s3://bucket/mw/other/blobs/x.csv",
        "s3://bucket/mw/x.csv",
        "s3://bucket/mw/other/*.csv",
        "s3://bucket//mw/other/x.csv",
        "s3://bucket/raw/../mw/other/x.csv",
    ],
)
def test_another_namespaces_part_of_the_store_is_no_source(tmp_path: Path, uri: str) -> None:
    with pytest.raises(Told, match="only s3://bucket/mw/team/ is yours") as caught:
        brought(tmp_path, uri, STORE)
    assert (caught.value.reason, caught.value.retry) == ("SourceForbidden", False)


@pytest.mark.parametrize("uri", ["s3://bucket/mw/team/x.csv", "s3://bucket/mwx/x.csv", "s3://other/mw/x/y.csv"])
def test_what_lies_elsewhere_is(tmp_path: Path, uri: str) -> None:
    with pytest.raises(Told, match="can't reach http://127"):
        brought(tmp_path, uri, STORE)
