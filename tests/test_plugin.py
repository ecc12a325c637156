"""The native plugin beside the Python filter, by itself and in HDF5's own tools.

Where a compiler, headers or the tools are missing, what needs them is skipped: `make plugin` and
Debian's hdf5-tools bring them.
"""

import itertools
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import h5py
import numpy as np
import pytest
from frames import DTYPES, moving, noise, pixels
from native import LIBRARY, SOURCES, Native, make, missing, with_plugin
from test_block import resealed
from test_golden import BESIDE, GOLDEN, LIBRARIES, NO_FRAMES, OPEN, STACKS, expected

import h5vidstack
from h5vidstack import BlockError, block
from h5vidstack import filter as h5filter
from h5vidstack.block_format import parse, seal
from h5vidstack.codecs import CODECS, PRESETS, RAW, Coding
from h5vidstack.codecs.bytewise import MAX_DICTIONARY
from h5vidstack.codecs.h264 import MAX_UNITS
from h5vidstack.codecs.transforms import Predictor
from h5vidstack.mapping import MAX_PALETTE
from h5vidstack.reader import CACHE_BYTES
from h5vidstack.recipe import Recipe

ROOT = Path(__file__).parent.parent
needs_tools = pytest.mark.skipif(
    None in map(shutil.which, ("h5dump", "h5ls", "h5repack")), reason="no hdf5-tools"
)


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


def golden_blocks(name):
    """Name, chunk, dtype, CRCs of the frames, and bytes of all blocks of a folder."""
    with np.load(GOLDEN / name / "blocks.npz") as stored:
        blocks = np.split(stored["data"], stored["ends"][:-1])
        for (what, chunk, dtype, crcs), data in zip(json.loads(str(stored["index"])), blocks):
            yield what, tuple(chunk), np.dtype(dtype.replace("?", "u1")), crcs, data.tobytes()


def values_of(chunk, dtype):
    return h5filter.parameters([], chunk if chunk[3] > 1 else chunk[:3], np.dtype(dtype))


def dump(folder, path, dataset="/stack/frames", dtype="u1"):
    """The bytes that h5dump writes, little-endian; of bool and float16 it writes none so."""
    order = "FILE" if np.dtype(dtype).str[1:] in ("b1", "f2") else "LE"
    done = with_plugin(folder, "h5dump", "-d", dataset, "-b", order, "-o", "raw.bin", path)
    assert done.returncode == 0, done.stderr
    return Path("raw.bin").read_bytes()


def little(frames):
    return np.ascontiguousarray(frames, frames.dtype.newbyteorder("<")).tobytes()


def test_sources_name_the_constants_of_the_package():
    text = "".join(path.read_text() for path in sorted(SOURCES.glob("*.[ch]")))
    assert f"FILTER_ID = {h5filter.FILTER_ID} " in text
    assert f'"{h5filter.NAME.decode()}"' in text
    assert f"MAX_COLOURS = {MAX_PALETTE} " in text
    assert f"MAX_UNITS = {MAX_UNITS}," in text
    assert f"MAX_DICTIONARY = {MAX_DICTIONARY >> 20} << 20," in text
    assert f"MOST_BYTES = {CACHE_BYTES >> 20} << 20," in text
    ids = re.search(r"typedef enum \{ (RAW.*), CODECS \}", text).group(1).lower().split(", ")
    assert ids == [codec.name for codec in sorted(CODECS.values(), key=lambda codec: codec.id)]
    assert sorted(path.name for path in SOURCES.glob("*.c")) == sorted(
        re.search(r"^SOURCES := (.*)$", (SOURCES / "Makefile").read_text(), re.M).group(1).split()
    )


def test_it_says_what_it_is(native):
    assert (native.info.id, native.info.name) == (h5filter.FILTER_ID, h5filter.NAME)
    assert (native.info.encoder_present, native.info.decoder_present) == (0, 1)


@pytest.mark.parametrize("name", LIBRARIES)
def test_golden_blocks(native, name):
    for what, chunk, dtype, crcs, data in golden_blocks(name):
        pixels = native.run(values_of(chunk, dtype), data)
        assert pixels is not None, what
        frames = np.frombuffer(pixels, dtype).reshape(chunk[0], -1)
        assert block.frame_crcs(frames).tolist() == crcs, what


@needs_tools
@pytest.mark.parametrize("name", sorted({*STACKS} - {*NO_FRAMES, OPEN}))
def test_h5dump_of_golden_stacks(folder, name):
    """All but the recording that was not closed, which HDF5's tools do not open."""
    frames = expected(name)
    assert dump(folder, GOLDEN / f"{name}.h5", dtype=frames.dtype) == little(frames)


@needs_tools
@pytest.mark.parametrize("name", BESIDE)
def test_h5dump_of_golden_datasets(folder, name):
    frames = expected(f"1.5/{name}")
    assert dump(folder, GOLDEN / f"1.5/{name}.h5", "/entry/data", frames.dtype) == little(frames)


@needs_tools
def test_h5repack_of_every_codec_dtype_and_transform_through_virtual_datasets(folder):
    """All golden blocks in one file, each seen through a virtual dataset, last frame first."""
    crcs, written = {}, h5vidstack.Video()
    with h5py.File("all.h5", "w") as file:
        for number, (_, chunk, dtype, wanted, data) in enumerate(golden_blocks("pyav-18")):
            shape = chunk if chunk[3] > 1 else chunk[:3]
            video = file.create_dataset(f"v/{number}", shape, dtype, chunks=shape, **written)
            video.id.write_direct_chunk((0,) * len(shape), data)
            layout = h5py.VirtualLayout(shape, dtype)
            for i in range(chunk[0]):
                layout[i] = h5py.VirtualSource(".", video.name, shape, dtype)[chunk[0] - 1 - i]
            crcs[file.create_virtual_dataset(f"frames/{number}", layout).name] = wanted[::-1]
    done = with_plugin(folder, "h5repack", "-f", "GZIP=1", "all.h5", "plain.h5")
    assert done.returncode == 0, done.stderr
    with h5py.File("plain.h5") as file:
        for name, wanted in crcs.items():
            assert file[name].compression == "gzip"
            assert block.frame_crcs(file[name][...]).tolist() == wanted, name


@needs_tools
@pytest.mark.parametrize("preset", PRESETS)
def test_h5repack_of_reordered_stacks(folder, preset):
    """What `pack` makes by each preset, of each size of dtype that the preset takes."""
    shape, made = (12, 18, 20), {}
    for dtype in ("u1", "i2", ">f4", "f8"):
        frames = moving(shape).astype(dtype)[np.random.default_rng(0).permutation(12)]
        if dtype != "u1" and PRESETS[preset].codec.bytewise:
            frames = pixels(shape, dtype)
        name = f"/{dtype.strip('>')}"
        h5vidstack.pack(
            frames,
            f"x.h5::{name}",
            method="groupvideo",
            preset=preset,
            chunk_frames=4,
            hashes=False,
        )
        made[name] = frames
    with h5py.File("x.h5") as file:
        assert any(file[f"{name}/frames"].is_virtual for name in made)
        assert all(
            h5filter.FILTER_ID in _filters(file[f"{name}/groups/000000/video"]) for name in made
        )
        wanted = {name: file[f"{name}/frames"][...] for name in made}
    for name, frames in made.items():
        if PRESETS[preset].lossless:
            assert little(wanted[name]) == little(frames)
        assert dump(folder, "x.h5", f"{name}/frames") == little(wanted[name])
    done = with_plugin(folder, "h5repack", "-f", "GZIP=6", "x.h5", "plain.h5")
    assert done.returncode == 0, done.stderr
    with h5py.File("plain.h5") as file:
        for name, frames in wanted.items():
            assert h5filter.FILTER_ID not in _filters(file[f"{name}/groups/000000/video"])
            assert little(file[f"{name}/frames"][...]) == little(frames)


def _filters(dataset):
    return [number for number, *_ in h5filter.pipeline(dataset)]


@needs_tools
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(5, 1, 2), (1, 9, 7), (7, 17, 3), (6, 5, 7, 3), (9, 8, 5, 4)])
def test_h5dump_of_datasets_with_edge_chunks(folder, shape, dtype):
    frames = pixels((*shape[:2], int(np.prod(shape[2:]))), dtype).reshape(shape)
    chunks = (min(4, shape[0]), *(max(1, edge * 2 // 3) for edge in shape[1:3]), *shape[3:])
    with h5py.File("x.h5", "w") as file:
        file.create_dataset(
            "d", data=frames, chunks=chunks, **h5vidstack.Video("ffv1", verify=False)
        )
    assert dump(folder, "x.h5", "/d", dtype) == little(frames)


@needs_tools
def test_h5dump_of_tiles_bounds_and_appended_frames(folder):
    frames = moving((20, 70, 90))
    h5vidstack.pack(frames[:13], "tiled.h5", tile=(32, 48), chunk_frames=8)
    h5vidstack.pack(frames[13:], "tiled.h5", mode="a")
    assert dump(folder, "tiled.h5") == frames.tobytes()
    for dtype in ("f2", "f4", "f8", "i2", "u8"):
        near = (frames * 1.37).astype(dtype)
        h5vidstack.pack(near, "near.h5", max_error=3, overwrite=True)
        with h5vidstack.open("near.h5") as stack:
            assert dump(folder, "near.h5", dtype=dtype) == stack[:].tobytes()


@needs_tools
def test_lossy_video_is_decoded_as_python_does(folder):
    """To the bit: before it was told to, FFmpeg 5 gave one pixel of these frames otherwise."""
    frames = moving((24, 48, 64))[np.random.default_rng(0).permutation(24)]
    for options in ({"preset": "mp4"}, {"crf": 20}, {"crf": 20, "codec": "x265"}):
        h5vidstack.pack(frames, "lossy.h5", chunk_frames=4, overwrite=True, **options)
        with h5vidstack.open("lossy.h5") as stack:
            assert dump(folder, "lossy.h5") == stack[:].tobytes()


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


def test_it_does_not_write(folder, native):
    assert native.run(values_of((4, 20, 30, 1), "u1"), bytes(2400), flags=0) is None
    h5vidstack.pack(moving((20, 20, 30)), "x.h5", method="video")
    program = "import h5py; h5py.File('x.h5', 'r+')['stack/frames'][0] = 1"
    done = with_plugin(folder, sys.executable, "-c", program)
    assert done.returncode == 1
    assert "OSError" in done.stderr
    assert h5vidstack.verify("x.h5") == []


PLAIN_H5PY = """
import sys, h5py, numpy as np
with h5py.File("x.h5", rdcc_nbytes=0) as file:
    frames = file["stack/frames"]
    np.save("read.npy", np.stack([frames[i] for i in eval(sys.argv[1])]))
assert "h5vidstack" not in sys.modules
"""


def count_decoders(folder, order):
    """Read frames one by one, without HDF5's chunk cache; how many decoders were opened?"""
    flags = subprocess.run(
        ["pkg-config", "--libs", "libavcodec"], capture_output=True, text=True, check=True
    ).stdout
    source = Path(__file__).parent / "count_decoders.c"
    words = ["cc", "-shared", "-fPIC", "-o", "count.so", source, "-Wl,--no-as-needed"]
    subprocess.run([*words, *shlex.split(flags), "-ldl"], check=True)
    Path("counted").unlink(missing_ok=True)
    environment = {
        **os.environ,
        "LD_PRELOAD": str(Path("count.so").resolve()),
        "COUNTED": "counted",
    }
    command = [sys.executable, "-c", PLAIN_H5PY, order]
    subprocess.run(command, check=True, env={**environment, "HDF5_PLUGIN_PATH": str(folder)})
    return Path("counted").stat().st_size


def test_frames_of_a_chunk_decode_it_once(folder):
    """In h5py's HDF5, which is another than the one that the plugin was built with."""
    frames = moving((40, 20, 30))
    h5vidstack.pack(frames, "x.h5", method="video", preset="x264-fast", chunk_frames=8)
    assert count_decoders(folder, "range(40)") == 5 + 1  # the second frame shows how it is read
    np.testing.assert_array_equal(np.load("read.npy"), frames)


def test_chunks_that_come_back_are_kept(folder):
    """Frames of 5 chunks in turn: the cache grows as soon as it was too small."""
    frames = moving((40, 20, 30))
    h5vidstack.pack(frames, "x.h5", method="video", preset="x264-fast", chunk_frames=8)
    assert count_decoders(folder, "[i % 5 * 8 + i // 5 for i in range(40)]") == 10
    wanted = frames.reshape(5, 8, 20, 30).swapaxes(0, 1).reshape(frames.shape)
    np.testing.assert_array_equal(np.load("read.npy"), wanted)


def test_several_threads(native):
    some = list(golden_blocks("pyav-18"))[::7]

    def sound(number):
        _, chunk, dtype, crcs, data = some[number % len(some)]
        frames = np.frombuffer(native.run(values_of(chunk, dtype), data), dtype)
        return block.frame_crcs(frames.reshape(chunk[0], -1)).tolist() == crcs

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(sound, range(4 * len(some))))


def test_changed_blocks(native, capfd):
    """As they are, they are refused; with a right CRC they are decoded or refused. All in silence."""
    rng = np.random.default_rng(0)
    info = 32  # AV_LOG_INFO
    native.library.av_log_set_level(info)
    decoded = 0
    for _, chunk, dtype, _, data in golden_blocks("pyav-18"):
        changed = bytearray(data)
        changed[rng.integers(len(data))] ^= 1 << rng.integers(8)
        values = values_of(chunk, dtype)
        assert native.run(values, bytes(changed)) is None
        assert native.run(values, bytes(changed[: rng.integers(len(data))])) is None
        decoded += native.run(values, resealed(bytes(changed))) is not None
    assert 0 < decoded < 1020
    assert capfd.readouterr() == ("", "")
    assert native.library.av_log_get_level() == info


@pytest.mark.parametrize("dtype", ["u1", "i2", ">u4", "f4"])
@pytest.mark.parametrize("shape", [(1, 1, 1), (2, 5, 3), (30, 7, 9), (12, 5, 7, 3), (9, 4, 6, 4)])
def test_means_of_earlier_frames(native, dtype, shape):
    frames = (moving(shape) // 2 + noise(shape) % 9).astype(dtype)
    raw, chunk = Coding("raw"), (*shape, 1)[:4]
    for low, fold in itertools.product([(), ((4, raw), (6, Coding("deflate-runs")))], [0, 1]):
        for bound in (0.0, 2.5):
            recipe = Recipe(Coding("lzma"), low, Predictor.MEAN, bool(fold), bound=bound)
            data, decoded = block.encode_lossy(frames, recipe)
            got = native.run(values_of(chunk, dtype), data)
            assert got == decoded.astype(frames.dtype).tobytes()


def test_means_of_too_many_bits(native):
    frames = np.array([0, 1 << 40, 5, 1]).reshape(2, 1, 2)
    recipe = Recipe(Coding("lzma"), predictor=Predictor.LEFT)
    data = bytearray(block.encode(frames, recipe))
    data[33] = Predictor.MEAN
    assert refused(native, bytes(resealed(data)), (2, 1, 2, 1), "i8")


def refused(native, data, chunk, dtype):
    with pytest.raises(BlockError):
        block.decode(data, chunk, np.dtype(dtype))
    return native.run(values_of(chunk, dtype), data) is None


def test_every_field_of_headers_is_checked(native):
    """Each byte from the version to the first sizes of packets."""
    frames = moving((2, 6, 7, 3))
    recipe = Recipe(Coding("raw"), ((3, Coding("raw")),))
    data, chunk = block.encode(frames, recipe, verify=False), (2, 6, 7, 3)
    values, differ = values_of(chunk, "u1"), []
    for at in range(8, 68 + 24 + 8):
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
    assert {at for at, _ in differ} <= {35, 38, 39, 68 + 5}, differ


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
    for preset in ("deflate", "lzma", "raw"):
        data = block.encode(moving((3, 20, 20)), Recipe(Coding(preset)), verify=False)
        for bits in (0, 9):  # of the mapping
            assert refused(
                native, resealed(data[:37] + bytes([bits]) + data[38:]), (3, 20, 20, 1), "u1"
            )
    assert RAW.depths[-1] == 16


def test_hostile_parameters(native):
    data = block.encode(moving((3, 20, 20)), Recipe(Coding("raw")))
    values = values_of((3, 20, 20, 1), "u1")
    assert native.run(values, data) is not None
    assert native.run(values[:7], data) is not None  # as format 1.0 had them
    for wrong in (values[:6], [*values, 0], [2**32 - 1] * 8, [2, 2, 1, 3, 20, 20, 1, ord("u") << 8 | 3],
                  [2, 2, 1, 3, 20, 20, 0, values[7]], [2, 2, 1, 3, 20, 19, 1, values[7]],
                  [2, 2, 1, 2**31, 2**31, 2**31, 1, values[7]], [2, 2, 1, 3, 20, 20, 1, 1 << 17]):  # fmt: skip
        assert native.run(wrong, data) is None


@needs_tools
@pytest.mark.parametrize("text", ["README.md", "docs/cookbook/programs.md"])
def test_examples_of_tools(folder, text):
    frames = moving((20, 40, 50))
    h5vidstack.pack(frames, "out.h5")
    lines = re.findall(r"^ *(h5(?:ls|dump|repack) .*)$", (ROOT / text).read_text(), re.M)
    assert len(lines) >= 3
    for line in lines:
        done = with_plugin(folder, *shlex.split(line, comments=True))
        assert done.returncode == 0, done.stderr
    assert Path("raw.bin").read_bytes() == frames.tobytes()
    with h5py.File("plain.h5") as file:
        np.testing.assert_array_equal(file["stack/frames"][...], frames)
    if shutil.which("Rscript") is None:
        pytest.skip("no R: its examples did not run")
    for example in re.findall(r"^```r\n(.*?)^```", (ROOT / text).read_text(), re.S | re.M):
        package = re.search(r"library\((\w+)\)", example).group(1)
        if with_plugin(folder, "Rscript", "-e", f"library({package})").returncode:
            pytest.skip(f"no R package {package}: its example did not run")
        number = int(re.search(r"(?:, |NULL, )(\d+)[)\]]", example).group(1))
        program = example + "\nwriteBin(as.raw(as.vector(t(frame))), 'frame.bin')"
        done = with_plugin(folder, "Rscript", "-e", program)
        assert done.returncode == 0, done.stderr
        assert Path("frame.bin").read_bytes() == frames[number - 1].tobytes()


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
        ignore=shutil.ignore_patterns("*.so", "__pycache__"),
    )
    return tmp_path / "site"


def test_plugin_path(site, folder):
    where = site / "h5vidstack" / "plugin"
    shutil.copy(folder / LIBRARY, where)
    assert plugin_path(site).stdout == f"{where}\n"


def test_plugin_path_without_a_plugin(site):
    done = plugin_path(site)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("Error: the native HDF5 plugin is not built: run `make plugin`")
    (site / "h5vidstack" / "plugin" / LIBRARY).write_text("no library")
    done = plugin_path(site)
    assert done.returncode == 1
    assert "does not load here" in done.stderr
    assert len(done.stderr.splitlines()) == 1
