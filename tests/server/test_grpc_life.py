"""The life of a gRPC server: full queues, failing models, deadlines, secrets that change, and drains."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from tritonclient.grpc import service_pb2 as v2
from tritonclient.grpc.service_pb2_grpc import GRPCInferenceServiceStub

from . import misbehaving_server
from .certificates import write_certificate
from .grpc_requests import channel_to, matrix_request, refusal
from .model_directories import ModelDirectory
from .processes import TIMEOUT_S, Server, eventually
from .test_tls import common_name, replace_secret

SERVING, NOT_SERVING = 1, 2


@pytest.fixture(scope="module")
def misbehaving(late: ModelDirectory) -> Iterator[Server]:
    """A server whose model raises when it is asked to."""
    program = (str(Path(misbehaving_server.__file__)),)
    with Server(late.path, program=program, grpc_port="0", model_name="late") as running:
        yield running


def test_a_model_that_raises(misbehaving: Server) -> None:
    with channel_to(misbehaving) as channel:
        stub = GRPCInferenceServiceStub(channel)
        code, details = refusal(lambda: stub.ModelInfer(matrix_request(distance=misbehaving_server.RAISE)))
        assert code is grpc.StatusCode.INTERNAL
        assert "RuntimeError: the model does not feel like it" in details
        stub.ModelInfer(matrix_request())


@pytest.fixture(scope="module")
def busy(slow: ModelDirectory) -> Iterator[Server]:
    """A server whose predictions take long, and of which one may wait."""
    with Server(slow.path, grpc_port="0", model_name="late", queue_size="1", batch_size="1") as running:
        yield running


def test_a_full_queue_says_when_to_come_again(busy: Server) -> None:
    with channel_to(busy) as channel:
        stub = GRPCInferenceServiceStub(channel)
        calls = [stub.ModelInfer.future(matrix_request(rows), timeout=TIMEOUT_S) for rows in [1600] * 4 + [4000] * 4]
        refused = [call for call in calls if call.code() is not grpc.StatusCode.OK]
        assert 4 <= len(refused) <= 7
        for call in refused:
            assert call.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
            assert "are waiting; ask again in a second" in call.details()
            told = dict(call.trailing_metadata())
            assert (told["retry-after"], told["grpc-retry-pushback-ms"]) == ("1", "1000")


def test_deadlines_and_cancelled_calls_cost_nobody_else(busy: Server) -> None:
    with channel_to(busy) as channel:
        stub = GRPCInferenceServiceStub(channel)

        def answers() -> bool:
            call = stub.ModelInfer.future(matrix_request(), timeout=TIMEOUT_S)
            return call.code() is grpc.StatusCode.OK

        eventually(answers)
        late = stub.ModelInfer.future(matrix_request(rows=9000), timeout=0.01)
        assert late.code() is grpc.StatusCode.DEADLINE_EXCEEDED
        gone = stub.ModelInfer.future(matrix_request(rows=1600))
        gone.cancel()
        eventually(answers)


def test_certificates_and_tokens(late: ModelDirectory, tmp_path: Path) -> None:
    tls, tokens = tmp_path / "tls", tmp_path / "tokens"
    tls.mkdir()
    tokens.mkdir()
    for name in ("first", "second"):
        write_certificate(tmp_path / name, name)
    replace_secret(tls, tmp_path / "first")
    (tokens / "mine").write_text("s3cret")
    trusted = tmp_path / "both"
    trusted.write_bytes(b"".join((tmp_path / name / "tls.crt").read_bytes() for name in ("first", "second")))
    credentials = grpc.ssl_channel_credentials(trusted.read_bytes())
    bearer = (("authorization", "Bearer s3cret"),)
    with (
        Server(
            late.path,
            scheme="https",
            grpc_port="0",
            model_name="late",
            tls_dir=str(tls),
            tokens_dir=str(tokens),
        ) as server,
        grpc.secure_channel(f"127.0.0.1:{server.grpc_port}", credentials) as channel,
    ):
        stub, health = GRPCInferenceServiceStub(channel), health_pb2_grpc.HealthStub(channel)
        answer = stub.ModelInfer(matrix_request(), metadata=bearer, timeout=TIMEOUT_S)
        assert answer.model_name == "late"
        for call in (
            lambda: stub.ModelInfer(matrix_request()),
            lambda: stub.ModelMetadata(v2.ModelMetadataRequest(name="late"), metadata=(("authorization", "Bearer x"),)),
        ):
            code, details = refusal(call)
            assert code is grpc.StatusCode.UNAUTHENTICATED
            assert "a bearer token is needed" in details
        assert health.Check(health_pb2.HealthCheckRequest()).status == SERVING
        assert stub.ServerReady(v2.ServerReadyRequest()).ready
        replace_secret(tls, tmp_path / "second")
        eventually(lambda: common_name(server.grpc_port, trusted) == "second")
        assert stub.ModelInfer(matrix_request(), metadata=bearer).model_name == "late", "the old connection goes on"


def test_health_follows_a_drain_and_what_is_in_flight_is_answered(slow: ModelDirectory) -> None:
    with (
        Server(slow.path, grpc_port="0", model_name="late", drain_seconds="1") as server,
        channel_to(server) as channel,
        channel_to(server) as other,
    ):
        watch = health_pb2_grpc.HealthStub(other).Watch(health_pb2.HealthCheckRequest(), timeout=TIMEOUT_S)
        assert next(watch).status == SERVING
        stub = GRPCInferenceServiceStub(channel)
        calls = [stub.ModelInfer.future(matrix_request(rows=9000), timeout=TIMEOUT_S) for _ in range(8)]
        assert calls[0].code() is grpc.StatusCode.OK
        server.terminate()
        assert next(watch).status == NOT_SERVING
        late = channel_to(server)
        assert not GRPCInferenceServiceStub(late).ServerReady(v2.ServerReadyRequest(), timeout=TIMEOUT_S).ready
        late.close()
        assert [call.code() for call in calls] == [grpc.StatusCode.OK] * 8
        code, details = refusal(lambda: next(watch))
        assert (code, details) == (grpc.StatusCode.UNAVAILABLE, "the server is shutting down")
        assert server.process.wait(TIMEOUT_S) == 0


def test_no_call_fails_while_a_server_goes(late: ModelDirectory) -> None:
    """Clients connected to two servers of which one ends and another comes in its place.

    They have no retry policy. What gRPC itself does stays on: a call that was never sent, because the server's
    GOAWAY came between the call and its first byte, goes to another connection; no server can help that race.
    """

    def serving(port: int = 0) -> Server:
        return Server(late.path, grpc_port=str(port), model_name="late", processes="2", drain_seconds="0.5")

    options: list[tuple[str, int | str]] = [("grpc.use_local_subchannel_pool", 1)]
    options += [("grpc.service_config", '{"loadBalancingConfig": [{"round_robin": {}}]}')]
    ended = threading.Event()

    with serving() as going, serving() as staying:

        def call_on() -> int:
            answered = 0
            target = f"ipv4:127.0.0.1:{going.grpc_port},127.0.0.1:{staying.grpc_port}"
            with grpc.insecure_channel(target, options) as channel:
                stub = GRPCInferenceServiceStub(channel)
                while not ended.is_set():
                    stub.ModelInfer(matrix_request(), timeout=TIMEOUT_S)
                    answered += 1
            return answered

        with ThreadPoolExecutor(4) as threads:
            clients = [threads.submit(call_on) for _ in range(4)]
            eventually(lambda: going.series("requests_total", route="grpc") > 100)
            going.terminate()
            assert going.process.wait(TIMEOUT_S) == 0
            with serving(going.grpc_port) as come:
                eventually(lambda: come.series("requests_total", route="grpc") > 100)
                ended.set()
                assert all(client.result(TIMEOUT_S) > 50 for client in clients)
