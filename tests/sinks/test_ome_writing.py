"""The OME-XML of a stack: the original as far as it fits, or a new one."""

import numpy as np
import pytest

from h5vidstack.metadata.coordinates import Coordinate
from h5vidstack.metadata.description import Metadata
from h5vidstack.sinks import ome_writing
from h5vidstack.sources.tiff.ome import Planes

PLANES = Planes({"T": 2}, (4, 5), np.dtype("u2"))
KNOWN = Metadata(("T", "y", "x"))


def xml(image, prefix="", outside=""):
    name = f"xmlns{':' + prefix[:-1] if prefix else ''}"
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<!-- kept -->\n<{prefix}OME {name}="http://www.'
        f'openmicroscopy.org/Schemas/OME/2016-06" UUID="urn:uuid:old">{outside}{image}'
        f"<{prefix}Instrument ID='I:0'/></{prefix}OME>"
    )


def one_image(prefix="", data='<{0}TiffData IFD="3"/>', number=0, size=2):
    return (
        f'<{prefix}Image ID="Image:{number}"><{prefix}Pixels DimensionOrder="XYZCT" Type="uint16" '
        f'SizeX="5" SizeY="4" SizeZ="1" SizeC="1" SizeT="{size}">{data.format(prefix)}'
        f"<{prefix}Plane TheT='1'/></{prefix}Pixels></{prefix}Image>"
    )


@pytest.mark.parametrize("prefix", ["", "ome:"])
@pytest.mark.parametrize("data", [
    '<{0}TiffData IFD="3"/>', "<{0}TiffData/>", "<{0}TiffData></{0}TiffData>",
    '<{0}TiffData FirstT="0"><{0}UUID FileName="a">u</{0}UUID></{0}TiffData>\n<{0}TiffData IFD="1" />',
])  # fmt: skip
def test_only_where_pages_are_is_new(prefix, data):
    text = xml(one_image(prefix, data), prefix)
    made = ome_writing.original_xml(text, 0, PLANES, KNOWN)
    here = f'<{prefix}TiffData IFD="0" PlaneCount="2"/>'
    assert made.count("TiffData") == 1
    assert "urn:uuid:old" not in made
    before, after = made.split(here)
    assert after.lstrip() == text[text.rindex("TiffData") :].partition(">")[2]
    assert "<!-- kept -->" in before


def test_other_images_are_left_out():
    text = xml("\n".join(one_image(number=number) for number in range(3)))
    made = ome_writing.original_xml(text, 1, PLANES, KNOWN)
    assert [f'ID="Image:{number}"' in made for number in range(3)] == [False, True, False]


@pytest.mark.parametrize("text", [
    "no xml", xml(""), xml(one_image(size=3)), xml(one_image(data="")), xml(one_image()) + "x",
])  # fmt: skip
def test_what_does_not_fit(text):
    assert ome_writing.original_xml(text, 0, PLANES, KNOWN) is None
    assert ome_writing.original_xml(xml(one_image()), 1, PLANES, KNOWN) is None


def test_new_xml_says_what_is_known():
    coords = {
        "T": Coordinate.of(("T",), [0.0, 0.5], {"units": "sec"}),
        "x": Coordinate.of(("x",), np.arange(5) * 2.0, {"units": "micron"}),
        "exposure": Coordinate.of(("T",), [1.0, 2.0], {"units": "ms"}),
    }
    text, planes = ome_writing.new_xml(Metadata(KNOWN.dims, coords), PLANES)
    found = ome_writing.described_by(text, planes)
    assert set(found) == {"T", "x", "exposure"} or set(found) == {"T", "exposure", "x"}
    for name, coordinate in coords.items():
        assert ome_writing.same_values(coordinate, found[name])


def test_units_however_spelt():
    for text in ("um", "μm", "micron", "µm"):
        assert ome_writing.unit(text) == "µm"
    assert ome_writing.unit("furlong") == "furlong"
