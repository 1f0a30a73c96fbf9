"""The parts of hack/cluster that decide: addresses, image names, volumes, the image of a Pod's sandbox."""

import io
import ipaddress
import itertools
import json
import sys
import tarfile
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "hack"))

from clusters import addresses, images, programs, volumes

UID = "7afe3a1e-7547-4cc7-af7e-0d01f1f2894f"


def test_no_two_clusters_share_an_address() -> None:
    ranges = [
        ipaddress.ip_interface(text).network
        for found in map(addresses.Addresses, range(addresses.LIMIT))
        for text in (f"{found.node}/24", found.pods, found.services)
    ]
    assert not [pair for pair in itertools.combinations(ranges, 2) if pair[0].overlaps(pair[1])]


def test_every_link_name_fits_the_kernel() -> None:
    assert all(len(addresses.Addresses(index).host_link) <= 15 for index in range(addresses.LIMIT))


@pytest.mark.parametrize(
    ("image", "repository"),
    [
        pytest.param("localhost/modelwright/worker:dev", "modelwright/worker:dev", id="buildah's localhost"),
        pytest.param("modelwright/worker", "modelwright/worker:latest", id="no tag is latest"),
        pytest.param("registry.example.com:5000/a/b:1", "a/b:1", id="a registry with a port"),
        pytest.param("docker.io/library/python:3.11", "library/python:3.11", id="a registry with a dot"),
        pytest.param("worker", "worker:latest", id="one word"),
        pytest.param(f"ghcr.io/a/b@sha256:{'0' * 64}", "a/b:latest", id="a digest is not part of the name"),
    ],
)
def test_image_is_named_after_what_follows_its_registry(image: str, repository: str) -> None:
    assert images.repository(image) == repository


def test_sandbox_image_is_a_layout_whose_digests_hold(tmp_path: Path) -> None:
    binary = tmp_path / "pause"
    binary.write_bytes(b"\x7fELF")
    archive = images.single_binary_image(binary, "mw.local/pause:1")
    assert archive == images.single_binary_image(binary, "mw.local/pause:1")
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        files = {name: member.read() for name in tar.getnames() if (member := tar.extractfile(name))}
    [manifest_descriptor] = json.loads(files["index.json"])["manifests"]
    manifest = json.loads(files[_path(manifest_descriptor["digest"])])
    for descriptor in (manifest["config"], *manifest["layers"]):
        blob = files[_path(descriptor["digest"])]
        assert len(blob) == descriptor["size"]
        assert images._digest(blob) == descriptor["digest"]


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"annotations": {}}, id="no Pod wants it yet"),
        pytest.param({"deletionTimestamp": "2026-01-01T00:00:00Z"}, id="it is being deleted"),
        pytest.param({"spec": {"volumeName": "pv"}}, id="it has a volume"),
        pytest.param({"spec": {"volumeMode": "Block"}}, id="it wants a block device"),
        pytest.param({"annotations": {volumes._STORAGE_PROVISIONER: "other"}}, id="another provisioner's"),
    ],
)
def test_claim_gets_no_volume_when(change: dict[str, Any]) -> None:
    spec = change.pop("spec", {})
    claim = _claim()
    claim = {"metadata": {**claim["metadata"], **change}, "spec": {**claim["spec"], **spec}}
    assert volumes.volume_for(claim, Path("/volumes")) is None


def test_claim_gets_a_volume_of_its_size_on_its_node() -> None:
    volume = volumes.volume_for(_claim(), Path("/volumes"))
    assert volume is not None
    assert volume["spec"]["capacity"] == {"storage": "1Gi"}
    assert volume["spec"]["local"]["path"] == f"/volumes/pvc-{UID}"
    assert volume["spec"]["claimRef"]["uid"] == UID
    [term] = volume["spec"]["nodeAffinity"]["required"]["nodeSelectorTerms"]
    assert term["matchExpressions"][0]["values"] == ["node-1"]
    assert not volumes.is_done({**volume, "status": {"phase": "Bound"}})
    assert volumes.is_done({**volume, "status": {"phase": "Released"}})


def test_only_the_provisioner_s_own_volumes_are_deleted() -> None:
    foreign = {
        "metadata": {"name": "mine"},
        "spec": {"persistentVolumeReclaimPolicy": "Delete"},
        "status": {"phase": "Released"},
    }
    assert not volumes.is_done(foreign)


def test_a_change_of_version_flags_or_module_is_built_anew() -> None:
    first = programs.ETCD
    keys = {
        first.key("digest"),
        first.key("another"),
        programs.Program(first.name, "3.6.17", first.packages, first.weight, module=first.module).key("digest"),
        programs.Program(first.name, first.version, first.packages, 17, module="etcd", tags="x").key("digest"),
    }
    assert len(keys) == 4


def _claim() -> dict[str, Any]:
    return {
        "metadata": {
            "name": "data",
            "namespace": "team",
            "uid": UID,
            "annotations": {
                volumes._STORAGE_PROVISIONER: volumes.PROVISIONER,
                volumes._SELECTED_NODE: "node-1",
            },
        },
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "resources": {"requests": {"storage": "1Gi"}},
            "storageClassName": "standard",
        },
    }


def _path(digest: str) -> str:
    return f"blobs/{digest.replace(':', '/')}"
