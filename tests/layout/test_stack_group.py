import h5py
import numpy as np
import pytest
from frames import moving

import h5vidstack


def test_settings_are_never_needed():
    frames = moving((3, 9, 8))
    h5vidstack.pack(frames, "x.h5")
    for settings in (np.bytes_("{"), np.bytes_("[1]"), "{}", 7, None):
        with h5py.File("x.h5", "r+") as file:
            file["stack"].attrs.pop("settings", None)
            if settings is not None:
                file["stack"].attrs["settings"] = settings
        with h5vidstack.open("x.h5") as stack:
            assert stack.attrs["settings"] == {}
            np.testing.assert_array_equal(stack[:], frames)


def test_bad_files(tmp_path):
    cases = {
        "no such file": "none.h5",
        "not an HDF5 file": "text.h5",
        "no h5vidstack stack": "plain.h5",
        "is a folder": ".",
    }
    (tmp_path / "text.h5").write_text("hello")
    with h5py.File("plain.h5", "w") as file:
        file["d"] = np.zeros((2, 3, 4), np.uint8)
    for words, name in cases.items():
        with pytest.raises(h5vidstack.FormatError, match=words):
            h5vidstack.open(name)
    with pytest.raises(h5vidstack.FormatError, match="without h5vidstack's filter"):
        h5vidstack.open("plain.h5::/d")
    h5vidstack.pack(np.zeros((2, 3, 4), np.uint8), "x.h5")
    with pytest.raises(h5vidstack.FormatError, match="stacks in it: /stack"):
        h5vidstack.open("x.h5", "/other")
    with pytest.raises(h5vidstack.FormatError, match="cache_bytes"):
        h5vidstack.open("x.h5", workers=0)


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        (
            "h5vidstack_format",
            np.bytes_("1.1"),
            "is of format '1.1'; this h5vidstack .* reads format 1.0",
        ),
        ("h5vidstack_format", np.bytes_("0.9"), "reads format 1.0"),
        ("h5vidstack_format", np.bytes_("x"), "reads format 1.0"),
        ("h5vidstack_format", 1.0, "is no string"),
        ("shape", [1, 2], "damaged"),
        ("shape", [2, 3, 5], "damaged"),
        ("shape", "x", "damaged"),
        ("leading_shape", "x", "damaged"),
        ("leading_shape", 7, "damaged"),
        ("lossless", [True, False], "damaged"),
        ("max_error", "x", "damaged"),
        ("dtype", "f8", "damaged"),
        ("dtype", "nonsense", "damaged"),
        ("shape", None, "damaged"),
    ],
)
def test_other_or_damaged_stacks(name, value, words):
    h5vidstack.pack(np.zeros((2, 3, 4), np.uint8), "x.h5")
    with h5py.File("x.h5", "r+") as file:
        if name in file["stack"].attrs:
            del file["stack"].attrs[name]
        if value is not None:
            file["stack"].attrs[name] = value
    with pytest.raises(h5vidstack.FormatError, match=words):
        h5vidstack.open("x.h5")


def test_attributes_as_other_programs_copy_them():
    """Strings of variable length, and arrays of one number, as MATLAB writes them."""
    frames = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
    h5vidstack.pack(frames, "x.h5")
    with h5py.File("x.h5", "r+") as file:
        attrs = file["stack"].attrs
        for name, value in list(attrs.items()):
            if isinstance(value, bytes):
                attrs[name] = value.decode()
            elif not isinstance(value, np.ndarray):
                attrs[name] = np.array([value])
    with h5vidstack.open("x.h5") as stack:
        np.testing.assert_array_equal(stack[:], frames)
        assert stack.attrs["lossless"] is True
        assert stack.attrs["settings"]
        assert stack.verify() == []
