"""The page that shows stacks, in a real browser: pixels are those of Python, bit for bit."""

import base64
import functools
import http.server
import json
import os
import shutil
import subprocess
import threading
from pathlib import Path

import h5py
import numpy as np
import pytest
from chromium import CHROMIUM, Failed, running

import h5vidstack

ROOT = Path(__file__).parents[1]
GOLDEN = Path(__file__).parent / "golden"
MISSING = [name for name in ("make", "clang", "wasm-ld", "node", "npm") if not shutil.which(name)]
if not CHROMIUM:
    MISSING.append("chromium")

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(bool(MISSING), reason=f"the page needs {', '.join(MISSING)}"),
]

NO_CODEC = "this browser does not decode that", "lets pages decode no video"


class Quiet(http.server.SimpleHTTPRequestHandler):
    """Serves files, which browsers are not to keep, and logs nothing."""

    def end_headers(self):
        """Add a header to those of the file."""
        self.send_header("Cache-Control", "no-store")
        super().end_headers()

    def log_message(self, *_):
        """Say nothing."""


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """A folder that is served: the page in `viewer/`, and what tests put beside it; and its address."""
    folder = tmp_path_factory.mktemp("site")
    made = subprocess.run(
        ["make", "-s", "viewer", f"VIEWER={folder / 'viewer'}"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    if "npm error" in made.stderr:
        pytest.skip(f"npm cannot install h5wasm: {made.stderr[:200]}")
    assert made.returncode == 0, made.stderr
    handler = functools.partial(Quiet, directory=folder)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield folder, f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def browser(site):
    """A browser that shows the page."""
    with running() as browser:
        browser.go(f"{site[1]}/viewer/index.html")
        yield browser


@pytest.fixture
def page(browser, site):
    """Open a file in the page that is there, and give the frames that its workers decode."""

    def load(path, stack=None):
        served = site[0] / path.name
        if served != path:
            shutil.copy(path, served)
        wanted = json.dumps({"stack": stack})
        browser.run(
            f"fetch('/{path.name}').then(r => r.blob()).then(b => viewer.openFile(b, '{path.name}', {wanted}))"
        )
        return browser

    return load


def frame_of(browser, index):
    """The bytes of a frame, and whether its checksum was compared."""
    return_ = """({bytes, checked}) => {
        let text = '';
        for (let i = 0; i < bytes.length; i += 32768)
            text += String.fromCharCode(...bytes.subarray(i, i + 32768));
        return [btoa(text), checked];
    }"""
    text, checked = browser.run(f"viewer.fetchFrame({index}).then({return_})")
    return base64.b64decode(text), checked


def compare(browser, frames, checked=True):
    """All frames of the open stack are these, bit for bit."""
    assert browser.run("viewer.stack.frames") == len(frames)
    for index, frame in enumerate(frames):
        found, compared = frame_of(browser, index)
        assert found == np.ascontiguousarray(frame).tobytes(), f"frame {index}"
        assert compared == checked


def excuse(error, *reasons):
    """Skip a test where the page says that it cannot show something; fail for any other reason."""
    if not any(reason in str(error) for reason in reasons):
        raise error
    pytest.skip(str(error).splitlines()[0])


def wave(frames, height, width, dtype="u1", channels=0, seed=0):
    """A drifting wave with noise."""
    t, y, x = np.indices((frames, height, width))
    noise = np.random.default_rng(seed).normal(0, 1.5, t.shape)
    values = 0.5 + 0.3 * np.sin((x + 3 * t) / 9) + 0.15 * np.cos((y - t) / 7) + noise / 200
    if channels:
        values = np.stack([values * (1 - c / 9) for c in range(channels)], axis=-1)
    most = np.iinfo(dtype).max if np.dtype(dtype).kind in "ui" else 1
    return (values * most).astype(dtype)


SOURCES = {
    "uint8": lambda: wave(20, 96, 120),
    "uint16": lambda: wave(20, 96, 120, "u2"),
    "ten-bits": lambda: wave(20, 96, 120, "u2") >> 6,
    "rgb": lambda: wave(18, 64, 80, channels=3),
    "rgba16": lambda: wave(5, 33, 47, "u2", channels=4),
    "odd": lambda: wave(9, 201, 301),
    "one-frame": lambda: wave(1, 50, 60),
    "one-pixel": lambda: wave(7, 1, 1),
    "int16": lambda: wave(9, 40, 50, "i2") - 9000,
    "float32": lambda: wave(5, 40, 50, "f4"),
    "scattered": lambda: (
        np.random.default_rng(1).choice([3, 700, 60000], (12, 40, 50)).astype("u2")
    ),
}


@pytest.mark.parametrize("profile", ["fast", "balanced", "small"])
@pytest.mark.parametrize("source", SOURCES)
def test_pixels_of_every_profile(site, page, source, profile):
    """The worker decodes what Python packed, whatever the profile chose."""
    frames = SOURCES[source]()
    path = site[0] / f"{source}-{profile}.h5"
    h5vidstack.pack(frames, path, profile=profile)
    compare(page(path), frames)


PRESETS = [
    "raw", "lpc-fast", "lpc-chain", "lpc-slow", "deflate-runs", "deflate", "lzma",
    "lzma-slow", "ffv1", "ffv1-context", "x264-fast", "x264-interm", "x264-slow",
]  # fmt: skip


@pytest.mark.parametrize("dtype", ["u1", "u2"])
@pytest.mark.parametrize("preset", PRESETS)
def test_pixels_of_every_preset(site, page, preset, dtype):
    """Each codec gives the same pixels, or, if this browser has none, a reason in words."""
    frames = wave(10, 61, 75, dtype) >> (6 if preset.startswith("x264") and dtype == "u2" else 0)
    path = site[0] / f"{preset}-{dtype}.h5"
    h5vidstack.pack(frames, path, preset=preset)
    browser = page(path)
    try:
        compare(browser, frames)
    except Failed as error:
        excuse(error, *NO_CODEC)


@pytest.mark.parametrize("options", [
    {"method": "groupvideo"}, {"tile": (32, 48)}, {"method": "hdf5gzshuffle"}, {"method": "hdf5"},
    {"method": "group"}, {"chunk_frames": 1}, {"chunk_frames": 7},
], ids=str)  # fmt: skip
def test_pixels_of_every_layout(site, page, options):
    """Reordered, tiled, by HDF5's own filters, as differences: the frames are where they belong."""
    frames = wave(30, 70, 90, "u2")
    frames = frames[np.random.default_rng(2).permutation(30)]
    frames[11] = frames[4]
    path = site[0] / "layout.h5"
    h5vidstack.pack(frames, path, overwrite=True, **options)
    compare(page(path), frames)


@pytest.mark.parametrize("path", sorted(GOLDEN.glob("*.h5")), ids=lambda path: path.stem)
def test_golden_files(page, path):
    """Files of the format's first version are read, or refused with a reason."""
    try:
        browser = page(path)
        frames = range(browser.run("viewer.stack.frames"))
        found = b"".join(frame_of(browser, index)[0] for index in frames)
    except Failed as error:
        excuse(error, "principal components", "in another file", "no browser decodes", *NO_CODEC)
    with h5vidstack.open(path, browser.run("viewer.stack.path")) as stack:
        whole = stack[:]
    assert found == whole.astype(whole.dtype.newbyteorder("<")).tobytes()


def test_dataset_that_is_no_stack(site, page):
    """A plain dataset of images is shown, too."""
    frames = wave(6, 20, 30, "i2").astype(">i2").reshape(2, 3, 20, 30)
    path = site[0] / "plain.h5"
    with h5py.File(path, "w") as file:
        file.create_dataset("entry/data", data=frames, chunks=(1, 2, 20, 30), compression="gzip")
        file["entry/name"] = "text"
    compare(page(path), frames.reshape(6, 20, 30).astype("<i2"), checked=False)


@pytest.mark.parametrize(("content", "words"), [
    (b"a text", "not an HDF5 file"), (b"", "not an HDF5 file"),
    (b"\x89HDF\r\n\x1a\n" + bytes([9] * 500), "damaged"),
], ids=["text", "empty", "cut"])  # fmt: skip
def test_foreign_file(site, page, browser, content, words):
    """A file that is none of ours is refused in words, and the page goes on."""
    path = site[0] / "foreign.bin"
    path.write_bytes(content)
    with pytest.raises(Failed, match=words):
        page(path)
    assert words in browser.text("#problem")


def test_file_without_stack(site, page):
    """HDF5 alone is not enough."""
    path = site[0] / "empty.h5"
    with h5py.File(path, "w") as file:
        file["numbers"] = np.arange(5)
    with pytest.raises(Failed, match="holds no stack"):
        page(path)


def test_damaged_block(site, page):
    """A damaged block is an error of its frames; the others are shown."""
    frames = wave(40, 50, 60)
    path = site[0] / "damaged.h5"
    h5vidstack.pack(frames, path, profile="fast", chunk_frames=8)
    with h5py.File(path) as file:
        chunk = file["stack/groups/000000/video"].id.get_chunk_info(2)
    with path.open("r+b") as file:
        file.seek(chunk.byte_offset + chunk.size // 2)
        byte = file.read(1)
        file.seek(-1, os.SEEK_CUR)
        file.write(bytes([byte[0] ^ 1]))
    browser = page(path)
    with pytest.raises(Failed, match="CRC-32 of a block is wrong"):
        frame_of(browser, 17)
    assert frame_of(browser, 15)[0] == frames[15].tobytes()
    browser.run("viewer.show(17)")
    assert "Frame 17 cannot be shown" in browser.text("#broken")
    browser.run("viewer.show(30)")
    assert browser.text("#broken") == ""


def test_frames_that_disagree_with_their_checksum(site, page):
    """Sound blocks at a wrong place are found by the checksums of frames."""
    path = site[0] / "swapped.h5"
    h5vidstack.pack(wave(8, 20, 30), path, profile="fast")
    with h5py.File(path, "r+") as file:
        group = file["stack"]
        table = group["index/crc32"]
        table[3] ^= 1
        del table.attrs["crc32"]
    with pytest.raises(Failed, match="do not agree"):
        frame_of(page(path), 3)


def test_damaged_table(site, page):
    """A table that does not agree with its checksum is not used."""
    path = site[0] / "table.h5"
    h5vidstack.pack(wave(8, 20, 30), path, profile="fast")
    with h5py.File(path, "r+") as file:
        file["stack/index/position"][2] = 5
    with pytest.raises(Failed, match="index/position does not agree"):
        page(path)


def test_named_by_the_address(site, browser):
    """The page opens a file of its own site that its address names, and no other."""
    folder, address = site
    frames = wave(5, 20, 30)
    h5vidstack.pack(frames, folder / "named.h5", overwrite=True)
    browser.go(f"{address}/viewer/index.html?file=../named.h5&frame=3")
    browser.until("viewer.current === 3")
    assert "(5, 20, 30)" in browser.text("#about")
    assert "uint8" in browser.text("#about")
    browser.go(f"{address}/viewer/index.html?file=../absent.h5")
    assert "404" in browser.text("#problem")
    browser.go(f"{address}/viewer/index.html?file=http://127.0.0.2/other.h5")
    assert "its own site only" in browser.text("#problem")


def test_chosen_dropped_and_played(site, browser):
    """A file is chosen, another is dropped; keys, slider and play move through its frames."""
    folder, address = site
    h5vidstack.pack(wave(12, 20, 30), folder / "chosen.h5", overwrite=True)
    h5vidstack.pack(wave(9, 25, 35, "u2"), folder / "dropped.h5", overwrite=True)
    browser.go(f"{address}/viewer/index.html")
    document = browser.ask("DOM.getDocument")["root"]["nodeId"]
    chooser = browser.ask("DOM.querySelector", nodeId=document, selector="#file")["nodeId"]
    browser.ask("DOM.setFileInputFiles", nodeId=chooser, files=[str(folder / "chosen.h5")])
    browser.until("viewer.stack?.frames === 12 && viewer.current === 0")
    browser.run("""fetch('/dropped.h5').then(r => r.blob()).then(blob => {
        const data = new DataTransfer();
        data.items.add(new File([blob], 'dropped.h5'));
        document.dispatchEvent(new DragEvent('drop', {dataTransfer: data, cancelable: true}));
    })""")
    browser.until("viewer.stack?.frames === 9 && viewer.current === 0")

    def press(key):
        event = f"new KeyboardEvent('keydown', {{key: {key!r}, bubbles: true}})"
        browser.run(f"document.body.dispatchEvent({event})")

    press("ArrowRight")
    browser.until("viewer.current === 1")
    press("End")
    browser.until("viewer.current === 8")
    press("Home")
    browser.until("viewer.current === 0")
    press(" ")
    browser.until("viewer.current > 3")
    press(" ")
    assert browser.run("document.getElementById('play').getAttribute('aria-pressed')") == "false"
    browser.run(
        "(s => { s.value = 6; s.dispatchEvent(new Event('input')); })(document.getElementById('slider'))"
    )
    browser.until("viewer.current === 6")


def test_contrast(site, page):
    """Black and white are what is asked for, in the picture that is drawn."""
    frames = np.arange(400, dtype="u2").reshape(1, 20, 20) * 100
    path = site[0] / "contrast.h5"
    h5vidstack.pack(frames, path)
    browser = page(path)
    choose = (
        "(m => {{ m.value = '{}'; m.onchange({{target: m}}); }})(document.getElementById('mode'))"
    )
    at = "(c => Array.from(c.getContext('2d').getImageData({}, {}, 1, 1).data))(document.getElementById('picture'))"
    browser.run(choose.format("extremes"))
    assert browser.run("document.getElementById('high').value") == "39900"
    assert browser.run(at.format(0, 0)) == [0, 0, 0, 255]
    assert browser.run(at.format(19, 19)) == [255, 255, 255, 255]
    browser.run(choose.format("range"))
    assert browser.run(at.format(19, 19))[0] == round(39900 * 255 / 65535)
    browser.run("(h => { h.value = 20000; h.onchange(); })(document.getElementById('high'))")
    assert browser.run("document.getElementById('mode').value") == "hand"
    assert browser.run(at.format(0, 10)) == [255, 255, 255, 255]
