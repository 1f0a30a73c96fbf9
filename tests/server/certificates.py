"""Certificates for tests, by the openssl command."""

import subprocess
from pathlib import Path


def write_certificate(folder: Path, name: str, *, password: str | None = None) -> None:
    """Write `tls.crt`, self-signed for 127.0.0.1 with the common name `name`, and its key `tls.key` into `folder`."""
    folder.mkdir(exist_ok=True)
    lock = ["-nodes"] if password is None else ["-passout", f"pass:{password}"]
    curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
    to = ["-keyout", str(folder / "tls.key"), "-out", str(folder / "tls.crt")]
    subject = ["-subj", f"/CN={name}", "-addext", "subjectAltName=IP:127.0.0.1"]
    subprocess.run(["openssl", "req", "-x509", *curve, *lock, *subject, *to], check=True, capture_output=True)
