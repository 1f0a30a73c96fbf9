"""Images of bad canaries: a good model's image and one small layer, which makes our server misbehave."""

import io
import tarfile
from collections.abc import Mapping
from pathlib import Path

from modelwright_contract.canonical import digest_of
from modelwright_worker.image import append_layer, read_base
from modelwright_worker.oci import OCI_CONFIG, OCI_LAYER, Descriptor, Registry
from modelwright_worker.references import parse_reference

PROGRAM = Path(__file__).parent / "misbehaviour" / "server.py"
FOLDER = "opt/modelwright/bin"
INTERPRETER = b"#!/opt/modelwright/bin/python\n"


def spoilt(image: str, fault: str, number: int) -> str:
    """Pushes `image` with a fault of `misbehaviour/server.py` beside it, and returns its reference by digest.

    Another `number` gives another digest. The fault `honest` is none: such an image only has another digest.
    """
    reference = parse_reference(image)
    repository, registry = reference.repository, Registry(reference.host, None, insecure=True)
    content = _layer(
        {
            "modelwright-server": INTERPRETER + PROGRAM.read_bytes(),
            "misbehaviour": b"%b %d\n" % (fault.encode(), number),
        }
    )
    layer = Descriptor(OCI_LAYER, digest_of(content), len(content))
    config, manifest = append_layer(read_base(registry, reference), layer, {"test.fault": fault})
    registry.upload(repository, layer, content)
    registry.upload(repository, Descriptor(OCI_CONFIG, digest_of(config), len(config)), config)
    registry.put_manifest(repository, digest_of(manifest), manifest)
    return f"{image.partition('@')[0]}@{digest_of(manifest)}"


def _layer(files: Mapping[str, bytes]) -> bytes:
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(f"{FOLDER}/{name}")
            member.size, member.mode = len(content), 0o755
            tar.addfile(member, io.BytesIO(content))
    return target.getvalue()
