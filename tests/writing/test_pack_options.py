"""The options of packing: written once, for Python and the command line."""

import click
import numpy as np
import pytest

import h5vidstack
from h5vidstack import PackOptions
from h5vidstack.cli import main
from h5vidstack.writing import pack_options

FRAMES = np.random.default_rng(0).integers(0, 40, (20, 16, 24), np.uint8)


@pytest.mark.parametrize("command", ["pack", "append", "repack"])
def test_commands_have_the_options(command):
    flags = {
        flag
        for option in main.commands[command].params
        if isinstance(option, click.Option)
        for flag in option.opts
    }
    for name in pack_options.options_of(command):
        if pack_options.about(name).command:
            assert f"--{pack_options.flag(name)}" in flags


def test_options_made_once():
    options = PackOptions(profile="fast", hashes=False, codec="deflate")
    h5vidstack.pack(FRAMES, "x.h5", options=options)
    h5vidstack.pack(FRAMES, "y.h5", options=options, hashes=True)
    with h5vidstack.open("x.h5") as one, h5vidstack.open("y.h5") as other:
        one.append(FRAMES[:3] + 1, options=options)
        np.testing.assert_array_equal(one[:], np.concatenate([FRAMES, FRAMES[:3] + 1]))
        assert len(other.hashes()) == len(FRAMES)
        assert one.attrs["settings"]["profile"] == "fast"
    with h5vidstack.create("z.h5", (16, 24), "u1", options=options) as recorder:
        recorder.write(FRAMES[0])
    assert options == PackOptions(profile="fast", hashes=False, codec="deflate")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"mode": "r"}, "mode is 'r'"),
        ({"workers": 0}, "workers is 0"),
        ({"workers": float("nan")}, "workers is nan; it must be a whole number"),
        ({"spool_bytes": -1}, "spool_bytes is -1; it must be a whole number of at least 0"),
        ({"spool_bytes": "16G"}, "spool_bytes is '16G'; it must be a whole number"),
        ({"stream": "x"}, "stream is 'x'"),
        ({"chunk_frames": True}, "chunk_frames is True"),
        ({"gray": "no"}, "gray is 'no'; it must be True or False"),
        ({"verify": None}, "verify is None"),
        ({"codec": ["lpc"]}, r"codec is \['lpc'\]; it must be a name"),
        ({"method": "pca", "target_psnr": "high"}, "target-psnr is 'high'"),
        ({"method": "best"}, "no method 'best'"),
        ({"profile": "best"}, "no profile 'best'"),
        ({"components": 3}, "method auto takes no components; pca takes it"),
        ({"method": "pca", "resume": True}, "takes no resume"),
        ({"copy": True, "verify": False}, "takes no no-verify"),
        ({"copy": True, "method": "hdf5"}, "takes no method hdf5"),
        ({"crf": 20, "max_error": 1}, "promises no maximum error"),
    ],
)
def test_options_are_checked_when_they_are_made(options, words):
    with pytest.raises(h5vidstack.Error, match=words):
        PackOptions(**options)


def test_numbers_of_numpy_become_python_ones():
    options = PackOptions(chunk_frames=np.int64(4), workers=np.uint8(1), hashes=np.bool_(False))
    assert [type(one) for one in (options.chunk_frames, options.workers)] == [int, int]
    assert options.hashes is False
    h5vidstack.pack(FRAMES, "x.h5", options=options)
    with h5vidstack.open("x.h5") as stack:
        np.testing.assert_array_equal(stack[:], FRAMES)
