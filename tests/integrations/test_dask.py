import sys

import numpy as np
import pytest
from frames import moving

import h5vidstack
from h5vidstack import errors
from h5vidstack.reading import stack_reader

# --- dask


def test_dask_equals_numpy(packed, monkeypatch):
    monkeypatch.setattr(stack_reader, "PART_BYTES", 1)
    monkeypatch.setattr(stack_reader, "WINDOW_BYTES", 1)
    with h5vidstack.open("x.h5") as stack:
        lazy, step = stack.to_dask(), stack.chunks[0]
    assert (lazy.shape, lazy.dtype) == (packed.shape, packed.dtype)
    assert lazy.chunksize == (step, *packed.shape[1:])
    for scheduler in ("sync", "threads"):  # though the stack was closed
        np.testing.assert_array_equal(lazy.compute(scheduler=scheduler), packed, strict=True)
    np.testing.assert_array_equal(lazy[5:37:3, ::-1, 4].compute(), packed[5:37:3, ::-1, 4])
    np.testing.assert_array_equal(lazy[[4, 1, 1, -1]].compute(), packed[[4, 1, 1, -1]])
    assert lazy.mean().compute() == pytest.approx(packed.mean())


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_dask_in_processes():
    frames = moving((43, 40, 50))
    h5vidstack.pack(frames, "x.h5")
    with h5vidstack.open("x.h5") as stack:
        lazy = stack.to_dask()
        stack[0]
        np.testing.assert_array_equal(
            lazy.compute(scheduler="processes", num_workers=2), frames, strict=True
        )
        sums = lazy.sum(axis=(1, 2)).compute(scheduler="processes", num_workers=2)
    np.testing.assert_array_equal(sums, frames.sum(axis=(1, 2)))


def test_dask_distributed():
    distributed = pytest.importorskip("distributed")
    frames = moving((43, 40, 50))
    h5vidstack.pack(frames, "x.h5")
    with (
        h5vidstack.open("x.h5") as stack,
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=False, dashboard_address=None
        ) as cluster,
        distributed.Client(cluster),
    ):
        lazy = stack.to_dask()
        np.testing.assert_array_equal(lazy.compute(), frames, strict=True)


def test_dask_chunks_are_whole_blocks_of_about_16_mb():
    frames = np.arange(200, dtype=np.uint16)[:, None, None] + np.zeros((200, 256, 256), np.uint16)
    h5vidstack.pack(frames, "x.h5", chunk_frames=10, method="video")
    with h5vidstack.open("x.h5") as stack:
        lazy = stack.to_dask()
        assert lazy.chunks[0] == (120, 80)  # 12 blocks are 15 MiB
        assert stack.preferred_frames == 120
    h5vidstack.pack(frames[:40], "y.h5", chunk_frames=40, method="video")
    with h5vidstack.open("y.h5") as stack:
        assert stack.to_dask().chunks[0] == (40,)


def test_dask_names_tell_files_apart():
    h5vidstack.pack(moving((20, 16, 17)), "x.h5")
    with h5vidstack.open("x.h5") as stack:
        name = stack.to_dask().name
        assert stack.to_dask().name == name
        stack.append(moving((20, 16, 17), seed=1))
        lazy = stack.to_dask()
    assert lazy.name != name
    assert lazy.shape == (40, 16, 17)
    with pytest.raises(h5vidstack.ClosedError):
        stack.to_dask()


def test_missing_packages_are_named(monkeypatch):
    h5vidstack.pack(moving((3, 9, 8)), "x.h5")
    monkeypatch.setitem(sys.modules, "dask.array", None)
    with (
        h5vidstack.open("x.h5") as stack,
        pytest.raises(h5vidstack.MissingError, match=r'pip install "h5vidstack\[dask\]"'),
    ):
        stack.to_dask()
    with pytest.raises(ImportError, match="here"), errors.extra("here"):
        import nothing_of_this_name  # noqa: F401


def test_dask_with_all_axes(scan):
    with h5vidstack.open("scan.h5") as stack:
        array = stack.to_dask(nd=True)
    assert array.shape == scan.shape
    np.testing.assert_array_equal(array[1:, 0, ::-1].compute(), scan[1:, 0, ::-1])
    np.testing.assert_array_equal(array.max(axis=(0, 2)).compute(), scan.max(axis=(0, 2)))
