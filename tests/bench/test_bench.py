"""`bench`: every contestant gives back what it was given; the table, the page, bad input."""

import base64
import contextlib
import dataclasses
import io
import json
import math
import os
import pty
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from importlib.util import find_spec
from pathlib import Path

import h5py
import numpy as np
import pytest
from click.testing import CliRunner
from frames import moving, noise
from PIL import Image

import h5vidstack
from h5vidstack.bench import child, results, rounds, table
from h5vidstack.bench.advice import advise
from h5vidstack.bench.child import Job
from h5vidstack.bench.comparison import compare
from h5vidstack.bench.contestants import Contestant
from h5vidstack.bench.page import write_page
from h5vidstack.bench.plot import plot
from h5vidstack.bench.results import Bench, Row
from h5vidstack.bench.roster import choose, roster
from h5vidstack.cli import main
from h5vidstack.cli.demo import generated


def stack(dtype="uint8"):
    """Frames that are just enough to be benched."""
    return np.stack(list(generated(dtype, (4, 4, 3), (120, 180))))


def run(*arguments, code=0):
    found = CliRunner().invoke(main, ["bench", *map(str, arguments)])
    assert found.exit_code == code, found.output + repr(found.exception)
    if code == 1:
        assert found.stderr.startswith("Error: ")
        assert len(found.stderr.strip().splitlines()) == 1
    return found


def rgba(frames):
    return np.concatenate([frames, frames[..., :1]], axis=-1)


STACKS = {
    "uint8": moving((20, 31, 45)),
    "uint16": moving((20, 31, 45)).astype("u2") * 257 + np.arange(45, dtype="u2"),
    "float32": noise((20, 16, 20)).astype("f4"),
    "float64": noise((9, 7, 5)).astype("f8"),
    "int32": noise((9, 7, 5)).astype("i4"),
    "bool": noise((9, 7, 5)) > 99,
    "RGB": np.stack([moving((18, 32, 46), seed) for seed in range(3)], axis=-1),
    "RGBA": rgba(np.stack([moving((9, 32, 46), seed) for seed in range(3)], axis=-1)),
}


@pytest.mark.parametrize("kind", STACKS)
def test_every_contestant_gives_back_what_it_was_given(kind):
    frames = STACKS[kind]
    bound = 0.75 if frames.dtype.kind == "f" else None
    able = [
        one
        for one in roster(frames, bound)
        if one.missing is None
        and one.refusal is None
        # The one needs more frames, the other patches h5py where it is imported.
        and not one.name.startswith(("pca ", "h5ffmpeg"))
        and (kind != "bool" or not one.name.endswith(" mp4"))
    ]
    assert sum(not one.ours for one in able) >= 3  # gzip, lzf need nothing but h5py
    for number, one in enumerate(able):
        path = Path(f"{number}.out")
        if kind == "uint16" and one.ours and " x264-" in one.name:
            with pytest.raises(h5vidstack.UnsupportedError, match="holds values of up to 10 bits"):
                one.write(frames, path)
            continue
        one.write(frames, path)
        with one.read(path) as reader:
            got = np.asarray(reader[:])
            singles = {n: np.asarray(reader[n]) for n in (7, 0, len(frames) - 1, 3)}
        assert (got.shape, got.dtype) == (frames.shape, frames.dtype), one.name
        if one.name.startswith(("bounded", "SZ3", "ZFP")):
            assert np.abs(got - frames).max() <= bound, one.name
        elif not one.name.endswith((" mp4", "torchcodec", "decord")):
            assert got.tobytes() == frames.tobytes(), one.name
        for n, single in singles.items():
            np.testing.assert_array_equal(single, got[n], err_msg=f"{one.name}, frame {n}")


@pytest.mark.parametrize(
    ("kind", "refusing"),
    [("RGBA", "x264 veryslow mkv"), ("float64", "JPEG-LS"), ("int32", "FFV1 mkv"),
     ("uint16", "x265 mkv"), ("RGB", "h5ffmpeg x264 crf 0")],
)  # fmt: skip
def test_who_cannot_hold_the_frames_says_so(kind, refusing):
    (one,) = (one for one in roster(STACKS[kind]) if one.name == refusing)
    assert one.refusal.startswith("takes no ")


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """All of our contestants, and the peers that every machine has; with the page."""
    folder = tmp_path_factory.mktemp("bench")
    page = folder / "x.html"
    np.save(folder / "x.npy", stack())
    seen = []
    found = compare(
        folder / "x.npy", peers=True, rounds=1, max_error=2, page=page,
        progress=lambda *step: seen.append(step),
    )  # fmt: skip
    return found, page.read_text(), seen


def test_figures(whole):
    found, _page, seen = whole
    rows = {row.name: row for row in found.rows}
    assert found.shape == (48, 120, 180)
    assert found.raw_bytes == stack().nbytes
    h5vidstack.pack(stack(), "x.h5")
    assert rows["auto balanced"].file_bytes == pytest.approx(os.path.getsize("x.h5"), rel=0.05)
    with h5py.File("y.h5", "w") as file:
        file.create_dataset(
            "frames", data=stack(), chunks=(1, 120, 180), compression=4, shuffle=True
        )
    assert rows["gzip 4 + shuffle"].file_bytes == os.path.getsize("y.h5")
    for row in found.rows:
        if row.problem is None:
            assert row.ratio == pytest.approx(found.raw_bytes / row.file_bytes)
            assert min(row.pack_speed, row.read_speed, row.frame_ms) > 0
            assert row.frame_p95_ms >= row.frame_ms
            lossy = row.name.endswith(" mp4") or row.name.startswith(("pca 20", "bounded"))
            if row.ours:
                assert row.exact == (not lossy), row
    for profile in ("fast", "balanced", "small"):
        assert 0 < rows[f"bounded {profile}"].max_error <= 2
    if sys.platform == "linux":
        assert rows["auto small"].peak_bytes > 1e5
    able = sum(row.problem is None for row in found.rows)
    assert seen[0] == (0, able, "round 1/1: auto fast")
    assert seen[-1] == (able, able, "")
    assert [done for done, _, _ in seen] == list(range(able + 1))


def test_all_that_the_issue_names_takes_part(whole):
    names = " ".join(row.name for row in whole[0].rows)
    for name in (
        "auto fast", "auto balanced", "auto small", "hdf5 ", "hdf5gz ", "hdf5gzshuffle", "group ",
        "pca 20", "video mp4", "video x264-slow", "groupvideo x264-interm", "gzip 9", "lzf",
        "Blosc2", "zstd 19", "bitshuffle", "SZ3", "ZFP", "h5ffmpeg", "JPEG XL", "JPEG 2000",
        "JPEG-LS", "mkv", "mp4 by PyAV", "torchcodec", "decord",
    ):  # fmt: skip
        assert name in names, name


def test_a_peer_that_is_not_installed_has_a_row_that_says_so(monkeypatch):
    class Hidden:
        def find_spec(self, name, path=None, target=None):
            if name in ("hdf5plugin", "imagecodecs", "decord", "torchcodec"):
                raise ModuleNotFoundError(name)

    found_spec = __import__("importlib.util").util.find_spec
    hidden = {"hdf5plugin", "imagecodecs", "decord", "torch", "torchcodec", "h5ffmpeg"}
    monkeypatch.setattr(
        "importlib.util.find_spec", lambda name: None if name in hidden else found_spec(name)
    )
    np.save("x.npy", stack())
    text = run("x.npy", "--methods", "hdf5", "--peers", "--rounds", "1").output
    rows = {line[:22].strip(): line[22:] for line in text.splitlines()}
    for name, package in {"zstd 19": "hdf5plugin", "JPEG-LS": "imagecodecs"}.items():
        (line,) = (line for line in text.splitlines() if line.startswith(name))
        assert f"not installed: pip install {package}" in line
    assert any("pip install torch torchcodec" in row for row in rows.values())
    assert "lzf + shuffle" in text


def test_table_marks_the_best_of_the_exact(whole):
    found, _page, _seen = whole
    text = table.lines(found)
    (heading,) = (line for line in text if "size KB" in line)
    for title in ("ratio", "exact", "pack MB/s", "read MB/s", "frame ms", "p95 ms", "memory MB"):
        assert title in heading
    smallest = min((row for row in found.rows if row.exact), key=lambda row: row.file_bytes)
    (line,) = (line for line in text if line.startswith(f"{smallest.name} "))
    assert f"{smallest.file_bytes / 1e3:,.0f}*" in line
    (lossy,) = (line for line in text if line.startswith("pca 20 "))
    assert "off by" in lossy
    assert "*" not in lossy
    assert text[-1].startswith(f"To archive: {smallest.name}")


def made_up(name, size, speed, *, exact=True, ours=True):
    return Row(
        name, ours, None, size, 1e8 / size, exact, 0.0 if exact else 3.0, None, speed, speed * 3,
        1 / speed, 2 / speed, 1000,
    )  # fmt: skip


def bench_of(*rows):
    return Bench("x", (100, 1000, 1000), "uint8", 10**8, None, 1, {}, rows)


def test_front_and_advice():
    found = bench_of(
        made_up("tiny", 10**6, 1), made_up("good", 2 * 10**6, 50), made_up("beaten", 3 * 10**6, 40),
        made_up("quick", 4 * 10**7, 400), made_up("raw", 10**8, 900),
        made_up("lossy", 10**5, 10**4, exact=False), Row("absent", False, "not installed"),
    )  # fmt: skip
    assert [row.name for row in found.front("pack_speed")] == ["tiny", "good", "quick", "raw"]
    assert found.best()["file_bytes"] == 10**6
    assert found.best()["pack_speed"] == 900
    advice = advise(found)
    for words in (
        "archive: tiny, 100 times", "Every day: good", "at random: quick", "NOT exact: lossy",
        "off by up to 3",
    ):  # fmt: skip
        assert words in advice
    assert "nothing to recommend" in advise(bench_of(made_up("a", 1, 1, exact=False)))
    assert "Every day" not in advise(bench_of(made_up("slow", 10**6, 1)))


@pytest.mark.parametrize("count", [0, 1, 2, 40])
def test_plot(count):
    rng = np.random.default_rng(count)
    rows = [
        made_up(f"n{i}", int(s), float(v))
        for i, (s, v) in enumerate(rng.integers(1, 10**6, (count, 2)))
    ]
    drawn = plot(bench_of(*rows, Row("x", True, "no")), "pack_speed", "a < b")
    assert drawn.count("<circle") == count
    assert "nan" not in drawn
    assert ("a &lt; b" in drawn) == (count > 0)


class Page(HTMLParser):
    """What a page holds; raises where its tags do not match."""

    VOID = ("meta", "img", "link", "br")

    def __init__(self, text):
        super().__init__()
        self.open, self.rows, self.images, self.texts, self.links = [], [], [], [], []
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        self.links += [attrs[name] for name in ("src", "href") if name in attrs]
        if tag == "tr":
            self.rows.append([])
        if tag == "img":
            self.images.append(attrs)
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        pass

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.append(data)
        if "tr" in self.open and data.strip():
            self.rows[-1].append(data)


def test_page(whole):
    found, text, _seen = whole
    page = Page(text)
    assert [row[0] for row in page.rows[1:]] == [row.name for row in found.rows]
    assert [row[1] for row in page.rows[1:]] == [
        row.problem or table.cell(row, "file_bytes") for row in found.rows
    ]
    assert all(link.startswith("data:image/png;base64,") for link in page.links)
    assert "http" not in "".join(page.texts)
    assert "@import" not in text
    assert "url(" not in text
    said = " ".join(page.texts)
    for words in (advise(found), "48 x 120 x 180 uint8", "Principal components", "pca 20 loses",
                  "video mp4 loses", "Piles of similar frames", "bounded balanced loses"):  # fmt: skip
        assert words in said
    captions = [image["alt"] for image in page.images]
    assert "mean" in captions
    assert sum("pile 0" in caption for caption in captions) == 3
    assert sum(caption.startswith("worst: ") for caption in captions) == 9
    for image in page.images:
        data = base64.b64decode(image["src"].partition(",")[2])
        assert max(Image.open(io.BytesIO(data)).size) <= 240
    able = sum(row.problem is None for row in found.rows)
    assert text.count('<circle class="ours') + text.count('<circle class="peer') == 2 * able + 3
    assert text.count('class="front"') == 2
    assert "prefers-color-scheme: dark" in text
    assert 'name="viewport"' in text


def test_a_page_escapes_names():
    frames = stack()
    found = dataclasses.replace(bench_of(made_up("<b>", 10, 1)), source="<script>alert(1)</script>")
    write_page(found, Path("x.html"), {}, frames)
    text = Path("x.html").read_text()
    Page(text)
    assert "<script" not in text
    assert "<b>" not in text


@pytest.mark.skipif(shutil.which("chromium") is None, reason="needs Debian's chromium")
@pytest.mark.parametrize("width", [500, 1400])
def test_page_in_a_browser(whole, width):
    """The page is no wider than the window, its letters are large enough, pictures are shown."""
    probe = """<script>addEventListener("load", () => {
      const small = [...document.querySelectorAll("p,td,th,figcaption,h1,h2")]
        .filter(e => parseFloat(getComputedStyle(e).fontSize) < 12).length;
      const broken = [...document.images].filter(i => !i.complete || !i.naturalWidth).length;
      document.title = JSON.stringify(
        [document.documentElement.scrollWidth <= innerWidth, small, broken, document.images.length]);
    })</script></body>"""
    Path("x.html").write_text(whole[1].replace("</body>", probe))
    shown = subprocess.run(
        ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--dump-dom",
         f"--window-size={width},900", Path("x.html").resolve().as_uri()],
        capture_output=True, text=True, timeout=120, check=True,
    ).stdout  # fmt: skip
    title = shown.partition("<title>")[2].partition("</title>")[0]
    assert json.loads(title) == [True, 0, 0, len(Page(whole[1]).images)]


def test_command_with_json_and_page():
    np.save("x.npy", stack())
    said = run("x.npy", "--methods", "hdf5gz,video x264-fast", "--rounds", 1, "--frames", 47,
               "--json", "x.json", "--html", "x.html").output  # fmt: skip
    facts = json.loads(Path("x.json").read_text())
    assert facts["shape"] == [47, 120, 180]
    assert [row["name"] for row in facts["rows"]] == ["video x264-fast", "hdf5gz"]
    assert all(row["exact"] for row in facts["rows"])
    assert "video x264-fast" in said
    assert facts["rows"][0]["name"] in Path("x.html").read_text()
    before = Path("x.json").read_text()
    assert "exists" in run("x.npy", "--json", "x.json", code=1).stderr
    assert "exists" in run("x.npy", "--html", "x.html", code=1).stderr
    assert Path("x.json").read_text() == before


def test_the_generated_stack():
    said = run(
        "demo", "--dtype", "uint16", "--frames", 60, "--methods", "hdf5", "--rounds", 1
    ).output
    assert "demo: 60 x 200 x 300 uint16" in said


def test_floats_are_bounded_unless_told():
    frames = stack("float32")
    found = compare(frames, methods=["bounded"], rounds=1)
    assert found.bound == pytest.approx(1e-3 * np.ptp(frames))
    assert all(row.max_error <= found.bound for row in found.rows)
    assert len(found.rows) == 3


def test_a_constant_stack_and_pca_with_nan():
    constant = np.full((30, 200, 200), 0.5, "f4")
    found = compare(constant, methods=["auto fast", "pca", "bounded fast"], rounds=1)
    assert found.bound is None
    assert {row.name: row.exact for row in found.rows} == {
        "auto fast": True, "pca 20": True, "pca exact": True, "bounded fast": None,
    }  # fmt: skip
    constant[3, 4, 5] = np.nan
    found = compare(constant, methods=["pca 20", "hdf5"], name="sim.npy", rounds=1)
    (problem,) = (row.problem for row in found.rows if row.name == "pca 20")
    assert problem.startswith("sim.npy: frame 3 holds NaN or infinity")


def test_more_components_than_frames():
    with pytest.raises(h5vidstack.UnsupportedError, match="pca 20: .* 20 components of 12 frames"):
        compare(stack()[:12].repeat(5, axis=1), methods=["pca 20"], rounds=1)


def test_bad_input():
    np.save("few.npy", noise((7, 1000, 1000)))
    np.save("small.npy", noise((100, 10, 10)))
    np.save("x.npy", stack())
    assert "too small to bench: 7 frames" in run("few.npy", code=1).stderr
    assert "too small to bench: 100 frames, 0.01 MB" in run("small.npy", code=1).stderr
    assert "too small" in run("x.npy", "--frames", 1, code=1).stderr
    named = compare(stack(), methods=["hdf5", "lzf", "SZ3 bounded"], rounds=1)
    assert [row.name for row in named.rows] == ["hdf5", "lzf + shuffle", "SZ3 bounded"]
    assert named.rows[2].problem == "takes no uint8"
    assert "--dtype" in run("x.npy", "--dtype", "uint8", code=2).stderr
    assert "no such file" in run("nothing.npy", code=1).stderr
    assert "no folder" in run("x.npy", "--html", "none/x.html", code=1).stderr
    assert run("x.npy", "--max-error", "-1", code=1).stderr
    with pytest.raises(h5vidstack.Error, match="at least 1"):
        compare(stack(), rounds=0)


def test_a_full_disk_is_seen_before_it_is_full(monkeypatch):
    monkeypatch.setattr("shutil.disk_usage", lambda _path: shutil._ntuple_diskusage(10, 10, 10**6))
    with pytest.raises(h5vidstack.SourceError, match="TMPDIR"):
        compare(stack())


def test_a_process_that_fails_is_a_row(monkeypatch):
    frames = stack()
    frames.tofile("raw")
    job = Job("", "raw", (10**6, *frames.shape[1:]), "|u1", None, "", True, 0)
    able = [one for one in roster(frames) if one.name in ("hdf5", "hdf5gz")]
    rows, outputs = rounds.run_rounds(able, job, Path(), 2, lambda _one: True)
    assert outputs == {}
    assert all("length is greater than file size" in row.problem for row in rows)
    monkeypatch.setattr(sys, "executable", "/bin/false")
    rows, _ = rounds.run_rounds(able, job, Path(), 1, lambda _one: True)
    assert rows[0].problem == "it failed"
    Path("dies.sh").write_text("#!/bin/sh\nkill -SEGV $$\n")
    Path("dies.sh").chmod(0o755)
    monkeypatch.setattr(sys, "executable", "./dies.sh")
    rows, _ = rounds.run_rounds(able, job, Path(), 1, lambda _one: True)
    assert rows[0].problem == "its process ended with signal 11"
    assert sorted(os.listdir()) == ["dies.sh", "raw"]


def test_what_takes_long_to_pack_is_packed_once(monkeypatch):
    monkeypatch.setattr(rounds, "LONG_SECONDS", 0.0)
    asked = []
    real = rounds._run
    monkeypatch.setattr(rounds, "_run", lambda job: asked.append(job) or real(job))
    found = compare(stack(), methods=["hdf5"], rounds=3)
    assert [job.write for job in asked] == [True, False, False]
    assert found.rows[0].pack_speed > 0


def test_rounds_are_interleaved(monkeypatch):
    asked = []
    real = rounds._run
    monkeypatch.setattr(rounds, "_run", lambda job: asked.append(job.name) or real(job))
    compare(stack(), methods=["hdf5", "hdf5gz"], rounds=2)
    assert asked == ["hdf5", "hdf5gz", "hdf5gz", "hdf5"]


def test_medians():
    runs = [
        results.Run(1000, seconds, 2 * seconds, [seconds / 1000] * 3, True, 0.0, None, 0)
        for seconds in (1.0, 9.0, 2.0)
    ]
    one = Contestant("x", None, None)
    row = results.row(one, runs, [5, 7, 6], 10**6)
    assert (row.pack_speed, row.read_speed, row.frame_ms, row.peak_bytes) == (0.5, 0.25, 2.0, 7)
    assert row.ratio == 1000


def test_progress_is_shown_on_a_terminal():
    np.save("x.npy", stack())
    master, slave = pty.openpty()
    command = [sys.executable, "-m", "h5vidstack", "bench", "x.npy", "--methods", "hdf5"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=slave)
    os.close(slave)
    shown = b""
    while True:
        try:
            piece = os.read(master, 1024)
        except OSError:
            break
        if not piece:
            break
        shown += piece
    os.close(master)
    assert process.wait() == 0
    assert b"benching" in shown
    assert b"3/3" in shown
    assert b"round 2/3: hdf5" in shown


def test_outputs_that_make_no_sense_are_refused_before_anything_runs(monkeypatch):
    np.save("x.npy", stack())
    os.symlink("x.npy", "link")
    with h5py.File("x.h5", "w") as file:
        file["x"] = stack()
    monkeypatch.setattr("h5vidstack.bench.comparison._spool", None)
    for source, output in (("x.npy", "x.npy"), ("x.npy", "link"), ("link", "x.npy"),
                           ("x.h5::/x", "x.h5"), ("x.n?y", "x.npy")):  # fmt: skip
        for option in ("--json", "--html"):
            said = run(source, option, output, "--overwrite", code=1).stderr
            assert "the output is the source" in said
    assert "one file" in run("x.npy", "--json", "y", "--html", "./y", code=2).stderr

    def read_only(self):
        raise OSError(30, "Read-only file system", str(self))

    monkeypatch.setattr(Path, "touch", read_only)
    said = run("x.npy", "--json", "p.json", code=1).stderr
    assert said == "Error: cannot write p.json: Read-only file system\n"


def test_names_of_methods():
    for names, words in (
        ("hdf5,zip", "did you mean 'gzip'"), ("SZ", "'SZ3'"), ("pca20", "'pca 20'"),
        ("qqqq", "there is auto, video"), ("", "names no method"), (" ,", "names no method"),
    ):  # fmt: skip
        said = run("x.npy", "--methods", names, code=2).stderr
        assert words in said
        assert len(said) < 500
    every = roster(STACKS["uint8"])
    assert [one.name for one in choose(every, ["jpeg xl", "AUTO Small", "sz3"], False)] == [
        "auto small", "SZ3 bounded", "JPEG XL 7",
    ]  # fmt: skip


def test_nothing_to_compare(monkeypatch):
    monkeypatch.setattr(
        "importlib.util.find_spec", lambda name: None if name == "hdf5plugin" else find_spec(name)
    )
    np.save("c8.npy", np.zeros((20, 200, 200), "c8"))
    said = run("c8.npy", "--methods", "SZ3,ZFP", "--html", "x.html", code=1).stderr
    assert "SZ3 bounded, ZFP bounded: not installed: pip install hdf5plugin" in said
    assert (
        "cannot hold pixels of dtype complex64" in run("c8.npy", "--methods", "lzf", code=1).stderr
    )
    said = run("demo", "--methods", "bounded", "--frames", 20, "--json", "x.json", code=1).stderr
    assert "bounded small: keeps a bound: give --max-error" in said
    assert "demo is too small" in run("demo", "--frames", 2, "--methods", "lzf", code=1).stderr
    assert os.listdir() == ["c8.npy"]


def test_a_temporary_folder_that_is_not_there(monkeypatch):
    monkeypatch.setenv("TMPDIR", "/no/folder")
    assert run("demo", "--methods", "hdf5", code=1).stderr == (
        "Error: cannot write to /no/folder (TMPDIR): No such file or directory\n"
    )


def test_modules_of_the_current_folder_are_none_of_ours():
    Path("numpy.py").write_text("raise SystemExit")
    found = compare(stack(), methods=["lzf"], rounds=1)
    assert found.rows[0].exact


def test_json_on_standard_output():
    np.save("x.npy", stack())
    found = run("x.npy", "--methods", "hdf5", "--rounds", 1, "--json", "-")
    facts = json.loads(found.stdout)
    assert facts["rows"][0]["options"] == "--method hdf5"
    assert "pack MB/s" in found.stderr
    assert os.listdir() == ["x.npy"]


def test_what_breaks_its_word_is_told_and_not_recommended():
    def judged(max_error):
        run = results.Run(1000, 1.0, 1.0, [1.0], False, max_error, None, 0)
        one = Contestant("SZ3 bounded", None, None, bounded=True)
        return results.row(one, [run], [None], 10**8, 0.5)

    texts = [table.cell(judged(error), "exact") for error in (0.5, 0.75, math.inf)]
    assert texts == ["off by 0.5", "off by 0.75, over its bound", "NaN or infinities lost"]
    for error in (0.75, math.inf):
        assert "SZ3" not in advise(bench_of(made_up("big", 10**6, 1), judged(error)))
    assert "SZ3" in advise(bench_of(made_up("big", 10**6, 1), judged(0.5)))


@pytest.mark.skipif(find_spec("hdf5plugin") is None, reason="needs hdf5plugin")
def test_a_peer_that_loses_nan():
    frames = stack("float32")
    frames[3, 4, 5] = np.nan
    found = compare(frames, methods=["ZFP", "lzf"], rounds=1)
    (lost,) = (row for row in found.rows if row.name == "ZFP bounded")
    assert lost.broken == "NaN or infinities lost"
    assert "ZFP" not in advise(found)


def test_advice_names_ours_beside_a_peer_and_how_to_get_it():
    ours = dataclasses.replace(made_up("auto small", 2 * 10**6, 1), options="--profile small")
    advice = advise(bench_of(made_up("JPEG-LS", 90_000, 1, ours=False), ours))
    assert "To archive: JPEG-LS (a peer; of ours: auto small, 50 times), 1,111 times" in advice
    assert advice.endswith("As options of h5vidstack pack: auto small is --profile small.")
    assert "(a peer)," in advise(bench_of(made_up("JPEG-LS", 10**6, 1, ours=False)))
    assert "nothing here shrinks it" in advise(bench_of(made_up("hdf5", 101_000_000, 50)))
    named = {one.name: one.options for one in roster(STACKS["uint8"], 2.0)}
    assert named["auto small"] == "--method auto --profile small"
    assert named["bounded fast"] == "--method auto --profile fast --max-error 2.0"
    assert named["pca exact"] == "--method pca --exact"
    assert named["video x264-slow"] == "--method video --preset x264-slow"


def test_table_memory_ties_and_long_problems():
    one, two = made_up("one", 10**6, 50.04), made_up("two", 10**6 + 4, 50.01)
    three = dataclasses.replace(made_up("three", 10**7, 1), peak_bytes=2 * 10**6)
    refusing = Row("x", True, "it does not hold this " * 20)
    found = bench_of(one, two, three, refusing)
    assert all(table.is_best(found, row, "pack_speed") for row in (one, two))
    assert all(table.is_best(found, row, "file_bytes") for row in (one, two))
    assert [table.cell(row, "peak_bytes") for row in (one, three)] == ["<1", "2"]
    assert not any(table.is_best(found, row, "peak_bytes") for row in (one, two, three))
    text = table.lines(found)
    (problem,) = (line for line in text if line.startswith("x "))
    assert problem.endswith(" ...")
    assert len(problem) <= max(len(line) for line in text if line.startswith(("one", "three")))


def test_each_random_frame_has_a_fresh_reader():
    opened, frames = [], noise((50, 4, 5))

    class Reader:
        def __init__(self):
            self.asked = []
            opened.append(self.asked)

        def __getitem__(self, key):
            self.asked.append(key)
            return frames[key]

    one = Contestant("x", None, lambda _path: contextlib.nullcontext(Reader()))
    assert len(child._random_frames(one, Path(), 50, 1)) == len(opened) == child.RANDOM_FRAMES
    assert all(len(asked) == 1 for asked in opened)
    assert len({asked[0] for asked in opened}) == len(opened)
