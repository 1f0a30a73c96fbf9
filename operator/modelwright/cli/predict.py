"""`modelwright predict DEPLOYMENT --rows FILE`: asks a served model, from wherever the kubeconfig reaches."""

import argparse
import json
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

import urllib3
from urllib3.exceptions import HTTPError

from modelwright.api.v1alpha1 import Deployment
from modelwright.cli import rows, table
from modelwright.cli.cluster import Answer, Cluster
from modelwright.cli.problems import Problem
from modelwright.cli.rows import Rows

if TYPE_CHECKING:
    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]

REPLY_BYTES = 64 * 1024 * 1024
"""A longer answer is refused."""
_CONNECT_S = 2.0
_READ_S = 60.0
_SERVICE_PORT = "http"


def add_parser(subparsers: "Subparsers") -> None:
    """Adds the subcommand."""
    parser = subparsers.add_parser(
        "predict",
        help="ask a served model for predictions",
        description="Sends rows to a ModelDeployment and prints its predictions. Rows are raw, by column name, as in "
        "the Dataset's source: a JSON list of objects, one object a line, or CSV with a header. Where the cluster's "
        "own addresses cannot be reached from here, the request goes through the API server.",
    )
    parser.add_argument("deployment", metavar="DEPLOYMENT", help="name of the ModelDeployment")
    parser.add_argument("--rows", required=True, metavar="FILE|-", help="rows as .json, .jsonl or .csv")
    parser.add_argument("-n", "--namespace", help="its namespace (default: the context's)")
    parser.add_argument("--context", help="context of the kubeconfig (default: the current one)")
    parser.add_argument("--url", help="where the model answers (default: the ModelDeployment's status.url)")
    parser.add_argument("-o", "--output", choices=("table", "json"), default="table", help="(default: %(default)s)")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Prints one line a row, or the server's JSON; raises Problem where there is no answer."""
    asked = rows.read(options.rows)
    cluster = Cluster(options.context)
    namespace = options.namespace or cluster.namespace
    deployment = cluster.deployment(namespace, options.deployment)
    path = f"/v2/models/{quote(deployment.spec.model.name)}/predict"
    if options.url:
        answer = _direct(options.url, path, asked)
        if answer is None:
            raise Problem(f"{options.url} cannot be reached; without --url the request can go through the API server")
    else:
        answer = _ask(cluster, deployment, namespace, path, asked)
    print(_rendered(answer, options.output))
    return 0


def _ask(cluster: Cluster, deployment: Deployment, namespace: str, path: str, asked: Rows) -> Answer:
    """By the Service's own address, or else through the API server."""
    url = deployment.status.url
    if not url:
        raise Problem(
            f"ModelDeployment {namespace}/{deployment.metadata.name} serves nothing yet: {_state(deployment)}"
        )
    answer = _direct(url, path, asked)
    if answer is not None:
        return answer
    service = (urlsplit(url).hostname or deployment.metadata.name).partition(".")[0]
    answer = cluster.post_through_proxy(
        namespace, service, _SERVICE_PORT, path, asked.body, asked.content_type, REPLY_BYTES + 1
    )
    if answer.status in (403, 503):
        raise Problem(
            f"{url} cannot be reached from here, and the API server does not pass the request on: "
            f"{_sentence(answer.body)} ({_state(deployment)})"
        )
    return answer


def _direct(url: str, path: str, asked: Rows) -> Answer | None:
    """None where nothing answers at this address, so that another way may be tried."""
    if urlsplit(url).scheme not in ("http", "https"):
        raise Problem(f"{url}: must begin with http:// or https://")
    pool = urllib3.PoolManager(retries=False, timeout=urllib3.Timeout(connect=_CONNECT_S, read=_READ_S))
    try:
        reply = pool.request(
            "POST",
            url.rstrip("/") + path,
            body=asked.body,
            headers={"Content-Type": asked.content_type, "Accept": "application/json"},
            redirect=False,
            preload_content=False,
        )
        return Answer(reply.status, reply.read(REPLY_BYTES + 1))
    except urllib3.exceptions.ReadTimeoutError as error:
        raise Problem(f"{url} did not answer within {_READ_S:.0f} s; send fewer rows at once") from error
    except HTTPError:
        return None


def _rendered(answer: Answer, output: str) -> str:
    if answer.status != 200:
        raise Problem(f"the server refuses the rows ({answer.status}): {_sentence(answer.body)}")
    if len(answer.body) > REPLY_BYTES:
        raise Problem(f"the answer is larger than {REPLY_BYTES // 1024 // 1024} MiB; send fewer rows at once")
    try:
        document = json.loads(answer.body)
        predictions = document["predictions"]
        return json.dumps(document, indent=2) if output == "json" else table.render(predictions)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise Problem(f"the answer is not that of a model server of ours: {answer.body[:200]!r}") from error


def _sentence(body: bytes) -> str:
    """The error of an answer of the server (`error`) or of the API server (`message`), or its first 200 bytes."""
    try:
        document = json.loads(body)
        return str(document.get("error") or document["message"])
    except (ValueError, KeyError, TypeError, AttributeError):
        return body[:200].decode(errors="replace").strip() or "no reason was given"


def _state(deployment: Deployment) -> str:
    ready = deployment.status.condition("Ready")
    if ready is None:
        return "the operator has not seen it; is it running?"
    return f"Ready is {ready.status}, {ready.reason}: {ready.message}"
