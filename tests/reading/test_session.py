import contextlib
import multiprocessing
import pickle
import random
import threading

import numpy as np
import pytest
from forking import holds_in_a_fork
from frames import moving

import h5vidstack


def test_pickle_keeps_its_settings(packed, monkeypatch, tmp_path_factory):
    stack, frames = packed
    data = pickle.dumps(stack)
    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))
    with pickle.loads(data) as other:
        np.testing.assert_array_equal(other[5:9], frames[5:9])


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_fork(packed):
    stack, frames = packed
    stack[3:40]
    assert holds_in_a_fork(
        lambda: np.array_equal(stack[:], frames) and np.array_equal(stack[9], frames[9])
    )
    np.testing.assert_array_equal(stack[:], frames)


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_an_iteration_does_not_go_on_after_a_fork():
    h5vidstack.pack(moving((100, 16, 17)), "x.h5", chunk_frames=2)
    with h5vidstack.open("x.h5") as stack:
        frames = iter(stack)
        next(frames)

        def is_refused():
            with pytest.raises(h5vidstack.ClosedError):
                list(frames)
            return True

        assert holds_in_a_fork(is_refused)
        assert len(list(frames)) == 99


def _sum(stack, i):
    return int(stack[i].sum())


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_worker_processes(method):
    frames = moving((20, 16, 17))
    h5vidstack.pack(frames, "x.h5")
    with h5vidstack.open("x.h5") as stack:
        stack[0]
        with multiprocessing.get_context(method).Pool(2) as pool:
            sums = pool.starmap(_sum, [(stack, i) for i in range(20)])
    assert sums == [int(frame.sum()) for frame in frames]


def test_closed(packed):
    stack, _ = packed
    stack.close()
    stack.close()
    for use in (lambda: stack[0], lambda: list(stack), stack.verify):
        with pytest.raises(h5vidstack.ClosedError, match="closed"):
            use()


def test_closed_while_others_read(packed):
    stack, frames = packed
    odd = []

    def work(seed):
        chance = random.Random(seed)
        try:
            while True:
                i = chance.randrange(43)
                if not np.array_equal(stack[i : i + 20], frames[i : i + 20]):
                    odd.append(i)
                if not np.array_equal(stack[i], frames[i]):
                    odd.append(i)
        except h5vidstack.ClosedError:
            return
        except BaseException as error:  # noqa: BLE001
            odd.append(error)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(6)]
    for thread in threads:
        thread.start()
    half_read = iter(stack)
    next(half_read)
    stack.close()
    for thread in threads:
        thread.join()
    assert not odd
    with contextlib.suppress(h5vidstack.ClosedError):  # not if all was decoded already
        list(half_read)


# --- PyTorch


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
@pytest.mark.parametrize("method", [None, "fork", "spawn"])
def test_torch_loader(method):
    data = pytest.importorskip("torch.utils.data")
    frames = moving((20, 16, 17))
    h5vidstack.pack(frames, "x.h5")
    with h5vidstack.open("x.h5") as stack:
        stack[0]
        loader = data.DataLoader(
            stack,
            batch_size=6,
            num_workers=0 if method is None else 2,
            multiprocessing_context=method,
        )
        batches = [batch.numpy() for batch in loader]
    assert [len(batch) for batch in batches] == [6, 6, 6, 2]
    np.testing.assert_array_equal(np.concatenate(batches), frames, strict=True)


def test_a_batch_is_read_at_once(packed):
    stack, frames = packed
    batch = stack.__getitems__([40, 3, 3, -1])
    assert isinstance(batch, list)
    np.testing.assert_array_equal(batch, frames[[40, 3, 3, -1]])
    assert stack.__getitems__([]) == []
