"""Runs libFuzzer, by atheris, on one target.

`python -m fuzzing.search TARGET CORPUS FOUND (--runs N | --input FILE)`; FOUND is where bad input is written to.
"""

import sys
from pathlib import Path

import atheris

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path[:0] = [str(ROOT / "images" / part) for part in ("contract", "server", "worker")]
sys.path.insert(0, str(ROOT / "tests" / "server"))

# Coverage is counted in the modules that are imported here, and led by it in ours alone.
with atheris.instrument_imports(include=["modelwright_server", "modelwright_contract"]):
    from fuzzing.targets import target_named

LONGEST_INPUT = 4096
LONGEST_S = 10
MOST_MIB = 2048


def main(name: str, corpus: Path, found: Path, option: str, value: str) -> None:
    """Does not return when it searches."""
    target = target_named(name)
    if option == "--input":
        target.check(Path(value).read_bytes())
        return
    for number, seed in enumerate(target.seeds):
        (corpus / f"seed-{number}").write_bytes(seed)
    words = corpus.with_suffix(".words")
    words.write_text("".join(f'"{_escaped(word)}"\n' for word in target.words))
    options = [
        f"-runs={value}",
        f"-max_len={LONGEST_INPUT}",
        f"-timeout={LONGEST_S}",
        f"-rss_limit_mb={MOST_MIB}",
        f"-dict={words}",
        f"-artifact_prefix={found}/",
        "-print_final_stats=1",
    ]
    atheris.Setup([sys.argv[0], *options, str(corpus)], target.check)
    atheris.Fuzz()


def _escaped(word: bytes) -> str:
    return "".join(f"\\x{octet:02x}" for octet in word)


main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]), *sys.argv[4:6])
