"""The HDF5 filter both ways through plain h5py."""

import struct
import subprocess
import sys
import threading
from pathlib import Path

import h5py
import numpy as np
import pytest
from filtered import create, read
from frames import SHAPES, moving, noise

import h5vidstack
from h5vidstack.codecs import block, lpc
from h5vidstack.codecs.registry import PRESETS
from h5vidstack.hdf5 import filter as h5filter


@pytest.mark.parametrize("make", [moving, noise])
@pytest.mark.parametrize("shape", SHAPES)
def test_written_and_read_by_h5py(make, shape):
    frames = make(shape)
    create("x.h5", frames, (16, *shape[1:]), **h5vidstack.Video())
    np.testing.assert_array_equal(read("x.h5"), frames, strict=True)


@pytest.mark.parametrize("chunks", [(1, 40, 50), (4, 16, 16), (7, 40, 33), (16, 13, 50)])
def test_any_chunk_grid_with_edge_chunks(chunks):
    frames = moving((11, 40, 50))
    create("x.h5", frames, chunks, **h5vidstack.Video(preset="x264-fast"))
    np.testing.assert_array_equal(read("x.h5"), frames)
    with h5vidstack.open("x.h5", "/d") as stack:
        np.testing.assert_array_equal(stack[:], frames)


def test_leading_axes():
    frames = moving((24, 20, 30)).reshape(2, 3, 4, 20, 30)
    create("x.h5", frames, (1, 3, 4, 20, 30), **h5vidstack.Video())
    np.testing.assert_array_equal(read("x.h5"), frames)


def test_it_compresses():
    frames = moving((64, 100, 120))
    assert create("x.h5", frames, (16, 100, 120), **h5vidstack.Video("x264")) < frames.nbytes / 4


def test_as_compression_argument_and_by_number():
    frames = moving((5, 20, 30))
    for compression in (h5vidstack.Video(), h5vidstack.FILTER_ID):
        create("x.h5", frames, (5, 20, 30), compression=compression)
        np.testing.assert_array_equal(read("x.h5"), frames)


def test_resize_append_and_overwrite():
    frames = moving((50, 20, 30))
    create("x.h5", frames[:5], (16, 20, 30), **h5vidstack.Video())
    with h5py.File("x.h5", "r+") as file:
        for end in (9, 16, 33, 50):
            start = len(file["d"])
            file["d"].resize(end, axis=0)
            file["d"][start:] = frames[start:end]
        file["d"][3, 2:5] = 7
        file["d"].resize(40, axis=0)
    want = frames[:40].copy()
    want[3, 2:5] = 7
    np.testing.assert_array_equal(read("x.h5"), want)
    with h5vidstack.open("x.h5", "/d") as stack:
        np.testing.assert_array_equal(stack[:], want)


def test_append_to_a_packed_stack_by_h5py():
    frames = moving((21, 20, 30))
    h5vidstack.pack(frames[:18], "x.h5")
    with h5py.File("x.h5", "r+") as file:
        file["stack/frames"].resize(21, axis=0)
        file["stack/frames"][18:] = frames[18:]
    with h5py.File("x.h5") as file:
        np.testing.assert_array_equal(file["stack/frames"][...], frames)


def test_chunks_never_written_read_as_fill_value():
    with h5py.File("x.h5", "w") as file:
        data = file.create_dataset(
            "d", (9, 6, 7), "u1", chunks=(4, 6, 7), fillvalue=9, **h5vidstack.Video()
        )
        data[4:8] = 1
    want = read("x.h5")
    assert want[0, 0, 0] == 9
    with h5vidstack.open("x.h5", "/d") as stack:
        np.testing.assert_array_equal(stack[:], want)


U1 = 1 | ord("u") << 8
DTYPES = ["?", "i1", ">u2", "<i2", "u4", ">i4", "i8", ">u8", "f2", ">f4", "f8"]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("options", [{}, {"codec": "lzma"}, {"codec": "lpc"}])
def test_every_dtype_in_its_byte_order(dtype, options):
    frames = (moving((11, 20, 30)) * 1.37 - 20).astype(np.int64).astype(dtype)
    create("x.h5", frames, (4, 13, 30), **h5vidstack.Video(**options))
    np.testing.assert_array_equal(read("x.h5"), frames, strict=True)
    with h5vidstack.open("x.h5", "/d") as stack:
        np.testing.assert_array_equal(stack[...], frames)
        np.testing.assert_array_equal(stack[3:9, 2, ::-1], frames[3:9, 2, ::-1])


@pytest.mark.parametrize("dtype", ["S3", "c8", "g", [("a", "u1")]])
def test_unsupported_dtype_is_refused_with_its_reason(dtype):
    with h5py.File("x.h5", "w") as file, pytest.raises(ValueError, match="h5vidstack: .*pixel"):
        file.create_dataset("d", (4, 5, 6), dtype, chunks=(2, 5, 6), **h5vidstack.Video())


def test_unsupported_chunk_is_refused():
    with h5py.File("x.h5", "w") as file:
        with pytest.raises(ValueError, match="no stack"):
            file.create_dataset("d", (4, 5), "u1", chunks=(4, 5), **h5vidstack.Video())
        with pytest.raises(ValueError, match="16384"):
            file.create_dataset(
                "e", (1, 2, 20000), "u1", chunks=(1, 2, 20000), **h5vidstack.Video()
            )


def test_bad_options():
    with pytest.raises(h5vidstack.UnsupportedError):
        h5vidstack.Video("h266")
    with h5py.File("x.h5", "w") as file, pytest.raises(ValueError, match="Video"):
        file.create_dataset(
            "d", (4, 5, 6), "u1", chunks=(2, 5, 6),
            compression=h5vidstack.FILTER_ID, compression_opts=(1, 99),
        )  # fmt: skip


def test_a_write_that_fails_stores_nothing_raw(monkeypatch):
    """h5py marks filters optional; HDF5 would then store raw what the filter refuses."""

    def fail(*args, **kwargs):
        raise h5vidstack.NotExactError("on purpose")

    with h5py.File("x.h5", "w") as file:
        data = file.create_dataset(
            "d", (4, 5, 6), "u1", chunks=(2, 5, 6), **h5vidstack.Video("x264")
        )
        assert data.id.get_create_plist().get_filter(0)[1] == 0, "the filter is not mandatory"
        data[...] = 1
        with monkeypatch.context() as patch:
            patch.setattr(block, "encode", fail)
            with pytest.raises(RuntimeError):
                file.flush()
        assert "on purpose" in str(h5vidstack.filter_error())
        file.flush()
    assert (read("x.h5") == 1).all()


def test_damaged_block_is_an_error_with_a_reason():
    create("x.h5", moving((4, 20, 30)), (4, 20, 30), **h5vidstack.Video())
    with h5py.File("x.h5", "r+") as file:
        data = bytearray(file["d"].id.read_direct_chunk((0, 0, 0))[1])
        data[100] ^= 1
        file["d"].id.write_direct_chunk((0, 0, 0), bytes(data))
    with h5py.File("x.h5") as file, pytest.raises(OSError, match="filter"):
        file["d"][0]
    assert "CRC-32" in str(h5vidstack.filter_error())


def test_parameters_from_a_hostile_file():
    # Private: HDF5 itself would have to be made to hand such parameters on.
    with pytest.raises(h5vidstack.BlockError, match="parameters"):
        h5filter._run_filter(True, [1, 2, 1], b"")
    with pytest.raises(h5vidstack.UnsupportedError, match="preset 77"):
        h5filter._run_filter(False, [1, 77, 1, 1, 1, 1, 1, U1], b"x")
    with pytest.raises(h5vidstack.UnsupportedError, match="first filter"):
        h5filter._run_filter(False, [1, 1, 1, 1, 2, 2, 1, U1], b"x")


def test_threads():
    frames = moving((64, 40, 50))
    create("x.h5", frames, (4, 40, 50), **h5vidstack.Video(preset="x264-fast"))
    wrong = []
    with h5py.File("x.h5") as file:

        def work(seed):
            for i in np.random.default_rng(seed).integers(0, 64, 30):
                if not np.array_equal(file["d"][i], frames[i]):
                    wrong.append(i)

        threads = [threading.Thread(target=work, args=(seed,)) for seed in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert not wrong


LPC = [name for name, preset in PRESETS.items() if preset.codec.name == "lpc"]
needs_core = pytest.mark.skipif(lpc.CORE is None, reason="the C core is not built")


def counted(work):
    """How many chunks the filter in C decoded and encoded, and how many it handed on."""
    before = lpc.CORE.filter_counts()
    work()
    return tuple(np.subtract(lpc.CORE.filter_counts(), before).tolist())


@pytest.fixture
def no_python(monkeypatch):
    """Python's part of the filter fails."""

    def fail(*args):
        raise h5vidstack.NotExactError("Python was called")

    # Private: HDF5 calls it, so that it shows which blocks are left to Python.
    monkeypatch.setattr(h5filter, "_run_filter", fail)


@needs_core
@pytest.mark.parametrize("preset", LPC)
@pytest.mark.parametrize("dtype", DTYPES)
def test_lpc_takes_the_filter_in_c(no_python, preset, dtype):
    frames = (moving((11, 20, 30)) * 1.37 - 20).astype(np.int64).astype(dtype)

    def write():
        create("x.h5", frames, (4, 13, 30), **h5vidstack.Video(preset=preset))

    assert counted(write) == (0, 6, 0)
    assert counted(lambda: np.testing.assert_array_equal(read("x.h5"), frames, strict=True)) == (
        6, 0, 0,
    )  # fmt: skip


@needs_core
def test_colour_takes_the_filter_in_c(no_python):
    for channels in (3, 4):
        frames = moving((5, 20, 30, channels))
        create("x.h5", frames, (5, 20, 30, channels), **h5vidstack.Video("lpc", verify=False))
        np.testing.assert_array_equal(read("x.h5"), frames)


@needs_core
def test_raw_blocks_are_read_in_c():
    frames = noise((8, 20, 30))
    create("x.h5", frames, (4, 20, 30), **h5vidstack.Video("raw"))
    assert counted(lambda: np.testing.assert_array_equal(read("x.h5"), frames)) == (2, 0, 0)


@needs_core
@pytest.mark.parametrize("codec", ["x264", "ffv1", "lzma", "deflate"])
def test_other_codecs_are_handed_on_to_python(codec):
    frames = moving((8, 20, 30))
    video = h5vidstack.Video(codec)
    assert counted(lambda: create("x.h5", frames, (4, 20, 30), **video)) == (0, 0, 2)
    assert counted(lambda: np.testing.assert_array_equal(read("x.h5"), frames)) == (0, 0, 2)


@needs_core
def test_mappings_with_tables_are_handed_on_to_python():
    frames = np.array([3, 70, 5000], "u2")[noise((4, 20, 30)) % 3]
    create("x.h5", frames, (4, 20, 30), **h5vidstack.Video("lpc"))
    recipe = h5vidstack.codecs.recipe.Recipe(h5vidstack.codecs.registry.Coding("lpc-chain"))
    with h5py.File("x.h5", "r+") as file:
        file["d"].id.write_direct_chunk((0, 0, 0), block.encode(frames, recipe))
    assert counted(lambda: np.testing.assert_array_equal(read("x.h5"), frames)) == (0, 0, 1)


@needs_core
def test_damaged_lpc_is_an_error_with_a_reason():
    create("x.h5", moving((4, 20, 30)), (4, 20, 30), **h5vidstack.Video("lpc"))
    with h5py.File("x.h5", "r+") as file:
        data = bytearray(file["d"].id.read_direct_chunk((0, 0, 0))[1])
        data[200] ^= 1
        file["d"].id.write_direct_chunk((0, 0, 0), bytes(data))
    with h5py.File("x.h5") as file, pytest.raises(OSError, match="filter"):
        file["d"][0]
    assert "CRC-32" in str(h5vidstack.filter_error())


@needs_core
def test_python_reads_what_the_filter_in_c_wrote():
    frames = moving((20, 40, 50)).astype(">u2") * 9
    create("x.h5", frames, (8, 40, 50), **h5vidstack.Video("lpc"))
    with h5vidstack.open("x.h5", "/d") as stack:
        np.testing.assert_array_equal(stack[:], frames)
        np.testing.assert_array_equal(stack[13], frames[13])


# Private: which filter is registered cannot be seen from outside.
WITHOUT_THE_CORE = """
import h5vidstack, h5py, numpy as np
from h5vidstack.hdf5 import filter as h5filter
from h5vidstack.codecs import lpc
lpc.CORE = None
assert h5filter._fastest(h5filter._in_python) is h5filter._in_python
"""


def test_without_the_core_the_filter_is_in_python():
    subprocess.run([sys.executable, "-c", WITHOUT_THE_CORE], check=True)


NEVER_CLOSED = """
import h5py, h5vidstack
file = h5py.File("x.h5", "w")
data = file.create_dataset("d", (4, 20, 5), "u1", chunks=(2, 20, 5), **h5vidstack.Video())
data[0] = 9
"""


def test_a_file_that_is_never_closed_is_coded_at_exit():
    done = subprocess.run([sys.executable, "-c", NEVER_CLOSED], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert read("x.h5")[0].min() == 9


NOT_CLOSABLE = """
import resource, numpy as np, h5vidstack
frames = np.random.default_rng(0).integers(0, 256, (60, 64, 64), np.uint8)
resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, resource.RLIM_INFINITY))
for number in range(2):
    try:
        h5vidstack.pack(frames, f"{number}.h5")
    except h5vidstack.OutputError as error:
        print(error)
"""


@pytest.mark.usefixtures("unmeasured_children")
def test_files_whose_closing_failed_are_left_alone_at_exit():
    """HDF5 keeps their identifiers, and crashes where these are used."""
    done = subprocess.run([sys.executable, "-c", NOT_CLOSABLE], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.count("File too large") == 2
    assert list(Path().iterdir()) == []


FULL = """
import atexit, resource, sys, h5py, h5vidstack
atexit.register(print, "another clean-up")
def full():
    file = h5py.File("full.h5", "w")
    data = file.create_dataset("x", (50, 32, 48), "u1", chunks=(1, 32, 48))
    data[:] = 3
    return data
def sound():
    file = h5py.File("sound.h5", "w")
    video = h5vidstack.Video(sys.argv[1])
    data = file.create_dataset("d", (16, 32, 48), "u1", chunks=(16, 32, 48), **video)
    data[:] = 7
    file["after"] = 5
    return data
kept = [globals()[name]() for name in sys.argv[2:]]
resource.setrlimit(resource.RLIMIT_FSIZE, (30000, 30000))
"""


@pytest.mark.usefixtures("unmeasured_children")
@pytest.mark.parametrize("order", [("full", "sound"), ("sound", "full")])
@pytest.mark.parametrize("codec", ["lpc", "ffv1"])
def test_a_file_that_cannot_be_written_does_not_spoil_others_at_exit(order, codec):
    words = [sys.executable, "-c", FULL, codec, *order]
    done = subprocess.run(words, capture_output=True, text=True)
    assert "File too large" in done.stderr
    assert done.stdout == "another clean-up\n"
    with h5py.File("sound.h5") as file:
        assert file["d"][:].min() == 7
        assert file["after"][()] == 5


def test_importing_changes_nothing_else():
    script = """
import h5py, sys
before = {name: id(value) for name, value in vars(h5py).items()}
import h5vidstack
assert {n: id(v) for n, v in vars(h5py).items() if n in before} == before
assert h5py.h5z.filter_avail(h5vidstack.FILTER_ID)
heavy = {"sklearn", "scipy", "imagehash", "click", "tifffile"} & set(sys.modules)
assert not heavy, heavy
"""
    subprocess.run([sys.executable, "-c", script], check=True)


def test_parameters_of_another_chunk_are_refused():
    """HDF5 would read beyond what the filter gives: plain h5py crashes or shows other memory."""
    frames = moving((4, 48, 60))
    create("x.h5", frames, (4, 48, 60), fletcher32=True, **h5vidstack.Video(verify=False))
    told, untrue = (struct.pack("<5I", 4, *size, 1, 0x7501) for size in ((48, 60), (4, 6)))
    path = Path("x.h5")
    data = path.read_bytes()
    assert data.count(told) == 1
    path.write_bytes(data.replace(told, untrue))
    with pytest.raises(h5vidstack.FormatError, match="its filter was told"):
        h5vidstack.open("x.h5", "/d")
    with pytest.raises(h5vidstack.FormatError, match="its filter was told"):
        h5vidstack.pack("x.h5::/d", "y.h5")
