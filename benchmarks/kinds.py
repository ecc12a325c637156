"""Sizes and speeds for each kind of data, as the guide's page on kinds of data has them.

    python benchmarks/kinds.py PUBLIC WORK [KIND ...] [--rounds 2]

PUBLIC is a folder with the public samples that `PUBLIC_SAMPLES` names. What has no public sample is
generated. Of each kind ``h5vidstack bench`` writes WORK/KIND.json, if that is not there yet. Then
the table of each is written to docs/data/KIND.txt, and the picture of all to docs/data/sizes.svg.
"""

from __future__ import annotations

import argparse
import itertools
import json
import plistlib
import subprocess
import sys
import tarfile
from pathlib import Path

import av
import numpy as np
from scipy import ndimage

from h5vidstack.cli import demonstration

PUBLIC_SAMPLES = {
    "brightfield": "github.com/soft-matter/trackpy-examples, sample_data/brightfield",
    "calcium.tif": "github.com/imageio/imageio-binaries, images/calcium_imaging.tif",
    "mouse.mp4": "github.com/DeepLabCut/DeepLabCut, openfield-Pranav-2018-10-30, m4s1.mp4",
    "nexus-example.hdf5": "github.com/nexusformat/exampledata, APS/NXsas/hdf5",
    "Cranium.inv3": "the Debian package invesalius-examples",
}

OURS = ["auto fast", "auto balanced", "auto small"]
PEERS = ["gzip 4 + shuffle", "Blosc2 zstd 9 bitshuffle"]
IMAGES = ["JPEG XL 7", "JPEG-LS"]
VIDEOS = ["x264 veryslow mkv", "FFV1 mkv"]


def low_light(folder):
    """A 16-bit camera with an offset of 100, few photons, and cells that flash."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:256, :256]
    at = rng.uniform(0, 256, (60, 2))
    spots = np.exp(-((y - at[:, :1, None]) ** 2 + (x - at[:, 1:, None]) ** 2) / 40)
    flashes = ndimage.convolve1d(rng.random((200, 60)) < 0.02, np.exp(-np.arange(20) / 6), axis=0)
    light = 4 + np.tensordot(3 + 25 * flashes, spots, 1)
    frames = 100 + 2.2 * rng.poisson(light) + rng.normal(0, 1.5, light.shape)
    return saved(folder, "low_light", np.round(frames).astype(np.uint16))


def noisy_video(folder, public):
    """The first 60 frames of the mouse, with the noise of a camera (deviation 2) that codecs remove."""
    with av.open(str(public / "mouse.mp4")) as film:
        frames = [f.to_ndarray(format="gray") for f, _ in zip(film.decode(video=0), range(60))]
    noise = np.random.default_rng(0).normal(0, 2, (60, *frames[0].shape))
    return saved(
        folder, "noisy_video", np.clip(np.round(np.stack(frames) + noise), 0, 255).astype(np.uint8)
    )


def detector(folder):
    """Photons that a pixel detector counted: rings on a dark ground, and dead pixels of -1."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:400, :500]
    radius = np.hypot(y - 210, x - 240)
    rings = sum(8 * np.exp(-((radius - r) ** 2) / 8) for r in (40, 75, 118, 160))
    frames = rng.poisson(0.05 + rings + 300 * np.exp(-radius / 9), (60, 400, 500)).astype(np.int32)
    frames[:, rng.random((400, 500)) < 1e-3] = -1
    return saved(folder, "detector", frames)


def sweep(count):
    """The first frames of the sweep of ``h5vidstack bench demo``."""
    return np.stack(list(itertools.islice(demonstration.generated("float32"), count)))


def noisy_sweep(folder):
    """The smooth sweep with noise of 0.001 of its range, as a solver's tolerance leaves it."""
    frames = sweep(200)
    noise = np.random.default_rng(0).normal(0, 1e-3, frames.shape)
    return saved(folder, "noisy_sweep", (frames + noise).astype(np.float32))


def smooth_sweep(folder):
    """The sweep of ``h5vidstack bench demo``, its first 200 frames."""
    return saved(folder, "smooth_sweep", sweep(200))


def tomogram(folder, public):
    """The slices of the sample that comes with InVesalius, int16 of 108 x 256 x 256."""
    with tarfile.open(public / "Cranium.inv3") as archive:
        files = {Path(one.name).name: one for one in archive.getmembers()}
        about = plistlib.load(archive.extractfile(files["main.plist"]))["matrix"]
        pixels = archive.extractfile(files["matrix.dat"]).read()
    return saved(folder, "tomogram", np.frombuffer(pixels, about["dtype"]).reshape(about["shape"]))


def plates(folder):
    """Fields of 24 wells, visited 12 times, well by well: cells that drift a little, with noise."""
    rng = np.random.default_rng(0)
    wells = []
    for _ in range(24):
        seeds = np.zeros((300, 300))
        seeds[rng.integers(0, 300, 90), rng.integers(0, 300, 90)] = rng.uniform(0.5, 2, 90)
        texture = ndimage.gaussian_filter(rng.normal(size=(300, 300)), 1.5)
        wells.append(ndimage.gaussian_filter(seeds, 5) * 9e4 * (1 + 0.8 * texture))
    frames = [
        rng.poisson(200 + ndimage.shift(well, 0.7 * visit, order=1)[20:276, 20:276])
        for visit in range(12)
        for well in wells
    ]
    return saved(folder, "plates", np.stack(frames).astype(np.uint16))


def saved(folder, name, frames):
    np.save(folder / f"{name}.npy", np.ascontiguousarray(frames))
    return folder / f"{name}.npy"


BOUNDED = (["bounded balanced", "SZ3 bounded", "ZFP bounded"], ("--max-error", "1e-3r"))
FILMS = [*IMAGES, *VIDEOS]

KINDS = {
    "brightfield": (lambda _, public: public / "brightfield", FILMS, ()),
    "calcium": (lambda _, public: public / "calcium.tif", IMAGES, ()),
    "low_light": (lambda work, _: low_light(work), IMAGES, ()),
    "video": (lambda _, public: public / "mouse.mp4", FILMS, ("--gray", "--frames", "60")),
    "noisy_video": (noisy_video, FILMS, ()),
    "beamline": (lambda _, public: f"{public / 'nexus-example.hdf5'}::/entry/data/frames", [], ()),
    "detector": (lambda work, _: detector(work), [], ()),
    "smooth_sweep": (lambda work, _: smooth_sweep(work), *BOUNDED),
    "noisy_sweep": (lambda work, _: noisy_sweep(work), *BOUNDED),
    "tomogram": (tomogram, [], ()),
    "plates": (lambda work, _: plates(work), IMAGES, ()),
}
"""Of each kind: its source, who takes part besides `OURS` and `PEERS`, and options of bench."""

SHOWN = {
    "brightfield": "Brightfield",
    "calcium": "Calcium imaging, 16 bits",
    "low_light": "Low light, 16 bits (generated)",
    "video": "Behaviour, decoded camera video",
    "noisy_video": "Behaviour, with a camera's noise added",
    "beamline": "Detector, int32",
    "detector": "Counting detector, int32 (generated)",
    "smooth_sweep": "Sweep without noise, float32 (generated)",
    "noisy_sweep": "Sweep with noise, float32 (generated)",
    "tomogram": "CT, int16",
    "plates": "Plate scan, 16 bits (generated)",
}
"""What the picture calls each kind."""

DOCS = Path(__file__).parents[1] / "docs" / "data"
GZIP = "gzip 4 + shuffle"
CAPTION = "*Ratio: times smaller than the pixels. Writing, reading: speeds, beside gzip as 1.*\n"


def measured(kind, work, public, rounds):
    """The results of one kind, measured if they are not there."""
    path = work / f"{kind}.json"
    if not path.exists():
        source, others, options = KINDS[kind]
        methods = ",".join([*OURS, *PEERS, *others])
        command = ["bench", source(work, public), "--methods", methods, "--rounds", rounds]
        arguments = [str(word) for word in (*command, *options, "--json", path)]
        subprocess.run([sys.executable, "-m", "h5vidstack", *arguments], check=True)
    return json.loads(path.read_text())


def name_of(row):
    """What the table calls a row."""
    if row["name"].startswith("auto "):
        return f"**h5vidstack {row['name'][5:]}**"
    if row["name"].startswith("bounded "):
        return "**h5vidstack `--max-error`**"
    return f"HDF5 {row['name']}" if row["name"] in PEERS else row["name"]


def rate(value, base):
    """How many times the base a value is, in two digits."""
    return f"{float(f'{value / base:.2g}'):g}"


def table(results):
    """A Markdown table of the results; exact ones first, the smallest first."""
    rows = sorted(
        (row for row in results["rows"] if row["problem"] is None),
        key=lambda row: (not row["exact"], row["file_bytes"]),
    )
    gzip = next(row for row in rows if row["name"] == GZIP)
    raw = results["raw_bytes"]
    lines = [
        "| way | MB | ratio | writing | reading | frame, ms |",
        "|---|---|---|---|---|---|",
        f"| raw | {raw / 1e6:.2f} | 1 | | | |",
    ]
    for row in rows:
        name = name_of(row) if row["exact"] else f"{name_of(row)}, lossy"
        speeds = (rate(row[key], gzip[key]) for key in ("pack_speed", "read_speed"))
        figures = (f"{row['file_bytes'] / 1e6:.2f}", f"{row['ratio']:.2f}", *speeds)
        lines.append(f"| {name} | {' | '.join(figures)} | {rate(row['frame_ms'], 1)} |")
    return "\n".join([*lines, "", CAPTION])


def bars(kinds):
    """An SVG of sizes in per cent of the raw pixels; its text has the colour of the page."""
    parts, y = [], 0
    for kind, results in kinds.items():
        exact = [row for row in results["rows"] if row["exact"]]
        of = {row["name"]: row["file_bytes"] / results["raw_bytes"] for row in exact}
        others = {name: size for name, size in of.items() if name not in (*OURS, GZIP)}
        best = min(others, key=others.get)
        shown = {"gzip": of[GZIP], best: others[best], "h5vidstack": of["auto balanced"]}
        parts.append(f'<text x="0" y="{y + 14}" font-weight="600">{SHOWN[kind]}</text>')
        for name, size in shown.items():
            y += 18
            fill = "#2b8cbe" if name == "h5vidstack" else "#969696"
            parts += [
                f'<text x="0" y="{y + 13}" font-size="11">{name}</text>',
                f'<rect x="150" y="{y + 3}" width="250" height="13" fill="{fill}" opacity="0.18"/>',
                f'<rect x="150" y="{y + 3}" width="{250 * size:.1f}" height="13" fill="{fill}"/>',
                f'<text x="405" y="{y + 13}" font-size="11">{100 * size:.3g} %</text>',
            ]
        y += 28
    style = "width:100%;max-width:560px;font-family:inherit;font-size:13px;fill:currentColor"
    title = "Sizes in per cent of the raw pixels, by kind of data"
    return (
        f'<svg viewBox="0 0 450 {y}" role="img" aria-label="{title}" style="{style}">\n'
        + "\n".join(parts)
        + "\n</svg>\n"
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("public", type=Path)
    parser.add_argument("work", type=Path)
    parser.add_argument("kinds", nargs="*", default=[], metavar="KIND")
    parser.add_argument("--rounds", type=int, default=2)
    given = parser.parse_args()
    found = {}
    for kind in given.kinds or KINDS:
        found[kind] = measured(kind, given.work, given.public, given.rounds)
        (DOCS / f"{kind}.txt").write_text(table(found[kind]))
        print(f"{kind}\n{table(found[kind])}", flush=True)
    if found.keys() == KINDS.keys():
        (DOCS / "sizes.svg").write_text(bars(found))


if __name__ == "__main__":
    main()
