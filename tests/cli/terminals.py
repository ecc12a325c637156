"""A pseudo-terminal, commands that write to it, and sources to pack there."""

import contextlib
import os
import pty
import subprocess
import sys
import threading
from pathlib import Path

import h5py
import numpy as np
from click.testing import CliRunner
from frames import moving
from PIL import Image
from videos import write_video

import h5vidstack
from h5vidstack.cli import main

WISHES = ("NO_COLOR", "FORCE_COLOR", "CLICOLOR", "CLICOLOR_FORCE", "TERM")


def command(*arguments):
    return [sys.executable, "-m", "h5vidstack", *map(str, arguments)]


def plain_environment(**more):
    kept = {name: value for name, value in os.environ.items() if name not in WISHES}
    return kept | {"TERM": "xterm"} | more


@contextlib.contextmanager
def pseudo_terminal():
    """A pseudo-terminal to write to, which the body closes, and what was written, at the end."""
    ours, theirs = pty.openpty()
    said = []

    def read():
        try:
            while data := os.read(ours, 1 << 16):
                said.append(data)
        except OSError:  # Linux's word for the end
            pass

    reader = threading.Thread(target=read)
    reader.start()
    try:
        yield theirs, said
    finally:
        reader.join()
        os.close(ours)


def on_a_terminal(*arguments, **environment):
    """Standard output of a command that has a terminal there."""
    with pseudo_terminal() as (theirs, said):
        subprocess.run(
            command(*arguments), stdout=theirs, stderr=subprocess.PIPE,
            env=plain_environment(**environment),
        )  # fmt: skip
        os.close(theirs)
    return b"".join(said).replace(b"\r\n", b"\n")


def out(*arguments):
    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    assert result.exit_code == 0, result.output
    return result.stdout_bytes


def shown(monkeypatch, *arguments):
    """What a command that succeeds writes to a terminal on its standard error."""
    with (
        pseudo_terminal() as (theirs, said),
        os.fdopen(theirs, "w") as stream,
        monkeypatch.context() as patch,
    ):
        patch.setattr(sys, "stderr", stream)
        with contextlib.suppress(SystemExit):  # of what ends with an exit code
            main.main([str(argument) for argument in arguments], standalone_mode=False)
    return b"".join(said).decode()


FRAMES = moving((12, 32, 48))


def put_images():
    Path("imgs").mkdir()
    for number, frame in enumerate(FRAMES):
        Image.fromarray(frame).save(f"imgs/{number}.png")


def put_pages(name):
    first, *others = map(Image.fromarray, FRAMES)
    first.save(name, save_all=True, append_images=others)


def put_hdf5():
    with h5py.File("d.h5", "w") as file:
        file.create_dataset("plain", data=FRAMES)
        file.create_dataset("chunked", data=FRAMES, chunks=(4, 32, 48), compression="gzip")
        layout = h5py.VirtualLayout(FRAMES.shape, "u1")
        layout[:] = h5py.VirtualSource(file["plain"])
        file.create_virtual_dataset("virtual", layout)


SOURCES = {
    "imgs": put_images,
    "imgs/*.png": put_images,
    "p.tif": lambda: put_pages("p.tif"),
    "p.gif": lambda: put_pages("p.gif"),
    "a.npy": lambda: np.save("a.npy", FRAMES),
    "v.mkv": lambda: write_video("v.mkv", 12, (32, 48), "gray", codec="ffv1"),
    "v.mp4": lambda: write_video("v.mp4", 12, (32, 48)),
    "d.h5::/plain": put_hdf5,
    "d.h5::/chunked": put_hdf5,
    "d.h5::/virtual": put_hdf5,
    "s.h5": lambda: h5vidstack.pack(FRAMES, "s.h5"),
}
