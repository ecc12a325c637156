import time

import h5py
import numpy as np
import pytest
from frames import moving

from h5vidstack.sources.openers import open_source
from h5vidstack.writing.crew import Crew
from h5vidstack.writing.excerpts import Excerpt, read_excerpt
from h5vidstack.writing.pack_options import PackOptions
from h5vidstack.writing.packer import chunk_of
from h5vidstack.writing.sampled_coding import code_excerpt, gzip_share

FRAMES = moving((64, 48, 64))


def coded(frames, seconds=60.0, **options):
    source, chosen = open_source(frames), PackOptions(**options).completed()
    with Crew(1) as crew:
        return code_excerpt(
            source, chosen, chunk_of(source, chosen), crew, read_excerpt(source, 16, 60),
            time.perf_counter() + seconds,
        )  # fmt: skip


def test_all_blocks_are_coded_if_there_is_time():
    found = coded(FRAMES, profile="fast")
    assert found.spread == 0
    assert found.trials
    assert found.lossless
    assert 0 < found.share < 1
    assert found.rate > 0


def test_a_few_blocks_tell_of_all():
    rng = np.random.default_rng(0)
    frames = rng.integers(0, 16, (320, 32, 32), np.uint8)
    whole, part = coded(frames, profile="fast"), coded(frames, seconds=0, profile="fast")
    assert part.spread > 0
    assert part.share == pytest.approx(whole.share, rel=0.05)


@pytest.mark.parametrize(("method", "words"), [("hdf5gz", "gzip 9"), ("hdf5", "no compression")])
def test_plain_methods(method, words):
    found = coded(FRAMES & 0xC0, method=method)
    assert words in found.coding
    assert found.why == f"method {method} was asked for"
    assert (found.share > 1) == (method == "hdf5")


def test_similar_frames_are_put_side_by_side_as_pack_does():
    shuffled = FRAMES[np.random.default_rng(0).permutation(len(FRAMES))]
    found = coded(shuffled, method="groupvideo")
    assert found.order.startswith("similarity order")
    assert found.share < coded(shuffled, method="video").share


def test_an_order_that_was_not_tried_is_said():
    source, chosen = open_source(FRAMES), PackOptions().completed()
    part = Excerpt([FRAMES[:8], FRAMES[30:38]], 16, len(FRAMES), False, 0.1)
    with Crew(1) as crew:
        found = code_excerpt(source, chosen, chunk_of(source, chosen), crew, part, 0)
    assert "unless" in found.order
    assert "similarity order" in found.notes[0]


def test_gzip_is_as_in_hdf5(tmp_path):
    with h5py.File(tmp_path / "x.h5", "w") as file:
        made = file.create_dataset(
            "x", data=FRAMES[:12], chunks=(1, 48, 64), compression=4, shuffle=True
        )
        assert gzip_share([FRAMES[:12]]) == made.id.get_storage_size() / FRAMES[:12].nbytes
