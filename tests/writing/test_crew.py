import os
import signal
import threading
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from pathlib import Path

import pytest
from executors import EXECUTORS, FRAMES, WAYS, Here, contents, deadly, fails, same_as_local
from frames import noise

import h5vidstack

pytestmark = pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")


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


# --- the same bytes


@pytest.mark.parametrize("kind", EXECUTORS)
def test_same_bytes(kind):
    with EXECUTORS[kind]() as executor:
        same_as_local(executor, WAYS if kind == "fork" else ["tiles", "group"])
        assert executor.submit(int, 3).result() == 3  # it is not shut down


def test_append_and_resume():
    with EXECUTORS["fork"]() as executor:
        for name, options in {"local": {}, "far": {"executor": executor}}.items():
            h5vidstack.pack(FRAMES[:21], f"{name}.h5", method="video", **options)
            with h5vidstack.open(f"{name}.h5") as stack:
                assert stack.append(FRAMES[21:], **options).frames == 49
        assert contents("far.h5") == contents("local.h5")

        frames = noise((1500, 20, 20))

        def interrupted():
            yield from frames[:1450]
            raise KeyboardInterrupt

        options = {"method": "video", "preset": "ffv1", "chunk_frames": 5, "resume": True}
        with pytest.raises(KeyboardInterrupt):
            h5vidstack.pack(interrupted(), "x.h5", executor=executor, **options)
        assert Path(".x.h5.stack.resume").exists()
        asked = Recorded(executor)
        h5vidstack.pack(frames, "x.h5", executor=asked, **options)
        assert 0 < asked.count < 300  # some blocks, of 300, came out of the journal
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
