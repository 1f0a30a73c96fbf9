"""The page at `/`: the model's signature, and an example that can be sent. It loads nothing from anywhere."""

from __future__ import annotations

import base64
import hashlib
import html
import re
from collections.abc import Iterable
from pathlib import Path
from string import Template
from urllib.parse import quote

import orjson

from modelwright_server.examples import Examples
from modelwright_server.http_message import Response
from modelwright_server.signature import Signature

_CLASSES = 100
"""Classes that are listed."""


def page(signature: Signature, examples: Examples) -> Response:
    """The page. Its own script and style are all that its Content-Security-Policy lets run."""
    source = Path(__file__).with_name("page.html").read_text("utf-8")
    style, script = (_inline(source, tag) for tag in ("style", "script"))
    # Script and style have $ and { of their own, and their hashes must stay: only what is around them is filled in.
    before, _, after = source.partition(script)
    text = Template(before.replace(style, "${style}")).substitute(
        style=style,
        title=_text(f"{signature.name} {signature.version}"),
        name=_text(signature.name),
        version=_text(signature.version),
        task="classification" if signature.classes else "regression",
        columns=_rows(
            (name, kind, "yes" if name in signature.nullable else "no") for name, kind in signature.columns.items()
        ),
        outputs=_rows((output.name, output.datatype, str(list(output.shape))) for output in signature.outputs),
        classes=_classes(signature),
        path=_text(f"v2/models/{quote(signature.name, safe='')}/predict"),
        example=_text(orjson.dumps(examples.predict.request, option=orjson.OPT_INDENT_2).decode("utf-8")),
    )
    policy = (
        f"default-src 'none'; script-src '{_hash(script)}'; style-src '{_hash(style)}'; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    headers = (
        (b"content-security-policy", policy.encode("ascii")),
        (b"x-content-type-options", b"nosniff"),
        (b"referrer-policy", b"no-referrer"),
        (b"cache-control", b"no-cache"),
    )
    return Response(200, (text + script + after).encode("utf-8"), b"text/html; charset=utf-8", headers)


def _inline(source: str, tag: str) -> str:
    found = re.search(rf"<{tag}>(.*?)</{tag}>", source, re.DOTALL)
    assert found is not None, f"page.html has a {tag}"
    return found.group(1)


def _hash(content: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(content.encode("utf-8")).digest()).decode("ascii")


def _rows(rows: Iterable[tuple[str, str, str]]) -> str:
    return "\n".join("<tr>" + "".join(f"<td>{_text(cell)}</td>" for cell in row) + "</tr>" for row in rows)


def _classes(signature: Signature) -> str:
    if not signature.classes:
        return ""
    shown = ", ".join(str(value) for value in signature.classes[:_CLASSES])
    more = f" and {len(signature.classes) - _CLASSES} more" if len(signature.classes) > _CLASSES else ""
    return f"<p>Classes: {_text(shown)}{more}</p>"


def _text(value: str) -> str:
    return html.escape(value)
