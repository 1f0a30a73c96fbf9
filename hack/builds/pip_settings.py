"""What a build must know of this machine to fetch packages: pip's settings and the certificates it trusts.

Both are mounted while libraries are installed and are in no layer, no environment and no history of an image.
"""

import os
import ssl
import subprocess
import sys
from pathlib import Path

_FORWARDED = ("index-url", "extra-index-url", "trusted-host", "proxy", "timeout", "retries")


def write_secrets(folder: Path) -> None:
    """Writes `pip.conf` and, where there is a bundle of certificates, `certificates`: the ids of secrets."""
    lines = ["[global]"]
    lines += [f"{name} = {value}" for name, value in _settings().items() if name in _FORWARDED]
    if bundle := _bundle():
        (folder / "certificates").write_bytes(bundle.read_bytes())
        lines.append("cert = /build/certificates")
    (folder / "pip.conf").write_text("\n".join(lines) + "\n")


def _settings() -> dict[str, str]:
    """pip's own view of its files and PIP_… variables, the latter last because they win."""
    done = subprocess.run([sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True, check=False)
    found: dict[str, str] = {}
    for line in done.stdout.splitlines():
        name, equals, value = line.partition("=")
        section, _, option = name.rpartition(".")
        if equals and section in ("global", "install", ":env:") and option not in found | {"config": ""}:
            found[option.replace("_", "-")] = value.strip().strip("'\"").replace("\\n", "\n    ")
    environment = {
        name[4:].lower().replace("_", "-"): value for name, value in os.environ.items() if name[:4] == "PIP_"
    }
    return {**found, **environment}


def _bundle() -> Path | None:
    """The machine's bundle of certificate authorities, which may hold those of its own proxy."""
    chosen = _settings().get("cert") or os.environ.get("SSL_CERT_FILE") or ssl.get_default_verify_paths().cafile
    path = Path(chosen) if chosen else None
    return path if path and path.is_file() else None
