import contextlib
import pickle
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from whole_files import beside, drifting

import h5vidstack
from h5vidstack.cli import main
from h5vidstack.sources.kinds import open_source


@pytest.mark.parametrize("name", ["out.h5::/entry/data", "out.h5::/h5vidstack/entry/data"])
def test_frames_are_not_added_to_a_dataset_of_its_own_path(name):
    beside()
    before = Path("out.h5").read_bytes()
    with pytest.raises(h5vidstack.UnsupportedError, match="the dataset /entry/data"):
        h5vidstack.pack(drifting((3, 64, 80)), name, mode="a")
    with h5vidstack.open(name) as stack, pytest.raises(h5vidstack.UnsupportedError):
        stack.append(drifting((3, 64, 80)))
    assert Path("out.h5").read_bytes() == before


def test_what_is_done_with_a_stack_is_done_with_one_beside_a_dataset():
    frames, volumes = beside()
    flat = volumes.reshape(-1, 64, 80)
    run = CliRunner()
    for command in (
        "rehash out.h5::/entry/volumes", "info out.h5::/entry/volumes --groups",
        "verify out.h5::/entry/volumes --against in.h5::/entry/volumes",
        "check out.h5::/entry/volumes --against in.h5::/entry/volumes",
        "recover out.h5::/entry/volumes saved.h5", "recover out.h5::/h5vidstack/entry/data same.h5",
        "unpack out.h5::/entry/volumes volumes.npy", "unpack out.h5::/entry/volumes pictures",
        "unpack out.h5::/entry/volumes v.tif", "export out.h5::/entry/data data.mkv",
        "contact-sheet out.h5::/entry/volumes sheet.png", "pack out.h5::/entry/volumes packed.h5",
        "link out.h5::/entry/data -o linked.h5", "verify linked.h5", "verify saved.h5::/entry/volumes",
    ):  # fmt: skip
        result = run.invoke(main, command.split())
        assert result.exit_code == 0, (command, result.output, result.exception)
    with h5vidstack.open("out.h5::/entry/volumes") as stack:
        assert stack.verify() == []
        assert stack[7].dtype == volumes.dtype
        assert stack.find(flat[7], k=1)[0].frame == 7
        assert np.array_equal(pickle.loads(pickle.dumps(stack))[::-7], flat[::-7])
    for name in ("saved.h5::/entry/volumes", "packed.h5"):
        with h5vidstack.open(name) as stack:
            assert np.array_equal(stack[:], flat)
            assert stack.leading_shape == (5, 12)
    with h5vidstack.open("linked.h5") as stack:
        assert np.array_equal(stack[:], frames)
    np.testing.assert_array_equal(np.load("volumes.npy"), volumes, strict=True)
    for path in ("pictures", "v.tif"):
        with contextlib.closing(open_source(path)) as source:
            read = np.concatenate(list(source.batches(16)))
        assert np.array_equal(read, flat)
