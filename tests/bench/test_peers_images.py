import zlib
from pathlib import Path

import numpy as np
import pytest
from benched import STACKS
from frames import moving

from h5vidstack.bench.peers_images import ImageFile, image_peers, write_images


def inflate(shape, dtype):
    return lambda data: np.frombuffer(zlib.decompress(data), dtype).reshape(shape)


@pytest.mark.parametrize("kind", STACKS)
def test_a_file_of_images_reads_as_an_array(kind):
    frames = STACKS[kind]
    write_images(frames, Path("x.images"), lambda frame: zlib.compress(frame.tobytes()))
    file = ImageFile(Path("x.images"), inflate(frames.shape[1:], frames.dtype))
    for key in (0, 3, -1, np.s_[:], np.s_[2:7], np.s_[::-3], np.s_[5:5]):
        np.testing.assert_array_equal(file[key], frames[key], strict=True)


def test_images_lie_end_to_end_before_a_table_of_their_ends():
    frames = moving((3, 5, 7))[:, ::-1, ::2]  # not contiguous
    write_images(frames, Path("x.images"), lambda frame: frame.tobytes()[: 4 * frame[0, 0] % 9])
    data = Path("x.images").read_bytes()
    sizes = [len(frame.tobytes()[: 4 * frame[0, 0] % 9]) for frame in frames]
    ends = np.frombuffer(data[-32:], "<u8")
    assert ends.tolist() == [*np.cumsum(sizes), 3]
    assert len(data) == sum(sizes) + 32


@pytest.mark.parametrize(
    ("dtype", "able"),
    [("u1", {"JPEG XL 7", "JPEG 2000", "JPEG-LS"}), ("u2", {"JPEG XL 7", "JPEG 2000", "JPEG-LS"}),
     ("f4", {"JPEG XL 7"}), ("i2", set()), ("f8", set())],
)  # fmt: skip
def test_who_takes_which_pixels(dtype, able):
    peers = list(image_peers(np.zeros((3, 5, 7), dtype)))
    assert {one.name for one in peers if one.refusal is None} == able
    assert all(one.refusal in (None, f"takes no {np.dtype(dtype)}") for one in peers)
    assert all(one.needs == ("imagecodecs",) and not one.ours for one in peers)


@pytest.mark.parametrize("kind", ["uint8", "uint16", "float32", "RGB"])
def test_images_are_lossless(kind):
    pytest.importorskip("imagecodecs")
    frames = STACKS[kind][:4]
    for one in image_peers(frames):
        if one.refusal is None:
            one.write(frames, Path("x.images"))
            with one.read(Path("x.images")) as file:
                np.testing.assert_array_equal(file[:], frames, strict=True, err_msg=one.name)
