"""Attributes of datasets, in the types that they have."""

import h5py
import numpy as np
from described import PIXELS, packed

from h5vidstack.sources.array_description import ArrayDescription
from h5vidstack.sources.hdf5_files.attributes import attributes, base_name, text_attribute

ATTRIBUTES = {
    "f4": np.float32(1.5), "i1": np.int8(3), "array": np.arange(4, dtype="i2"), "text": "ü",
    "bytes": np.bytes_(b"abc"), "flag": np.bool_(True), "CLASS": np.bytes_(b"IMAGE"),
    "texts": ["a", "bb"], "long": "x" * 100_000, "shape": 3,
}  # fmt: skip


def test_they_keep_their_types():
    with h5py.File("a.h5", "w") as file:
        file["img"] = PIXELS
        file["img"].attrs.update(ATTRIBUTES)
        file["img"].attrs["nothing"] = h5py.Empty("f8")
        file["img"].attrs["no text"] = h5py.Empty("S1")
        file["img"].attrs["object"] = file["img"].ref
        file["img"].attrs["complex"] = 1j
    metadata, _, notes = packed("a.h5::/img")
    kept = dict(metadata.attrs)
    assert len(kept.pop("nothing")) == 0
    assert kept.pop("no text") == ""
    assert kept.keys() == ATTRIBUTES.keys()
    assert kept["bytes"] == "abc"
    assert kept["CLASS"] == "IMAGE"
    for name in ATTRIBUTES.keys() - {"bytes", "CLASS"}:
        np.testing.assert_array_equal(kept[name], ATTRIBUTES[name])
    (note,) = notes
    assert "attribute complex (it is a complex128); attribute object (it is a Reference)" in note
    with h5py.File("x.h5") as file:
        stored = file["stack"].attrs
        types = {name: stored.get_id(name).dtype for name in ("f4", "i1", "array", "flag")}
        assert types == {"f4": "f4", "i1": "i1", "array": "i2", "flag": "i1"}


def test_what_is_hdf5s_own():
    with h5py.File("a.h5", "w") as file:
        file["s"] = [1, 2, 3]
        file["s"].make_scale("s")
        file["s"].attrs["units"] = "m"
        assert list(attributes(file["s"], ArrayDescription((3, 4, 5), "it"))) == [("units", "m")]
        assert base_name(file["s"]) == "s"
        assert text_attribute(file["s"], "units") == "m"
        assert text_attribute(file["s"], "none") == ""
