"""OME-XML: axes, sizes, channels, planes; and where it contradicts the pages."""

import numpy as np
import pytest

from h5vidstack.sources.tiff import ome
from h5vidstack.sources.tiff.ome import Planes

PLANES = Planes({"T": 2, "C": 2}, (4, 5), np.dtype("u2"))


def image(pixels="", inside="", after=""):
    text = (
        '<?xml version="1.0"?><OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06">'
        f'<Image ID="Image:0">{after}<Pixels ID="Pixels:0" DimensionOrder="XYCZT" Type="uint16" '
        f'SizeX="5" SizeY="4" SizeC="2" SizeZ="1" SizeT="2" {pixels}>{inside}</Pixels></Image></OME>'
    )
    (found,) = ome.images(ome.parse_ome(text))
    return found


def test_default_units_are_those_of_the_schema():
    plain = image('PhysicalSizeX="0.5" PhysicalSizeY="0.25" TimeIncrement="3"',
                  '<Plane TheT="0" TheC="0" TheZ="0" DeltaT="1" PositionX="7"/>')  # fmt: skip
    found = ome.describe(plain, PLANES, "x")
    assert {name: one.units for name, one in found.coords.items()} == {
        "x": "µm", "y": "µm", "T": "s", "time": "s", "position_x": "reference frame",
    }  # fmt: skip
    np.testing.assert_array_equal(found.coords["y"].values, [0, 0.25, 0.5, 0.75])
    np.testing.assert_array_equal(found.coords["time"].values, [1, np.nan, np.nan, np.nan])
    assert found.coords["time"].dims == ("frame",)
    assert found.pixel_size == ome.PixelSize(0.25, 0.5, "µm")
    assert not found.notes


def test_planes_have_their_places():
    inside = "".join(
        f'<Plane TheT="{t}" TheC="{c}" TheZ="0" DeltaT="{10 * t + c}" DeltaTUnit="ms" '
        f'ExposureTime="{c + 1}" ExposureTimeUnit="ms"/>'
        for c in range(2) for t in range(2)
    ) + '<Plane TheT="7" TheC="0" TheZ="0" DeltaT="99"/><Plane TheT="-1" DeltaT="99"/>'  # fmt: skip
    found = ome.describe(image("", inside), PLANES, "x")
    assert found.coords["time"].values.tolist() == [0, 1, 10, 11]
    assert found.coords["time"].units == found.coords["exposure"].units == "ms"
    one_axis = Planes({"T": 4}, (4, 5), np.dtype("u2"))
    assert ome.describe(image("", inside), one_axis, "x").coords["time"].dims == ("T",)


def test_planes_in_several_units_are_told():
    inside = '<Plane TheT="0" DeltaT="1"/><Plane TheT="1" DeltaT="1" DeltaTUnit="min"/>'
    found = ome.describe(image("", inside), PLANES, "x.tif")
    assert "time" not in found.coords
    assert "DeltaT of the planes of x.tif is in several units (min, s)" in found.notes[0]


def test_channels_and_date():
    inside = '<Channel ID="C:0" Name="DAPI"/><Channel ID="C:1" Name="GFP"/>'
    found = ome.describe(image("", inside, "<AcquisitionDate>2020-01-02T03:04:05</AcquisitionDate>"),
                         PLANES, "x")  # fmt: skip
    assert found.coords["C"].values.tolist() == ["DAPI", "GFP"]
    assert found.attrs == {"acquisition_date": "2020-01-02T03:04:05"}
    single = Planes({"T": 2}, (4, 5), np.dtype("u2"))
    one = ome.describe(image("", '<Channel Name="only"/>'), single, "x")
    assert (one.coords["C"].dims, one.coords["C"].values) == ((), "only")
    assert "C" not in ome.describe(image("", '<Channel Name="only"/>'), PLANES, "x").coords


@pytest.mark.parametrize(("planes", "said"), [
    (Planes({"T": 2, "C": 2}, (4, 6), np.dtype("u2")), "SizeX is 6, not 5"),
    (Planes({"T": 3, "C": 2}, (4, 5), np.dtype("u2")), "SizeT is 3, not 2"),
    (Planes({"T": 2, "C": 2}, (4, 5), np.dtype("f4")), "samples are float32, not uint16"),
    (Planes({"T": 2, "C": 2}, (4, 5, 3), np.dtype("u2")), "SizeC is 6, not 2"),
])  # fmt: skip
def test_the_pages_win(planes, said):
    (note,) = ome.describe(image(), planes, "x.tif").notes
    assert note == (
        f"The OME metadata of x.tif contradict its pages ({said}); the pages were taken."
    )


def test_what_is_no_ome_xml():
    for text in ("", "<a/>", "<OME", b"\xff\xfe", "<!DOCTYPE OME [<!ENTITY a 'b'>]><X>&a;</X>"):
        assert ome.parse_ome(text) is None


def test_numbers_that_are_none_are_left_out():
    found = ome.describe(
        image('PhysicalSizeX="nan" PhysicalSizeY="x" TimeIncrement="inf"'), PLANES, "x"
    )
    assert not found.coords
    assert found.pixel_size is None
