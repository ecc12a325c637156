"""Make the pictures of the README and the guide, from generated stacks that this program measures.

    pip install -e ".[bench]"
    python docs/pictures.py [overview | order | sizes | sheet ...]

Each drawing is an SVG, once for light and once for dark pages. Frames and sizes are always the
same. Speeds depend on the machine.
"""

from __future__ import annotations

import base64
import io
import re
import sys
import tempfile
from collections.abc import Iterator
from html import escape
from pathlib import Path

import numpy as np
import scipy.ndimage
from PIL import Image

import h5vidstack
from h5vidstack.bench.comparison import compare
from h5vidstack.bench.plot import draw_plot
from h5vidstack.cli import main

FOLDER = Path(__file__).parent / "pictures"
THEMES = {
    "light": {"ink": "#1b1d21", "faint": "#5c626b", "line": "#d9dce1", "ours": "#0b62c4",
              "peer": "#9aa1ab", "raised": "#f4f5f7"},
    "dark": {"ink": "#e8eaed", "faint": "#a2a9b4", "line": "#373c45", "ours": "#74b0ff",
             "peer": "#6b7280", "raised": "#1e2127"},
}  # fmt: skip
SITES = ("#2f7ed8", "#d9822b", "#3a9d5d", "#a855c7")
"""The colours of the places that a stage visits."""


def film(frames: int = 400, edge: int = 256, seed: int = 1) -> np.ndarray:
    """Return a film of cells as the camera of a microscope would see it: ``(N, H, W)`` uint8.

    Nuclei drift and fade. The value 255 is 20,000 electrons. There is shot noise, and a noise of
    reading out of 5 electrons.
    """
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:edge, :edge].astype(np.float32)
    texture = scipy.ndimage.gaussian_filter(rng.normal(size=(edge, edge)), 2.5, mode="wrap")
    haze = scipy.ndimage.gaussian_filter(rng.normal(size=(edge, edge)), 40, mode="wrap")
    texture, haze = texture / np.ptp(texture), 90 + 60 * haze / np.ptp(haze)
    count = edge**2 // 1800
    place = rng.uniform(0, edge, (count, 2))
    speed = rng.normal(0, 0.25, (count, 2))
    radii, turn = rng.uniform(7, 15, (count, 2)), rng.uniform(0, np.pi, count)
    light = rng.uniform(250, 1500, count)
    shown = np.empty((frames, edge, edge), np.uint8)
    for number in range(frames):
        speed = 0.97 * speed + rng.normal(0, 0.06, (count, 2))
        place = place + speed
        scene = haze.copy()
        for (top, left), (long, short), angle, bright in zip(
            place, radii, turn, light * 0.9995**number, strict=True
        ):
            down, right = y - top, x - left
            along = (down * np.cos(angle) + right * np.sin(angle)) / long
            across = (right * np.cos(angle) - down * np.sin(angle)) / short
            inside = 1 / (1 + np.exp(12 * (along**2 + across**2 - 1).clip(-1, 2)))
            scene += bright * inside * (0.8 + texture)
        electrons = rng.poisson(8 * scene.clip(0)) + rng.normal(0, 5, scene.shape)
        shown[number] = (4 + electrons * 251 / 20000).clip(0, 255).round()
    return shown


def visits(places: int = 4, rounds: int = 40) -> np.ndarray:
    """Return what a stage sees that goes round some places: one frame of each in turn."""
    films = [film(rounds, 128, seed) for seed in range(2, 2 + places)]
    return np.stack(films, axis=1).reshape(-1, 128, 128)


def image(frame: np.ndarray, edge: int) -> str:
    """Return a frame as the address of an image that is in the address itself."""
    gray = (255 * (frame / 255.0) ** 0.7).astype(np.uint8)
    held = io.BytesIO()
    Image.fromarray(gray).resize((edge, edge), Image.Resampling.LANCZOS).save(
        held, "JPEG", quality=82
    )
    return "data:image/jpeg;base64," + base64.b64encode(held.getvalue()).decode()


def picture(address: str, left: float, top: float, edge: float, border: str) -> str:
    """Return an image with a border as SVG."""
    place = f'x="{left:g}" y="{top:g}" width="{edge:g}" height="{edge:g}"'
    return f'<image href="{address}" {place}/><rect {place} fill="none" stroke="{border}"/>'


def save(name: str, theme: str, size: tuple[int, int], about: str, parts: Iterator[str]) -> None:
    """Write a drawing for pages of one theme."""
    colours = THEMES[theme]
    style = f"""
text {{ font: 14px system-ui, "DejaVu Sans", sans-serif; fill: {colours["ink"]} }}
.faint {{ fill: {colours["faint"]}; font-size: 13px }} .end {{ text-anchor: end }}
.mid {{ text-anchor: middle }} .head {{ font-weight: 600; font-size: 15px }}
.code {{ font: 13px ui-monospace, "DejaVu Sans Mono", monospace; white-space: pre }}
.code .faint {{ font-size: 13px }} .code .word {{ fill: {colours["ours"]} }}
.grid {{ stroke: {colours["line"]} }} .name {{ font-size: 12px }}
.front {{ fill: none; stroke: {colours["faint"]}; stroke-dasharray: 5 3 }}
circle.ours {{ fill: {colours["ours"]} }} circle.peer {{ fill: {colours["peer"]} }}"""
    drawn = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {size[0]} {size[1]}" '
        f'width="{size[0]}" height="{size[1]}" role="img" aria-label="{escape(about)}">'
        f"<style>{style}</style>{''.join(parts)}</svg>\n"
    )
    FOLDER.mkdir(exist_ok=True)
    (FOLDER / f"{name}-{theme}.svg").write_text(drawn)


def text(words: str, left: float, top: float, kind: str = "") -> str:
    """Return a line of text as SVG."""
    return f'<text x="{left:g}" y="{top:g}" class="{kind}">{words}</text>'


def draw_bars(
    sizes: dict[str, float], colours: dict[str, str], at: tuple[int, int], width: int
) -> Iterator[str]:
    """Yield a bar for each size in MB. Bold names are ours."""
    left, top = at
    for number, (name, size) in enumerate(sizes.items()):
        row = top + 34 * number
        ours = name.startswith("h5vidstack")
        long = width * size / max(sizes.values())
        yield text(name, left, row, "head" if ours else "")
        fill = colours["ours" if ours else "peer"]
        yield f'<rect x="{left}" y="{row + 5}" width="{long:.1f}" height="9" rx="2" fill="{fill}"/>'
        yield text(f"{size:.1f} MB", left + long + 7, row + 14, "faint")


CODE = """\
>import <h5vidstack

h5vidstack.pack(">images/", "cells.h5")

>with <h5vidstack.open("cells.h5") >as <stack:
    one = stack[117]
    part = stack[50:90, :64, ::2]
    >for <frame >in <stack:
        frame.mean()
    stack.find(one, k=5)"""


def draw_code(colours: dict[str, str], left: int, top: int) -> Iterator[str]:
    """Yield the lines of `CODE` as SVG; what stands between > and < is a word of Python."""
    for number, line in enumerate(CODE.replace('">', '"').splitlines()):
        coloured = escape(line, quote=False)
        coloured = re.sub(r"&gt;(.*?)&lt;", r'<tspan class="word">\1</tspan>', coloured)
        yield text(coloured, left, top + 21 * number, "code")


def overview() -> None:
    """Draw frames, sizes and reading side by side."""
    frames = film()
    methods = ["auto balanced", "gzip 4 + shuffle", "Blosc2 zstd 9 bitshuffle", "JPEG XL"]
    found = compare(frames, name="film", rounds=1, methods=methods)
    sizes = {row.name: row.file_bytes / 1e6 for row in found.rows if row.file_bytes}
    bars = {
        "pixels": frames.nbytes / 1e6,
        "HDF5, gzip": sizes["gzip 4 + shuffle"],
        "HDF5, Blosc2 zstd": sizes["Blosc2 zstd 9 bitshuffle"],
        "JPEG XL, an image a frame": sizes["JPEG XL 7"],
        "h5vidstack": sizes["auto balanced"],
    }
    chosen = [image(frames[number], 150) for number in range(80, 320, 48)]
    for theme, colours in THEMES.items():

        def parts(colours=colours) -> Iterator[str]:
            yield text("similar frames", 8, 24, "head")
            for number, address in enumerate(chosen):
                yield picture(address, 8 + 30 * number, 42 + 22 * number, 150, colours["line"])
            yield text(f"{len(frames)} of 256 x 256, 8 bits", 8, 304, "faint")
            yield text("one exact, small file", 318, 24, "head")
            yield from draw_bars(bars, colours, (318, 60), 190)
            yield text("every pixel the same", 318, 304, "faint")
            yield text("read as an array", 594, 24, "head")
            box = 'x="594" y="42" width="358" height="240" rx="6"'
            yield f'<rect {box} fill="{colours["raised"]}" stroke="{colours["line"]}"/>'
            yield from draw_code(colours, 610, 70)
            yield text("also by h5py, dask, xarray, napari, PyTorch", 594, 304, "faint")

        about = (
            "Frames of a film of cells, the sizes of files that hold them, and code that reads them"
        )
        save("overview", theme, (960, 316), about, parts())


def order() -> None:
    """Draw frames as they were taken, and as they lie in the file."""
    frames = visits()
    with tempfile.TemporaryDirectory() as folder:
        kept = {}
        for method in ("video", "groupvideo"):
            path = f"{folder}/{method}.h5"
            kept[method] = h5vidstack.pack(frames, path, method=method, hashes=False)
        with h5vidstack.open(path) as stack:
            piles = [[int(n) for n in pile.frames] for pile in stack.groups]
    small = [image(frame, 56) for frame in frames[:16]]
    for theme, colours in THEMES.items():

        def strip(numbers: list[int], top: int) -> Iterator[str]:
            for at, number in enumerate(numbers):
                left = 8 + 59 * at
                yield picture(small[number], left, top, 56, "none")
                site = SITES[number % 4]
                yield f'<rect x="{left}" y="{top + 58}" width="56" height="4" fill="{site}"/>'
                yield text(str(number), left + 28, top + 77, "faint mid")

        def parts(colours=colours) -> Iterator[str]:
            yield text("as they were taken: the stage goes round four places", 8, 22, "head")
            yield from strip(list(range(16)), 34)
            yield text(size_of("video"), 952, 22, "faint end")
            yield text("as they lie in the file: a pile for each place", 8, 142, "head")
            yield from strip([n for pile in piles for n in pile if n < 16], 154)
            yield text(size_of("groupvideo"), 952, 142, "faint end")

        def size_of(method: str) -> str:
            return f"{kept[method].stored_bytes / 1e3:,.0f} KB"

        save("order", theme, (960, 240), "The order of frames before and after packing", parts())


def sizes() -> None:
    """Draw the sizes of files against the speed of reading them."""
    methods = ["auto", "gzip 4", "lzf", "Blosc2", "bitshuffle", "JPEG XL", "JPEG-LS", "FFV1"]
    found = compare(film(100), name="film", methods=methods)
    drawn = draw_plot(found, "read_speed", "reading all, MB/s")
    inner = drawn[drawn.index(">") + 1 : -len("</svg>")]
    for theme in THEMES:
        about = "Sizes against speeds of reading, one point for each way to keep the film"
        save("sizes", theme, (440, 360), about, iter([inner]))


def sheet() -> None:
    """Draw the contact sheet of the visits."""
    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/visits.h5"
        h5vidstack.pack(visits(), path, method="groupvideo")
        FOLDER.mkdir(exist_ok=True)
        command = ["contact-sheet", path, str(FOLDER / "sheet.png"), "--size", "96", "--overwrite"]
        main(command, standalone_mode=False)


DRAWINGS = {one.__name__: one for one in (overview, order, sizes, sheet)}

if __name__ == "__main__":
    for name in sys.argv[1:] or DRAWINGS:
        DRAWINGS[name]()
