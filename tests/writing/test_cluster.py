"""Blocks that are coded elsewhere: same bytes, done there, and clear errors when nobody does."""

import functools
import multiprocessing
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path

import distributed
import h5py
import numpy as np
import pytest
from click.testing import CliRunner
from frames import moving, noise, pixels
from joblib.externals import loky

import h5vidstack
from h5vidstack import cli
from h5vidstack.codecs import block
from h5vidstack.writing import cluster, crew

pytestmark = pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")

FRAMES = moving((70, 40, 50))
SHUFFLED = FRAMES[np.random.default_rng(0).permutation(70)]
VARIES = {"created", "settings"}
WAYS = {
    "video": (FRAMES, {"method": "video", "explain": True}),
    "tiles": (FRAMES, {"method": "video", "tile": (16, 32), "chunk_frames": 5}),
    "piles": (SHUFFLED, {"method": "groupvideo", "profile": "fast"}),
    "copies": (FRAMES[[3, 3, 4, 5, 3]], {}),
    "one": (FRAMES[:1, :1, :1], {}),
    "floats": (pixels((20, 9, 8), ">f4"), {"max_error": 0.25}),
    "lossy": (FRAMES, {"crf": 20}),
    "colour": (moving((20, 16, 18, 3)), {"preset": "ffv1"}),
    "group": (SHUFFLED, {"method": "group"}),
    "hdf5gz": (FRAMES, {"method": "hdf5gz"}),
    "pca": (FRAMES, {"method": "pca", "components": 3, "exact": True}),
}


class Here(Executor):
    """Does its work when it is given; of no number of workers."""

    def submit(self, work, /, *arguments, **options):
        done = Future()
        try:
            done.set_result(work(*arguments, **options))
        except Exception as error:  # noqa: BLE001
            done.set_exception(error)
        return done


class Never(Here):
    """Does the first thing, and then nothing; soon somebody presses Ctrl-C."""

    def __init__(self):
        to_main = (threading.main_thread().ident, signal.SIGINT)
        self.timer = threading.Timer(0.5, signal.pthread_kill, to_main)
        self.steps = iter([super().submit, self.begin])

    def begin(self, work, *arguments):
        self.timer.start()
        return Future()

    def submit(self, work, /, *arguments, **options):
        step = next(self.steps, None)
        return Future() if step is None else step(work, *arguments)


def processes(method):
    return ProcessPoolExecutor(2, multiprocessing.get_context(method))


EXECUTORS = {
    "threads": lambda: ThreadPoolExecutor(2),
    "fork": lambda: processes("fork"),
    "forkserver": lambda: processes("forkserver"),
    "spawn": lambda: processes("spawn"),
    "loky": lambda: loky.get_reusable_executor(2),
    "own": Here,
}


@pytest.fixture(scope="module")
def client():
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, dashboard_address=":0", silence_logs=50
        ) as local,
        distributed.Client(local) as client,
    ):
        yield client


def contents(path):
    """Everything in a file but what says when and how it was made: objects, blocks, attributes."""
    found = {}

    def visit(name, node):
        attrs = {key: np.asarray(value).tobytes() for key, value in node.attrs.items()}
        found[name] = [{key: attrs[key] for key in attrs.keys() - VARIES}]
        if isinstance(node, h5py.Dataset):
            found[name] += [node.shape, node.dtype.str, node.chunks]
            if node.chunks:  # of a virtual dataset the stack has a CRC, among its attributes
                places = [
                    node.id.get_chunk_info(i).chunk_offset for i in range(node.id.get_num_chunks())
                ]
                found[name] += [(at, node.id.read_direct_chunk(at)) for at in places]

    with h5py.File(path) as file:
        file.visititems(visit)
    return found


@functools.cache
def packed_here(name):
    frames, options = WAYS[name]
    with tempfile.TemporaryDirectory() as folder:
        h5vidstack.pack(frames, f"{folder}/x.h5", **options)
        return contents(f"{folder}/x.h5")


def same_as_local(executor, ways):
    for name in ways:
        frames, options = WAYS[name]
        h5vidstack.pack(frames, "far.h5", overwrite=True, executor=executor, **options)
        if name != "lossy":  # x264 with crf is not repeatable: one block in 200 differs here, too
            assert contents("far.h5") == packed_here(name), name
        assert h5vidstack.verify("far.h5", against=frames) == []


# --- the same bytes


@pytest.mark.parametrize("kind", EXECUTORS)
def test_same_bytes(kind):
    with EXECUTORS[kind]() as executor:
        same_as_local(executor, WAYS if kind == "fork" else ["tiles", "copies", "group"])
        assert executor.submit(int, 3).result() == 3  # it is not shut down


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


def test_append_and_resume():
    with EXECUTORS["fork"]() as executor:
        for name, options in {"local": {}, "far": {"executor": executor}}.items():
            h5vidstack.pack(FRAMES[:21], f"{name}.h5", method="video", **options)
            with h5vidstack.open(f"{name}.h5") as stack:
                assert stack.append(FRAMES[21:], **options).frames == 49
        assert contents("far.h5") == contents("local.h5")

        frames = noise((300, 20, 20))

        def interrupted():
            yield from frames[:250]
            raise KeyboardInterrupt

        options = {"method": "video", "preset": "ffv1", "chunk_frames": 5, "resume": True}
        with pytest.raises(KeyboardInterrupt):
            h5vidstack.pack(interrupted(), "x.h5", executor=executor, **options)
        assert Path(".x.h5.stack.resume").exists()
        asked = Recorded(executor)
        h5vidstack.pack(frames, "x.h5", executor=asked, **options)
        assert 0 < asked.count < 60  # some blocks, of 60, came out of the journal
        h5vidstack.pack(frames, "local.h5", overwrite=True, **options)
        assert contents("x.h5") == contents("local.h5")


class Recorded(Executor):
    """Counts what another executor is given; says of how many workers it is."""

    count, most, running, _max_workers = -1, 0, 0, 2

    def __init__(self, executor):
        self.executor, self.guard = executor, threading.Lock()

    def submit(self, work, /, *arguments, **options):
        with self.guard:
            self.count += 1
            self.running += 1
            self.most = max(self.most, self.running)
        task = self.executor.submit(work, *arguments, **options)
        task.add_done_callback(self.end)
        return task

    def end(self, _):
        with self.guard:
            self.running -= 1


@pytest.mark.parametrize(("workers", "most"), [(None, 3), (1, 2), (5, 6)])
def test_few_blocks_are_on_their_way_at_once(workers, most):
    with ThreadPoolExecutor(8) as threads:
        executor = Recorded(threads)
        h5vidstack.pack(
            FRAMES, "x.h5", chunk_frames=1, tile=(16, 16), executor=executor, workers=workers
        )
    assert executor.count > 600
    assert executor.most <= most


# --- errors


def fails(executor, said, frames=FRAMES, **options):
    """Pack with an executor that does not work; nothing is left."""
    before = sorted(os.listdir())
    with pytest.raises(h5vidstack.WorkerError, match=said):
        h5vidstack.pack(frames, "x.h5", executor=executor, **options)
    assert sorted(os.listdir()) == before


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


def deadly(after, kill):
    """Frames, on the way to which something is killed."""
    for number, frame in enumerate(noise((200, 100, 100))):
        if number == after:
            kill()
        yield frame


def test_a_process_that_dies():
    with EXECUTORS["fork"]() as executor:

        def kill():
            os.kill(next(iter(executor._processes)), signal.SIGKILL)

        fails(executor, "a worker failed: BrokenProcessPool", deadly(60, kill), chunk_frames=4)
        fails(executor, "BrokenProcessPool")


def test_an_executor_that_ends_meanwhile():
    with ThreadPoolExecutor(2) as executor:
        frames = deadly(60, lambda: executor.shutdown(cancel_futures=True))
        fails(executor, "a worker failed", frames, chunk_frames=4)


class Raises(Here):
    """Fails at the second thing it is given."""

    def __init__(self, error):
        self.error, self.begun = error, 0

    def submit(self, work, /, *arguments, **options):
        self.begun += 1
        if self.begun == 1:
            return super().submit(work, *arguments)
        done = Future()
        done.set_exception(self.error)
        return done


@pytest.mark.parametrize(
    "error", [MemoryError("too little"), OSError("gone"), ImportError("none"), EOFError()], ids=repr
)
def test_what_workers_raise(error):
    fails(Raises(error), type(error).__name__)
    with pytest.raises(h5vidstack.NotExactError):  # our own errors come as they are
        h5vidstack.pack(FRAMES, "x.h5", executor=Raises(h5vidstack.NotExactError("no")))


def test_interrupted_though_nobody_works():
    executor = Never()
    with pytest.raises(KeyboardInterrupt):
        h5vidstack.pack(FRAMES, "x.h5", executor=executor, workers=1, method="video", preset="ffv1")
    executor.timer.join()
    assert os.listdir() == []
    assert not [thread for thread in threading.enumerate() if "h5vidstack" in thread.name]


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
