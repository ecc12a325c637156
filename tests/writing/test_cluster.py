"""Blocks that are coded elsewhere: same bytes, done there, and clear errors when nobody does."""

import multiprocessing
import os
import re
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import distributed
import numpy as np
import pytest
from click.testing import CliRunner
from executors import EXECUTORS, FRAMES, contents, deadly, fails, same_as_local
from frames import noise

import h5vidstack
from h5vidstack import cli
from h5vidstack.codecs import block
from h5vidstack.writing import cluster, crew

pytestmark = pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")


@pytest.fixture(scope="module")
def client():
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, dashboard_address=":0", silence_logs=50
        ) as local,
        distributed.Client(local) as client,
    ):
        yield client


def test_cluster_does_the_work(client, monkeypatch):
    h5vidstack.pack(FRAMES, "local.h5", method="video", chunk_frames=4)
    with distributed.get_task_stream(client) as stream, monkeypatch.context() as patch:
        patch.delattr(block, "assemble")  # no block can be made in this process
        with pytest.raises(NameError):
            block.encode(FRAMES, None)
        h5vidstack.pack(
            FRAMES, "far.h5", method="video", chunk_frames=4, executor=client.get_executor()
        )
    done = [task for task in stream.data if task["key"].startswith("perform")]
    assert {task["worker"] for task in done} == set(client.scheduler_info()["workers"])
    assert len(done) > -(-len(FRAMES) // 4)  # each block, and samples
    assert contents("far.h5") == contents("local.h5")


def test_cluster_gives_the_same_bytes(client):
    with client.get_executor(pure=False) as executor:
        same_as_local(executor, ["piles", "floats", "colour", "hdf5gz", "pca"])


def test_large_blocks_are_no_news(client):
    frames = noise((16, 1100, 1000))  # distributed warns of graphs over 10 MB
    h5vidstack.pack(
        frames, "x.h5", preset="raw", method="video", hashes=False, executor=client.get_executor()
    )
    with h5vidstack.open("x.h5") as stack:
        np.testing.assert_array_equal(stack[:], frames)


def test_client_in_this_process():
    with (
        distributed.Client(
            processes=False, n_workers=1, threads_per_worker=2, dashboard_address=":0"
        ) as client,
    ):
        same_as_local(client.get_executor(), ["video", "group"])


def test_what_is_no_executor(client):
    fails(4, "it must be an Executor")
    fails(client, r"get_executor\(\)")
    with multiprocessing.get_context("fork").Pool(1) as pool:
        fails(pool, "executor is a Pool")


@pytest.mark.parametrize("kind", sorted(EXECUTORS.keys() - {"own", "loky"}))
def test_an_executor_that_was_shut_down(kind):
    executor = EXECUTORS[kind]()
    executor.shutdown()
    fails(executor, "cannot schedule new futures after shutdown")


def become_older():
    crew.__version__ = "0.0.1"


def test_a_worker_of_another_version():
    context = multiprocessing.get_context("fork")
    with ProcessPoolExecutor(1, context, initializer=become_older) as executor:
        fails(executor, f"h5vidstack 0.0.1 instead of {h5vidstack.__version__}")


def test_a_cluster_whose_workers_went(client, monkeypatch):
    monkeypatch.setattr(cluster, "PATIENCE", 1)
    monkeypatch.setattr(crew, "PAUSE", 0.2)
    with (
        distributed.LocalCluster(
            n_workers=1, processes=False, dashboard_address=":0", silence_logs=50
        ) as local,
        distributed.Client(local) as other,
    ):
        executor = other.get_executor()

        def kill():
            local.scale(0)
            while other.scheduler_info()["workers"]:
                time.sleep(0.05)

        fails(executor, "has no worker; start some", deadly(60, kill), chunk_frames=4)
        fails(executor, "has no worker; start some")  # from the start
    fails(executor, "a distributed.Client that is closed")


# --- the command line


def run(*args, code=0):
    result = CliRunner().invoke(cli.main, list(map(str, args)))
    assert result.exit_code == code, result.output
    return result.output


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 400 Bad Request\r\n\r\n"], ids=["none", "http"])
def test_something_else_is_there(answer, monkeypatch):
    """Nothing comes of it, or a number of bytes that no memory holds."""
    monkeypatch.setattr(cluster, "PATIENCE", 0.5)
    np.save("x.npy", FRAMES)
    with socket.create_server(("127.0.0.1", 0)) as server:

        def accept():
            connection, _ = server.accept()
            connection.sendall(answer)
            connection.recv(1 << 20)
            connection.close()

        thread = threading.Thread(target=accept)
        thread.start()
        address = f"tcp://127.0.0.1:{server.getsockname()[1]}"
        said = run("pack", "x.npy", "x.h5", "--scheduler", address, code=1)
        thread.join()
    assert "no scheduler answers" in said
    assert said.count("\n") == 1


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:1", "nonsense", "no://h:1"])
def test_no_scheduler(address, monkeypatch):
    monkeypatch.setattr(cluster, "PATIENCE", 0.5)
    np.save("x.npy", FRAMES)
    said = run("pack", "x.npy", "x.h5", "--scheduler", address, code=1)
    assert f"no scheduler answers at '{address}'" in said
    assert said.count("\n") == 1
    assert os.listdir() == ["x.npy"]


@pytest.fixture
def begun():
    """Begin programs of dask; end them."""
    running = []

    def begin(*args, until):
        log = Path(f"log{len(running)}")
        with log.open("w") as file:
            program = [sys.executable, "-m", "dask", *args, "--no-dashboard"]
            running.append(subprocess.Popen(program, stdout=file, stderr=file))
        end = time.monotonic() + 30
        while not (found := re.search(until, log.read_text())):
            assert time.monotonic() < end, log.read_text()
            time.sleep(0.1)
        return found[1]

    yield begin
    for program in running:
        program.kill()
        program.wait()


@pytest.mark.long
def test_command_line_with_a_scheduler_and_a_worker(begun):
    address = begun(
        "scheduler", "--host", "127.0.0.1", "--port", "0", until=r"Scheduler at: +(tcp://\S+)"
    )
    begun("worker", address, "--nthreads", "1", "--no-nanny", until=r"(Registered to)")
    np.save("a.npy", FRAMES[:40])
    np.save("b.npy", FRAMES[40:])
    for name, options in {"local.h5": [], "far.h5": ["--scheduler", address]}.items():
        assert "decoded and compared" in run("pack", "a.npy", name, *options)
        assert "70 frames now" in run("append", name, "b.npy", *options)
        run("verify", name)
    assert contents("far.h5") == contents("local.h5")
