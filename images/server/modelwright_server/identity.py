"""Under which name and version a model is served; known before it is loaded."""

from __future__ import annotations

import hashlib
from dataclasses import replace

from modelwright_server.settings import Settings

VERSION_DIGITS = 12


def version_of(manifest: bytes) -> str:
    """The version of a model that was given none: the first digits of its manifest's digest."""
    return hashlib.sha256(manifest).hexdigest()[:VERSION_DIGITS]


def with_version(settings: Settings) -> Settings:
    """The settings with a version; without one where the manifest can't be read, which loading will tell."""
    if settings.model_version is not None:
        return settings
    try:
        return replace(settings, model_version=version_of((settings.model_dir / "manifest.json").read_bytes()))
    except OSError:
        return settings
