"""The cluster's keys and certificates, by the openssl command: elliptic curves, ten years, made side by side."""

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from .command import run

_DAYS = "3650"
_CONFIG = "[req]\ndistinguished_name = name\n[name]\n"
_USAGE = ("keyUsage=critical,digitalSignature", "extendedKeyUsage=serverAuth,clientAuth")


@dataclass(frozen=True)
class Certificate:
    """A leaf certificate: the user it names (`group` is the RBAC group) or the hosts that it serves as."""

    name: str
    user: str
    group: str = ""
    hosts: tuple[str, ...] = ()
    authority: str = "ca"


def ensure(folder: Path, leaves: Iterable[Certificate]) -> None:
    """Makes what is missing: two authorities, the key of the service accounts' tokens, and the leaves."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    (folder / "openssl.cnf").write_text(_CONFIG)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda name: _authority(folder, name), ("ca", "front-proxy-ca")))
        service_accounts = pool.submit(_service_account_key, folder)
        list(pool.map(lambda leaf: _leaf(folder, leaf), leaves))
        service_accounts.result()


def _authority(folder: Path, name: str) -> None:
    extensions = ("basicConstraints=critical,CA:TRUE", "keyUsage=critical,keyCertSign,cRLSign")
    _certify(folder, name, f"/CN=modelwright-{name}", (*extensions, "subjectKeyIdentifier=hash"), ())


def _leaf(folder: Path, leaf: Certificate) -> None:
    subject = (f"/O={leaf.group}" if leaf.group else "") + f"/CN={leaf.user}"
    names = ",".join(f"IP:{host}" if host[0].isdigit() else f"DNS:{host}" for host in leaf.hosts)
    signer = folder / leaf.authority
    extensions = ("basicConstraints=critical,CA:FALSE", *_USAGE, *([f"subjectAltName={names}"] if names else []))
    _certify(folder, leaf.name, subject, extensions, ("-CA", f"{signer}.crt", "-CAkey", f"{signer}.key"))


def _certify(folder: Path, name: str, subject: str, extensions: Iterable[str], signer: tuple[str, ...]) -> None:
    certificate, key = folder / f"{name}.crt", folder / f"{name}.key"
    if certificate.exists():
        return
    scratch = folder / f".{name}.crt"
    options = [word for extension in extensions for word in ("-addext", extension)]
    curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", str(key)]
    where = ["-config", str(folder / "openssl.cnf"), "-days", _DAYS, "-subj", subject, "-out", str(scratch)]
    run("openssl", "req", "-x509", *curve, *where, *options, *signer)
    scratch.rename(certificate)


def _service_account_key(folder: Path) -> None:
    key = folder / "service-accounts.key"
    if not key.exists():
        scratch = folder / ".service-accounts.key"
        run("openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", str(scratch))
        run("openssl", "pkey", "-in", str(scratch), "-pubout", "-out", str(folder / "service-accounts.pub"))
        scratch.rename(key)
