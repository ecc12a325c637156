import logging
import struct
from pathlib import Path

import pytest
import tifffile
from tiffs import gray_tags, read, values, write_tiff

import h5vidstack


def test_a_chain_of_pages_that_breaks():
    frames = values((4, 24, 32), "u2")
    write_tiff("a.tif", [(gray_tags(24, 32, 16), [frame.tobytes()]) for frame in frames])
    data = bytearray(Path("a.tif").read_bytes())
    with tifffile.TiffFile("a.tif") as opened:
        at = opened.pages[1].offset + 2 + 12 * 9
    struct.pack_into("<I", data, at, len(data) + 100)
    Path("a.tif").write_bytes(data)
    with pytest.raises(h5vidstack.SourceError, match=r"a\.tif: invalid page offset"):
        read("a.tif")


def test_a_codec_that_is_missing_names_its_package(monkeypatch):
    frames = values((3, 24, 32), "u2")
    tifffile.imwrite("a.tif", frames, compression="zlib", photometric="minisblack")

    def missing(*_arguments, **_options):
        raise ValueError("<COMPRESSION.LZW: 5> requires the 'imagecodecs' package")

    monkeypatch.setattr(tifffile.TiffPage, "asarray", missing)
    with pytest.raises(h5vidstack.MissingError, match=r'pip install "h5vidstack\[imagecodecs\]"'):
        read("a.tif")


def test_a_silenced_logger_hides_no_damage(caplog, capsys):
    frames = values((5, 24, 32), "u2")
    write_tiff("a.tif", [(gray_tags(24, 32, 16), [frame.tobytes()]) for frame in frames])
    data = bytearray(Path("a.tif").read_bytes())
    with tifffile.TiffFile("a.tif") as opened:
        at = opened.pages[2].offset + 2 + 12 * 9
    struct.pack_into("<I", data, at, len(data) + 1)
    Path("a.tif").write_bytes(data)
    logger = logging.getLogger("tifffile")
    before = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        with pytest.raises(h5vidstack.SourceError, match="invalid page offset"):
            read("a.tif")
        assert logger.level == logging.CRITICAL
    finally:
        logger.setLevel(before)
    assert not logger.filters
    assert not caplog.records
    assert capsys.readouterr().err == ""
