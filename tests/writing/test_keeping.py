from dataclasses import replace

import numpy as np

from h5vidstack.metadata.coordinates import Coordinate
from h5vidstack.metadata.description import Metadata
from h5vidstack.sources.openers import open_source
from h5vidstack.writing.keeping import keeping


def test_what_is_kept_in_words(tmp_path):
    np.save(tmp_path / "a.npy", np.zeros((3, 4, 5), np.uint8))
    source = open_source(tmp_path / "a.npy")
    coords = {"time": Coordinate.of(["frame"], np.arange(3), {"units": "s"})}
    metadata = replace(source.metadata, dims=("frame", "y", "x"), coords=coords, attrs={"who": 1})
    found = keeping(source, metadata, digest=False, copied=False, lossless=True)
    assert found.kept[:3] == ("axes: frame, y, x", "coordinates: time [s]", "attributes: who")
    if metadata.files is not None:
        assert found.kept[3].endswith("without SHA-256")
        assert any("files do not" in one for one in found.left)


def test_what_is_not_kept():
    source = open_source(np.zeros((3, 4, 5), np.uint8))
    source.left_out, source.leftover = ("stream 1 (audio, aac)",), "its file may hold more"
    found = keeping(source, Metadata(), digest=True, copied=False, lossless=True)
    assert found.kept == ()
    assert found.left == ("stream 1 (audio, aac)", "its file may hold more")
