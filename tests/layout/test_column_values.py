"""Values of columns in the file, and back: bit for bit, and small."""

import h5py
import numpy as np
import pytest
from frames import moving

import h5vidstack

FRAMES = moving((6, 8, 9))

COLUMNS = {
    "regular": np.arange(6) / 25, "single": np.float32([0.1] * 6), "half": np.float16([0.5] * 6),
    "ok": np.arange(6) > 2, "texts": np.array([f"é{i}" for i in range(6)]),
    "when": np.array(["NaT", *range(5)], "M8[us]"), "for": np.arange(6).astype("m8[h]"),
    "odd": np.arange(6).astype("M8[25us]"), "big": np.arange(6, dtype=">u8"), "nan": [np.nan] * 6,
    "minus": np.array([0.0, -0.0, 0.0, -0.0, 0.0, -0.0]),
}  # fmt: skip


@pytest.mark.parametrize("name", COLUMNS)
def test_columns_come_back_bit_for_bit(name):
    values = np.asarray(COLUMNS[name])
    h5vidstack.pack(FRAMES, "x.h5", coords={name: (values, {"units": "u", "scale_factor": 2.0})})
    with h5vidstack.open("x.h5") as stack:
        found = stack.coords[name]
        assert dict(found.attrs) == {"units": "u", "scale_factor": 2.0}
        np.testing.assert_array_equal(found.values, values)
        if values.dtype.kind not in "MU":
            own = values.astype(values.dtype.newbyteorder("="))
            assert (found.values.dtype, found.values.tobytes()) == (own.dtype, own.tobytes())
        assert stack.verify() == []


def test_many_regular_times_take_no_room():
    frames = np.zeros((5000, 2, 2), np.uint8)
    h5vidstack.pack(frames, "x.h5", coords={"t": np.arange(5000) * 0.025})
    with h5py.File("x.h5") as file:
        assert file["stack/t"].dtype == np.int32
        assert file["stack/t"].id.get_storage_size() < 600
    with h5vidstack.open("x.h5") as stack:
        np.testing.assert_array_equal(stack.coords["t"].values, np.arange(5000) * 0.025)
