"""The native plugin beside the Python filter, by itself and in HDF5's own tools.

Where a compiler, headers or the tools are missing, what needs them is skipped: Debian's gcc,
hdf5-tools and libhdf5-dev bring them.
"""

import os
import re
import shlex
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path

import h5py
import numpy as np
import pytest
from blocks import resealed
from frames import DTYPES, moving, noise, pixels
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from native import CORE, LIBRARY, ROOT, SOURCES, Native, libavcodec, make, missing, with_plugin
from test_golden import DATASETS, GOLDEN, NO_FRAMES, OPEN, STACKS, expected, golden_blocks

import h5vidstack
from h5vidstack import BlockError
from h5vidstack.codecs import block
from h5vidstack.codecs.block_format import parse, seal
from h5vidstack.codecs.h264 import MAX_UNITS
from h5vidstack.codecs.lpc import REFERENCES
from h5vidstack.codecs.lzma import MAX_DICTIONARY
from h5vidstack.codecs.recipe import Recipe
from h5vidstack.codecs.registry import CODECS, PRESETS, Coding
from h5vidstack.codecs.transforms import FOLDED_BITS, Colour, Predictor
from h5vidstack.codecs.value_map import MAX_PALETTE
from h5vidstack.hdf5 import filter as h5filter
from h5vidstack.reading.stack_reader import CACHE_BYTES
from h5vidstack.shapes import MAX_EDGE

needs_tools = pytest.mark.skipif(
    None in map(shutil.which, ("h5dump", "h5ls", "h5repack")), reason="no hdf5-tools"
)
LOSSLESS = [name for name, preset in PRESETS.items() if preset.lossless]
SHAPES = [(5, 1, 2), (1, 9, 7), (7, 17, 3), (20, 16, 24), (6, 5, 7, 3), (9, 8, 5, 4)]


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    """The folder of the plugin, built for these tests."""
    reason = missing()
    if reason:
        pytest.skip(f"the plugin cannot be built: {reason}")
    return make(tmp_path_factory.mktemp("plugin"))


@pytest.fixture(scope="session")
def native(folder):
    return Native(folder)


def values_of(chunk, dtype):
    return h5filter.parameters([], chunk if chunk[3] > 1 else chunk[:3], np.dtype(dtype))


def whole(shape):
    return (*shape, 1)[:4]


def frames_of(shape, dtype, kind="pixels"):
    """Frames that move, or of any value."""
    if kind == "moving":
        return moving(shape).astype(dtype)
    return pixels((*shape[:2], int(np.prod(shape[2:]))), dtype).reshape(shape)


def dump(folder, path, dataset="/stack/frames", dtype="u1"):
    """The bytes that h5dump writes, little-endian; of bool and float16 it writes none so."""
    order = "FILE" if np.dtype(dtype).str[1:] in ("b1", "f2") else "LE"
    done = with_plugin(folder, "h5dump", "-d", dataset, "-b", order, "-o", "raw.bin", path)
    assert done.returncode == 0, done.stderr
    return Path("raw.bin").read_bytes()


def little(frames):
    return np.ascontiguousarray(frames, frames.dtype.newbyteorder("<")).tobytes()


@cache
def sound_blocks():
    """Chunk, dtype, pixels and block of each codec, predictor, colour and mapping."""
    made = []
    for name in LOSSLESS:
        for dtype in ("u1", "i2", "f4"):
            frames = moving((3, 18, 20)).astype(dtype)
            made.append((frames, block.encode(frames, Recipe(Coding(name)))))
    for predictor in Predictor:
        frames = moving((3, 18, 20)).astype("u4") << 3
        recipe = Recipe(Coding("deflate"), predictor=predictor)
        made.append((frames, block.encode(frames, recipe)))
    for colour in Colour:
        for channels in (3, 4):
            frames = moving((3, 17, 18, channels))
            made.append((frames, block.encode(frames, Recipe(Coding("ffv1"), colour=colour))))
    few = np.array([3, 70, 5000], "u2")[noise((3, 18, 20)) % 3]
    far = np.where(noise((2, 30, 40)) == 0, 60000, moving((2, 30, 40))).astype("u2")
    made += [(frames, block.encode(frames, Recipe(Coding("ffv1")))) for frames in (few, far)]
    return [(whole(f.shape), f.dtype, f.tobytes(), data) for f, data in made]


# What it is made of


def text_of(*folders):
    return "".join(path.read_text() for folder in folders for path in sorted(folder.glob("*.[ch]")))


def test_sources_name_the_constants_of_the_package():
    text = text_of(SOURCES, CORE)
    assert f"FILTER_ID = {h5filter.FILTER_ID}," in text
    assert f'"{h5filter.NAME.decode()}"' in text
    assert f"MAX_COLOURS = {MAX_PALETTE} " in text
    assert f"MAX_UNITS = {MAX_UNITS}," in text
    assert f"MAX_DICTIONARY = {MAX_DICTIONARY >> 20} << 20," in text
    assert f"MOST_BYTES = {CACHE_BYTES >> 20} << 20," in text
    assert f"MAX_EDGE = {MAX_EDGE}," in text
    assert f"FOLDED_BITS = {FOLDED_BITS}," in text
    ids = re.search(r"typedef enum \{ (RAW.*), CODECS \}", text).group(1).lower().split(", ")
    assert ids == [codec.name for codec in sorted(CODECS.values(), key=lambda codec: codec.id)]


def test_presets_of_lpc_are_those_of_the_package():
    text = text_of(CORE)
    numbers = dict(re.findall(r"PRESET_([A-Z]+) = (\d+)", text))
    rows = re.findall(r"\[PRESET_([A-Z]+)\] = \{LPC_([A-Z]+), (\d+), (\d+), (\d+)\}", text)
    given = {
        int(numbers[name]): (REFERENCES[how.lower()], *map(int, rest)) for name, how, *rest in rows
    }
    assert given == {
        row.id: (
            REFERENCES[row.options["references"]],
            *(int(row.options[name]) for name in ("classes", "rows", "passes")),
        )
        for row in PRESETS.values()
        if row.codec.name == "lpc"
    }


def test_it_says_what_it_is(native):
    assert (native.info.id, native.info.name) == (h5filter.FILTER_ID, h5filter.NAME)
    assert (native.info.encoder_present, native.info.decoder_present) == (1, 1)


@pytest.mark.skipif(shutil.which("ldd") is None, reason="no ldd")
def test_it_needs_the_c_library_only(folder):
    found = subprocess.run(["ldd", folder / LIBRARY], capture_output=True, text=True, check=True)
    names = {line.split()[0].rsplit("/", 1)[-1] for line in found.stdout.splitlines()}
    allowed = r"(linux-vdso|libc|libm|libdl|libpthread|ld-.*)\.so.*"
    assert all(re.fullmatch(allowed, name) for name in names), names
    assert (folder / LIBRARY).stat().st_size < 400_000


# Reading


@pytest.mark.parametrize("preset", LOSSLESS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_it_reads_what_python_writes(native, preset, dtype):
    for shape in SHAPES:
        for kind in ("pixels", "moving"):
            frames = frames_of(shape, dtype, kind)
            data = block.encode(frames, Recipe(Coding(preset)))
            assert native.run(values_of(whole(shape), dtype), data) == frames.tobytes()


@pytest.mark.parametrize("predictor", Predictor)
@pytest.mark.parametrize("codec", ["raw", "deflate", "lzma"])
def test_it_undoes_predictors(native, codec, predictor):
    for shape in SHAPES:
        for dtype in ("u1", ">i2", "i4", "u8", "f2"):
            frames = frames_of(shape, dtype)
            data = block.encode(frames, Recipe(Coding(codec), predictor=predictor))
            assert native.run(values_of(whole(shape), dtype), data) == frames.tobytes()


def test_bounds(native):
    for dtype in ("f2", "f4", "f8", "i2", "u8"):
        near = (moving((5, 20, 30)) * 1.37).astype(dtype)
        data, decoded = block.encode_lossy(near, Recipe(Coding("ffv1"), bound=3.0))
        assert native.run(values_of((5, 20, 30, 1), dtype), data) == decoded.tobytes()


def test_lossy_video_is_decoded_as_python_does(native):
    """To the bit: before it was told to, FFmpeg 5 gave one pixel of these frames otherwise."""
    frames = moving((24, 48, 64))[np.random.default_rng(0).permutation(24)]
    for coding in (Coding("mp4"), Coding(crf=20)):
        data, decoded = block.encode_lossy(frames, Recipe(coding))
        assert native.run(values_of((24, 48, 64, 1), "u1"), data) == decoded.tobytes()


def test_blocks_smaller_than_their_chunk(native):
    for dtype in ("u1", "i2", "f4"):
        for preset in ("lpc-fast", "raw", "deflate"):
            frames = frames_of((3, 9, 8, 3), dtype)
            data, chunk = block.encode(frames, Recipe(Coding(preset))), (5, 12, 10, 3)
            wanted = block.padded(frames, chunk).tobytes()
            assert native.run(values_of(chunk, dtype), data) == wanted


def test_golden_blocks(native):
    for name, chunk, dtype, crcs, data in golden_blocks():
        pixels_ = native.run(values_of(chunk, dtype), data)
        assert pixels_ is not None, name
        frames = np.frombuffer(pixels_, dtype).reshape(chunk[0], -1)
        assert block.frame_crcs(frames).tolist() == list(crcs), name


@needs_tools
@pytest.mark.parametrize("name", sorted({*STACKS} - {*NO_FRAMES, OPEN}))
def test_h5dump_of_golden_stacks(folder, name):
    """All but the recording that was not closed, which HDF5's tools do not open."""
    frames = expected(name)
    assert dump(folder, GOLDEN / f"{name}.h5", dtype=frames.dtype) == little(frames)


@needs_tools
@pytest.mark.parametrize("name", DATASETS)
def test_h5dump_of_golden_datasets(folder, name):
    with h5py.File(GOLDEN / f"{name}.h5") as file:
        frames = file[DATASETS[name]][...]
    assert dump(folder, GOLDEN / f"{name}.h5", DATASETS[name], frames.dtype) == little(frames)


@needs_tools
def test_h5repack_of_every_golden_block_through_virtual_datasets(folder):
    """All in one file, each seen through a virtual dataset, last frame first."""
    crcs, options = {}, h5vidstack.Video()
    with h5py.File("all.h5", "w") as file:
        for number, (_, chunk, dtype, wanted, data) in enumerate(golden_blocks()):
            shape = chunk if chunk[3] > 1 else chunk[:3]
            video = file.create_dataset(f"v/{number}", shape, dtype, chunks=shape, **options)
            video.id.write_direct_chunk((0,) * len(shape), data)
            layout = h5py.VirtualLayout(shape, dtype)
            for i in range(chunk[0]):
                layout[i] = h5py.VirtualSource(".", video.name, shape, dtype)[chunk[0] - 1 - i]
            seen = file.create_virtual_dataset(f"frames/{number}", layout)
            crcs[seen.name] = list(wanted)[::-1]
    done = with_plugin(folder, "h5repack", "-f", "GZIP=1", "all.h5", "plain.h5")
    assert done.returncode == 0, done.stderr
    with h5py.File("plain.h5") as file:
        for name, wanted in crcs.items():
            assert file[name].compression == "gzip"
            assert block.frame_crcs(file[name][...]).tolist() == wanted, name


# Writing


def written(native, frames):
    """The block that the plugin makes of frames, decoded by Python and by the plugin."""
    values, chunk = values_of(whole(frames.shape), frames.dtype), whole(frames.shape)
    values[1] = PRESETS["lpc-fast"].id
    data = native.write(values, frames.tobytes())
    decoded = block.decode(data, chunk, frames.dtype.newbyteorder("="))
    assert little(decoded) == little(frames)
    assert native.run(values, data) == frames.tobytes()
    return data


@pytest.mark.parametrize("dtype", DTYPES)
def test_python_reads_what_it_writes(native, dtype):
    for shape in [(1, 1, 1), (1, 17, 3), (2, 1, 1, 3), *SHAPES]:
        for frames in (
            np.zeros(shape, dtype),
            np.ones(shape, dtype),
            moving(shape).astype(dtype),
            (moving(shape).astype("i8") * 8 - 300).astype(dtype),
            *([frames_of(shape, dtype)] if np.prod(shape[2:]) > 1 else []),
        ):
            written(native, frames)


@given(
    hnp.arrays(
        st.sampled_from(DTYPES),
        st.tuples(*[st.integers(1, 6)] * 3) | st.tuples(*[st.integers(1, 4)] * 3, st.sampled_from([3, 4])),
    )
)  # fmt: skip
def test_any_frames_are_written(native, frames):
    written(native, frames)


@pytest.mark.parametrize("dtype", DTYPES)
def test_noise_is_no_larger_than_raw_by_more_than_headers(native, dtype):
    size = np.dtype(dtype).itemsize
    for shape in [(4, 20, 30), (4, 20, 10, 3)]:
        top = 2 if dtype == "?" else 256
        frames = np.random.default_rng(0).integers(0, top, (*shape, size), "u1")
        data = written(native, frames.view(dtype)[..., 0])
        assert len(data) <= frames.size + 68 + 2 * whole(shape)[3] * (16 + 4 * shape[0])


def test_it_maps_values(native):
    """An offset, a common factor, and floats that are whole numbers cost nothing."""
    frames = moving((6, 40, 50))
    plain = len(written(native, frames))
    for other in (
        frames.astype("u2") * 13 + 7, frames.astype("u2") + 40_000, frames.astype("i4") * 1000 - 70_000, frames.astype("f4"),
        frames.astype(">f8") + 1e6, frames.astype("u8") << 50,
    ):  # fmt: skip
        assert len(written(native, other)) <= plain + 8


def test_other_presets_are_written_by_lpc(native):
    frames = moving((6, 20, 30))
    values = values_of((6, 20, 30, 1), "u1")
    for preset in PRESETS.values():
        values[1] = preset.id
        parsed = parse(native.write(values, frames.tobytes()), (6, 20, 30, 1), frames.dtype)
        assert [stream.codec.name for stream in parsed.streams] == ["lpc"]


def test_chunks_that_it_does_not_write(native):
    values = values_of((4, 20, 30, 1), "u1")
    assert native.write(values, bytes(2400)) is not None
    assert native.write(values, bytes(2399)) is None
    assert native.write(values[:7], bytes(2400)) is None
    assert native.write([*values[:6], 2, values[7]], bytes(4800)) is None


@needs_tools
def test_h5repack_writes(folder):
    made = {name.strip(">"): frames_of((11, 20, 30), name, "moving") for name in DTYPES}
    made |= {"colour": moving((7, 20, 30, 3)), "axes": moving((24, 10, 20)).reshape(2, 12, 10, 20)}
    with h5py.File("plain.h5", "w") as file:
        for name, frames in made.items():
            chunks = {"axes": (1, 4, 7, 20), "colour": (4, 13, 30, 3)}.get(name, (4, 13, 30))
            file.create_dataset(name, data=frames, chunks=chunks)
    for options in ("0", "1,1", "2,1,5", "3,1,3,0"):
        out = f"out{options[0]}.h5"
        done = with_plugin(folder, "h5repack", "-f", f"UD=47113,0,{options}", "plain.h5", out)
        assert done.returncode == 0, done.stderr
        with h5py.File(out) as file:
            for name, frames in made.items():
                (code, flags, values, text), = h5filter.pipeline(file[name])  # fmt: skip
                assert (code, flags, text) == (h5filter.FILTER_ID, 0, h5filter.NAME)
                pixel = np.dtype("u1") if frames.dtype == bool else frames.dtype
                wanted = h5filter.parameters([], file[name].chunks, pixel)
                assert list(values[3:]) == wanted[3:]
                np.testing.assert_array_equal(file[name][...], frames, strict=True)
                h5filter.check_chunks(file[name])
        with h5vidstack.open(out, "/colour") as stack:
            np.testing.assert_array_equal(stack[:], made["colour"])
    done = with_plugin(folder, "h5repack", "-f", "NONE", "out0.h5", "back.h5")
    assert done.returncode == 0, done.stderr
    assert with_plugin(folder, "h5diff", "plain.h5", "back.h5").returncode == 0


def test_a_program_in_c_writes(folder):
    cc, config = shutil.which("cc"), shutil.which("pkg-config")
    asked = [config, "--cflags", "--libs", "hdf5"]
    found = subprocess.run(asked, capture_output=True, text=True) if config else None
    if not cc or found is None or found.returncode:
        pytest.skip("no headers of HDF5 (Debian: libhdf5-dev)")
    source = Path(__file__).parent / "plugin_write.c"
    subprocess.run([cc, source, "-o", "write", *shlex.split(found.stdout)], check=True)
    done = with_plugin(folder, "./write", "c.h5")
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < 20 * 40 * 50 * 2 / 4
    y, x, i = np.ogrid[:40, :50, :20]
    wanted = np.moveaxis(1000 + 7 * x + 3 * y + i * i % 11, 2, 0).astype("u2")
    with h5vidstack.open("c.h5", "/frames") as stack:
        np.testing.assert_array_equal(stack[:], wanted)


WITHOUT_THE_PACKAGE = """
import sys, h5py, numpy as np
frames = np.load("frames.npy")
with h5py.File("x.h5", "w") as file:
    file.create_dataset("d", data=frames, chunks=(4, *frames.shape[1:]), compression=47113)
with h5py.File("x.h5", "r+") as file:
    file["d"][3] = frames[0]
    for shape, dtype, chunks in [((4, 5), "u1", (4, 5)), ((4, 5, 6), "S3", (2, 5, 6)),
                                 ((1, 2, 20000), "u1", (1, 2, 20000))]:
        try:
            file.create_dataset("e", shape, dtype, chunks=chunks, compression=47113)
        except ValueError as error:
            print(error)
assert "h5vidstack" not in sys.modules
"""


def test_h5py_without_the_package_writes(folder):
    frames = moving((11, 20, 30)).astype("u2")
    np.save("frames.npy", frames)
    done = with_plugin(folder, sys.executable, "-c", WITHOUT_THE_PACKAGE)
    assert done.returncode == 0, done.stderr
    frames[3] = frames[0]
    with h5py.File("x.h5") as file:
        np.testing.assert_array_equal(file["d"][...], frames)
        assert file["d"].id.get_create_plist().get_filter(0)[1] == 0, "the filter is not mandatory"
        assert "e" not in file
    assert len(done.stdout.splitlines()) == 3


# What is missing


def test_lpc_needs_no_ffmpeg(folder):
    """Nor zlib, nor liblzma; a video does, and says so."""
    with h5py.File("x.h5", "w") as file:
        for name, codec in (("lpc", "lpc"), ("video", "x264")):
            file.create_dataset(
                name, data=moving((5, 20, 30)), chunks=(5, 20, 30), **h5vidstack.Video(codec)
            )
    program = "import h5py, sys; h5py.File('x.h5')[sys.argv[1]][...]"
    absent = {"H5VIDSTACK_LIBAVCODEC": "/nowhere/libavcodec.so"}
    run = [sys.executable, "-c", program]
    assert with_plugin(folder, *run, "lpc", variables=absent).returncode == 0
    assert with_plugin(folder, *run, "video").returncode == 0
    done = with_plugin(folder, *run, "video", variables=absent)
    assert done.returncode == 1


@needs_tools
def test_what_to_install_for_video_is_said(folder, shim):
    h5vidstack.pack(moving((5, 20, 30)), "x.h5", method="video", codec="x264")
    command = ("h5dump", "--enable-error-stack", "-d", "/stack/frames", "-o", "raw.bin", "x.h5")
    absent = {"H5VIDSTACK_LIBAVCODEC": "/nowhere/libavcodec.so"}
    done = with_plugin(folder, *command, variables=absent)
    assert done.returncode == 1
    assert "h5vidstack: H5VIDSTACK_LIBAVCODEC names a library that does not load" in done.stderr
    assert "Debian: libavcodec" in text_of(SOURCES)
    newer = {"H5VIDSTACK_LIBAVCODEC": shim, "MAJOR": "99"}
    done = with_plugin(folder, *command, variables=newer)
    assert done.returncode == 1
    assert "libavcodec 99 is not known to this plugin" in done.stderr


@pytest.fixture(scope="session")
def shim(folder):
    """A libavcodec before the real one; see ffmpeg_shim.c."""
    library = libavcodec()
    place = library if "/" in library else f"-l:{library}"
    source, made = Path(__file__).parent / "ffmpeg_shim.c", folder / "shim.so"
    words = ["cc", "-shared", "-fPIC", "-o", made, source, "-Wl,--no-as-needed", place, "-ldl"]
    subprocess.run(words, check=True)
    return str(made)


# HDF5's tools


@needs_tools
def test_h5repack_of_reordered_stacks(folder):
    """What `pack` makes, seen through virtual datasets."""
    shape, made = (12, 18, 20), {}
    for preset in PRESETS:
        for dtype in ("u1", ">f4"):
            frames = moving(shape).astype(dtype)[np.random.default_rng(0).permutation(12)]
            name = f"/{preset}-{dtype.strip('>')}"
            h5vidstack.pack(
                frames, f"x.h5::{name}", method="groupvideo", preset=preset, chunk_frames=4,
                hashes=False,
            )  # fmt: skip
            made[name] = frames
    with h5py.File("x.h5") as file:
        assert any(file[f"{name}/frames"].is_virtual for name in made)
        wanted = {name: file[f"{name}/frames"][...] for name in made}
    for name, frames in wanted.items():
        assert dump(folder, "x.h5", f"{name}/frames") == little(frames)
    done = with_plugin(folder, "h5repack", "-f", "GZIP=6", "x.h5", "plain.h5")
    assert done.returncode == 0, done.stderr
    with h5py.File("plain.h5") as file:
        for name, frames in wanted.items():
            assert h5filter.FILTER_ID not in _filters(file[f"{name}/groups/000000/video"])
            assert little(file[f"{name}/frames"][...]) == little(frames)


def _filters(dataset):
    return [number for number, *_ in h5filter.pipeline(dataset)]


@needs_tools
def test_h5dump_of_tiles_bounds_and_appended_frames(folder):
    frames = moving((20, 70, 90))
    h5vidstack.pack(frames[:13], "tiled.h5", tile=(32, 48), chunk_frames=8)
    h5vidstack.pack(frames[13:], "tiled.h5", mode="a")
    assert dump(folder, "tiled.h5") == frames.tobytes()
    for dtype in ("f2", "i2"):
        near = (frames * 1.37).astype(dtype)
        h5vidstack.pack(near, "near.h5", max_error=3, overwrite=True)
        with h5vidstack.open("near.h5") as stack:
            assert dump(folder, "near.h5", dtype=dtype) == stack[:].tobytes()


@needs_tools
def test_h5ls_shows_the_name():
    h5vidstack.pack(moving((5, 20, 30)), "x.h5")
    shown = subprocess.run(["h5ls", "-v", "x.h5/stack"], capture_output=True, text=True).stdout
    assert h5filter.NAME.decode() in shown


@needs_tools
def test_tools_say_what_is_wrong(folder):
    h5vidstack.pack(moving((40, 20, 30)), "x.h5", method="video")
    command = ("h5dump", "--enable-error-stack", "-d", "/stack/frames", "-o", "raw.bin", "x.h5")
    unaided = with_plugin("/nowhere", *command)
    assert unaided.returncode == 1
    assert with_plugin(folder, *command).returncode == 0
    with h5py.File("x.h5", "r+") as file:
        at = file["stack/frames"].id.get_chunk_info(1).byte_offset + 100
    with open("x.h5", "r+b") as file:
        file.seek(at)
        byte = file.read(1)[0]
        file.seek(at)
        file.write(bytes([byte ^ 1]))
    done = with_plugin(folder, *command)
    assert done.returncode == 1
    assert "h5vidstack: CRC-32 of a block is wrong" in done.stderr


# The cache


PLAIN_H5PY = """
import sys, h5py, numpy as np
with h5py.File("x.h5", rdcc_nbytes=0) as file:
    frames = file["stack/frames"]
    np.save("read.npy", np.stack([frames[i] for i in eval(sys.argv[1])]))
assert "h5vidstack" not in sys.modules
"""


def count_decoders(folder, shim, order):
    """Read frames one by one, without HDF5's chunk cache; how many decoders were opened?"""
    Path("counted").unlink(missing_ok=True)
    variables = {"H5VIDSTACK_LIBAVCODEC": shim, "COUNTED": "counted"}
    done = with_plugin(folder, sys.executable, "-c", PLAIN_H5PY, order, variables=variables)
    assert done.returncode == 0, done.stderr
    return Path("counted").stat().st_size


def test_frames_of_a_chunk_decode_it_once(folder, shim):
    """In h5py's HDF5, which is another than that of the system's tools."""
    frames = moving((40, 20, 30))
    h5vidstack.pack(frames, "x.h5", method="video", preset="x264-fast", chunk_frames=8)
    assert (
        count_decoders(folder, shim, "range(40)") == 5 + 1
    )  # the second frame shows how it is read
    np.testing.assert_array_equal(np.load("read.npy"), frames)


def test_chunks_that_come_back_are_kept(folder, shim):
    """Frames of 5 chunks in turn: the cache grows as soon as it was too small."""
    frames = moving((40, 20, 30))
    h5vidstack.pack(frames, "x.h5", method="video", preset="x264-fast", chunk_frames=8)
    assert count_decoders(folder, shim, "[i % 5 * 8 + i // 5 for i in range(40)]") == 10
    wanted = frames.reshape(5, 8, 20, 30).swapaxes(0, 1).reshape(frames.shape)
    np.testing.assert_array_equal(np.load("read.npy"), wanted)


def test_several_threads(native):
    some = sound_blocks()

    def sound(number):
        chunk, dtype, wanted, data = some[number % len(some)]
        return native.run(values_of(chunk, dtype), data) == wanted

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(sound, range(4 * len(some))))


# Hostile blocks


def test_changed_blocks(native, capfd):
    """As they are, they are refused; with a right CRC they are decoded or refused. All in silence."""
    rng = np.random.default_rng(0)
    tried = decoded = 0
    for chunk, dtype, _, data in sound_blocks():
        values = values_of(chunk, dtype)
        for _ in range(20):
            changed = bytearray(data)
            changed[rng.integers(len(data))] ^= 1 << rng.integers(8)
            assert native.run(values, bytes(changed)) is None
            assert native.run(values, bytes(changed[: rng.integers(len(data))])) is None
            decoded += native.run(values, resealed(bytes(changed))) is not None
            tried += 1
    assert 0 < decoded < tried
    assert capfd.readouterr() == ("", "")


def refused(native, data, chunk, dtype):
    with pytest.raises(BlockError):
        block.decode(data, chunk, np.dtype(dtype))
    return native.run(values_of(chunk, dtype), data) is None


@pytest.mark.parametrize("preset", ["raw", "lpc-fast"])
def test_every_field_of_headers_is_checked(native, preset):
    """Each byte from the version to the first sizes of packets."""
    frames, chunk = moving((2, 6, 7, 3)), (2, 6, 7, 3)
    data = block.encode(frames, Recipe(Coding(preset)), verify=False)
    values, differ = values_of(chunk, "u1"), []
    for at in range(8, 68 + 16 + 8):
        for value in (*range(10), 15, 16, 17, 31, 32, 33, 63, 64, 65, 127, 128, 254, 255):
            changed = resealed(data[:at] + bytes([value]) + data[at + 1 :])
            try:
                wanted = block.decode(changed, chunk, frames.dtype)
                wanted = block.padded(wanted, chunk).tobytes()
            except BlockError:
                wanted = None
            if native.run(values, changed) != wanted:
                differ.append((at, value))
    # Bytes that must be 0, which Python's filter does not look at; and bits that a raw stream has
    # beyond those that it says, which Python's filter keeps.
    assert {at for at, _ in differ} <= {38, 39, 68 + 4}, differ


def test_limits_of_hostile_blocks(native):
    frames = moving((2, 64, 80))
    large = block.encode(frames, Recipe(Coding("x264-fast")), verify=False)
    small = large[:20] + (16).to_bytes(4, "little") + (16).to_bytes(4, "little") + large[28:]
    assert refused(native, resealed(small), (2, 64, 80, 1), "u1")  # a picture beyond its block
    parsed = parse(large, (2, 64, 80, 1), frames.dtype)
    for packets in ([bytes(parsed.streams[0].packets[0]) * 20] * 2, [b"", b""]):
        stream = parsed.streams[0]
        stream.__dict__["packets"] = packets
        assert refused(native, seal(parsed, frames.dtype), (2, 64, 80, 1), "u1")
    for preset in ("deflate", "lzma", "raw", "lpc-fast"):
        data = block.encode(moving((3, 20, 20)), Recipe(Coding(preset)), verify=False)
        for bits in (0, 9):  # of the mapping
            assert refused(
                native, resealed(data[:37] + bytes([bits]) + data[38:]), (3, 20, 20, 1), "u1"
            )


def test_hostile_parameters(native):
    data = block.encode(moving((3, 20, 20)), Recipe(Coding("raw")))
    values = values_of((3, 20, 20, 1), "u1")
    assert native.run(values, data) is not None
    for wrong in (values[:6], values[:7], [*values, 0], [2**32 - 1] * 8,
                  [*values[:7], ord("u") << 8 | 3], [*values[:6], 0, values[7]],
                  [*values[:4], 20, 19, 1, values[7]], [*values[:3], 2**31, 2**31, 2**31, 1, values[7]],
                  [*values[:7], 1 << 17]):  # fmt: skip
        assert native.run(wrong, data) is None
        assert native.write(wrong, bytes(1200)) is None or wrong[4:6] == [20, 19]


# Examples of the guide


@needs_tools
def test_examples_of_tools(folder):
    page = (ROOT / "docs/programs.md").read_text()
    frames = moving((20, 40, 50))
    h5vidstack.pack(frames, "out.h5")
    lines = re.findall(r"^ *(h5(?:ls|dump|repack) .*)$", page, re.M)
    assert len(lines) >= 3
    for line in lines:
        done = with_plugin(folder, *shlex.split(line, comments=True))
        assert done.returncode == 0, done.stderr
    assert Path("raw.bin").read_bytes() == frames.tobytes()
    with h5py.File("plain.h5") as file:
        np.testing.assert_array_equal(file["stack/frames"][...], frames)
    if shutil.which("Rscript") is None:
        pytest.skip("no R: its examples did not run")
    for example in re.findall(r"^```r\n(.*?)^```", page, re.S | re.M):
        package = re.search(r"library\((\w+)\)", example).group(1)
        if with_plugin(folder, "Rscript", "-e", f"library({package})").returncode:
            pytest.skip(f"no R package {package}: its example did not run")
        number = int(re.search(r"(?:, |NULL, )(\d+)[)\]]", example).group(1))
        program = example + "\nwriteBin(as.raw(as.vector(t(frame))), 'frame.bin')"
        done = with_plugin(folder, "Rscript", "-e", program)
        assert done.returncode == 0, done.stderr
        assert Path("frame.bin").read_bytes() == frames[number - 1].tobytes()


def examples(language):
    """The blocks of a language in the page about other programs."""
    page = (ROOT / "docs/programs.md").read_text()
    return re.findall(rf"^```{language}\n(.*?)^```", page, re.S | re.M)


@pytest.mark.skipif(shutil.which("nccopy") is None, reason="no netcdf-bin")
def test_examples_of_nccopy(folder):
    frames = moving((20, 40, 50))
    with h5py.File("plain.h5", "w") as file:
        file.create_dataset("stack/frames", data=frames, chunks=(16, 40, 50))
    lines = [line for text in examples("bash") for line in text.splitlines() if "nccopy" in line]
    assert len(lines) == 2
    for line in lines:
        done = with_plugin(folder, *shlex.split(line))
        assert done.returncode == 0, done.stderr
        with h5py.File(line.split()[-1]) as file:
            assert _filters(file["stack/frames"]) == [h5filter.FILTER_ID]
            np.testing.assert_array_equal(file["stack/frames"][...], frames)


@pytest.mark.skipif(shutil.which("octave-cli") is None, reason="no octave")
def test_example_of_octave(folder):
    frames = moving((20, 40, 50))
    h5vidstack.pack(frames, "out.h5")
    (example,) = examples("octave")
    write = 'file = fopen("frame.bin", "wb"); fwrite(file, frame.\', "uint8"); fclose(file);'
    done = with_plugin(folder, "octave-cli", "--eval", example + write)
    assert Path("frame.bin").read_bytes() == frames[5].tobytes(), done.stderr


@pytest.mark.skipif(
    None in map(shutil.which, ("java", "javac"))
    or not Path("/usr/share/java/jarhdf5.jar").exists(),
    reason="no libhdf5-java or no Java",
)
def test_example_of_java(folder):
    frames = moving((20, 40, 50))
    h5vidstack.pack(frames, "out.h5")
    (program,) = examples("java")
    Path("Read.java").write_text(program)
    commands = [
        line for text in examples("bash") for line in text.splitlines() if "jarhdf5" in line
    ]
    assert len(commands) == 2
    for command in commands:
        done = with_plugin(folder, *shlex.split(command))
        assert done.returncode == 0, done.stderr
    assert Path("pixels.bin").read_bytes() == frames.tobytes()


def test_pytables_reads(folder):
    """It brings an HDF5 of its own."""
    pytest.importorskip("tables", reason="no PyTables")
    frames = moving((20, 40, 50))
    h5vidstack.pack(frames, "out.h5")
    np.save("frames.npy", frames)
    program = (
        "import sys, warnings, numpy as np\n"
        "warnings.simplefilter('ignore')\n"
        "import tables\n"
        "with tables.open_file('out.h5') as file:\n"
        "    assert (file.get_node('/stack/frames')[:] == np.load('frames.npy')).all()\n"
        "assert 'h5vidstack' not in sys.modules\n"
    )
    done = with_plugin(folder, sys.executable, "-c", program)
    assert done.returncode == 0, done.stderr


def plugin_path(site):
    command = [sys.executable, "-m", "h5vidstack", "plugin-path"]
    return subprocess.run(
        command, env={**os.environ, "PYTHONPATH": str(site)}, capture_output=True, text=True
    )


@pytest.fixture
def site(tmp_path):
    """A copy of the package without the plugin, as pip installs it."""
    package = Path(h5vidstack.__file__).parent
    shutil.copytree(
        package,
        tmp_path / "site" / "h5vidstack",
        ignore=shutil.ignore_patterns(LIBRARY, "__pycache__"),
    )
    return tmp_path / "site"


def test_plugin_path(site, folder):
    where = site / "h5vidstack" / "plugin"
    shutil.copy(folder / LIBRARY, where)
    assert plugin_path(site).stdout == f"{where}\n"


def test_plugin_path_without_a_plugin(site):
    done = plugin_path(site)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("Error: the native HDF5 plugin was not built")
    (site / "h5vidstack" / "plugin" / LIBRARY).write_text("no library")
    done = plugin_path(site)
    assert done.returncode == 1
    assert "does not load here" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_enable_is_for_this_process_and_its_children(site, folder):
    where = site / "h5vidstack" / "plugin"
    shutil.copy(folder / LIBRARY, where)
    script = (
        "import os, subprocess, sys, h5py, h5vidstack.plugin as plugin\n"
        "os.environ['HDF5_PLUGIN_PATH'] = '/elsewhere'\n"
        "folder = plugin.enable()\n"
        "assert plugin.enable() == folder\n"
        "print(os.environ['HDF5_PLUGIN_PATH'])\n"
        "print(h5py.h5pl.get(0).decode())\n"
        "code = 'import h5py; print(h5py.h5pl.size(), h5py.h5z.filter_avail(47113))'\n"
        "subprocess.run([sys.executable, '-c', code], check=True)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], env={**os.environ, "PYTHONPATH": str(site)},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.splitlines() == [f"{where}:/elsewhere", str(where), "2 True"]
