"""The reader among real servers: whom it asks, what it makes of them, whom it wakes, and what it forgets."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from prometheus_client import CollectorRegistry

from modelwright.live import Live
from modelwright.live_reader import AT_A_TIME
from modelwright.metrics import Served
from modelwright.resources import Key
from pure import live_samples as say
from pure.cluster_objects import deployment
from pure.live_cluster import KIND, Cluster, reading, until

UNDER_WAY = {"version": "v2", "generation": 7}


@pytest.fixture
async def cluster() -> AsyncIterator[Cluster]:
    found = Cluster()
    found.queue.start()
    yield found
    await found.close()


async def test_what_stable_and_canary_did_is_told_with_the_generation_that_all_apply(cluster: Cluster) -> None:
    cluster.serve(rollout=UNDER_WAY)
    await cluster.pod("127.0.0.2", say.document(routing=say.routing(7, say.side(10, 1), say.side(90))))
    await cluster.pod("127.0.0.3", say.document(routing=say.routing(6, say.side(5), newest=7)))
    await cluster.pod("127.0.0.4", say.document("v2", routing=say.routing(0)), step="canary")
    async with reading(cluster):
        await until(cluster.live)
        live = cluster.live()
    assert live is not None
    assert live.at is not None
    assert (live.asked, live.reached, live.generation, live.told) == (2, 2, 6, 7)
    assert (live.span.canary.requests, live.span.stable.requests) == (15, 90)
    assert live.versions.keys() == {"v1", "v2"}
    assert live.versions["v1"].requests_per_s == pytest.approx(4)


async def test_who_is_not_ready_is_not_asked_and_who_leaves_still_counts(cluster: Cluster) -> None:
    cluster.serve(rollout=UNDER_WAY)
    told = say.document(routing=say.routing(7, say.side(10)))
    await cluster.pod("127.0.0.2", told)
    await cluster.pod("127.0.0.3", told, ready=False)
    await cluster.pod("127.0.0.4", told, deletionTimestamp="2026-05-01T12:00:00Z")
    async with reading(cluster):
        await until(cluster.live)
        live = cluster.live()
    assert live is not None
    assert (live.asked, live.reached, live.span.canary.requests) == (1, 1, 20)
    assert set(cluster.asked) == {"127.0.0.2", "127.0.0.4"}


async def test_one_that_does_not_answer_is_said_and_its_counts_stay(cluster: Cluster) -> None:
    cluster.serve(rollout=UNDER_WAY)
    await cluster.pod("127.0.0.2", say.document(routing=say.routing(7, say.side(10))))
    await cluster.pod("127.0.0.3", say.document(routing=say.routing(7, say.side(5))))
    async with reading(cluster):
        await until(lambda: (live := cluster.live()) and live.span.canary.requests == 15)
        cluster.says["127.0.0.3"] = {"model_version": "v1"}
        await until(lambda: (live := cluster.live()) and live.reached == 1)
        live = cluster.live()
        assert live is not None
        assert (live.asked, live.span.canary.requests) == (2, 15)
        assert live.failure == "Pod d-127.0.0.3: open_window: Field required"
        cluster.says["127.0.0.3"] = say.document(routing=say.routing(7, say.side(2)))
        await until(lambda: (live := cluster.live()) and live.reached == 2)
        live = cluster.live()
    assert live is not None
    assert (live.failure, live.span.canary.requests) == ("", 17), "another container of the same Pod"


async def test_a_pod_that_is_gone_leaves_its_counts_and_owes_no_answer(cluster: Cluster) -> None:
    cluster.serve(rollout=UNDER_WAY)
    await cluster.pod("127.0.0.2", say.document(routing=say.routing(7, say.side(10))))
    await cluster.pod("127.0.0.3", say.document(routing=say.routing(7, say.side(5))))
    async with reading(cluster):
        await until(cluster.live)
        cluster.lose("127.0.0.3")
        await until(lambda: (live := cluster.live()) and live.asked == 1)
        live = cluster.live()
    assert live is not None
    assert (live.reached, live.span.canary.requests) == (1, 15)


async def test_nobody_answers(cluster: Cluster) -> None:
    cluster.serve(rollout=UNDER_WAY)
    cluster.put("127.0.0.2")
    async with reading(cluster):
        await until(cluster.live)
        live = cluster.live()
    assert live is not None
    assert (live.asked, live.reached, live.generation, live.versions) == (1, 0, None, {})
    assert live.failure.startswith("Pod d-127.0.0.2: ")


async def test_servers_of_other_makers_are_not_asked(cluster: Cluster) -> None:
    cluster.serve(server={"image": "ours.test/server@sha256:" + "0" * 64})
    await cluster.pod("127.0.0.2", say.document())
    cluster.serve("ours")
    await cluster.pod("127.0.0.3", say.document(), of="ours")
    async with reading(cluster) as reader:
        await until(lambda: cluster.live("ours"))
        assert [labels for labels, _ in reader.figures()] == [("n", "ours", "v1", "stable")]
        assert cluster.live() is None
    assert set(cluster.asked) == {"127.0.0.3"}


async def test_what_is_gone_is_forgotten_and_its_successor_begins_anew(cluster: Cluster) -> None:
    cluster.serve()
    await cluster.pod("127.0.0.2", say.document())
    async with reading(cluster) as reader:
        await until(cluster.live)
        entry = cluster.cache.get(Key("Deployment", "n", "d"))
        assert entry is not None
        uid = entry.obj["metadata"]["uid"]
        cluster.intake.gone(KIND.type, deployment("d", "m"))
        await until(lambda: not list(reader.figures()))
        assert uid not in cluster.cache._live


async def test_a_reading_that_is_under_way_when_its_object_goes_ends_with_it(cluster: Cluster) -> None:
    cluster.holds = asyncio.Event()
    cluster.serve()
    await cluster.pod("127.0.0.2", say.document())
    async with reading(cluster) as reader:
        await until(lambda: cluster.asked)
        cluster.intake.gone(KIND.type, deployment("d", "m"))
        await until(lambda: not reader._watched)
        cluster.holds.set()
        await until(lambda: not cluster.at_once)
    assert cluster.cache._live == {}


async def test_a_rollout_wakes_once_a_reading_and_only_for_what_is_new(cluster: Cluster) -> None:
    cluster.serve(rollout=UNDER_WAY)
    await cluster.pod("127.0.0.2", say.document(routing=say.routing(7, say.side(10))))
    async with reading(cluster):
        await until(lambda: cluster.live() and cluster.queue.idle())
        cluster.woken.clear()
        readings = len(cluster.asked)
        await until(lambda: len(cluster.asked) > readings + 3)
        assert cluster.woken == []
        cluster.says["127.0.0.2"] = say.document(routing=say.routing(7, say.side(11)))
        await until(lambda: cluster.woken)
        readings = len(cluster.asked)
        await until(lambda: len(cluster.asked) > readings + 3)
        assert cluster.woken == [Key("Deployment", "n", "d")]


async def test_without_a_rollout_figures_wake_nobody_for_a_while_but_another_generation_does(cluster: Cluster) -> None:
    cluster.serve(rollout={**UNDER_WAY, "verdict": "Rejected"})
    await cluster.pod("127.0.0.2", say.document(routing=say.routing(7)))
    async with reading(cluster):
        await until(lambda: cluster.live() and cluster.queue.idle())
        cluster.woken.clear()
        cluster.says["127.0.0.2"] = say.document(windows=[say.window(100, 500)], routing=say.routing(7))
        await until(lambda: (live := cluster.live()) and live.versions["v1"].requests_per_s == 100)
        assert cluster.woken == []
        cluster.says["127.0.0.2"] = say.document(routing=say.routing(8))
        await until(lambda: cluster.woken)


async def test_a_rollout_is_read_at_its_own_pace(cluster: Cluster) -> None:
    cluster.serve()
    await cluster.pod("127.0.0.2", say.document())
    cluster.serve("tried", rollout=UNDER_WAY)
    await cluster.pod("127.0.0.3", say.document(), of="tried")
    async with reading(cluster, calm_s=3600):
        await until(lambda: len(cluster.asked) >= 5)
    assert set(cluster.asked) == {"127.0.0.3"}


async def test_so_many_at_a_time_and_no_more(cluster: Cluster) -> None:
    cluster.holds = asyncio.Event()
    for number in range(6):
        cluster.serve(f"d{number}")
        for server in range(5):
            await cluster.pod(f"127.0.{number + 1}.{server + 1}", say.document(), of=f"d{number}")
    async with reading(cluster, calm_s=0.01):
        await until(lambda: cluster.at_once == AT_A_TIME)
        cluster.holds.set()
        await until(lambda: all(cluster.live(f"d{number}") for number in range(6)))
    assert cluster.most_at_once == AT_A_TIME


async def test_one_deployment_with_silent_servers_holds_up_no_other(cluster: Cluster) -> None:
    cluster.holds = asyncio.Event()
    cluster.serve("silent")
    for server in range(40):
        await cluster.pod(f"127.0.1.{server + 1}", say.document(), of="silent")
    async with reading(cluster):
        await until(lambda: cluster.at_once == 4)
        holds, cluster.holds = cluster.holds, None
        cluster.serve("quick")
        await cluster.pod("127.0.0.2", say.document(), of="quick")
        await until(lambda: cluster.live("quick"))
        assert cluster.live("silent") is None
        holds.set()


async def test_a_reader_that_ended_leaves_no_reading_behind(cluster: Cluster) -> None:
    cluster.holds = asyncio.Event()
    cluster.serve()
    await cluster.pod("127.0.0.2", say.document())
    async with reading(cluster) as reader:
        await until(lambda: cluster.asked)
        assert reader.healthy()
        reader._beat = -1e9
        assert not reader.healthy()
    assert not [task for task in asyncio.all_tasks() if task.get_name().startswith("live figures")]


async def test_a_mistake_in_one_reading_ends_no_other(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    cluster.serve(rollout=UNDER_WAY)
    await cluster.pod("127.0.0.2", say.document())

    def fails(_: object) -> Live:
        monkeypatch.undo()
        raise KeyError("a mistake")

    monkeypatch.setattr("modelwright.live_servers.version_figures", fails)
    async with reading(cluster):
        await until(cluster.live)


async def test_what_is_measured_goes_with_its_deployment(cluster: Cluster) -> None:
    cluster.serve(rollout=UNDER_WAY)
    await cluster.pod("127.0.0.2", say.document())
    await cluster.pod("127.0.0.3", say.document("v2"), step="canary")
    async with reading(cluster) as reader:
        await until(lambda: len(list(reader.figures())) == 2)
        labels = {"namespace": "n", "deployment": "d", "version": "v2", "side": "canary"}
        registry = CollectorRegistry()
        registry.register(Served(reader.figures))
        rate = registry.get_sample_value("modelwright_served_requests_per_second", labels)
        assert rate == pytest.approx(2)
        assert registry.get_sample_value("modelwright_served_error_ratio", labels) == pytest.approx(0.05)
        slowest = {**labels, "quantile": "0.99"}
        assert registry.get_sample_value("modelwright_served_latency_seconds", slowest) == pytest.approx(0.00991)
        cluster.lose("127.0.0.3")
        await until(lambda: len(list(reader.figures())) == 1)
        assert registry.get_sample_value("modelwright_served_requests_per_second", labels) is None


async def test_rows_are_told_by_closed_windows_and_with_the_profile_that_they_are_counted_by(cluster: Cluster) -> None:
    cluster.serve()
    await cluster.pod("127.0.0.2", say.counted(1000))
    async with reading(cluster):
        await until(lambda: cluster.live() and cluster.queue.idle())
        cluster.woken.clear()
        asked = len(cluster.asked)
        cluster.says["127.0.0.2"] = say.counted(1030, near=20)
        await until(lambda: len(cluster.asked) > asked + 2)
        live = cluster.live()
        assert live is not None
        assert (live.windows, live.profiled) == ((), {"v1": say.PROFILED})
        cluster.now += timedelta(hours=1)
        await until(lambda: (live := cluster.live()) and live.windows)
        live = cluster.live()
        assert live is not None
        assert [(window.rows, window.features) for window in live.windows] == [(30, {"distance": (20, 10, 0)})]
        assert (live.profiles, cluster.woken) == ({}, []), "nobody could judge it"
        cluster.profile = say.PROFILE.to_bytes()
        await until(lambda: cluster.woken)
        live = cluster.live()
    assert live is not None
    assert live.profiles == {say.PROFILED: say.PROFILE}


async def test_a_profile_is_read_once_and_goes_with_its_last_server(cluster: Cluster) -> None:
    cluster.serve()
    cluster.profile = say.PROFILE.to_bytes()
    await cluster.pod("127.0.0.2", say.counted(5))
    async with reading(cluster):
        await until(lambda: (live := cluster.live()) and live.profiles)
        cluster.profile = b"{}"
        asked = len(cluster.asked)
        await until(lambda: len(cluster.asked) > asked + 2)
        live = cluster.live()
        assert live is not None
        assert live.profiles == {say.PROFILED: say.PROFILE}
        cluster.lose("127.0.0.2")
        cluster.now += timedelta(hours=1)
        await until(lambda: (live := cluster.live()) and not live.profiles)


async def test_short_windows_are_read_twice_each(cluster: Cluster) -> None:
    cluster.serve(monitoring={"drift": {"window": "5s"}})
    await cluster.pod("127.0.0.2", say.document())
    async with reading(cluster, calm_s=3600):
        await until(cluster.live)
        loop = asyncio.get_running_loop()
        began, asked = loop.time(), len(cluster.asked)
        await until(lambda: len(cluster.asked) > asked)
        assert 1.5 < loop.time() - began < 5
