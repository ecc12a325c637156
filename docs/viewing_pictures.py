"""Draw the pictures of the page on the viewer: `python docs/viewing_pictures.py`.

It needs Chromium. The stacks that it shows are generated: cells that drift, in two channels and
several planes; and four fields of them that are visited in turn.
"""

import base64
import io
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

import h5vidstack
from h5vidstack.viewing.answers import Answers
from h5vidstack.viewing.page_server import PageServer

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "tests"))
from chromium import running  # noqa: E402

TIMES, PLANES, HEIGHT, WIDTH = 16, 5, 360, 480
COLOURS = 96
"""A picture has so many, so that its file is small."""


def drifting(seed, times, planes=1):
    """Return frames ``(T, Z, H, W)`` of cells that drift."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    frames = np.full((times, planes, HEIGHT, WIDTH), 160.0)
    for _ in range(26):
        place, drift = rng.uniform((0, 0), (HEIGHT, WIDTH)), rng.normal(0, 1.6, 2)
        plane, size, tilt = rng.uniform(0, planes - 1), rng.uniform(7, 15), rng.uniform(0, np.pi)
        for t in range(times):
            down, across = y - place[0] - t * drift[0], x - place[1] - t * drift[1]
            along = down * np.cos(tilt) + across * np.sin(tilt)
            aside = across * np.cos(tilt) - down * np.sin(tilt)
            for z in range(planes):
                blur = size + 4 * abs(z - plane)
                shape = (along / blur) ** 2 + (aside / (0.6 * blur)) ** 2
                frames[t, z] += 3000 * (size / blur) ** 3 * np.exp(-(shape**1.5))
    return rng.poisson(frames)


def cells():
    """Return frames of two channels, ``(T, C, Z, H, W)`` uint16."""
    channels = [drifting(seed, TIMES, PLANES) for seed in range(2)]
    return np.stack(channels, axis=1).astype(np.uint16)


def fields():
    """Return frames ``(N, H, W)`` uint8 of four fields that are visited in turn, with copies."""
    visits, each = 4, 6
    shown = [drifting(seed, visits * each)[:, 0] for seed in range(10, 14)]
    runs = [field[each * visit : each * (visit + 1)] for visit in range(visits) for field in shown]
    frames = (np.concatenate(runs) / 14).clip(0, 255).astype(np.uint8)
    frames[40:43] = frames[39]
    return frames


def pack_stacks(folder):
    """Pack what the pictures show."""
    h5vidstack.pack(
        cells(), folder / "cells.h5", profile="fast", dims=("time", "channel", "z", "y", "x"),
        coords={
            "time": (np.arange(TIMES) * 30.0, {"units": "s"}),
            "channel": ["GFP", "mCherry"],
            "z": (np.arange(PLANES) * 1.5, {"units": "µm"}),
            "y": (np.arange(HEIGHT) * 0.108, {"units": "µm"}),
            "x": (np.arange(WIDTH) * 0.108, {"units": "µm"}),
            "exposure": (("time", "channel"), np.full((TIMES, 2), 12.5), {"units": "ms"}),
        },
        attrs={"sample": "generated cells", "objective": "60x 1.4 oil"},
    )  # fmt: skip
    h5vidstack.pack(fields(), folder / "fields.h5", method="group")


def draw(browser, path, name, scripts, **screen):
    """Show a stack, run scripts in its page, and keep a picture of it."""
    dark = screen.pop("dark", False)
    scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
    browser.ask("Emulation.setDeviceMetricsOverride", deviceScaleFactor=1, mobile=False, **screen)
    browser.ask("Emulation.setEmulatedMedia", features=[scheme])
    with h5vidstack.open(path) as stack, PageServer(Answers(stack)).running() as server:
        browser.go(server.address)
        for script in scripts:
            browser.run(script)
            browser.until("viewer.ready(viewer.wanted) && viewer.facts !== null")
        browser.run(f"viewer.at('about').children[1].textContent = {path.name!r}")
        time.sleep(1)
        found = base64.b64decode(browser.ask("Page.captureScreenshot", format="png")["data"])
    picture = Image.open(io.BytesIO(found)).convert("RGB").quantize(COLOURS, dither=0)
    picture.save(HERE / "pictures" / f"{name}.png", optimize=True)


def main():
    """Draw all pictures."""
    with tempfile.TemporaryDirectory() as folder, running() as browser:
        pack_stacks(Path(folder))
        colours = "(list => { list.value = 'inferno'; list.onchange(); })(viewer.at('map'))"
        draw(
            browser, Path(folder) / "cells.h5", "viewing",
            ["viewer.goTo(62)", colours, "viewer.pointer = [310, 208]; viewer.showPixel()"],
            width=1200, height=720,
        )  # fmt: skip
        draw(
            browser, Path(folder) / "fields.h5", "viewing-similar",
            ["viewer.goTo(41)", "viewer.findSimilar()"],
            width=1200, height=720, dark=True,
        )  # fmt: skip


if __name__ == "__main__":
    main()
