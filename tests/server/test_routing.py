"""The routing configuration: what is read from the file, who belongs to the canary's share, and the breaker."""

from __future__ import annotations

import json
from collections.abc import Mapping
from math import sqrt
from pathlib import Path

import pytest

from modelwright_server.breaker import FAILURES, LONGEST_S, REST, SHORTEST_S, Breaker
from modelwright_server.canary_share import Share, is_below
from modelwright_server.routing import Canary, Origin, Routing, RoutingUnusable, routing_of
from modelwright_server.routing_file import MAX_BYTES, RoutingFile

from .canaries import RoutingFolder

CANARY = {"url": "http://late-canary.ns.svc:80", "version": "late-b", "weight": "0.1"}


def routing(generation: object = 7, **canary: object) -> bytes:
    """A routing whose canary differs so from the plainest one."""
    return json.dumps({"generation": generation, "canary": CANARY | canary}).encode()


def test_what_the_operator_writes_is_read() -> None:
    canary = {
        "url": "http://late-canary.ns.svc.cluster.local",
        "version": "late-abc",
        "weight": "0.1",
        "deadlineSeconds": 0.5,
        "stickyHeader": "X-User-Id",
        "compare": "0.25",
        "slowSeconds": 0.012,
    }
    origin = Origin("late-canary.ns.svc.cluster.local", 80, tls=False)
    read = routing_of(json.dumps({"generation": 7, "canary": canary, "later": 1}).encode())
    assert read == Routing(7, Canary(origin, "late-abc", 0.1, 0.5, b"x-user-id", 0.25, 0.012))


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        pytest.param(b'{"generation": 8}', Routing(8), id="no canary"),
        pytest.param(b'{"generation": 8, "canary": null}', Routing(8), id="no canary, said"),
        pytest.param(
            routing(stickyHeader=None, slowSeconds=None, compare=None),
            Routing(7, Canary(Origin("late-canary.ns.svc", 80, tls=False), "late-b", 0.1)),
            id="what is null has its default",
        ),
        pytest.param(
            routing(url="https://[::1]:8443/", weight=1),
            Routing(7, Canary(Origin("::1", 8443, tls=True), "late-b", 1.0)),
            id="an address, and a number",
        ),
        pytest.param(
            routing(url="https://a"), Routing(7, Canary(Origin("a", 443, tls=True), "late-b", 0.1)), id="port of https"
        ),
    ],
)
def test_forms(content: bytes, expected: Routing) -> None:
    assert routing_of(content) == expected


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        pytest.param(b"", "the routing is no JSON", id="empty"),
        pytest.param(routing()[:-5], "the routing is no JSON", id="cut off"),
        pytest.param(b"[]", "must be an object", id="a list"),
        pytest.param(b"{}", "generation is missing, must be", id="no generation"),
        pytest.param(routing("7"), "generation is '7', must be", id="a text as generation"),
        pytest.param(routing(-1), "generation is -1, must be", id="negative"),
        pytest.param(routing(True), "generation is True, must be", id="a boolean"),
        pytest.param(b'{"generation": 7, "canary": "yes"}', "canary is 'yes', must be", id="a text as canary"),
        pytest.param(routing(weight="1.1"), "canary.weight is '1.1', must be a number from 0 to 1", id="over all"),
        pytest.param(routing(weight="nan"), "canary.weight is 'nan'", id="not a number"),
        pytest.param(routing(weight=None), "canary.weight is missing", id="no weight"),
        pytest.param(routing(weight=True), "canary.weight is True", id="a boolean as weight"),
        pytest.param(routing(deadlineSeconds="soon"), "canary.deadlineSeconds is 'soon'", id="a word as seconds"),
        pytest.param(routing(version=None), "canary.version is missing", id="no version"),
        pytest.param(routing(version="a\r\nb: c"), "canary.version is", id="a version with a line's end"),
        pytest.param(routing(stickyHeader="a b"), "canary.stickyHeader is 'a b'", id="no header's name"),
        pytest.param(routing(url=None), "canary.url is missing", id="no address"),
        pytest.param(routing(url="late-canary:80"), "canary.url is", id="no scheme"),
        pytest.param(routing(url="file:///etc/passwd"), "canary.url is", id="a file"),
        pytest.param(routing(url="http://a:b@c"), "canary.url is", id="a user"),
        pytest.param(routing(url="http://a/path"), "canary.url is", id="a path"),
        pytest.param(routing(url="http://a:99999"), "canary.url is", id="no port"),
        pytest.param(routing(url="http://a:0"), "canary.url is", id="port 0"),
        pytest.param(routing(url="http://a b/"), "canary.url is", id="a space"),
        pytest.param(routing(url="http://a..b/"), "canary.url is", id="an empty label"),
        pytest.param(routing(url="http://[::1/"), "canary.url is", id="half an address"),
    ],
)
def test_what_cannot_be_used_is_said(content: bytes, sentence: str) -> None:
    with pytest.raises(RoutingUnusable) as caught:
        routing_of(content)
    assert sentence in str(caught.value)


def test_the_file_is_read_when_it_changes(tmp_path: Path) -> None:
    folder = RoutingFolder(tmp_path / "routing")
    file = RoutingFile(folder.path)
    assert file.refresh() == Routing()
    assert file.refresh() is None
    for generation in (1, 2, 3):
        folder.write(json.dumps({"generation": generation}))
        assert file.refresh() == Routing(generation)
        assert file.refresh() is None
    folder.remove()
    assert file.refresh() == Routing()
    assert file.refresh() is None


def test_a_folder_that_is_not_there_is_no_canary(tmp_path: Path) -> None:
    assert RoutingFile(tmp_path / "none").refresh() == Routing()


@pytest.mark.parametrize("content", ["{", " " * (MAX_BYTES + 1)])
def test_a_broken_file_is_said_once(tmp_path: Path, content: str) -> None:
    folder = RoutingFolder(tmp_path / "routing")
    folder.write('{"generation": 1}')
    file = RoutingFile(folder.path)
    assert file.refresh() == Routing(1)
    folder.write(content)
    with pytest.raises(RoutingUnusable):
        file.refresh()
    assert file.refresh() is None
    folder.write('{"generation": 2}')
    assert file.refresh() == Routing(2)


def test_a_file_that_is_none_is_said_once(tmp_path: Path) -> None:
    (tmp_path / "routing.json").mkdir()
    file = RoutingFile(tmp_path)
    with pytest.raises(RoutingUnusable, match="can't be read"):
        file.refresh()
    assert file.refresh() is None


def keys(number: int) -> list[bytes]:
    """Ids as clients send them: alike but for a few digits."""
    return [b"request-%d" % index for index in range(number)]


@pytest.mark.parametrize("weight", [0.01, 0.1, 0.5, 0.9])
def test_a_share_is_as_large_as_its_weight(weight: float) -> None:
    number = 20_000
    taken = sum(Share("late-b", weight).draw(key) is not None for key in keys(number))
    assert abs(taken - number * weight) < 4 * sqrt(number * weight * (1 - weight))


def test_the_ends_of_the_scale() -> None:
    assert all(Share("late-b", 1.0).draw(key) is not None for key in keys(1000))
    assert all(Share("late-b", 0.0).draw(key) is None for key in keys(1000))


def test_who_is_in_a_share_stays_in_a_greater_one_and_draws_the_same() -> None:
    before: Mapping[bytes, int] = {}
    for weight in (0.05, 0.1, 0.3, 0.30001, 0.8, 1.0):
        share = Share("late-b", weight)
        drawn = {key: draw for key in keys(2000) if (draw := share.draw(key)) is not None}
        assert before.items() <= drawn.items()
        before = drawn


def test_another_version_is_tried_by_others() -> None:
    number = 20_000
    one, other = Share("late-b", 0.1), Share("late-c", 0.1)
    both = sum(one.draw(key) is not None and other.draw(key) is not None for key in keys(number))
    assert abs(both - number * 0.01) < 4 * sqrt(number * 0.01)


def test_the_same_in_all_processes_and_for_ever() -> None:
    # Another figure here would move users between stable and canary while servers of two releases run.
    assert [Share("late-b", 1.0).draw(key) for key in keys(2)] == [2104470588968320122, 9688761471220329922]


def test_a_draw_is_random_within_the_share() -> None:
    draws = [draw for key in keys(20_000) if (draw := Share("late-b", 0.2).draw(key)) is not None]
    below = sum(is_below(draw, 0.25) for draw in draws)
    assert abs(below - len(draws) / 4) < 4 * sqrt(len(draws) * 3 / 16)


def fail(breaker: Breaker, times: int, now: float = 0.0, took_s: float = 0.5) -> list[bool]:
    """Let so many attempts fail; whether each opened it."""
    opened = []
    for _ in range(times):
        ticket = breaker.admit(now)
        assert ticket is not None
        opened.append(breaker.failed(ticket, now, took_s))
    return opened


def test_some_failures_in_a_row_open_the_breaker() -> None:
    breaker = Breaker()
    assert fail(breaker, FAILURES) == [False] * (FAILURES - 1) + [True]
    assert breaker.admit(LONGEST_S - 0.01) is None


@pytest.mark.parametrize(
    ("took_s", "rest_s"),
    [
        pytest.param(0.001, SHORTEST_S, id="failures that cost nobody time are tried again soon"),
        pytest.param(0.03, 0.03 * REST, id="a trial takes a small part of the time"),
        pytest.param(0.5, LONGEST_S, id="and is made once a second at least"),
    ],
)
def test_it_rests_for_as_long_as_a_failure_costs(took_s: float, rest_s: float) -> None:
    breaker = Breaker()
    fail(breaker, FAILURES, took_s=took_s)
    assert breaker.admit(rest_s - 0.01) is None
    assert breaker.admit(rest_s) is not None


def test_an_answer_in_between_forgives() -> None:
    breaker = Breaker()
    for _ in range(3):
        fail(breaker, FAILURES - 1)
        breaker.succeeded(breaker.admit(0.0) or 0)
    assert breaker.admit(0.0) is not None


def test_one_trial_decides() -> None:
    breaker = Breaker()
    fail(breaker, FAILURES)
    trial = breaker.admit(LONGEST_S)
    assert trial is not None
    assert breaker.admit(LONGEST_S) is None
    assert not breaker.failed(trial, LONGEST_S, 0.5)
    assert breaker.admit(2 * LONGEST_S - 0.01) is None
    trial = breaker.admit(2 * LONGEST_S)
    assert trial is not None
    breaker.succeeded(trial)
    assert fail(breaker, FAILURES, 2 * LONGEST_S)[-1]


def test_a_trial_that_says_nothing_is_followed_by_another() -> None:
    breaker = Breaker()
    fail(breaker, FAILURES)
    breaker.left_open(breaker.admit(LONGEST_S) or 0)
    assert breaker.admit(LONGEST_S) is not None
    assert breaker.admit(LONGEST_S) is None


def test_what_was_under_way_when_it_opened_decides_nothing() -> None:
    breaker = Breaker()
    early = breaker.admit(0.0)
    assert early is not None
    fail(breaker, FAILURES)
    breaker.succeeded(early)
    assert breaker.admit(0.5) is None
    assert breaker.admit(LONGEST_S) is not None
    assert not breaker.failed(early, LONGEST_S, 0.5)
    breaker.left_open(early)
    assert breaker.admit(LONGEST_S) is None
