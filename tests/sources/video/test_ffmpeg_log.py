import logging
import warnings
from pathlib import Path

import av
import pytest
from films import drift, noisy, packets, read, write

import h5vidstack


def test_what_ffmpeg_says_of_a_file_that_it_cannot_open():
    write("x.mp4", drift(), "libx264")
    Path("x.mp4").write_bytes(Path("x.mp4").read_bytes()[:2000])
    with pytest.raises(h5vidstack.SourceError, match=r"no input .* \(mov.*(moov atom|header)"):
        read("x.mp4")


def test_the_log_of_ffmpeg_is_left_as_it_was(caplog, capfd):
    write("x.mkv", noisy(), "ffv1", {"level": "3", "slicecrc": "1", "g": "1"})
    packet, data = packets("x.mkv")[3], bytearray(Path("x.mkv").read_bytes())
    data[data.find(packet) + len(packet) // 2] ^= 16
    Path("x.mkv").write_bytes(data)
    before = av.logging.get_level(), av.logging.get_skip_repeated()
    for level in (None, av.logging.FATAL, av.logging.VERBOSE):
        av.logging.set_level(level)
        try:
            with caplog.at_level(logging.DEBUG), warnings.catch_warnings():
                read("x.mkv", accept_damaged=True)
            assert (av.logging.get_level(), av.logging.get_skip_repeated()) == (level, before[1])
        finally:
            av.logging.set_level(before[0])
    assert [record for record in caplog.records if "CRC" in record.getMessage()] == []
    assert capfd.readouterr() == ("", "")
