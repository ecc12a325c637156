from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context

import distributed
import pytest
from injected import Wrong, planned, put

import h5vidstack
from h5vidstack.bulk.runners import running

pytestmark = pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")


def results(runner, *names):
    put(*names)
    return [runner.submit(Wrong(), planned(name)).result() for name in names]


@pytest.mark.parametrize("kind", ["threads", "processes", "executor"])
def test_each_does_the_work(kind):
    with ThreadPoolExecutor(1) as pool:
        executor = pool if kind == "executor" else None
        with running(executor, 1, kind == "threads") as runner:
            assert runner.slots == 1
            found = results(runner, "a", "bug", "b")
    assert [one.status for one in found] == ["done", "failed", "done"]


def test_work_in_threads_can_be_stopped():
    put("waits")
    with running(None, 1, True) as runner:
        future = runner.submit(Wrong(), planned("waits"))
        runner.stop()
        assert future.result(30).status == "stopped"


def test_a_broken_pool_ends_the_run():
    with (
        ProcessPoolExecutor(1, get_context("fork")) as pool,
        running(pool, None, False) as runner,
        pytest.raises(h5vidstack.WorkerError, match="a worker failed"),
    ):
        results(runner, "exits")


def test_a_cluster_does_the_work():
    put("in/a.h5", "in/b.h5")
    with (
        distributed.Client(
            processes=False, n_workers=1, threads_per_worker=2, dashboard_address=":0"
        ) as client,
        client.get_executor(pure=False) as executor,
    ):
        report = h5vidstack.repack_many("in", "out", executor=executor, profile="fast", log="log")
    assert [one.status for one in report.files] == ["done", "done"]
