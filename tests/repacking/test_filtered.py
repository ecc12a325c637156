from pathlib import Path

import h5py
import numpy as np
import pytest
from frames import DTYPES, pixels
from whole_files import beside, pipeline

import h5vidstack
from h5vidstack.repacking.repacker import repack

SHAPES = [
    (9, 17, 20), (1, 40, 30), (5, 16, 16, 3), (4, 3, 31, 22), (2, 3, 5, 18, 17), (3, 2, 16, 17, 4),
    (7, 13, 16, 16), (1, 1, 1, 20, 20), (300, 16, 16),
]  # fmt: skip


# A short run has every shape and every dtype, but only some pairs of them.
@pytest.mark.parametrize(
    ("shape", "dtype"),
    [
        pytest.param(shape, dtype, marks=[pytest.mark.long] * ((row + column) % 4 > 0))
        for row, shape in enumerate(SHAPES)
        for column, dtype in enumerate(DTYPES)
    ],
)
def test_any_shape_and_dtype_comes_back(shape, dtype):
    channels = shape[-1] if len(shape) > 3 and shape[-1] in (3, 4) else 1
    height, width = shape[-3:-1] if channels > 1 else shape[-2:]
    frames = pixels(
        (int(np.prod(shape)) // (height * width * channels), height, width * channels), dtype
    )
    frames[:, 1:] = frames[:1, :1]  # so that there is something to gain
    frames = frames.reshape(shape)
    with h5py.File("in.h5", "w") as file:
        file.create_dataset("d", data=frames, maxshape=(None, *shape[1:]), chunks=(1, *shape[1:]))
    report = repack("in.h5", "out.h5", select=["d"])
    assert len(report.replaced) == 1
    with h5py.File("out.h5") as file:
        assert file["d"].dtype == frames.dtype
        assert file["d"].maxshape == (None, *shape[1:])
        assert file["d"][...].tobytes() == frames.tobytes()
    with h5vidstack.open("out.h5::/d") as stack:
        frame = shape[-2:] if channels == 1 else shape[-3:]
        assert stack.shape == (np.prod(shape[: -len(frame)]), *frame)
        assert stack.leading_shape == shape[: -len(frame)]
        assert stack[...].tobytes() == frames.tobytes()
        assert stack.verify() == []
        if not np.isnan(frames).any():
            assert stack.find(stack[-1], k=1)[0].rmse == 0
    repack("out.h5", "plain.h5", restore=True)
    with h5py.File("plain.h5") as file:
        assert list(file) == ["d"]
        assert file["d"].chunks == (1, *shape[1:])
        assert pipeline(file["d"]) == []
        assert file["d"].dtype == frames.dtype
        assert file["d"][...].tobytes() == frames.tobytes()


def test_a_damaged_block_of_a_dataset_of_its_own_path():
    _, volumes = beside()
    with h5py.File("out.h5") as file:
        chunk = file["entry/volumes"].id.get_chunk_info(2)
    data = bytearray(Path("out.h5").read_bytes())
    data[chunk.byte_offset + chunk.size // 2] ^= 1
    Path("out.h5").write_bytes(data)
    with h5vidstack.open("out.h5::/entry/volumes") as stack:
        assert any("frames 24-35" in problem for problem in stack.verify())
    saved = h5vidstack.recover("out.h5::/entry/volumes", "saved.h5")
    assert set(saved.lost) <= set(range(24, 36))
    kept = [number for number in range(60) if number not in saved.lost]
    with h5vidstack.open("saved.h5::/entry/volumes") as stack:
        assert np.array_equal(stack[:], volumes.reshape(-1, 64, 80)[kept])
